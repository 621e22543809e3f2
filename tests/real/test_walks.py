"""What a `Backend` promises, on real servers: the walks that tests/backends/test_base.py takes on the stub."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.attached import attached
from tests.real.server import OPENCODE, QWEN, Family, RealServer, running_server
from tests.walks import WALKS, Walk

pytestmark = pytest.mark.real

Serve = Callable[[Family, bool], RealServer]


@dataclass(frozen=True, slots=True)
class Killable:
    """A real server as a walk sees it."""

    server: RealServer

    @property
    def port(self) -> int:
        return self.server.port

    def crash(self) -> None:
        self.server.kill()

    async def restart(self) -> None:
        await asyncio.to_thread(self.server.restart)


@pytest.fixture(scope="module")
def serve(npm_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """The family's server for all walks of this module; or (`alone`) one that no other walk has been on."""
    with ExitStack() as shared, ExitStack() as own:
        known: dict[str, RealServer] = {}

        def start(family: Family, alone: bool) -> RealServer:
            own.close()
            if not alone and family.program in known:
                return known[family.program]
            root = tmp_path_factory.mktemp(family.program) / "server"
            server = (own if alone else shared).enter_context(running_server(family, npm_modules / ".bin", root))
            if not alone:
                known[family.program] = server
            return server

        yield start


@pytest.mark.parametrize("walk", WALKS, ids=str)
@pytest.mark.parametrize("family", [OPENCODE, QWEN], ids=lambda family: family.program)
async def test_walk(serve: Serve, walk: Walk, family: Family) -> None:
    async with attached(Killable(serve(family, walk.alone))) as here:
        await walk.play(here, None)
