"""The real servers that `make real` has installed; without them these tests fail, they do not skip."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.qwen_server import RealQwen, running_qwen
from tests.real.server import RealServer, running_opencode

INSTALLED = Path(__file__).parents[2] / ".real-servers" / "node_modules"


@pytest.fixture
def npm_modules() -> Path:
    """The folder with the packages of `package.json`, as node would look them up."""
    assert INSTALLED.is_dir(), "no real servers installed: run these tests by `make real`"
    return INSTALLED


@pytest.fixture
def opencode(npm_modules: Path, tmp_path: Path) -> Iterator[RealServer]:
    """A real opencode server, started anew for each test, on a project of its own."""
    with running_opencode(npm_modules / ".bin" / "opencode", tmp_path / "opencode") as server:
        yield server


@pytest.fixture
def qwen(npm_modules: Path, tmp_path: Path) -> Iterator[RealQwen]:
    """A real `qwen serve`, started anew for each test, on a project of its own."""
    with running_qwen(npm_modules / ".bin" / "qwen", tmp_path / "qwen") as server:
        yield server
