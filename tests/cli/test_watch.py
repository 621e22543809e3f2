"""`holdfast watch` on a stub server: its lines, its program, and how it ends."""

import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.cli.shell import HOLDFAST, Shell, ended, until_line
from tests.end_to_end.stub import Stub, running_stub
from tests.waiting import MAX_WAIT

ANSWERS = shlex.join(
    ["sh", "-c", f'if [ "$HOLDFAST_EVENT" = request ]; then exec {shlex.join(HOLDFAST)} answer - 2; fi']
)
"""Answers each request with its second option."""


@pytest.fixture
def profile() -> str:
    return "opencode"


@pytest.fixture
def shell(tmp_path: Path, profile: str) -> Iterator[Shell]:
    home = tmp_path / "home"
    with running_stub(home, profile=profile, args=("--speed", "10")) as stub:
        yield Shell(stub, home)


def line_of(process: "subprocess.Popen[str]", words: str) -> str:
    """The next line of standard output that contains `words`."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        if words in line:
            return line
        lines.append(line)
    raise AssertionError(f"no line {words!r} in {lines}")


@pytest.mark.parametrize("profile", ["opencode", "mimo-cancel", "qwen"])
def test_program_answers_the_request_of_a_run(shell: Shell) -> None:
    watching = shell.begin("watch", shell.stub.address, "--json", "--exec", ANSWERS)
    run = shell.begin("run", "ASK1", shell.stub.address, "--json")
    done = ended(run)
    assert (done.code, json.loads(done.out)["requests"][0]["reply"]["answers"]) == (0, [["SQLite"]])
    opened = json.loads(line_of(watching, '"request"'))
    assert (opened["server"], opened["event"]["type"]) == (shell.stub.address, "request")
    closed = json.loads(line_of(watching, '"reply"'))
    assert closed["event"]["record"]["request"]["id"] == opened["event"]["request"]["id"]
    end = json.loads(line_of(watching, '"end"'))
    assert end["event"]["result"]["outcome"] == "finished"
    watching.send_signal(signal.SIGTERM)
    assert ended(watching).code == 143


def test_lines_name_the_server_among_several_and_failures_of_the_program(shell: Shell, tmp_path: Path) -> None:
    with running_stub(tmp_path / "other", profile="mimo") as other:
        watching = shell.begin("watch", shell.stub.address, other.address, "--exec", "sh -c 'echo no >&2; exit 3'")
        Shell(other, shell.home).prompt("ASK1")
        assert line_of(watching, "question").startswith(f"{other.address}: question que_")
        assert f"{other.address}:   answer with: holdfast answer --url {other.address} que_" in line_of(
            watching, "answer with"
        )
        until_line(watching, "--exec: sh exited with 3: no")
        watching.send_signal(signal.SIGINT)
        assert ended(watching).code == 130


@pytest.mark.parametrize("profile", ["opencode", "mimo", "qwen"])
def test_request_of_a_subagent_is_told_once_and_its_end_is_that_of_the_turn(shell: Shell) -> None:
    watching = shell.begin("watch", shell.stub.address, "--json")
    shell.prompt("CHILD")
    opened = json.loads(line_of(watching, '"request"'))["event"]["request"]
    taken = shell.run("answer", opened["id"], "1", "--url", shell.stub.address)
    assert taken.code == 0
    assert watching.stdout is not None
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] != "end":
        events.append(json.loads(watching.stdout.readline())["event"])
    assert [one["type"] for one in events] == ["reply", "end"]
    assert events[0]["record"]["request"]["id"] == opened["id"]
    assert events[1]["result"]["outcome"] == "finished"
    watching.send_signal(signal.SIGTERM)
    assert ended(watching).out == ""


def test_lost_connection_is_told_and_its_return(shell: Shell) -> None:
    watching = shell.begin("watch", shell.stub.address, "--exec", "/no/such/program")
    shell.prompt("ASK1")
    line_of(watching, "answer with")
    number = shell.stub.arm("502", target="all", times="always")
    shell.stub.arm("cut")
    assert line_of(watching, "connection lost").startswith("connection lost: ")
    shell.stub.disarm(number)
    line_of(watching, "connection restored")
    until_line(watching, "--exec: /no/such/program cannot be started: ")
    watching.send_signal(signal.SIGTERM)
    assert ended(watching).out == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--exec", "sh -c 'x"], "--exec: No closing quotation"),
        (["--exec", " "], "--exec names no program"),
        (["ftp://host"], "unsupported scheme"),
    ],
)
def test_invalid_command_line_ends_with_2(tmp_path: Path, args: list[str], message: str) -> None:
    done = Shell(Stub("", 0, None), tmp_path).run("watch", *args)  # type: ignore[arg-type]
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_url_that_is_no_agent_server_ends_with_4(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        done = Shell(Stub("", 0, None), tmp_path).run("watch", address)  # type: ignore[arg-type]
        server.shutdown()
    assert (done.code, done.out) == (4, "")
    assert f"Error: {address}: " in done.err


def test_closed_pipe_ends_with_74(shell: Shell) -> None:
    watching = shell.begin("watch", shell.stub.address)
    assert watching.stdout is not None
    watching.stdout.close()
    shell.prompt("ASK1")
    assert watching.stderr is not None
    assert watching.stderr.read() == "Error: standard output cannot be written: Broken pipe\n"
    watching.stderr.close()
    assert watching.wait(MAX_WAIT) == 74


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (b"", 2, "is not an event of watch"),
        (b"{}", 2, "is not an event of watch"),
        (
            b'{"server":"http://h","summary":"connection lost","event":{"type":"connection","time":1,"state":"lost"}}',
            10,
            "not an open request: connection lost",
        ),
    ],
)
def test_answer_takes_only_the_event_of_an_open_request(tmp_path: Path, text: bytes, code: int, message: str) -> None:
    done = Shell(Stub("", 0, None), tmp_path).run("answer", "-", "1", stdin=text)  # type: ignore[arg-type]
    assert (done.code, message in done.err) == (code, True)
