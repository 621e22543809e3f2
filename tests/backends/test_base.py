"""The contract of `Backend`, tested on every profile of the stub as on the real servers."""

import asyncio
import time

import pytest

from server_stub.domain.profiles import PROFILES
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.contract import CONTRACT, ContractTest
from tests.contract_harness import ContractHarness, connected_harness, new_backend
from tui.core.turn_state import TurnState
from tui.net.clocks import Clocks


async def the_agents_plan_is_stored(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("TODO")
    assert (await harness.over("TODO")).state is TurnState.FINISHED
    plan = harness.client.store.todos(harness.session_id)
    assert "Read the store" in [todo.text for todo in plan]
    assert plan[0].status == "completed"
    async with new_backend(harness.server) as backend:
        await backend.messages(harness.session_id)
        assert await backend.todos(harness.session_id) == plan


STUB_ONLY = [ContractTest(the_agents_plan_is_stored)]
"""A real server does this only with a model that keeps a plan."""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("contract_test", [*CONTRACT, *STUB_ONLY], ids=str)
def test_contract(contract_test: ContractTest, profile: str) -> None:
    async def run_scenario(loop: VirtualTime) -> None:
        epoch = time.time()
        clocks = Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5)
        server = StubServer(PROFILES[profile], epoch)
        server.start()
        try:
            async with connected_harness(server, clocks=clocks) as harness:
                await contract_test.run_scenario(harness, clocks)
        finally:
            await server.close()
        assert loop.broken == []

    run(run_scenario)
