"""Where the pictures are taken: a person's walks through a real client on a real stub, screen by screen."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from tests.end_to_end.steps import connect, press_until, send, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal

CALM = r"● live \ds  \d+ ms [▁▂▃▅▇]{8} "
"""What the header shows in a picture of a live line: figures of one digit, and a full row of beats."""
IN_TURN = re.compile(CALM + r".*\d\d heartbeats", re.DOTALL)
WAITING = re.compile(CALM + r".*(needs your answer|asks for permission) · \d\ds.*\d\d heartbeats", re.DOTALL)
RECONNECTING = re.compile(r"try [3-9] in [2-9]s · F5 now .*turn 0:\d\d", re.DOTALL)


class Take(Protocol):
    """Take the picture called `name` once the screen is as `when` says."""

    def __call__(self, name: str, when: re.Pattern[str]) -> None: ...


Walk: TypeAlias = Callable[[Terminal, Stub, Take], None]


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A walk, and the terminal it is walked in.

    `speed` is the stub's, `command` what is said to `holdfast` beside the address, `settings` the settings file.
    """

    walk: Walk
    columns: int = 120
    lines: int = 40
    speed: float = 4
    command: tuple[str, ...] = ()
    settings: str = ""


def tour(terminal: Terminal, stub: Stub, take: Take) -> None:
    """One turn of the tour, then a lost connection, and stopped."""
    _settle(terminal)
    send(terminal, "move the session store to SQLite")
    _first_question(terminal)
    take("question", WAITING)

    terminal.press("enter")
    terminal.wait_for("How shall the new table be called?")
    terminal.press("enter")
    terminal.wait_for("Type your own answer")
    terminal.type("session")
    terminal.press("enter")
    terminal.wait_for("Enter sends this:")
    take("review", WAITING)
    terminal.press("enter")

    wait_for_request(terminal, "May I change them?", within=60)
    terminal.press("1", "enter")
    wait_for_request(terminal, "pytest -q tests", within=60)
    terminal.wait_for("1 of 2")
    take("permission", WAITING)
    terminal.press("1", "enter")
    terminal.wait_until_gone("1 of 2")
    press_until(terminal, "enter", "✓ finished")
    take("finished", re.compile(CALM + ".*✓ finished", re.DOTALL))

    send(terminal, "LONG now train the model")
    terminal.wait_for(re.compile(r"train\.py .*running"))
    take("live", IN_TURN)

    down = stub.arm("502", times="always")
    stub.arm("cut", times="always")
    take("reconnecting", RECONNECTING)

    stub.disarm(down)
    stub.arm("401")
    terminal.press("f5")
    take("stopped", re.compile("■ stopped"))


def several(terminal: Terminal, stub: Stub, take: Take) -> None:
    """Several agents at once: who waits, and how each session stands."""
    for title, words in (
        ("Parser: error recovery", "ASK1 which grammar shall it follow?"),
        ("Release notes 2.4", "SHELL git-log"),
        ("Nightly benchmarks", "LONG run them all"),
        ("Flaky upload test", "FAIL 500"),
        ("Translate the handbook", "RETRY 6"),
        ("Dependency audit", "CHILD look at each"),
    ):
        session = stub.http.post("/session", json={"title": title}).raise_for_status().json()
        prompt = {"parts": [{"type": "text", "text": words}]}
        stub.http.post(f"/session/{session['id']}/prompt_async", json=prompt).raise_for_status()
    _settle(terminal)
    terminal.press("f2")
    take("sessions", re.compile(r"Flaky upload test"))
    terminal.press("escape")
    terminal.wait_until_gone("^N new")
    terminal.press("f3")
    take("inbox", re.compile(r"git-log"))
    terminal.press("escape")
    terminal.wait_until_gone("Inbox")
    terminal.press("f1")
    take("help", re.compile(r"Esc Esc"))


def narrow(terminal: Terminal, stub: Stub, take: Take) -> None:
    """The same question in 80×24."""
    _settle(terminal)
    send(terminal, "move the session store to SQLite")
    _first_question(terminal)
    take("narrow", re.compile("Migration"))


def retried(terminal: Terminal, stub: Stub, take: Take) -> None:
    """The model's provider fails, and the server retries."""
    _settle(terminal)
    send(terminal, "RETRY 5")
    take("retrying", re.compile(CALM + r".*the server retries", re.DOTALL))


def still(terminal: Terminal, stub: Stub, take: Take) -> None:
    """The line is live, and nothing moves."""
    _settle(terminal)
    send(terminal, "SLOW")
    take("still", re.compile(CALM + r".*no progress", re.DOTALL))


def doctor(terminal: Terminal, stub: Stub, take: Take) -> None:
    """What `holdfast doctor` says of a server whose events do not arrive."""
    stub.arm("mute-events")
    terminal.wait_for_end(within=60)
    take("doctor", re.compile("."))


def _settle(terminal: Terminal) -> None:
    connect(terminal)
    terminal.wait_for(re.compile(CALM), within=60)


def _first_question(terminal: Terminal) -> None:
    wait_for_request(terminal, "Where shall the sessions live?", within=60)
    terminal.press("1", "enter")
    terminal.wait_for("What shall come with it?")
    terminal.press("1", "down", "down")
    terminal.wait_for(re.compile(r"\[x\] Migration"))


PLACES = {
    "tour": StreamPosition(tour),
    "several": StreamPosition(several),
    "narrow": StreamPosition(narrow, columns=80, lines=24),
    "retried": StreamPosition(retried),
    "still": StreamPosition(still, speed=0.02, settings="[patience]\nstill_after = 5\n"),
    "doctor": StreamPosition(doctor, lines=16, command=("doctor", "--seconds", "10")),
}
