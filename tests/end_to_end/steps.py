"""What a person does at the client, step by step, each ending in what they would see."""

import re

from tests.end_to_end.terminal import Terminal


def connect(terminal: Terminal) -> None:
    """Wait until the line is live."""
    terminal.wait_for("● live", within=20)


def send(terminal: Terminal, text: str) -> None:
    """Type a prompt and send it."""
    terminal.type(text)
    terminal.wait_for(f"› {text}")
    terminal.press("enter")
    terminal.wait_for(f"you          {text}")


def face_request(terminal: Terminal, words: str, *, within: float = 15.0) -> None:
    """Wait until the request that says `words` stands there and takes keys, and give it the keys."""
    terminal.wait_for(words, within=within)
    # in the first half second no key answers it: its age tells when that is over
    terminal.wait_for(re.compile(r"\? \w+ (waits for you|asks for leave) · ([1-9]\d*s|\d+ min)"))
    if "x reject" not in terminal.text():
        terminal.press("tab")
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
