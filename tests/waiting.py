"""The one way a test waits: for a condition, with a bound."""

import asyncio
from collections.abc import Callable


async def wait_until(condition: Callable[[], object], *, within: float = 5.0, what: str = "") -> None:
    """Return as soon as `condition()` is true; fail after `within` seconds, naming `what` was awaited."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not condition():
        if loop.time() > deadline:
            raise AssertionError(f"still waiting after {within:g} s: {what or condition}")
        await asyncio.sleep(0.01)  # yields between two looks at the condition; the condition ends the wait
