"""Ignores input briefly after the screen changes.

After a request appears, no key answers it: the user is probably typing into the prompt. After a focused request
disappears, Enter does not submit the prompt.
"""

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

INPUT_GUARD_SECONDS = 0.5
"""Default duration in seconds."""


class InputGuard:
    """Active for `lasts` seconds from the last `begin`, by the clock `now`.

    `changed` is called at each start and end. One timer of `widget` runs while the guard is active.
    """

    def __init__(
        self,
        widget: Widget,
        now: Callable[[], float],
        changed: Callable[[], object],
        *,
        lasts: float = INPUT_GUARD_SECONDS,
    ) -> None:
        self._widget = widget
        self._now = now
        self._changed = changed
        self._lasts = lasts
        self._over_at = 0.0
        self._timer: Timer | None = None

    @property
    def runs(self) -> bool:
        return self._now() < self._over_at

    def begin(self) -> None:
        """Start, or restart, the guard."""
        self._over_at = self._now() + self._lasts
        if self._timer is None:
            self._timer = self._widget.set_timer(self._lasts, self._look)
        self._changed()

    def cancel(self) -> None:
        """End the guard immediately."""
        self._over_at = 0.0
        self._changed()

    def _look(self) -> None:
        left = self._over_at - self._now()
        if left > 0:
            self._timer = self._widget.set_timer(left, self._look)
        else:
            self._timer = None
            self._changed()
