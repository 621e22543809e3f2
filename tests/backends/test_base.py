"""What a `Backend` promises, shown on every profile of the stub by the same walks as on the real servers."""

import asyncio
import time

import pytest

from server_stub.profiles import PROFILES
from tests.attached import attached
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.walks import WALKS, Walk
from tui.client import Clocks


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("walk", WALKS, ids=str)
def test_walk(walk: Walk, profile: str) -> None:
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
