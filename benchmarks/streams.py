"""CPU time and memory of the client in a terminal during whole streamed turns.

The targets are derived from measurements of `opencode attach` 1.18.33 with the same four streams on a machine with
two cores. `benchmarks.peer` measures both programs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.kernel import Memory, cpu_of_tree, memory_of_tree
from benchmarks.programs import Turns, bench_stub, connected, prompt
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most

SETTLE = 1.0
"""Seconds after a turn's end that are included, so that its last text is drawn."""
CPU_SHARE = 0.4
MEMORY_SHARE = 0.35
PEER_MEGABYTES = 250.0
"""The minimum measured memory of `opencode attach`; the maximum was 330."""
FROZEN = 150.0
"""Maximum milliseconds without a screen update while text arrives."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A scripted turn: the prompt `words` starts it in the stub and in the real servers' scripted model.

    `seconds` is its duration; `peer` the measured CPU seconds of `opencode attach` for it.
    """

    what: str
    words: str
    seconds: float
    peer: float


STREAMS = (
    Stream("12 s turn of 40 words", "SLOW", 12.0, 4.1),
    Stream("3,000 deltas at 200/s", "FLOOD 3000 200", 15.0, 8.5),
    Stream("10,000 deltas at 1,000/s", "FLOOD 10000 1000", 10.0, 6.8),
    Stream("2,000 lines of code at 200/s, one fence", "FENCE 2000 200", 10.0, 5.5),
)
FASTEST = STREAMS[2]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one turn: CPU seconds, memory after it, and the longest time without output in seconds."""

    cpu: float
    memory: Memory
    gap: float


def cost(recording: Recording, stream: Stream, turns: Turns, send: Callable[[Recording, str], float]) -> Cost:
    """The cost of a stream for the program in `recording`; `send` sends a prompt and returns the time of sending."""
    before = cpu_of_tree(recording.pid)
    begun = send(recording, stream.words)
    turns.wait_for_one(within=3 * stream.seconds + 20)
    ended = time.perf_counter()
    time.sleep(SETTLE)
    spent = cpu_of_tree(recording.pid) - before
    return Cost(spent, memory_of_tree(recording.pid), recording.longest_gap(begun + 1, ended - 0.5))


def rows(streams: Sequence[Stream] = STREAMS) -> list[Row]:
    """Measure each stream with a separate client."""
    found = []
    for stream in streams:
        with bench_stub() as (stub, home), connected(stub.address, home) as recording:
            found.append((stream, cost(recording, stream, Turns(stub.http), prompt)))
    limit = MEMORY_SHARE * PEER_MEGABYTES
    return [
        *(at_most(f"CPU, {stream.what}", one.cpu, CPU_SHARE * stream.peer, "s") for stream, one in found),
        *(
            at_most(
                f"memory, {stream.what}",
                one.memory.peak,
                limit,
                "MB RSS",
                digits=0,
                beside=f"PSS {one.memory.pss:.0f} MB",
            )
            for stream, one in found
        ),
        *(
            at_most(f"longest time without a change, {stream.what}", 1000 * one.gap, FROZEN, "ms", digits=0)
            for stream, one in found
            if stream is FASTEST
        ),
    ]
