"""Limits how often a whole part of the screen is drawn again, however often what it shows changes."""

import time
from collections.abc import Callable

REST = 3.0
"""Minimum time between two drawings, as a multiple of what the last one took including its layout..."""
MAX_PAUSE = 0.5
"""...and at most so many seconds."""


class PacedRedraw:
    """Runs `draw` on a call: at once, or as soon as its last drawing was laid out and a rest has passed.

    Calls that wait are merged. `after_refresh` schedules a function after the next layout, `later` after so many
    seconds.
    """

    def __init__(
        self,
        draw: Callable[[], None],
        *,
        after_refresh: Callable[[Callable[[], None]], object],
        later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._draw, self._after_refresh, self._later, self._clock = draw, after_refresh, later, clock
        self._began = 0.0
        self._rests = False
        self.waits = False
        """Whether a drawing is still to come."""

    def __call__(self) -> None:
        if self._rests:
            self.waits = True
            return
        self._rests, self.waits, self._began = True, False, self._clock()
        try:
            self._draw()
        finally:
            self._after_refresh(self._laid_out)

    def cancel(self) -> None:
        """Do without the drawing that waits: another one showed the same."""
        self.waits = False

    def _laid_out(self) -> None:
        self._later(min(MAX_PAUSE, REST * (self._clock() - self._began)), self._rested)

    def _rested(self) -> None:
        self._rests = False
        if self.waits:
            self()
