"""CPU time per delta, in a short and a long message, and in a short and a long transcript.

It is measured on the client in a terminal, over a few seconds of a turn with 200 deltas per second.
"""

import time
from collections.abc import Mapping

from benchmarks.kernel import cpu_of_tree
from benchmarks.programs import Turns, bench_stub, connected, prompt, session_with
from benchmarks.table import Row, at_most_times

TIMES = 1.5
RATE = 200
LEAD = 2.0
"""Seconds of deltas before the measurement starts."""
SHAPES = {"prose": "prose", "code": "an open fence"}
"""The content of a message: the stub's name for it, and its label in the table."""


def rows(
    shapes: Mapping[str, str] = SHAPES,
    small: int = 1,
    large: int = 200,
    short: int = 10,
    long: int = 5000,
    seconds: float = 4.0,
    lead: float = LEAD,
) -> list[Row]:
    """The table rows. `small` and `large`: message sizes in KB; `short` and `long`: transcript lengths in messages."""
    found = []
    for shape, name in shapes.items():
        little, much = (milliseconds(shape, kilobytes, 0, seconds, lead) for kilobytes in (small, large))
        found.append(_row(f"a delta at {large} KB, {name}", much, little, f"at {small} KB"))
    little, much = (milliseconds("prose", small, past, seconds, lead) for past in (short, long))
    found.append(_row(f"a delta under {long:,} messages", much, little, f"under {short:,}"))
    return found


def _row(what: str, much: float, little: float, beside: str) -> Row:
    return at_most_times(what, much, little, TIMES, "ms CPU", beside=beside)


def milliseconds(shape: str, kilobytes: int, past: int, seconds: float, lead: float) -> float:
    """CPU milliseconds per delta of a message of `kilobytes`, after `past` earlier messages in the transcript."""
    count = int((lead + seconds + 3) * RATE)
    with bench_stub() as (stub, home):
        options = ("--session", session_with(stub.http, "PLAIN"))
        with connected(stub.address, home, *options) as recording:
            recording.wait_for("all is well")
            if past:
                prompt(recording, f"PAST {past}")
                recording.wait_for("✓ finished", within=60)
            prompt(recording, f"GROW {shape} {kilobytes} {count} {RATE}")
            Turns(stub.http).wait_for_begin()
            time.sleep(lead)
            before, begun = cpu_of_tree(recording.pid), time.perf_counter()
            time.sleep(seconds)
            spent, took = cpu_of_tree(recording.pid) - before, time.perf_counter() - begun
    return 1000 * spent / (took * RATE)
