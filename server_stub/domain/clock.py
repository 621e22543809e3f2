"""The one source of time and of pauses for the scripted agent, which looks at no other clock."""

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
        """Epoch milliseconds at which a pause of this many of the scenario's seconds would end."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause for this many of the scenario's seconds."""
        ...

    def ticks(self, rate: float) -> AsyncGenerator[None, None]:
        """Come round `rate` times in each of the scenario's seconds, without drift, for ever."""
        ...


@dataclass(frozen=True, slots=True)
class PacedClock:
    """Real time, in which a scenario goes by `speed` times as quickly as it was written."""

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


SHORTEST_SLEEP = 0.002  # seconds; the event loop cannot keep to less
