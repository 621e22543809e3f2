"""Input of keyboards, input methods and pastes, compared with what the server stored."""

import re
import signal
from collections.abc import Callable

import pytest

from tests.end_to_end.steps import connect, send, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.waiting import block_until

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]

ODD = "日\u3000本 می\u200cخواهم a\u00a0b c\u00add \u2066x\u2069 \ue000 \U0001f468\u200d\U0001f469 \U0001fadf"
"""Spaces, joiners, direction marks, private and newer characters: `str.isprintable` is false for most."""


def prompts(server: Stub) -> list[str]:
    """The prompts stored on the server, in its order, of all sessions."""
    texts = []
    for session in server.http.get("/session").json():
        for message in server.http.get(f"/session/{session['id']}/message").json():
            if message["info"]["role"] == "user":
                texts.append("".join(part["text"] for part in message["parts"] if part["type"] == "text"))
    return texts


def stored(server: Stub, *texts: str) -> None:
    """Wait until the server has exactly these prompts."""
    block_until(lambda: prompts(server) == list(texts), what=f"the prompts {texts!r:.200}")


def test_all_characters_of_an_input_method_are_sent(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    for character in f"PLAIN {ODD}":
        terminal.type(character)
    terminal.wait_for("› PLAIN 日")
    terminal.press("enter")
    stored(server, f"PLAIN {ODD}")


@pytest.mark.parametrize(
    "newline", ["\x1b\r", "\x1b[27;2;13~", "\x1b[27;3;13~", "\x1b[13;2u", "\x1b[13;3u", "\x1b[13;5u", "\n"]
)
def test_enter_with_a_modifier_is_a_newline(holdfast: Holdfast, stub: StartStub, newline: str) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type("PLAIN one")
    terminal.type(newline)
    terminal.type("two")
    terminal.wait_for(re.compile(r"› PLAIN one\n +two"))
    terminal.press("enter")
    stored(server, "PLAIN one\ntwo")


@pytest.mark.parametrize(("sequence", "character"), [("\x1b[32;2u", " "), ("\x1b[97;2u", "A"), ("\x1b[228;65u", "ä")])
def test_shifted_characters_of_the_kitty_protocol_are_typed(
    holdfast: Holdfast, stub: StartStub, sequence: str, character: str
) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type(f"PLAIN x{sequence}y")
    terminal.wait_for(f"› PLAIN x{character}y")


@pytest.mark.parametrize("brackets", [("\x1b[200~", "\x1b[201~"), ("", "")])
def test_a_unicode_line_separator_ends_a_line(holdfast: Holdfast, stub: StartStub, brackets: tuple[str, str]) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type("PLAIN a\u2028b\u2029".join(brackets))
    terminal.type("c")
    terminal.wait_for(re.compile(r"› PLAIN a\n +b\n +c"))
    terminal.press("enter")
    stored(server, "PLAIN a\nb\nc")


@pytest.mark.parametrize("end", ["", "\r"])
def test_several_lines_in_a_burst_are_one_draft(holdfast: Holdfast, stub: StartStub, end: str) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type(f"PLAIN one\rtwo\r\rthree{end}")
    terminal.wait_for(re.compile(r"› PLAIN one\n +two\n\n +three"))
    assert prompts(server) == []
    terminal.press("backspace")
    terminal.press("enter")
    stored(server, f"PLAIN one\ntwo\n\nthre{'e' if end else ''}")


def test_one_line_and_enter_in_a_burst_are_sent(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.type("PLAIN one\r\r")
    stored(server, "PLAIN one")


def test_enter_before_startup_is_reported_as_not_sent(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address, stopped=True)
    block_until(terminal.is_stopped, what="the process to stand still")
    terminal.type("PLAIN early\r")  # before the program has set up the terminal, which turns Enter into a newline
    terminal.send_signal(signal.SIGCONT)
    terminal.wait_for("Your prompt was not sent: press Enter to send it.")
    terminal.press("enter")
    stored(server, "PLAIN early")


def test_a_long_paste_without_brackets_is_one_draft(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    text = "PLAIN\n" + "".join(f"line {number} 日\u3000本 {'x' * (number % 90)}\n" for number in range(1_500))
    terminal.type(text.replace("\n", "\r"))
    terminal.wait_for("line 1499")
    terminal.press("backspace")
    terminal.press("enter")
    stored(server, text[:-1])


def test_several_lines_in_a_burst_at_a_question_are_one_draft(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    terminal.type("next\r1 is\rnot it")
    terminal.wait_for(re.compile(r"› next\n +1 is\n +not it"))
    assert prompts(server) == ["ASK1"]
    assert server.http.get("/question").json()


def test_several_lines_in_a_burst_at_a_confirmation_are_one_draft(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.press("ctrl+q")
    terminal.wait_for("Quit?")
    terminal.type("\x1b[200~yes\nno\x1b[201~")
    terminal.wait_for(re.compile(r"› yes\n +no"))
    terminal.press("ctrl+q")
    terminal.wait_for("Quit?")
    terminal.type("one\rtwo")
    terminal.wait_for(re.compile(r"› yes\n +noone\n +two"))
    assert prompts(server) == ["SLOW"]


@pytest.mark.parametrize("words", ["next is", "phone", "kill it", "xylophone"])
def test_a_word_in_a_burst_presses_no_key_of_a_question_or_list(
    holdfast: Holdfast, stub: StartStub, words: str
) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "ASK1")
    wait_for_request(terminal, "Which database?")
    terminal.type(words)
    terminal.wait_for(f"› {words}")
    terminal.press("enter")
    terminal.wait_for("1 prompt")
    terminal.press("shift+tab")
    terminal.wait_for("x remove")
    terminal.type(words)
    terminal.wait_for(f"› {words}")
    assert prompts(server) == ["ASK1"]
