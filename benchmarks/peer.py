"""`make bench-peer`: compares Holdfast with `opencode attach`, on one real opencode server with a scripted model.

Both run in terminals of 120×40, one after the other, each with the same four streams in a separate session. The
figures are summed over all processes of a program. The server is that of `make real`, or the one on PATH.
"""

import re
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import httpx

from benchmarks import programs
from benchmarks.recording import Recording, painted, worded
from benchmarks.streams import CPU_SHARE, MEMORY_SHARE, STREAMS, Cost, Stream, cost
from benchmarks.table import Row, at_most_times, table
from tests.processes import clean_environment
from tests.real.server import OPENCODE, running_server

PAINT_SHARE = 0.2
INSTALLED = Path(__file__).parents[1] / ".real-servers/node_modules/.bin/opencode"


def opencode() -> Path:
    """The path of the opencode executable. Raises `ClickException` if there is none."""
    found = INSTALLED if INSTALLED.exists() else shutil.which("opencode")
    if found is None:
        raise click.ClickException(
            "There is no opencode here to measure beside: run `make real` once (needs npm), or put it on PATH."
        )
    return Path(found)


@dataclass(frozen=True, slots=True)
class Places:
    """The executable of opencode, the server's address and the home folder of the measured programs."""

    program: Path
    address: str
    home: Path

    def attach(self) -> Recording:
        """Spawn opencode's own client."""
        env = clean_environment(self.home) | {"OPENCODE_DISABLE_AUTOUPDATE": "1"}
        return Recording((str(self.program), "attach", self.address), env=env, cwd=self.home)

    def holdfast(self) -> Recording:
        return programs.client(self.address, self.home)


def attach_prompt(recording: Recording, text: str) -> float:
    """Type a prompt into `opencode attach` and send it; returns the time of sending."""
    recording.type(text)
    recording.wait_for(re.compile(rf"┃  {text}"))
    recording.press("enter")
    return time.perf_counter()


def rows(streams: Sequence[Stream] = STREAMS, runs: int = 3) -> list[Row]:
    """Measure the first paint of both `runs` times, and each stream once."""
    program = opencode()
    with (
        TemporaryDirectory() as folder,
        running_server(OPENCODE, program.parent, Path(folder) / "server") as server,
    ):
        home = Path(folder) / "home"
        home.mkdir()
        places = Places(program, server.address, home)
        with httpx.Client(base_url=server.address, trust_env=False, timeout=30) as http:
            found = _first_paint(places, runs)
            costs = [(stream, *_side_by_side(places, programs.Turns(http), stream)) for stream in streams]
    for stream, ours, theirs in costs:
        found.append(
            at_most_times(f"CPU, {stream.what}", ours.cpu, theirs.cpu, CPU_SHARE, "s", beside="opencode attach")
        )
    for stream, ours, theirs in costs:
        found.append(
            at_most_times(
                f"memory, {stream.what}",
                ours.memory.peak,
                theirs.memory.peak,
                MEMORY_SHARE,
                "MB RSS",
                beside="opencode attach",
                digits=0,
            )
        )
    return found


def _first_paint(places: Places, runs: int) -> list[Row]:
    """Time opencode's first painted cell and Holdfast's first text."""
    ours: list[float] = []
    theirs: list[float] = []
    for run in range(runs + 1):
        with places.attach() as recording:
            peer = recording.moment(painted) - recording.started
        with places.holdfast() as recording:
            own = recording.moment(worded) - recording.started
        if run:
            ours.append(own)
            theirs.append(peer)
    mine, other = statistics.median(ours), statistics.median(theirs)
    return [at_most_times("first paint", mine, other, PAINT_SHARE, "s", beside="opencode attach")]


def _side_by_side(places: Places, turns: programs.Turns, stream: Stream) -> tuple[Cost, Cost]:
    with places.holdfast() as recording:
        recording.wait_for("● live")
        ours = cost(recording, stream, turns, programs.prompt)
    with places.attach() as recording:
        recording.wait_for("Ask anything", within=60)
        theirs = cost(recording, stream, turns, attach_prompt)
    return ours, theirs


@click.command()
def main() -> None:
    """Measure Holdfast and `opencode attach` side by side; needs a real opencode."""
    began = time.monotonic()
    click.echo(table(rows()))
    click.echo(f"{time.monotonic() - began:.0f} s", err=True)


if __name__ == "__main__":
    main()
