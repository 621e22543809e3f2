"""Invariants: the terminal is restored, server text is only text, secrets stay secret."""

import base64
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.hostile_server import ATTACK, ATTACK_MARKERS, hostile_headers, hostile_relay
from tests.end_to_end.steps import answer_both_questions, connect, send, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]

ENDING = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGABRT),
    *(signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU),
)
RESTORED = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?1006l", b"\x1b[?2004l")
"""Main screen buffer, cursor, no mouse reports, no bracketed paste."""


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_a_signal_exits_and_restores_the_terminal(holdfast: Holdfast, stub: StartStub, number: signal.Signals) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word2")
    assert not terminal.is_cooked()
    terminal.send_signal(number)
    terminal.wait_for_end()
    assert terminal.is_cooked()
    assert [sequence for sequence in RESTORED if sequence not in terminal.raw] == []


VISIBLE = "[/] [bold red] [@click=app.bell]x[/]"
"""Markup of Textual: text like any other."""


def leaked(terminal: Terminal) -> list[bytes]:
    """Parts of an attack that reached the terminal."""
    return [tale for tale in ATTACK_MARKERS if tale in terminal.raw] + [
        b"title" for _ in range("pwned" in terminal.title)
    ]


def test_server_text_reaches_the_terminal_as_text_only(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    session = server.http.post("/session", json={}).json()["id"]
    attack = ATTACK + VISIBLE
    server.http.patch(f"/session/{session}", json={"title": f"title{attack}ends"}).raise_for_status()
    terminal = holdfast(server.address, "--session", session)
    connect(terminal)
    prompt = {"parts": [{"type": "text", "text": f"PLAIN text{attack}ends"}]}
    server.http.post(f"/session/{session}/prompt_async", json=prompt).raise_for_status()
    terminal.wait_for("all is well")
    shell = {"parts": [{"type": "text", "text": f"SHELL {attack.replace(' ', '')}ends"}]}
    server.http.post(f"/session/{session}/prompt_async", json=shell).raise_for_status()
    wait_for_request(terminal, "asks for permission")
    terminal.press("f2")
    terminal.wait_for("ends")
    terminal.press("escape")

    assert leaked(terminal) == []


def test_escape_sequences_in_every_server_text_have_no_effect(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub(profile="opencode")
    with hostile_relay(server.address) as address:
        terminal = holdfast(address)
        connect(terminal)
        send(terminal, "ASK")
        answer_both_questions(terminal)
        terminal.wait_for(re.compile(r"Done\. .*SQLite.*auth, search", re.DOTALL))
        for prompt, shown in (
            ("TODO", "All three are ticked off"),
            ("TOOLS", "The tests pass"),
            ("THINK", "all is well"),
            ("FAIL 400", "✗"),
        ):
            send(terminal, prompt)
            terminal.wait_for(shown)
            terminal.wait_for("ready")
        send(terminal, "SHELL made.txt")
        wait_for_request(terminal, "asks for permission")
        terminal.press("f2")
        terminal.wait_for("Sessions")
        terminal.press("escape")
        terminal.wait_until_gone("Sessions")
        terminal.press("f3")
        terminal.wait_until_quiet()
        terminal.press("escape")
        terminal.resize(80, 24)
        terminal.wait_until_quiet()
        down = server.arm("502", target="/global/event", times="always")  # so that the loss lasts until it is shown
        server.arm("cut")
        terminal.wait_for("↻ lost")
        server.disarm(down)
        terminal.wait_for("● live")
        assert leaked(terminal) == []


def test_status_lines_and_headers_reach_the_terminal_as_text_only(holdfast: Holdfast) -> None:
    with hostile_headers() as address:
        terminal = holdfast(address)
        terminal.wait_for("↻ ")
        terminal.wait_for("F5")
        assert leaked(terminal) == []


def test_the_password_appears_nowhere(holdfast: Holdfast, stub: StartStub, home: Path) -> None:
    secret = "correct horse battery"
    server = stub(env={"HOLDFAST_STUB_PASSWORD": secret})
    log = home / "holdfast.log"
    terminal = holdfast(server.address, "--log", str(log), env={"HOLDFAST_PASSWORD": secret})
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    down = server.arm("502", target="/global/event", times="always")  # so that the loss lasts until it is shown
    server.arm("cut")
    terminal.wait_for("↻ lost")
    server.disarm(down)
    terminal.wait_for("● live")
    server.arm("401")
    server.arm("cut")
    terminal.wait_for("■ stopped")
    terminal.press("f1")
    terminal.wait_for("F5")
    command_line = Path(f"/proc/{terminal.pid}/cmdline").read_bytes()
    terminal.press("escape")
    terminal.send_signal(signal.SIGTERM)
    terminal.wait_for_end()

    words = (secret.encode(), base64.b64encode(f"opencode:{secret}".encode()))
    for place in (terminal.raw, terminal.title.encode(), command_line):
        assert [word for word in words if word in place] == []
    written = [path for path in home.rglob("*") if path.is_file()]
    assert log in written
    assert [path for path in written for word in words if word in path.read_bytes()] == []
