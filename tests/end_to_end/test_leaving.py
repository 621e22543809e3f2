"""Quitting right after Enter: the warning names the sent prompt, and the resume command leads to its text."""

import re
import time
from collections.abc import Callable

import pytest

from tests.end_to_end.steps import connect, send
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.waiting import block_until

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]

WORDS = "PLAIN the first words"
QUIT = "\x11"


def leave(terminal: Terminal, keys: str) -> None:
    """^Q, and again if it asks for confirmation."""
    terminal.type(keys)
    block_until(lambda: terminal.ended or "Quit?" in terminal.text())
    if not terminal.ended:
        terminal.type(QUIT)
    terminal.wait_for_end()


def sessions(server: Stub) -> list[str]:
    return [session["id"] for session in server.http.get("/session").json()]


def prompts(server: Stub) -> list[str]:
    return [
        message["parts"][0]["text"]
        for one in sessions(server)
        for message in server.http.get(f"/session/{one}/message").json()
        if message["info"]["role"] == "user"
    ]


@pytest.mark.parametrize("keys", [QUIT, QUIT + QUIT])
@pytest.mark.parametrize("gap", [0.0, 0.03])
def test_the_resume_command_opens_the_session_of_the_first_prompt(
    holdfast: Holdfast, stub: StartStub, gap: float, keys: str
) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type(WORDS)
    terminal.wait_for(f"› {WORDS}")
    if gap:
        terminal.type("\r")
        leaves_at = time.monotonic() + gap
        block_until(
            lambda: time.monotonic() >= leaves_at
        )  # this moment is what is tested; there is no condition to wait for
    leave(terminal, keys if gap else f"\r{keys}")
    assert b"failed" not in terminal.raw
    hint = re.search(rb"--session (\S+)", terminal.raw)
    back = ("--session", hint[1].decode()) if hint else ("--continue",)
    again = holdfast(*back, server.address)
    connect(again)
    again.wait_for(WORDS)
    assert len(sessions(server)) <= 1
    assert len(prompts(server)) <= 1
    box = re.compile(rf"› {WORDS}")
    block_until(lambda: bool(prompts(server)) is not bool(box.search(again.text())))


def test_quitting_right_after_sending_asks_for_confirmation(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "PLAIN begins")
    terminal.wait_for("✓ finished")
    terminal.type("SLOW run0")
    terminal.wait_for("› SLOW run0")
    terminal.type("\r\x11")
    terminal.wait_for("Quit?")


def test_quitting_during_the_first_prompt_asks_for_confirmation(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type("SLOW run0")
    terminal.wait_for("› SLOW run0")
    terminal.type("\r\x11")
    terminal.wait_for("Quit?")
    terminal.press("escape")
    block_until(lambda: prompts(server) == ["SLOW run0"])
