"""The contract of `Backend`, tested on every profile of the stub as on the real servers."""

import asyncio
import time

import pytest

from server_stub.domain.profiles import PROFILES
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.contract import WALKS, Walk
from tests.contract_harness import Attached, attached, newcomer
from tui.core.turn_state import TurnState
from tui.net.clocks import Clocks


async def the_agent_s_plan_is_kept(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("TODO")
    assert (await here.over("TODO")).state is TurnState.FINISHED
    plan = here.client.store.todos(here.session_id)
    assert "Read the store" in [todo.text for todo in plan]
    assert plan[0].status == "completed"
    async with newcomer(here.server) as backend:
        await backend.messages(here.session_id)
        assert await backend.todos(here.session_id) == plan


HERE_ONLY = [Walk(the_agent_s_plan_is_kept)]
"""A real server does this only with a model that keeps a plan."""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("walk", [*WALKS, *HERE_ONLY], ids=str)
def test_contract(walk: Walk, profile: str) -> None:
    async def play(loop: VirtualTime) -> None:
        epoch = time.time()
        clocks = Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5)
        server = StubServer(PROFILES[profile], epoch)
        server.start()
        try:
            async with attached(server, clocks=clocks) as here:
                await walk.play(here, clocks)
        finally:
            await server.close()
        assert loop.broken == []

    run(play)
