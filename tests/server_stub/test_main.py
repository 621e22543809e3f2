"""The command as a process: what it prints, where it listens, how it ends."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import httpx
import pytest
from click.testing import CliRunner

from server_stub.__main__ import main
from server_stub.domain.profiles import PROFILES
from server_stub.faults.kinds import KINDS
from server_stub.scenarios.catalog import DEFAULTS
from tests.waiting import MAX_WAIT


@contextmanager
def running(*options: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command, with its first line of output."""
    command = [sys.executable, "-m", "server_stub", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().rstrip("\n")
        finally:
            process.kill()


def test_the_first_line_is_the_address_and_it_answers_there() -> None:
    with running() as (_, line):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", line)
        assert httpx.get(f"{line}/global/health", trust_env=False, timeout=MAX_WAIT).json()["healthy"] is True


@pytest.mark.parametrize(
    ("option", "message"),
    [("-h", "Usage: "), ("--help", "--fault"), ("--version", "holdfast-stub, version ")],
)
def test_it_explains_itself(option: str, message: str) -> None:
    result = CliRunner().invoke(main, [option])
    assert (result.exit_code, message in result.output) == (0, True)


def test_short_help_is_short() -> None:
    short, whole = (CliRunner().invoke(main, [option]).output for option in ("-h", "--help"))
    assert len(short.splitlines()) <= 24 < len(whole.splitlines())


@pytest.mark.parametrize(
    ("options", "allowed"),
    [(["--profile", "x"], PROFILES), (["--scenario", "x"], DEFAULTS), (["--fault", "x"], KINDS)],
)
def test_a_wrong_name_is_answered_with_the_right_ones(options: list[str], allowed: Collection[str]) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code == 2
    assert [name for name in allowed if name not in result.output] == []


def test_a_port_can_be_chosen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with running("--port", str(port)) as (_, line):
        assert line == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_without_errors_while_streams_are_open(number: signal.Signals) -> None:
    with running() as (process, address), httpx.Client(base_url=address, trust_env=False, timeout=MAX_WAIT) as http:
        session = http.post("/session").json()["id"]
        body = {"parts": [{"type": "text", "text": "ASK"}]}
        with (
            http.stream("GET", "/event") as events,
            http.stream("POST", f"/session/{session}/message", json=body) as turn,
        ):
            assert (events.status_code, turn.status_code) == (200, 200)
            process.send_signal(number)
            _, errors = process.communicate(timeout=MAX_WAIT)
    assert errors.strip() in ("", "Aborted!")


def test_the_error_names_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "server_stub", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_WAIT, check=False)
    assert done.returncode == 1
    assert done.stderr == f"Error: cannot listen on 127.0.0.1:{port}: Address already in use\n"


@pytest.mark.parametrize(
    ("option", "value"), [("--profile", "other"), ("--scenario", "shell"), ("--port", "70000"), ("--speed", "0")]
)
def test_unknown_options_are_refused(option: str, value: str) -> None:
    command = [sys.executable, "-m", "server_stub", option, value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=MAX_WAIT, check=False)
    assert done.returncode == 2
    assert value in done.stderr
    assert done.stdout == ""
