"""The one source of time and of pauses for the scripted agent, which looks at no other clock."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Epoch milliseconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Pause the scenario for this many of its seconds."""
        ...


@dataclass(frozen=True, slots=True)
class PacedClock:
    """Real time, with pauses `speed` times as quick as the scenario asks for (2 halves them)."""

    speed: float = 1.0

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)
