"""User actions at the client, each waiting for its visible result."""

import re

from tests.end_to_end.terminal import Terminal
from tests.waiting import MAX_WAIT


def connect(terminal: Terminal) -> None:
    """Wait until the connection is live."""
    terminal.wait_for("● live")


def send(terminal: Terminal, text: str) -> None:
    """Type a prompt and send it."""
    terminal.type(text)
    terminal.wait_for(f"› {text}")
    terminal.press("enter")
    terminal.wait_for(f"you          {text}")


def wait_for_request(terminal: Terminal, words: str, *, within: float = MAX_WAIT) -> None:
    """Wait until the request with `words` has the focus and accepts answers.

    It takes the focus when the user is not typing, and ignores answers for half a second from then; only afterwards
    does the footer name a key that answers.
    """
    terminal.wait_for(words, within=within)
    terminal.wait_for("x reject")


def answer_both_questions(terminal: Terminal) -> None:
    """Answer ASK's two questions: SQLite, then auth and search; review, then send."""
    wait_for_request(terminal, "Which database?")
    terminal.press("down", "enter")
    terminal.wait_for("Which features?")
    terminal.press("1", "2")
    terminal.wait_for(re.compile(r"\[x\] auth.*\n.*\[x\] search"))
    terminal.press("enter")
    terminal.wait_for("Enter sends this:")
    terminal.press("enter")


def press_until(terminal: Terminal, key: str, then: str) -> None:
    """Press a key until the screen shows `then`: a request that follows another ignores answers at first."""
    for _ in range(5):
        terminal.press(key)
        try:
            terminal.wait_for(then, within=1.5)
        except AssertionError:
            continue
        return
    terminal.wait_for(then)
