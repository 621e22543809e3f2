"""The real servers that `make real` has installed; without them these tests fail and are not skipped."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.real.server import MIMO, OPENCODE, QWEN, Family, RealServer, running_server

INSTALLED = Path(__file__).parents[2] / ".real-servers" / "node_modules"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("real").addoption(
        "--real-first", type=int, default=0, help="the seed of the first schedule of faults on a real server"
    )


@pytest.fixture(scope="session")
def npm_modules() -> Path:
    """The folder with the packages of `package.json`, as node resolves it."""
    assert INSTALLED.is_dir(), "no real servers installed: run these tests by `make real`"
    return INSTALLED


Serve = Callable[[Family], RealServer]


@pytest.fixture(scope="session")
def shared(npm_modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """The shared server of a family: it keeps running, with the state that tests leave.

    A test that kills it restarts it; if the test failed before, the next one restarts it.
    """
    with ExitStack() as running:

        @cache
        def started(family: Family) -> RealServer:
            root = tmp_path_factory.mktemp(family.program) / "server"
            return running.enter_context(running_server(family, npm_modules / ".bin", root))

        def serve(family: Family) -> RealServer:
            server = started(family)
            if not server.up:
                server.kill()
                server.restart()
            return server

        yield serve


@pytest.fixture
def alone(npm_modules: Path, tmp_path: Path) -> Iterator[Serve]:
    """A server used by this test only, as it counts the server's items or changes them permanently."""
    with ExitStack() as running:
        yield lambda family: running.enter_context(
            running_server(family, npm_modules / ".bin", tmp_path / family.program)
        )


@pytest.fixture
def opencode(shared: Serve) -> RealServer:
    """The shared real opencode server."""
    return shared(OPENCODE)


@pytest.fixture
def qwen(shared: Serve) -> RealServer:
    """The shared real `qwen serve`."""
    return shared(QWEN)


@pytest.fixture
def opencode_alone(alone: Serve) -> RealServer:
    """A real opencode server used by this test only."""
    return alone(OPENCODE)


@pytest.fixture
def qwen_alone(alone: Serve) -> RealServer:
    """A real `qwen serve` used by this test only."""
    return alone(QWEN)


@pytest.fixture
def mimo(shared: Serve) -> RealServer:
    """The shared real MiMo Code server."""
    return shared(MIMO)


@pytest.fixture
def mimo_alone(alone: Serve) -> RealServer:
    """A real MiMo Code server used by this test only."""
    return alone(MIMO)
