"""The half second in which a key is likely meant for what stood there before.

After a request appears no key answers it: who writes just then means the prompt. After one goes that had the keys,
Enter does not send what stands in the prompt.
"""

from collections.abc import Callable

from textual.timer import Timer
from textual.widget import Widget

GRACE = 0.5
"""Seconds."""


class InputGuard:
    """Runs for `lasts` seconds from the last `begin`, by the clock `now`.

    `changed` is called when one begins, and once it is over. One timer of `widget` runs meanwhile, and none after.
    """

    def __init__(
        self,
        widget: Widget,
        now: Callable[[], float],
        changed: Callable[[], object],
        *,
        lasts: float = GRACE,
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
        """Where one runs, it starts again."""
        self._over_at = self._now() + self._lasts
        if self._timer is None:
            self._timer = self._widget.set_timer(self._lasts, self._look)
        self._changed()

    def cancel(self) -> None:
        """It is over at once."""
        self._over_at = 0.0
        self._changed()

    def _look(self) -> None:
        left = self._over_at - self._now()
        if left > 0:
            self._timer = self._widget.set_timer(left, self._look)
        else:
            self._timer = None
            self._changed()
