"""`kill -9` of the client at any step, then a restart: everything started is there, nothing is duplicated.

The steps: a prompt that asks two questions, a selection in each, a second prompt queued behind the first turn, a
half-written third one, and the answers. A seed selects the step after which the client is killed, and the delay.
"""

import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.end_to_end.steps import connect, press_until, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.waiting import block_until

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]

FIRST, SECOND, THIRD = "ASK me first", "PLAIN and then this", "a third thou"
FEW, ALL = 5, 20
"""Number of seeds in the suite, and in `make chaos`."""
MAX_DELAY = 0.4
"""Seconds after a step within which the client is killed: its effects take less."""


@dataclass(frozen=True, slots=True)
class Step:
    """A user action, and what to wait for before it."""

    name: str
    keys: tuple[str, ...]
    before: Callable[[Terminal], object] = lambda terminal: None


def typed(name: str, text: str) -> list[Step]:
    """A step for each word; the keys of a word follow each other as fast as they are read."""
    return [Step(name, tuple(word)) for word in re.findall(r"\S+\s?", text)]


STEPS = [
    *typed("first is typed", FIRST),
    Step("first is sent", ("enter",), lambda terminal: terminal.wait_for(f"› {FIRST}")),
    Step("chosen", ("down",), lambda terminal: wait_for_request(terminal, "Which database?")),
    Step("chosen", ("enter",)),
    Step("both chosen", ("1",), lambda terminal: terminal.wait_for("Which features?")),
    Step("back to the prompt", ("shift+tab",), lambda terminal: terminal.wait_for("[x] auth")),
    *typed("second is typed", SECOND),
    Step("second waits", ("enter",), lambda terminal: terminal.wait_for(f"› {SECOND}")),
    *typed("third is typed", THIRD),
    Step("to the question", ("tab",), lambda terminal: terminal.wait_for(f"› {THIRD}")),
    Step("looked over", ("enter",), lambda terminal: terminal.wait_for("x reject")),
    Step("answered", ("enter",), lambda terminal: terminal.wait_for("Enter sends this:")),
]


@pytest.mark.parametrize(
    "seed", [*range(FEW), *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(FEW, ALL))]
)
def test_nothing_is_lost_or_duplicated(holdfast: Holdfast, stub: StartStub, seed: int) -> None:
    rng = random.Random(seed)
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    last = rng.choice(sorted({step.name for step in STEPS}))
    at = rng.choice([row for row, step in enumerate(STEPS) if step.name == last])
    for step in STEPS[: at + 1]:
        step.before(terminal)
        terminal.press(*step.keys)
    dies_at = time.monotonic() + rng.uniform(0, MAX_DELAY)
    block_until(lambda: time.monotonic() >= dies_at)  # the seed selects this moment; there is no condition to wait for
    terminal.send_signal(signal.SIGKILL)
    terminal.wait_for_end()

    again = holdfast(server.address)
    connect(again)
    look(again, server, sure={step.name for step in STEPS[:at]} - {last}, in_box=box(terminal))
    go_on(again, server)
    assert [prompts(server, text) for text in (FIRST, SECOND)] == [1, 1]
    assert len(answers(server)) == 1


def look(again: Terminal, server: Stub, *, sure: set[str], in_box: str) -> None:
    """Check the state after the restart; `sure` are the steps that had certainly taken effect."""
    if "first is sent" in sure:
        again.wait_for(f"you          {FIRST}")
        assert prompts(server, FIRST) == 1
    if "chosen" in sure:
        shown_or_answered(again, server, r"DB ✓")
    if "both chosen" in sure and "looked over" not in sure:
        shown_or_answered(again, server, r"\[x\] auth|Feat ✓")
    if "second waits" in sure:
        block_until(lambda: f"1 {SECOND}" in again.text() or prompts(server, SECOND), what="the second prompt")
    words = in_box if sure & {"first is typed", "second is typed", "third is typed"} else in_box[:-1]
    block_until(lambda: box(again).startswith(words) or prompts(server, words), what=f"{words!r} in the box")


def shown_or_answered(again: Terminal, server: Stub, pattern: str) -> None:
    """Wait for the choices of the question; an answer that was in the journal may arrive before they are drawn."""
    block_until(lambda: re.search(pattern, again.text()) or not open_questions(server), what=pattern)


def go_on(again: Terminal, server: Stub) -> None:
    """Finish the remaining steps."""
    if not prompts(server, FIRST):
        write(again, FIRST)
    block_until(lambda: open_questions(server) or answers(server), what="the question or its answer")
    if not answers(server):
        answer(again)
    block_until(lambda: answers(server), what=f"the answer on the server\n{again.text()}")
    again.wait_until_gone("needs your answer")
    if not prompts(server, SECOND):
        if f"1 {SECOND}" in again.text():
            again.press("f8")
        else:
            write(again, SECOND)
    again.wait_for("all is well")


def write(again: Terminal, text: str) -> None:
    """Replace the text in the prompt field, and send it."""
    again.press("ctrl+u")
    again.type(text)
    again.wait_for(f"› {text}")
    again.press("enter")


def answer(again: Terminal) -> None:
    """Answer the questions; existing selections stay."""
    again.wait_for("needs your answer")
    if box(again):  # with text in the prompt, the question does not take the focus
        again.press("tab")
    wait_for_request(again, "needs your answer")
    if "Enter sends this:" not in again.text():
        press_until(again, "left", "Which database?")
        again.press("2", "enter")
        mark = again.wait_for(re.compile(r"Which features\?.*\[([x ])\] auth", re.DOTALL))[1]
        if mark == " ":
            again.press("1")
            again.wait_for("[x] auth")
        again.press("enter")
    again.wait_for("Enter sends this:")
    again.press("enter")


def box(terminal: Terminal) -> str:
    """The text of the prompt field, which is the last line but one."""
    found = re.search(r"^ › (.*)\n.*\Z", terminal.text().rstrip("\n"), re.MULTILINE)
    words = found[1] if found else ""
    return "" if words == "Ask anything…" else words


def messages(server: Stub) -> list[dict[str, object]]:
    return [
        message
        for session in server.http.get("/session").json()
        for message in server.http.get(f"/session/{session['id']}/message").json()
    ]


def prompts(server: Stub, text: str) -> int:
    """How often the server has a prompt with this text."""
    return sum(
        message["info"]["role"] == "user" and message["parts"][0].get("text") == text  # type: ignore[index]
        for message in messages(server)
    )


def open_questions(server: Stub) -> bool:
    return bool(server.http.get("/question").json())


def answers(server: Stub) -> list[str]:
    """The answers that the agent got, verbatim."""
    texts = [part.get("text", "") for message in messages(server) for part in message["parts"]]  # type: ignore[attr-defined]
    reported = [text for text in texts if "SQLite" in text and "auth" in text]
    return reported
