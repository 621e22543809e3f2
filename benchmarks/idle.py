"""CPU time of a connected, idle client (`holdfast ADDRESS`).

An idle client redraws the age of its connection each second. It is compared with an application of the same size in
which one `Static` changes each second; an empty application runs too, for reference. Most of the time of each is that
of a processor that has just slept, which differs from machine to machine. The server is the stub, with heartbeats at
the normal interval.
"""

import time

from benchmarks.kernel import cpu_seconds
from benchmarks.programs import EMPTY_APP, TICKING_APP, bench_stub, connected
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most_times
from tests.processes import clean_environment

SHARE = 2.0
"""Limit of the ratio to the application with one changing `Static`."""
REFERENCE = 0.5
"""Percent of one core, to be reached where an empty application uses much less."""
SETTLE = 5.0
"""Seconds between start and measurement."""


def rows(seconds: float = 20.0, settle: float = SETTLE) -> list[Row]:
    """Measure all three while they are idle for `seconds`."""
    with bench_stub() as (stub, home):
        env = clean_environment(home)
        with (
            Recording(EMPTY_APP, env=env, cwd=home) as empty,
            Recording(TICKING_APP, env=env, cwd=home) as ticking,
            connected(stub.address, home) as ours,
        ):
            ticking.wait_for("second")
            time.sleep(settle)
            running = (empty, ticking, ours)
            before = [cpu_seconds(recording.pid) for recording in running]
            time.sleep(seconds)
            after = [cpu_seconds(recording.pid) for recording in running]
    nothing, other, share = (100 * (late - early) / seconds for early, late in zip(before, after, strict=True))
    beside = f"empty Textual app {nothing:.2f} % (reference: {REFERENCE:g} %); one Static a second"
    return [at_most_times("idle, connected", share, other, SHARE, "%", beside=beside)]
