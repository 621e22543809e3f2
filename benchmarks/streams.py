"""What the client costs while an agent speaks: CPU time and memory over whole turns, in a terminal.

The four streams are those at which `opencode attach` 1.18.33 was measured on a machine of two cores: its figures
give the targets here. `benchmarks.peer` measures both side by side.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.kernel import Memory, cpu_of_tree, memory_of_tree
from benchmarks.programs import Turns, bench_stub, connected, prompt
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most

SETTLE = 1.0
"""Seconds after a turn's end that belong to it: its last words are drawn."""
CPU_SHARE = 0.4
MEMORY_SHARE = 0.35
PEER_MEGABYTES = 250.0
"""The least that `opencode attach` was seen to take; it took 330 at most."""
FROZEN = 150.0
"""Milliseconds that the screen may stand still while text comes."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A turn: `words` have it played, by the stub as by the real servers' scripted model.

    `seconds` is how long it lasts; `peer` are the CPU seconds that `opencode attach` was seen to take for it.
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
    """Of one turn: CPU seconds, memory after it, and for how many seconds the screen stood still at most."""

    cpu: float
    memory: Memory
    gap: float


def cost(recording: Recording, stream: Stream, turns: Turns, send: Callable[[Recording, str], float]) -> Cost:
    """What the program in `recording` takes for a stream; `send` sends a prompt, and gives the moment of that."""
    before = cpu_of_tree(recording.pid)
    begun = send(recording, stream.words)
    turns.wait_for_one(within=3 * stream.seconds + 20)
    ended = time.perf_counter()
    time.sleep(SETTLE)
    spent = cpu_of_tree(recording.pid) - before
    return Cost(spent, memory_of_tree(recording.pid), recording.longest_gap(begun + 1, ended - 0.5))


def rows(streams: Sequence[Stream] = STREAMS) -> list[Row]:
    """Each stream in a client of its own."""
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
