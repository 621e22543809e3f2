"""Take the pictures in this folder: a real client in a real terminal, walked through one turn on the stub.

What differs from run to run (ages, durations, the port) is set to round figures of the same length, so that a
picture changes only when the screen does. Run by `make screenshots`; look at what it took.
"""

import re
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from screenshots.picture import save, with_words
from tests.conftest import COMMAND
from tests.end_to_end.steps import connect, face_request, insist, send
from tests.end_to_end.stub import Stub, running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment

FOLDER = Path(__file__).parent
SPEED = "4"
CALM = r"● live \ds  \d ms [▁▂▃▅▇]{8} "
"""What the header shows in a picture of a live line: figures of one digit, and a full row of beats."""
LIVE = re.compile(CALM + r".*\d\d beats", re.DOTALL)
WAITING = re.compile(CALM + r".*(waits for you|asks for leave) · \d\ds.*\d\d beats", re.DOTALL)
RECONNECTING = re.compile(r"try [3-9] in [2-9]s · F5 now .*turn 0:\d\d", re.DOTALL)
STOPPED = re.compile("■ stopped")
ROUND_FIGURES = (
    (r"live \ds  \d ms [▁▂▃▅▇]{8}", "live 1s  4 ms ▂▂▂▂▂▂▂▂"),
    (r"127\.0\.0\.1:\d{5}", "127.0.0.1:40960"),
    (r"turn 0:\d\d", "turn 0:42"),
    (r"\d\d beats, last \ds ago", "41 beats, last 1s ago"),
    (r"finished in \d:\d\d", "finished in 1:08"),
    (r"since 0:\d\d", "since 0:07"),
    (r"(waits for you|asks for leave) · \d\ds", r"\1 · 12s"),
    (r"try \d in \ds · F5 now", "try 4 in 3s · F5 now"),
    (r"\b\d\d\.\ds\b", "12.8s"),
    (r"\b\d\.\ds\b", "0.8s"),
    (r"[▁-▇](?=\s*$)", "▄"),
)


def walk(terminal: Terminal, stub: Stub, take: Callable[[str, re.Pattern[str]], None]) -> None:
    """One turn of the tour, with a picture at each of its places."""
    connect(terminal)
    terminal.wait_for(re.compile(CALM), within=60)
    send(terminal, "move the session store to SQLite")
    face_request(terminal, "Where shall the sessions live?", within=60)
    terminal.press("1", "enter")
    terminal.wait_for("What shall come with it?")
    terminal.press("1", "down", "down")
    terminal.wait_for(re.compile(r"\[x\] Migration"))
    take("question", WAITING)

    terminal.press("enter")
    terminal.wait_for("How shall the new table be called?")
    terminal.press("enter")
    terminal.wait_for("in your own words")
    terminal.type("session")
    terminal.press("enter")
    terminal.wait_for("Enter sends this:")
    take("review", WAITING)
    terminal.press("enter")

    face_request(terminal, "May I change them?", within=60)
    terminal.press("1", "enter")
    face_request(terminal, "pytest -q tests", within=60)
    terminal.wait_for("1 of 2")
    take("permission", WAITING)
    terminal.press("1", "enter")
    terminal.wait_until_gone("1 of 2")
    insist(terminal, "enter", "✓ finished")

    send(terminal, "LONG now train the model")
    terminal.wait_for(re.compile(r"train\.py .*running"))
    take("live", LIVE)

    down = stub.arm("502", times="always")
    stub.arm("cut", times="always")
    take("reconnecting", RECONNECTING)

    stub.disarm(down)
    stub.arm("401")
    terminal.press("f5")
    take("stopped", STOPPED)


def main() -> None:
    """Walk, and write what was seen."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        beats = {"HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS": "1000"}
        with running_stub(home / "stub", args=("--speed", SPEED), env=beats) as stub:
            config = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
            stub.http.patch("/global/config", json=config).raise_for_status()
            command = [COMMAND, stub.address]
            with closing(Terminal(command, env=clean_environment(home), cwd=home)) as terminal:

                def take(name: str, when: re.Pattern[str]) -> None:
                    terminal.wait_for(when, within=60)
                    terminal.wait_until_quiet()
                    save(with_words(terminal.cells(), ROUND_FIGURES), "holdfast", FOLDER / name)
                    print(f"screenshots/{name}.svg, .png")

                walk(terminal, stub, take)


if __name__ == "__main__":
    main()
