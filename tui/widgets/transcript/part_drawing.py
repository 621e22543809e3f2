"""Draws the parts of mounted messages: growing ones batched, very many in steps.

Growing text is drawn about 10 times a second; no timer runs while none grows.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.timer import Timer

from tui.core.model import Part
from tui.widgets.base.static_text import SkipsCoveredBackground

if TYPE_CHECKING:
    from tui.widgets.transcript.message import MessageView

FRAME = 0.09
"""Minimum seconds between two drawings of growing text."""
SHARE = 4
"""Minimum interval as a multiple of the drawing time, to limit the load."""
MAX_FRAME_INTERVAL = 0.1
"""Maximum interval in seconds: a longer pause looks like a frozen screen."""
REDRAW_QUIET_TIME = 0.5
"""Seconds without a new part before drawing of a message with very many parts continues."""


class PartDrawing:
    """The parts of the messages in `page` that are yet to be drawn.

    `parts_of` returns a message's parts, `show_part` draws one; `filled` is called when all messages have a height.
    """

    def __init__(
        self,
        page: SkipsCoveredBackground,
        *,
        parts_of: Callable[[str], list[Part]],
        show_part: Callable[[str, str], None],
        filled: Callable[[], None],
    ) -> None:
        self._page = page
        self._parts_of = parts_of
        self._show_part = show_part
        self._filled = filled
        self._unfilled: set[MessageView] = set()
        """Mounted messages without a height: the positions above them are not final."""
        self._filling: set[MessageView] = set()
        """Messages of which more parts are to be drawn."""
        self._grown: set[tuple[str, str]] = set()
        self._frame: Timer | None = None
        self._pause = FRAME

    def clear(self) -> None:
        """Forget all messages: they are not mounted any more."""
        self._grown.clear()
        self._unfilled.clear()
        self._filling.clear()

    @property
    def is_idle(self) -> bool:
        """Whether no growing text waits to be drawn."""
        return self._frame is None

    @property
    def has_heights(self) -> bool:
        """Whether each mounted message has its height."""
        return not any(view.is_attached for view in self._unfilled)

    def schedule_part_redraw(self, message_id: str, part_id: str) -> None:
        """Schedule a grown part for the next drawing."""
        self._grown.add((message_id, part_id))
        if self._frame is None:
            self._frame = self._page.set_timer(self._pause, self._draw_grown)

    def drawn(self, message_id: str, part_id: str) -> None:
        """The part was drawn as it is now."""
        self._grown.discard((message_id, part_id))

    def mounted(self, views: "Sequence[MessageView]") -> None:
        """Draw the parts of new messages."""
        self._unfilled.update(views)
        for view in views:
            view.call_later(self.fill, view)

    def fill(self, view: "MessageView") -> None:
        """Draw the parts of a message; very many parts are drawn in steps."""
        if view.is_attached and view.show(view.message, self._parts_of(view.message.id)):
            self.continue_filling(view)
            return
        if view in self._unfilled:
            self._unfilled.discard(view)
            if not self._unfilled:
                self._page.call_after_refresh(self._filled)

    def continue_filling(self, view: "MessageView", seconds: float = FRAME) -> None:
        """Schedule the next step, once no more parts arrive: new parts would soon displace those drawn."""
        if view not in self._filling:
            self._filling.add(view)
            self._page.set_timer(seconds, partial(self._fill_further, view, len(self._parts_of(view.message.id))))

    def _fill_further(self, view: "MessageView", had: int) -> None:
        self._filling.discard(view)
        if view.is_attached and len(self._parts_of(view.message.id)) != had:
            self.continue_filling(view, REDRAW_QUIET_TIME)
        else:
            self.fill(view)

    def _draw_grown(self) -> None:
        self._frame = None
        began = time.perf_counter()
        grown, self._grown = self._grown, set()
        for message_id, part_id in grown:
            with self._page.guard():
                self._show_part(message_id, part_id)
        self._page.call_after_refresh(self._adapt, began)

    def _adapt(self, began: float) -> None:
        """Adapt the drawing interval to the time that the last drawing took."""
        self._pause = min(MAX_FRAME_INTERVAL, max(FRAME, SHARE * (time.perf_counter() - began)))
