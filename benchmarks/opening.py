"""Time and memory to open a short and a very long session.

The stub has both sessions. The clock starts at the spawn of `holdfast --session ID` and stops when the newest
answer is on the screen.
"""

import statistics

from benchmarks.kernel import memory_of_tree
from benchmarks.programs import bench_stub, client, session_with
from benchmarks.table import Row, at_most, at_most_times

TIMES = 1.3
MEGABYTES = 120.0


def rows(few: int = 50, many: int = 5000, runs: int = 5) -> list[Row]:
    """Open sessions of `few` and of `many` messages alternately; returns the rows of the medians and the memory."""
    short: list[float] = []
    long: list[float] = []
    megabytes = 0.0
    with bench_stub() as (stub, home):
        sessions = [session_with(stub.http, f"PAST {count}") for count in (few, many)]
        for run in range(runs + 1):
            for session, moments in zip(sessions, (short, long), strict=True):
                with client(stub.address, home, "--session", session) as recording:
                    shown = recording.wait_for("all is well") - recording.started
                    megabytes = max(megabytes, memory_of_tree(recording.pid).peak)
                if run:
                    moments.append(shown)
    return [
        at_most_times(
            f"opening a session of {many:,} messages",
            statistics.median(long),
            statistics.median(short),
            TIMES,
            "s",
            beside=f"of {few:,}",
        ),
        at_most(f"memory with {many:,} messages opened", megabytes, MEGABYTES, "MB RSS", digits=0),
    ]
