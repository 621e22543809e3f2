"""`holdfast --plain` on stub servers: in a terminal with TERM=dumb, whose bytes are checked, and in a pipe."""

import re
import readline
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pexpect
import pytest

from server_stub.domain.profiles import PROFILES
from tests.end_to_end.stub import Stub, running_stub
from tests.processes import clean_environment
from tests.waiting import MAX_WAIT, block_until
from tui.cli.line_reader import LineReader
from tui.storage.journal import Journal

TOP = Path(__file__).parents[2]
NO_TEXT = re.compile(rb"[^\n\r\t\x20-\x7e\x80-\xff\x07]")
"""Everything but text, line ends, tabs, and the bell of a line editor."""


class Plain:
    """One plain client in a terminal with TERM=dumb."""

    def __init__(self, stub: Stub, home: Path, *args: str, term: str = "dumb") -> None:
        self.received = bytearray()
        self._child = pexpect.spawn(
            sys.executable,
            ["-m", "tui", *args, stub.address],
            env=clean_environment(home) | {"TERM": term, "PYTHONPATH": str(TOP)},
            cwd=str(home),
            dimensions=(24, 80),
            timeout=MAX_WAIT,
        )
        self._child.logfile_read = self

    def write(self, data: bytes) -> None:
        self.received += data

    def flush(self) -> None:
        """A log file has it."""

    def until(self, words: str) -> None:
        self._child.expect_exact(words)

    def send(self, data: bytes) -> None:
        self._child.send(data)

    def type(self, text: str) -> None:
        self._child.sendline(text)

    def answer(self, text: str) -> None:
        """Answer a request; again while it has just appeared, since the line then counts as typed before."""
        self.type(text)
        while self._child.expect_exact(["answered", "p: send it as a prompt"]):
            self.type(text)

    def interrupt(self) -> None:
        self._child.sendintr()

    def end(self) -> int:
        """Wait for the exit; returns the exit code."""
        self._child.expect(pexpect.EOF)
        self._child.close()
        assert isinstance(self._child.exitstatus, int)
        return self._child.exitstatus


@pytest.fixture(params=PROFILES)
def stub(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stub]:
    with running_stub(tmp_path / "home", profile=request.param, args=("--speed", "4")) as running:
        yield running


def test_the_whole_walk_writes_no_escape_byte(stub: Stub, tmp_path: Path) -> None:
    """Prompt, question, permission, abort, reconnect, and back in the session."""
    plain = Plain(stub, tmp_path / "home")
    plain.until("plain lines, as with --plain")
    plain.until("connected to")
    plain.type("PLAIN")
    plain.until("all** is well.")
    plain.until("turn finished")
    plain.type("ASK1")
    plain.until("type a number")
    plain.answer("1")
    plain.until("turn finished")
    plain.type("SHELL x")
    plain.until("type 1 to allow once")
    plain.answer("1")
    plain.until("turn finished")
    plain.type("SLOW")
    plain.until("turn running")
    number = stub.arm("502", target="events")
    cut = stub.arm("reset", target="events")
    plain.until("connection lost")
    stub.disarm(number)
    stub.disarm(cut)
    plain.until("connection restored")
    plain.interrupt()
    plain.until("aborting the turn")
    plain.until("turn aborted")
    plain.type("/quit")
    plain.until("To resume: holdfast --plain --session")
    assert plain.end() == 0
    assert not NO_TEXT.findall(bytes(plain.received))


@pytest.fixture
def opencode(tmp_path: Path) -> Iterator[Stub]:
    with running_stub(tmp_path / "home", args=("--speed", "4", "--scenario", "plain")) as running:
        yield running


def test_a_line_typed_before_a_request_appeared_is_not_its_answer(opencode: Stub, tmp_path: Path) -> None:
    plain = Plain(opencode, tmp_path / "home", "--plain")
    plain.until("connected to")
    plain.type("ASK1")
    plain.until("type a number")
    plain.type("then delete everything")
    plain.until("p: send it as a prompt")
    plain.type("p")
    plain.until("1 queued")
    plain.answer("2")
    plain.until("turn finished")
    plain.until("turn finished")
    plain.type("/quit")
    assert plain.end() == 0


def test_the_second_interrupt_leaves_and_a_queued_prompt_is_sent_later(opencode: Stub, tmp_path: Path) -> None:
    plain = Plain(opencode, tmp_path / "home", "--plain")
    plain.until("connected to")
    plain.type("ASK1")
    plain.until("type a number")
    plain.type("/prompt PLAIN")
    plain.until("1 queued")
    plain.type("/quit")
    plain.until("1 queued, saved for the next start")
    plain.until("the turn continues on the server")
    assert plain.end() == 0
    again = Plain(opencode, tmp_path / "home", "--plain", "--continue")
    again.until("type a number")
    again.until("1 queued, paused")
    again.type("/resume")
    again.until("the queue is sent in order")
    again.answer("1")
    again.until("turn finished")
    again.until("all** is well.")
    again.interrupt()
    again.until("Ctrl-C again exits")
    again.interrupt()
    assert again.end() == 0


