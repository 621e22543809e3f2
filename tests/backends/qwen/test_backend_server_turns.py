"""The client with a turn that the stub's daemon starts by itself; tests/real does the same with a real one."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from server_stub.domain.profiles import PROFILES
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.contract_harness import ContractHarness, connected_harness
from tests.own_turns import SERVER_TURN_TESTS
from tui.net.clocks import Clocks


@pytest.mark.parametrize("contract_test", SERVER_TURN_TESTS)
def test_a_turn_started_by_the_server(contract_test: Callable[[ContractHarness], Awaitable[None]]) -> None:
    async def run_scenario(loop: VirtualTime) -> None:
        epoch = time.time()
        clocks = Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5)
        server = StubServer(PROFILES["qwen"], epoch)
        server.start()
        try:
            async with connected_harness(server, clocks=clocks) as harness:
                await contract_test(harness)
        finally:
            await server.close()
        assert loop.broken == []

    run(run_scenario)
