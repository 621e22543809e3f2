"""How soon a person sees something: `holdfast ADDRESS` beside a Textual application that does nothing.

Both run in a 120×40 pty, in turn, after one run each that only warms caches. The clock starts at the spawn and is
read as each piece of output arrives; what the terminal showed at that moment is worked out afterwards, so drawing
it costs the programs nothing. Two moments count:

- first frame: a cell has been painted, be it only with a background. All that an empty app ever does.
- first words: the screen has words on it. (An empty app never gets there.)

The figure to watch is the harder one: the client's first words over the empty app's first frame.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click
import pexpect
import pyte

from tests.conftest import COMMAND
from tests.end_to_end.stub import running_stub
from tests.end_to_end.terminal import Drawing
from tests.processes import clean_environment, end_group

COLUMNS, LINES = 120, 40
TARGET = 1.6
EMPTY_APP = (sys.executable, "-c", "from textual.app import App; App().run()")
QUIET = 0.6
"""Seconds without output after which a program has painted all that it will for now."""
LIMIT = 10.0
"""Seconds after which a run is over in any case."""

Output = list[tuple[float, bytes]]
"""Pieces in the order of their coming, each with the seconds since the spawn."""


def record(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Output:
    """What the command writes to its terminal, and when."""
    output: Output = []
    start = time.perf_counter()
    child = pexpect.spawn(
        command[0], list(command[1:]), env=dict(env), cwd=str(cwd), dimensions=(LINES, COLUMNS), timeout=None
    )
    try:
        while time.perf_counter() - start < LIMIT:
            data = child.read_nonblocking(65536, timeout=QUIET if output else LIMIT)
            output.append((time.perf_counter() - start, data))
    except (pexpect.TIMEOUT, pexpect.EOF):
        pass  # quiet, or gone: all of the beginning has been seen
    finally:
        end_group(child.pid)
        child.close(force=True)
    return output


def painted(screen: pyte.Screen) -> bool:
    return any(
        cell.bg != "default" or cell.data != " " for line in screen.buffer.values() for cell in line.values()
    )


def worded(screen: pyte.Screen) -> bool:
    return any(any(map(str.isalpha, line)) for line in screen.display)


def moment(output: Output, shown: Callable[[pyte.Screen], bool]) -> float | None:
    """Seconds from the spawn until the screen was so; None if it never was."""
    drawing = Drawing(COLUMNS, LINES)
    for seconds, data in output:
        drawing.feed(data)
        if shown(drawing.screen):
            return seconds
    return None


@click.command()
@click.option("--runs", default=15, show_default=True, help="Counted runs of each program.")
def main(runs: int) -> None:
    """Measure the first paint of the client beside that of an empty Textual application."""
    frames: list[float] = []
    client_frames: list[float] = []
    client_words: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        env = clean_environment(home)
        with running_stub(home / "stub") as stub:
            for run in range(runs + 1):
                empty = record(EMPTY_APP, env, home)
                client = record((COMMAND, stub.address), env, home)
                if run == 0:
                    continue
                for moments, output, shown in (
                    (frames, empty, painted),
                    (client_frames, client, painted),
                    (client_words, client, worded),
                ):
                    seconds = moment(output, shown)
                    if seconds is None:
                        raise click.ClickException(f"nothing was ever {shown.__name__}: {output!r}")
                    moments.append(seconds)
    print(f"first paint, {COLUMNS}×{LINES}, {runs} runs each, milliseconds from the spawn")
    print(f"{'':26}{'median':>8}{'least':>8}{'most':>8}")
    for name, moments in (
        ("empty app, first frame", frames),
        ("holdfast, first frame", client_frames),
        ("holdfast, first words", client_words),
    ):
        figures = (statistics.median(moments), min(moments), max(moments))
        print(f"{name:26}" + "".join(f"{1000 * figure:8.0f}" for figure in figures))
    ratio = statistics.median(client_words) / statistics.median(frames)
    print(f"first words over the empty app's first frame: {ratio:.2f} (at most {TARGET})")


if __name__ == "__main__":
    main()
