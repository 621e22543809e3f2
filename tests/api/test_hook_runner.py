"""The program that is run for each alert: what it gets, and that none of its failures stops anything."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until
from tui.api import hook_runner
from tui.api.alerts import Alert
from tui.api.hook_runner import HookRunner, variables
from tui.api.values import ConnectionEvent, EndEvent, PendingRequest, ReplyEvent, RequestEvent, RequestRecord, Result

REQUEST = PendingRequest(id="que_1", kind="question", session="ses_1", title="a job")
SERVER = "http://127.0.0.1:4096"


def alert(summary: str = "a job needs your answer: Which?") -> Alert:
    return Alert(server=SERVER, summary=summary, event=RequestEvent(time=1.0, request=REQUEST))


@asynccontextmanager
async def running(*command: str, seconds: float = 30.0) -> AsyncIterator[tuple[HookRunner, list[str]]]:
    failures: list[str] = []
    runner = HookRunner(command, on_failure=failures.append, seconds=seconds)
    try:
        yield runner, failures
    finally:
        await runner.close()


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


async def test_program_gets_the_event_and_its_variables(tmp_path: Path) -> None:
    written = tmp_path / "written"
    code = f"""import json, os, sys
own = {{name: value for name, value in os.environ.items() if name.startswith("HOLDFAST_")}}
open({str(written)!r}, "w").write(json.dumps([json.load(sys.stdin), own, sys.argv[1:]]))"""
    async with running(*python(code), "$HOME; touch x") as (runner, failures):
        runner.submit(alert())
        await runner.idle()
    event, environment, arguments = json.loads(written.read_text())
    assert failures == []
    assert (event["server"], event["event"]["type"], event["event"]["request"]["id"]) == (SERVER, "request", "que_1")
    assert environment == {
        "HOLDFAST_EVENT": "request",
        "HOLDFAST_STATE": "open",
        "HOLDFAST_SUMMARY": "a job needs your answer: Which?",
        "HOLDFAST_SESSION": "ses_1",
        "HOLDFAST_REQUEST": "que_1",
        "HOLDFAST_URL": SERVER,
    }
    assert arguments == ["$HOME; touch x"]  # no shell


@pytest.mark.parametrize(
    ("event", "kind", "state"),
    [
        (ReplyEvent(time=1, record=RequestRecord(request=REQUEST, state="denied")), "reply", "denied"),
        (EndEvent(time=1, result=Result(session="ses_1", prompt="m", outcome="failed")), "end", "failed"),
        (ConnectionEvent(time=1, state="lost"), "connection", "lost"),
    ],
)
def test_each_event_has_its_variables(event: ReplyEvent | EndEvent | ConnectionEvent, kind: str, state: str) -> None:
    found = variables(Alert(server=SERVER, summary="x", event=event))
    assert (found["HOLDFAST_EVENT"], found["HOLDFAST_STATE"]) == (kind, state)


def test_no_variable_has_a_control_character_or_is_too_long() -> None:
    found = variables(alert("a\x00b\nc\x1b[2J" + "\ud800" + "x" * 100_000))
    value = found["HOLDFAST_SUMMARY"]
    assert value.isprintable()
    assert len(value) < 1_000
    value.encode()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("/no/such/program",), "/no/such/program cannot be started: "),
        (("/",), "/ cannot be started: "),
        (("a\0b",), "cannot be started: "),
        (python("import sys; sys.exit('no network')"), "exited with 1: no network"),
        (python("import os; os.kill(os.getpid(), 9)"), "was ended by signal 9"),
    ],
)
async def test_failure_is_reported_and_the_next_event_is_run(command: tuple[str, ...], message: str) -> None:
    async with running(*command) as (runner, failures):
        for _ in range(2):
            runner.submit(alert())
        await runner.idle()
    assert len(failures) == 2
    assert all(message in one for one in failures), failures


async def test_program_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    code = f"""import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pid)!r}, "w").write(str(child.pid))
time.sleep(600)"""
    async with running(*python(code), seconds=5.0) as (runner, failures):
        runner.submit(alert())
        await runner.idle()
        child = int(pid.read_text())
        await wait_until(lambda: not is_alive(child))
    assert [one.partition(" did ")[2] for one in failures] == ["not end within 5 s and was killed"]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def test_megabytes_of_output_are_read_and_not_kept() -> None:
    code = (
        "import sys\nfor _ in range(64): print('x' * 1_000_000, file=sys.stderr); print('y' * 1_000_000)\nsys.exit(3)"
    )
    async with running(*python(code)) as (runner, failures):
        runner.submit(alert())
        await runner.idle()
    (failure,) = failures
    assert "exited with 3: xxx" in failure
    assert len(failure) < 1_000


async def test_input_that_is_not_read_does_not_block() -> None:
    async with running(*python("pass")) as (runner, failures):
        runner.submit(Alert(server=SERVER, summary="x" * 5_000_000, event=ConnectionEvent(time=1, state="lost")))
        await runner.idle()
    assert failures == []


async def test_few_run_at_once_and_what_is_too_much_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_runner, "AT_ONCE", 2)
    monkeypatch.setattr(hook_runner, "WAITING", 3)
    pids = tmp_path / "pids"
    pids.mkdir()
    code = f"import os, time\nopen({str(pids)!r} + f'/{{os.getpid()}}', 'w')\ntime.sleep(600)"
    async with running(*python(code)) as (runner, failures):
        for number in range(10):
            runner.submit(alert(f"event {number}"))
        await wait_until(lambda: len(os.listdir(pids)) == 2)
        started = [int(name) for name in os.listdir(pids)]
        assert len(failures) == 10 - 3
        assert "alert queue full (3), alert skipped: event 9" in failures[-1]
    assert not any(map(is_alive, started))


async def test_large_alerts_beyond_a_size_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_runner, "AT_ONCE", 1)
    async with running(*python("import time; time.sleep(600)")) as (runner, failures):
        for _ in range(20):
            runner.submit(Alert(server=SERVER, summary="x" * (1 << 20), event=ConnectionEvent(time=1, state="lost")))
        assert len(failures) == 20 - 8
        assert "alert queue full (8)" in failures[0]
