"""Time to first paint: `holdfast ADDRESS` compared with an empty Textual application.

Both run alternately, after one warm-up run each. The clock starts at the spawn and is read when each piece of output
arrives. The stricter moment is used for Holdfast: the first text on its screen, compared with the empty app's first
painted cell.
"""

import statistics

from benchmarks.programs import EMPTY_APP, bench_stub, client
from benchmarks.recording import Recording, Shown, painted, worded
from benchmarks.table import Row, at_most_times
from tests.processes import clean_environment

TARGET = 1.5


def rows(runs: int = 12) -> list[Row]:
    """Measure the first paint of both `runs` times; returns the row of the medians."""
    empty: list[float] = []
    ours: list[float] = []
    with bench_stub() as (stub, home):
        for run in range(runs + 1):
            with Recording(EMPTY_APP, env=clean_environment(home), cwd=home) as recording:
                frame = _until(recording, painted)
            with client(stub.address, home) as recording:
                words = _until(recording, worded)
            if run:
                empty.append(frame)
                ours.append(words)
    return [
        at_most_times(
            "first words on the screen",
            statistics.median(ours),
            statistics.median(empty),
            TARGET,
            "s",
            beside="empty Textual app",
        )
    ]


def _until(recording: Recording, shown: Shown) -> float:
    return recording.moment(shown) - recording.started
