"""The one way a test waits: for a condition, with a bound."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 60.0
"""Seconds that a wait takes at most where no other bound is given: it only keeps a test from hanging."""


async def wait_until(condition: Callable[[], object], *, within: float = PATIENCE, what: str = "") -> None:
    """Return as soon as `condition()` is true; fail after `within` seconds, naming `what` was awaited."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        if loop.time() > deadline:
            raise AssertionError(f"still waiting after {within:g} s: {what or condition}")
        await asyncio.sleep(0.01)  # yields between two looks at the condition; the condition ends the wait


def block_until(condition: Callable[[], object], *, within: float = PATIENCE, what: str = "") -> None:
    """`wait_until` for a test without an event loop, whose condition asks another process."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting after {within:g} s: {what or condition}")
        time.sleep(0.02)  # yields between two looks at the condition; the condition ends the wait
