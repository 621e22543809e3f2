"""What a person does at the client, step by step, each ending in what they would see."""

import re

from tests.end_to_end.terminal import Terminal
from tests.waiting import PATIENCE


def connect(terminal: Terminal) -> None:
    """Wait until the line is live."""
    terminal.wait_for("● live")


def send(terminal: Terminal, text: str) -> None:
    """Type a prompt and send it."""
    terminal.type(text)
    terminal.wait_for(f"› {text}")
    terminal.press("enter")
    terminal.wait_for(f"you          {text}")


def face_request(terminal: Terminal, words: str, *, within: float = PATIENCE) -> None:
    """Wait until the request that says `words` has the keys, and takes answers.

    It takes the keys by itself once nobody writes, and no answer for half a second from then; only after that does
    the last line name a key that answers.
    """
    terminal.wait_for(words, within=within)
    terminal.wait_for("x reject")


def answer_both_questions(terminal: Terminal) -> None:
    """ASK's two questions: SQLite, then auth and search; looked over, then sent."""
    face_request(terminal, "Which database?")
    terminal.press("down", "enter")
    terminal.wait_for("Which features?")
    terminal.press("1", "2")
    terminal.wait_for(re.compile(r"\[x\] auth.*\n.*\[x\] search"))
    terminal.press("enter")
    terminal.wait_for("Enter sends this:")
    terminal.press("enter")


def insist(terminal: Terminal, key: str, then: str) -> None:
    """Press a key until the screen shows `then`: a request that follows another takes no answer at first."""
    for _ in range(5):
        terminal.press(key)
        try:
            terminal.wait_for(then, within=1.5)
        except AssertionError:
            continue
        return
    terminal.wait_for(then)
