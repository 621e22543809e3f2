"""Injectable clocks and random source."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import msgspec


class Clocks(msgspec.Struct, frozen=True):
    """All in seconds: `mono` is monotonic; `wall` is epoch time; `random` is in 0 .. 1."""

    mono: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
