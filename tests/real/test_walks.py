"""The contract of `Backend` on real servers; tests/backends/test_base.py tests it on the stub."""

import asyncio
from dataclasses import dataclass

import pytest

from tests.contract import WALKS, Walk
from tests.contract_harness import attached
from tests.real.conftest import Serve
from tests.real.server import MIMO, OPENCODE, QWEN, Family, RealServer

pytestmark = pytest.mark.real


@dataclass(frozen=True, slots=True)
class Killable:
    """A real server for a contract test."""

    server: RealServer

    @property
    def port(self) -> int:
        return self.server.port

    def crash(self) -> None:
        self.server.kill()

    async def restart(self) -> None:
        await asyncio.to_thread(self.server.restart)


@pytest.mark.parametrize("walk", WALKS, ids=str)
@pytest.mark.parametrize("family", [OPENCODE, QWEN, MIMO], ids=lambda family: family.program)
async def test_contract(shared: Serve, alone: Serve, walk: Walk, family: Family) -> None:
    serve = alone if walk.alone else shared
    async with attached(Killable(serve(family))) as here:
        await walk.play(here, None)
