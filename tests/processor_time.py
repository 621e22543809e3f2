"""Limits on work, in processor time: independent of other programs and of the machine's speed."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_REFERENCE: Final = 0.003
"""Seconds that `_work` takes on the machine on which the limits of the tests were chosen."""


def slowness() -> float:
    """How many times slower this machine is now than the one on which limits were chosen; at least 1."""
    times: list[float] = []
    for _ in range(3):
        began = time.thread_time()
        _work()
        times.append(time.thread_time() - began)
    return max(1.0, sorted(times)[1] / _REFERENCE)


@asynccontextmanager
async def loop_held_up_at_most(seconds: float) -> AsyncIterator[None]:
    """Fail if this thread works longer than that between two rounds of the event loop."""
    longest, before = 0.0, 0.0

    async def watch() -> None:
        nonlocal longest, before
        before = time.thread_time()
        while True:
            await asyncio.sleep(0.002)
            now = time.thread_time()
            longest, before = max(longest, now - before), now

    slow = slowness()
    watching = asyncio.create_task(watch())
    gc.disable()  # garbage of other tests must not be measured
    try:
        yield
        await asyncio.sleep(0.01)
    finally:
        watching.cancel()
        gc.enable()
        await asyncio.gather(watching, return_exceptions=True)
    bound = seconds * max(slow, slowness())
    assert longest < bound, f"the loop was held up for {longest:.3f} s of processor time; {bound:.3f} s are allowed"


def _work() -> dict[str, int]:
    table: dict[str, int] = {}
    for number in range(20_000):
        table[f"key {number % 97}"] = number * 3 % 7
    return table
