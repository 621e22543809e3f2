"""CPU time of a connected, idle client (`holdfast ADDRESS`).

An empty Textual application runs at the same time in a terminal of the same size, for comparison. The server is the
stub, with heartbeats at the normal interval.
"""

import time

from benchmarks.kernel import cpu_seconds
from benchmarks.programs import EMPTY_APP, bench_stub, connected
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most
from tests.processes import clean_environment

TARGET = 0.5
"""Percent of one core."""
SETTLE = 5.0
"""Seconds between start and measurement."""


def rows(seconds: float = 20.0, settle: float = SETTLE) -> list[Row]:
    """Measure both while they are idle for `seconds`."""
    with bench_stub() as (stub, home):
        with (
            Recording(EMPTY_APP, env=clean_environment(home), cwd=home) as empty,
            connected(stub.address, home) as ours,
        ):
            time.sleep(settle)
            before = [cpu_seconds(recording.pid) for recording in (empty, ours)]
            time.sleep(seconds)
            after = [cpu_seconds(recording.pid) for recording in (empty, ours)]
    shares = [100 * (late - early) / seconds for early, late in zip(before, after, strict=True)]
    return [at_most("idle, connected", shares[1], TARGET, "%", beside=f"empty Textual app {shares[0]:.2f} %")]
