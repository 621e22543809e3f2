"""What must hold whatever happens: the terminal is given back, server text is only text, secrets stay secret."""

import base64
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.steps import connect, face_request, send
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]

GIVEN_BACK = (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?1006l", b"\x1b[?2004l")
"""The first screen, the cursor, no mouse reports, no bracketed paste."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(
    holdfast: Holdfast, stub: StartStub, number: signal.Signals
) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word2")
    assert not terminal.is_cooked()
    terminal.send_signal(number)
    terminal.wait_for_end(within=5)
    assert terminal.is_cooked()
    assert [sequence for sequence in GIVEN_BACK if sequence not in terminal.raw] == []


ATTACKS = (
    "\x1b]52;c;cHduZWQ=\x07",  # writes the clipboard
    "\x1b]0;pwned\x07",  # sets the title
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b[?1049l",  # leaves the screen
    "\x9b2J\x9d0;pwned\x9c",  # the same in C1
    "\x1b[6n",  # makes the terminal type
    "\x07\x08\x0e",
    "[/] [bold red] [@click=app.bell]x[/]",  # markup of the screen's own library
)
TELL_TALES = (b"\x1b]52;", b"pwned", b"\x1b[2J\x1b[H", b"\x1b[6n", b"\x07\x08", b"\x0e", "\x9b2J".encode())
"""What of them must not be among the bytes that the terminal gets."""


def test_what_the_server_says_reaches_the_terminal_as_text_only(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    session = server.http.post("/session", json={}).json()["id"]
    attack = "".join(ATTACKS)
    server.http.patch(f"/session/{session}", json={"title": f"title{attack}ends"}).raise_for_status()
    terminal = holdfast(server.address, "--session", session)
    connect(terminal)
    before = len(terminal.raw)

    prompt = {"parts": [{"type": "text", "text": f"PLAIN text{attack}ends"}]}
    server.http.post(f"/session/{session}/prompt_async", json=prompt).raise_for_status()
    terminal.wait_for("all is well")
    shell = {"parts": [{"type": "text", "text": f"SHELL {attack.replace(' ', '')}ends"}]}
    server.http.post(f"/session/{session}/prompt_async", json=shell).raise_for_status()
    face_request(terminal, "asks for leave")
    terminal.press("f2")
    terminal.wait_for("ends")
    terminal.press("escape")

    received = terminal.raw[before:]
    assert [tale for tale in TELL_TALES if tale in received] == []
    assert "pwned" not in terminal.title


def test_the_password_is_seen_nowhere(holdfast: Holdfast, stub: StartStub, home: Path) -> None:
    secret = "correct horse battery"
    server = stub(env={"HOLDFAST_STUB_PASSWORD": secret})
    log = home / "holdfast.log"
    terminal = holdfast(server.address, "--log", str(log), env={"HOLDFAST_PASSWORD": secret})
    connect(terminal)
    send(terminal, "ASK1")
    face_request(terminal, "Which database?")
    server.arm("cut")
    terminal.wait_for("↻ lost", within=3)
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
