"""The stub started by `--demo` runs as long as needed and always stops afterwards."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.processes import clean_environment, read_line, running
from tests.waiting import MAX_WAIT, block_until
from tui.cli import demo
from tui.cli.demo import DemoServer
from tui.config.settings import SettingsError


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/global/health", trust_env=False, timeout=MAX_WAIT).is_success
    except httpx.TransportError:
        return False


def test_the_stub_runs_while_the_context_is_open() -> None:
    with DemoServer() as address:
        assert address.startswith("http://127.0.0.1:")
        assert answers(address)
    assert not answers(address)


def test_the_stub_stops_after_an_exception() -> None:
    with pytest.raises(LookupError), DemoServer() as address:
        raise LookupError
    assert not answers(address)


def test_no_module_of_the_working_directory_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "server_stub").mkdir()
    (tmp_path / "server_stub/__init__.py").touch()
    (tmp_path / "server_stub/__main__.py").write_text("print('http://another.example')")
    monkeypatch.chdir(tmp_path)
    with DemoServer() as address:
        assert answers(address)


def program(path: Path, lines: str) -> str:
    """A shell script to be started in place of Python."""
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o700)
    return str(path)


def test_the_stub_gets_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOLDFAST_PASSWORD", "OPENCODE_SERVER_PASSWORD", "HOLDFAST_STUB_PASSWORD"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("KEPT", "kept")
    seen = tmp_path / "environment"
    monkeypatch.setattr(sys, "executable", program(tmp_path / "python", f"env > '{seen}'; echo http://there; cat"))
    with DemoServer() as address:
        assert address == "http://there"
    assert "KEPT=kept" in seen.read_text()
    assert "s3cret" not in seen.read_text()


def test_a_stub_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(SettingsError, match="holdfast-stub"):
        DemoServer().__enter__()


def test_a_stub_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(demo, "EXIT_TIMEOUT", 0.1)
    stubborn = program(tmp_path / "python", "trap '' TERM; echo http://there; while :; do sleep 1; done")
    monkeypatch.setattr(sys, "executable", stubborn)
    started = DemoServer()
    with started:
        pass
    assert started._process.returncode == -signal.SIGKILL


PARENT = """
import time
from tui.cli.demo import DemoServer
with DemoServer() as address:
    print(address, flush=True)
    time.sleep(600)
"""


def test_the_stub_stops_when_its_parent_is_killed(home: Path, tmp_path: Path) -> None:
    environment = clean_environment(home) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with running([sys.executable, "-c", PARENT], env=environment, cwd=tmp_path, log=tmp_path / "log") as parent:
        address = read_line(parent)
        assert answers(address)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(MAX_WAIT)
        block_until(lambda: not answers(address), what="the stub to end by itself")


def test_a_stub_without_the_option_ignores_standard_input(tmp_path: Path, home: Path) -> None:
    command = [sys.executable, "-m", "server_stub"]
    environment = clean_environment(home)
    stub = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=Path(__file__).parents[2]
    )
    with stub:
        try:
            address = read_line(stub)
            assert stub.stdin is not None
            stub.stdin.close()
            assert answers(address)
            assert answers(address)
        finally:
            stub.kill()
