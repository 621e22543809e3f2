"""What the client costs while nothing happens: CPU time of `holdfast ADDRESS`, connected.

An empty Textual application in a terminal of the same size runs beside it, at the same time. The server is the
stub, with its heartbeats as in ordinary use.
"""

import time

from benchmarks.kernel import cpu_seconds
from benchmarks.programs import EMPTY_APP, bench_stub, connected
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most
from tests.processes import clean_environment

TARGET = 0.5
"""Per cent of one core."""
SETTLE = 5.0
"""Seconds that both are left alone before the measurement begins."""


def rows(seconds: float = 20.0, settle: float = SETTLE) -> list[Row]:
    """Both, idle for so long."""
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
