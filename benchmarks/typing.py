"""CPU time of a typed and of a deleted character, and of a long paste.

A Textual application with only a text area is typed into in a terminal of the same size, for comparison.
"""

import sys
import time
from collections.abc import Sequence

from benchmarks.kernel import cpu_seconds
from benchmarks.programs import bench_stub, connected
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most_times
from tests.end_to_end.terminal import KEYS
from tests.processes import clean_environment

TEXT_AREA_APP = (
    sys.executable,
    "-c",
    "from textual.app import App; from textual.widgets import TextArea\n"
    "class Page(App):\n    def compose(self): yield TextArea('here', compact=True)\n"
    "Page().run()",
)
TIMES = 1.2
GAP = 0.005
"""Seconds between two keys: the repeat rate of a fast keyboard is a sixth of that."""
SETTLE = 3.0
"""Seconds between start and measurement, and between two measurements."""
LINE = "a line of a long paste, as of a log file\n"


def rows(count: int = 1000, kilobytes: int = 100, settle: float = SETTLE) -> list[Row]:
    """The table rows. `count`: of characters typed and deleted; `kilobytes`: size of the paste."""
    measured = {
        "a character typed": ["a", "b", "c", "d", " "] * (count // 5),
        "a character deleted": [KEYS["backspace"]] * count,
        f"a paste of {kilobytes} KB": [f"\x1b[200~{LINE * (kilobytes * 1000 // len(LINE))}\x1b[201~"],
    }
    with bench_stub() as (stub, home):
        with (
            Recording(TEXT_AREA_APP, env=clean_environment(home), cwd=home) as plain,
            connected(stub.address, home) as ours,
        ):
            plain.wait_for("here")
            time.sleep(settle)
            return [
                at_most_times(what, typed, other, TIMES, "ms CPU", beside="text area")
                for what, keys in measured.items()
                for typed, other in [_cpu_per_key((ours, plain), keys, settle)]
            ]


def _cpu_per_key(recordings: Sequence[Recording], keys: list[str], settle: float) -> list[float]:
    """Type the keys into all at the same time; returns milliseconds for each."""
    before = [cpu_seconds(recording.pid) for recording in recordings]
    for key in keys:
        for recording in recordings:
            recording.type(key)
        time.sleep(GAP)
    time.sleep(settle)
    after = [cpu_seconds(recording.pid) for recording in recordings]
    return [1000 * (late - early) / len(keys) for early, late in zip(before, after, strict=True)]
