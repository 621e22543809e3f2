"""The real servers that `make real` has installed; without them these tests fail, they do not skip."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.server import OPENCODE, QWEN, RealServer, running_server

INSTALLED = Path(__file__).parents[2] / ".real-servers" / "node_modules"


@pytest.fixture(scope="session")
def npm_modules() -> Path:
    """The folder with the packages of `package.json`, as node would look them up."""
    assert INSTALLED.is_dir(), "no real servers installed: run these tests by `make real`"
    return INSTALLED


@pytest.fixture
def opencode(npm_modules: Path, tmp_path: Path) -> Iterator[RealServer]:
    """A real opencode server, started anew for each test, on a project of its own."""
    with running_server(OPENCODE, npm_modules / ".bin", tmp_path / "opencode") as server:
        yield server


@pytest.fixture
def qwen(npm_modules: Path, tmp_path: Path) -> Iterator[RealServer]:
    """A real `qwen serve`, started anew for each test, on a project of its own."""
    with running_server(QWEN, npm_modules / ".bin", tmp_path / "qwen") as server:
        yield server
