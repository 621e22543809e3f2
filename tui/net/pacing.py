"""Work that must leave time for other work in the same event loop, however much of it there is."""

import time
from collections.abc import Callable

SHARE = 0.25
"""Of the time that passes, what the work may take in the long run..."""
BURST = 0.1
"""...and the seconds that it may take before it has to wait at all."""


SLICE = 0.01
"""Seconds for which a long work may hold the event loop before others have their turn."""


class Slice:
    """A long work in the event loop: `over` says when it is the turn of others, after which `begin` is called."""

    def __init__(self, *, seconds: float = SLICE, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds, self._clock = seconds, clock
        self.begin()

    def begin(self) -> None:
        self._until = self._clock() + self._seconds

    @property
    def over(self) -> bool:
        return self._clock() >= self._until


class Paced:
    """Does `work` each time that it is wanted: at once while its share of the time lasts, else as soon as it does.

    Several wishes while it waits are one. `later(seconds, call)` calls back; `clock` counts seconds.
    """

    def __init__(
        self,
        work: Callable[[], None],
        *,
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._work, self._later, self._clock = work, later, clock
        self._left = BURST
        self._at = clock()
        self._waits = False

    def __call__(self) -> None:
        if self._waits:
            return
        began = self._clock()
        self._left = min(BURST, self._left + SHARE * (began - self._at))
        self._at = began
        if self._left <= 0:
            self._waits = True
            self._later((BURST / 2 - self._left) / SHARE, self._now)
            return
        try:
            self._work()
        finally:
            self._left -= self._clock() - began

    def _now(self) -> None:
        self._waits = False
        self()
