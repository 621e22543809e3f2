"""The scripted agent's only source of time and pauses."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Epoch milliseconds."""
        ...

    def after(self, seconds: float) -> int:
        """Epoch milliseconds at which a pause of this many scenario seconds would end."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause for this many scenario seconds."""
        ...

    def ticks(self, rate: float) -> AsyncGenerator[None, None]:
        """Yield `rate` times per scenario second, for ever and without drift."""
        ...


@dataclass(frozen=True, slots=True)
class PacedClock:
    """Real time; scenarios run `speed` times as fast as written."""

    speed: float = 1.0

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def after(self, seconds: float) -> int:
        return self.now() + round(seconds * 1000 / self.speed)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)

    async def ticks(self, rate: float) -> AsyncGenerator[None, None]:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += 1 / (rate * self.speed)
            wait = due - loop.time()
            await asyncio.sleep(wait if wait > SHORTEST_SLEEP else 0)
            yield


SHORTEST_SLEEP = 0.002  # seconds; the event loop is not more precise
