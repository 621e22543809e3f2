"""A clock controlled by the test, so that an hour of outage takes a millisecond."""

import asyncio


class FakeTime:
    """`mono` and `wall` read it, `sleep` waits on it, `advance` moves it. All in seconds."""

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._asleep = 0.0
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    def mono(self) -> float:
        return self._now

    def wall(self) -> float:
        return 1_700_000_000.0 + self._now + self._asleep

    async def sleep(self, seconds: float) -> None:
        due = asyncio.get_running_loop().create_future()
        entry = (self._now + seconds, due)
        self._sleepers.append(entry)
        try:
            await due
        finally:
            if entry in self._sleepers:
                self._sleepers.remove(entry)

    async def advance(self, seconds: float) -> None:
        """Move on, waking each sleeper at its own time and in order."""
        end = self._now + seconds
        await settle()
        while True:
            due = min((at for at, _ in self._sleepers), default=end + 1)
            if due > end:
                break
            self._now = max(self._now, due)
            for entry in [s for s in self._sleepers if s[0] <= self._now]:
                self._sleepers.remove(entry)
                if not entry[1].done():
                    entry[1].set_result(None)
            await settle()
        self._now = end
        await settle()

    def jump(self, seconds: float) -> None:
        """Jump ahead at once, as in a loop that was paused."""
        self._now += seconds

    def suspend(self, seconds: float) -> None:
        """The computer sleeps: the wall clock advances, the monotonic one does not."""
        self._asleep += seconds


async def settle() -> None:
    """Let every task run until all of them wait."""
    for _ in range(50):
        await asyncio.sleep(0)
