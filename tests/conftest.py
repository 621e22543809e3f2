"""Fixtures of all tests: an environment without the developer's settings, and the command in a terminal."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from textual.pilot import Pilot

from tests.end_to_end.stub import Stub, running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment
from tui.storage.journal import Journal

# examples may be slow on a busy machine: pytest-timeout ends a hanging test
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("chaos", settings.get_profile("suite"), max_examples=10_000)  # `make chaos`
settings.load_profile("suite")

Pilot._wait_for_screen.__defaults__ = (100.0,)  # 30 s are not enough for hundreds of widgets on a busy machine

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell: commands under test inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

COMMAND = str(Path(sys.executable).with_name("holdfast"))

TIMEOUTS = {"real": 600, "chaos": 600}
"""Seconds that a test with this marker may take, including its fixtures."""

_OURS = ("HOLDFAST_", "OPENCODE_", "MIMOCODE_", "XDG_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for the test and its child processes; the environment names no server, password or proxy."""
    for name in list(os.environ):
        if name.startswith(_OURS) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture(autouse=True)
def _journals_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files and locks of a client that a test leaves running, as if killed, are closed after the test."""
    opened: list[Journal] = []
    begin = Journal.__init__

    def opening(self: Journal, *args: Any, **options: Any) -> None:
        opened.append(self)
        begin(self, *args, **options)

    monkeypatch.setattr(Journal, "__init__", opening)
    yield
    for journal in opened:
        journal.close()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A value of many characters is named by its length: ids of megabytes fill reports, and take minutes to write."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 100 else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that run for minutes by design have a longer timeout (`timeout` in pyproject.toml)."""
    for item in items:
        for marker, seconds in TIMEOUTS.items():
            if item.get_closest_marker(marker) and not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(seconds))


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Callable[..., Stub]]:
    """Start a stub server as a process: `stub(profile=…, env=…, args=…)`."""
    with ExitStack() as running:
        yield lambda **options: running.enter_context(running_stub(tmp_path / "stub", **options))


@pytest.fixture
def holdfast(home: Path) -> Iterator[Callable[..., Terminal]]:
    """Start the client in a terminal: `holdfast(address, …, env=…, columns=…, lines=…)`.

    `stopped`: its process is stopped before the client starts, until it gets SIGCONT.
    """
    with ExitStack() as running:

        def start(
            *args: str,
            env: Mapping[str, str] | None = None,
            columns: int = 120,
            lines: int = 40,
            stopped: bool = False,
        ) -> Terminal:
            environment = clean_environment(home) | dict(env or {})
            before = ("sh", "-c", 'kill -STOP $$; exec "$0" "$@"') if stopped else ()
            terminal = Terminal([*before, COMMAND, *args], env=environment, cwd=home, columns=columns, lines=lines)
            running.callback(_no_part_failed, terminal)
            running.callback(terminal.close)
            return terminal

        yield start


def _no_part_failed(terminal: Terminal) -> None:
    """The app would continue after an exception: it must not hide from a test that something raised."""
    assert b"failed and was redrawn" not in terminal.raw
    assert b"failed and was closed" not in terminal.raw
