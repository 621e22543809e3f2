"""Limits how long work may occupy the event loop."""

import time
from collections.abc import Callable

SHARE = 0.25
"""Share of the time that the work may take in the long run..."""
BURST = 0.1
"""...and the seconds that it may take without waiting."""


SLICE = 0.01
"""Seconds for which long work may occupy the event loop before it yields."""


class Slice:
    """A time slice of long work: when `over`, yield to the event loop and call `begin`."""

    def __init__(self, *, seconds: float = SLICE, clock: Callable[[], float] = time.perf_counter) -> None:
        self._seconds, self._clock = seconds, clock
        self.begin()

    def begin(self) -> None:
        self._until = self._clock() + self._seconds

    @property
    def over(self) -> bool:
        return self._clock() >= self._until


ECHO = 0.1
"""Seconds that a key has until its echo is drawn: it takes several turns of the event loop, and a layout."""


class InputPriority:
    """Makes long work wait between two of its slices where a key came; it is never held off for longer than ECHO."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._until = float("-inf")

    def input_received(self) -> None:
        self._until = self._clock() + ECHO

    @property
    def pause(self) -> float:
        """Seconds to wait before the next slice; 0 where only others that are ready have their turn."""
        return max(0.0, self._until - self._clock())


class Paced:
    """Runs `work` on each call: at once within its share of the time, else as soon as that allows.

    Calls while one is pending are merged. `later(seconds, call)` schedules; `clock` counts seconds.
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
