"""Waits for a condition, with a time limit: the only way for a test to wait."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

MAX_WAIT: Final = 60.0
"""Maximum seconds of a wait without another limit: it only keeps a test from hanging."""


async def wait_until(condition: Callable[[], object], *, within: float = MAX_WAIT, what: str = "") -> None:
    """Return as soon as `condition()` is true; fail after `within` seconds, with `what` in the message."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        if loop.time() > deadline:
            raise AssertionError(f"still waiting after {within:g} s: {what or condition}")
        await asyncio.sleep(0.01)  # yields between two checks; the condition ends the wait


def block_until(condition: Callable[[], object], *, within: float = MAX_WAIT, what: str = "") -> None:
    """`wait_until` for a test without an event loop, whose condition checks another process."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"still waiting after {within:g} s: {what or condition}")
        time.sleep(0.02)  # yields between two checks; the condition ends the wait