def piped(stub: Stub, home: Path, text: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tui", "--plain", stub.address],
        input=text,
        capture_output=True,
        text=True,
        env=clean_environment(home) | {"PYTHONPATH": str(TOP)},
        cwd=home,
        timeout=MAX_WAIT * 2,
        check=False,
    )


def test_each_line_of_a_pipe_is_a_prompt_and_the_end_waits_for_the_turns(opencode: Stub, tmp_path: Path) -> None:
    done = piped(opencode, tmp_path / "home", "PLAIN one\nPLAIN \\\ntwo\n")
    assert done.returncode == 0, done
    assert done.stdout.count("turn finished") == 2
    texts = [
        part["text"]
        for session in opencode.http.get("/session").json()
        for message in opencode.http.get(f"/session/{session['id']}/message").json()
        for part in message["parts"]
        if message["info"]["role"] == "user"
    ]
    assert texts == ["PLAIN one", "PLAIN \ntwo"]


def test_a_request_at_the_end_of_a_pipe_is_said_and_sets_the_exit_code(opencode: Stub, tmp_path: Path) -> None:
    done = piped(opencode, tmp_path / "home", "ASK1\n")
    assert done.returncode == 3, done
    assert "1 open: que_" in done.stdout


def test_a_prompt_for_a_server_that_is_down_is_kept_as_a_draft(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_stub(home) as stub:
        gone = stub
    plain = Plain(gone, home, "--plain")
    plain.until("connection lost")
    plain.type("PLAIN kept")
    plain.until("sent once the connection is up")
    plain.type("/quit")
    plain.until("not sent, saved as a draft: PLAIN kept")
    assert plain.end() == 0


def test_a_request_of_another_session_does_not_end_the_input(opencode: Stub, tmp_path: Path) -> None:
    other = opencode.http.post("/session", json={}).json()["id"]
    opencode.http.post(f"/session/{other}/prompt_async", json={"parts": [{"type": "text", "text": "ASK1"}]})
    block_until(lambda: opencode.http.get("/question").json())
    done = piped(opencode, tmp_path / "home", "PLAIN one\n")
    assert done.returncode == 0, done
    assert "turn finished" in done.stdout
    assert "not sent" not in done.stdout


def test_a_draft_of_an_earlier_run_is_neither_replaced_nor_sent(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running_stub(home, env={"HOLDFAST_STUB_PASSWORD": "right"}) as refusing:
        piped(refusing, home, "PLAIN first\n")
        again = piped(refusing, home, "PLAIN second\n/help\n")
    assert "saved as a draft: PLAIN second" in again.stdout
    assert "\n/new [TITLE]   begin a new session" in again.stdout
    journal = Journal(home / ".local/state/holdfast", refusing.address, wall=time.time)
    assert journal.draft("") == "PLAIN first\n\nPLAIN second"
    journal.close()


def test_the_input_ends_while_the_server_refuses_the_password(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home", env={"HOLDFAST_STUB_PASSWORD": "right"}) as refusing:
        done = piped(refusing, tmp_path / "home", "PLAIN kept\n")
    assert done.returncode == 7, done
    assert "not sent, saved as a draft: PLAIN kept" in done.stdout


def test_a_mistyped_command_is_not_sent(opencode: Stub, tmp_path: Path) -> None:
    plain = Plain(opencode, tmp_path / "home", "--plain")
    plain.until("connected to")
    plain.type("/sesions")
    plain.until("no command /sesions: /sessions?")
    plain.type("/sessions")
    plain.until("no sessions")
    plain.type("\x04")
    assert plain.end() == 0


def test_numbers_of_any_length_and_control_characters_are_survived(opencode: Stub, tmp_path: Path) -> None:
    done = piped(opencode, tmp_path / "home", f"/open {'1' * 5000}\n/remove {'1' * 5000}\na\0b\x1b[31mc\n")
    assert done.returncode == 0, done
    assert f"no session {'1' * 199}…; /sessions lists them" in done.stdout
    assert "which of 0? /queue lists them" in done.stdout
    assert "turn finished" in done.stdout
    (session,) = opencode.http.get("/session").json()
    prompt, _ = opencode.http.get(f"/session/{session['id']}/message").json()
    assert prompt["parts"][0]["text"] == "abc"


def test_a_pasted_escape_sequence_is_never_repeated_raw(opencode: Stub, tmp_path: Path) -> None:
    """Each line that is printed repeats what is being typed."""
    plain = Plain(opencode, tmp_path / "home", "--plain", term="xterm")
    plain.until("connected to")
    plain.type("SLOW")
    plain.until("turn running")
    plain.send(b"\x1b[200~abc\x1b]0;EVIL\x07d\xff\xe2\x80\xaeef\x1b[201~")
    plain.until("turn finished")
    plain.until("ef")
    assert b"\x1b]0;" not in plain.received


async def test_history_that_cannot_be_edited_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO())
    reader, before = LineReader(), readline.get_current_history_length()
    monkeypatch.setattr(reader, "_editor", readline)
    reader.start(["a\0b", "c\ud800\nd", "e"])
    added = [readline.get_history_item(before + place) for place in (1, 2, 3)]
    assert added == ["ab", "c\ufffd d", "e"]
