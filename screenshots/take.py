"""Take the pictures in this folder: the real client in a real terminal, walked through what the stub plays.

What differs from run to run (ages, durations, the port) is set to round figures of the same length, so that a
picture changes only when the screen does. Run by `make screenshots`; look at what it took.
"""

import re
import tempfile
from contextlib import closing
from pathlib import Path

import click

from screenshots.picture import save, with_words
from screenshots.walks import PLACES, StreamPosition
from tests.conftest import COMMAND
from tests.end_to_end.stub import running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment

FOLDER = Path(__file__).parent
ROUND_FIGURES = (
    (r"/tmp/tmp\w{8}/stub", "/home/ada/projects/db"),
    (r"live \ds  \d ms [▁▂▃▅▇]{8}", "live 1s  4 ms ▂▂▂▂▂▂▂▂"),
    (r"live \ds  \d\d ms [▁▂▃▅▇]{8}", "live 1s  14 ms ▂▂▂▂▂▂▂▂"),
    (r"127\.0\.0\.1:\d{5}", "127.0.0.1:40960"),
    (r"turn 0:\d\d", "turn 0:42"),
    (r"\d\d heartbeats, last \ds ago", "41 heartbeats, last 1s ago"),
    (r"finished in \d:\d\d", "finished in 1:08"),
    (r"needs answer \d\ds", "needs answer 12s"),
    (r"(needs your answer|asks for permission) · \d\ds", r"\1 · 12s"),
    (r"try \d in \ds · F5 now", "try 4 in 3s · F5 now"),
    (r"\b\d\d\.\ds\b", "12.8s"),
    (r"\b\d\.\ds\b", "0.8s"),
    (r"[▁-▇](?=\s*$)", "▄"),
)


@click.command()
@click.argument("names", metavar="[WALK]...", nargs=-1, type=click.Choice(list(PLACES)))
def main(names: tuple[str, ...]) -> None:
    """Take each WALK, or all of them, and write what was seen."""
    for name in names or PLACES:
        _walk(PLACES[name])


def _walk(place: StreamPosition) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / ".config/holdfast").mkdir(parents=True)
        (home / ".config/holdfast/settings.toml").write_text(place.settings)
        beats = {"HOLDFAST_STUB_PROMPT_HEARTBEAT_INTERVAL_MS": "1000"}
        with running_stub(home / "stub", args=("--speed", str(place.speed)), env=beats) as stub:
            config = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
            stub.http.patch("/global/config", json=config).raise_for_status()
            command = [COMMAND, *place.command, stub.address]
            environment = clean_environment(home)
            with closing(
                Terminal(command, env=environment, cwd=home, columns=place.columns, lines=place.lines)
            ) as terminal:

                def take(name: str, when: re.Pattern[str]) -> None:
                    terminal.wait_for(when, within=60)
                    if not place.command:
                        terminal.wait_until_quiet()
                    save(with_words(terminal.cells(), ROUND_FIGURES), "holdfast", FOLDER / name)
                    print(f"screenshots/{name}.svg, .png")

                place.walk(terminal, stub, take)


if __name__ == "__main__":
    main()
