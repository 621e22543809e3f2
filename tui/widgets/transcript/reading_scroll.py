"""Scrolling in a transcript of which a part is mounted: it follows the end, or keeps the reading position."""

import asyncio
from typing import Any

from textual import events
from textual.containers import VerticalScroll
from textual.geometry import Size
from textual.message import Message as TextualMessage
from textual.widget import Widget

from tui.widgets.base.static_text import SkipsCoveredBackground


class ReadingScroll(VerticalScroll, SkipsCoveredBackground):
    """Follows the end until the user scrolls up. The reading position stays where content above it is added."""

    class ReadingMoved(TextualMessage):
        """`following` or `unread` may have changed."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.following = True
        self.behind = False
        """Whether newer messages exist that are not mounted."""
        self._last_read: Widget | None = None
        self._read_height = 0
        self._held: tuple[Widget, float] | None = None
        """The widget at the reading position while older messages are mounted, and its distance from the top."""
        self._placing = False

    def draw(self) -> None:
        """Draw anew, from the end."""
        raise NotImplementedError

    def last_message(self) -> Widget | None:
        """The newest mounted message."""
        raise NotImplementedError

    def mount_newer(self) -> None:
        """Mount newer messages: the user reached the end of the mounted ones, and is `behind`."""
        raise NotImplementedError

    def reach_top(self) -> None:
        """Mount older messages: the user reached the first mounted one."""
        raise NotImplementedError

    def want_older(self, *, again: bool = False) -> None:
        """At the top, mount more messages or request older ones. `again`: retry after a failure."""
        raise NotImplementedError

    @property
    def unread(self) -> int:
        """Lines added below the former end since the user scrolled away, as far as they are mounted."""
        last = self._last_read
        if self.following or self.behind or last is None or last.parent is not self:
            return 0
        return max(0, self._height_from(last) - self._read_height)

    def _height_from(self, view: Widget) -> int:
        """Lines from the top of a message to the end; unaffected by older messages mounted above."""
        return self.virtual_size.height - view.virtual_region.y

    def follow(self) -> None:
        """Scroll to the end and follow it."""
        if self.behind:
            self.draw()
            return
        self.following = True
        self._pin()
        self.post_message(self.ReadingMoved())

    def _pin(self) -> None:
        """Anchor to the end. A transcript shorter than the view starts at the top."""
        if self.following:
            # `container_size` is not updated yet when `virtual_size` changes with the screen.
            long = self.virtual_size.height > self.size.height > 0
            if not (long and self.is_anchored and self.scroll_y >= self.max_scroll_y):  # otherwise it costs a layout
                self.anchor(long)

    async def laid_out(self) -> None:
        """Wait until everything mounted so far is laid out."""
        for _ in range(2):  # a message mounts its parts after it is mounted
            done = asyncio.Event()
            self.call_after_refresh(done.set)
            await done.wait()

    def show_row(self, view: Widget, row: int) -> None:
        """Scroll a row of a mounted widget to the middle."""
        y = view.region.y - self.region.y + self.scroll_offset.y + row
        self.scroll_to(y=max(0, y - self.size.height // 2), animate=False)

    def action_scroll_up(self) -> None:
        super().action_scroll_up()
        self.want_older(again=True)

    def action_page_up(self) -> None:
        self.scroll_page_up(animate=False)
        self.want_older(again=True)

    def action_scroll_home(self) -> None:
        super().action_scroll_home()
        self.want_older(again=True)

    def _on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        super()._on_mouse_scroll_up(event)
        self.want_older(again=True)

    @property
    def is_holding(self) -> bool:
        """Whether older messages are being mounted above the reading position."""
        return self._held is not None

    def hold(self, view: Widget) -> None:
        """Remember where `view` is, while messages above it are mounted (see `keep_place`)."""
        self._held = view, view.virtual_region.y - self.scroll_y

    def release(self) -> None:
        self._held = None

    def keep_place(self) -> None:
        """Restore the reading position after messages above it changed their height."""
        if self._held is None:
            return
        view, distance = self._held
        if not view.is_attached:
            self._held = None
            return
        self._placing = True
        self.scroll_to(y=view.virtual_region.y - distance, animate=False, immediate=True, force=True)
        self._placing = False

    def _scroll_to(self, x: float | None = None, y: float | None = None, **options: Any) -> bool:
        """Scroll without animation, whatever asks for one.

        Reaching the end anchors the view, which stops a running animation; within its last step Textual's animator
        then raises KeyError.
        """
        return super()._scroll_to(x, y, **{**options, "animate": False})

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        at_end = round(new_value) >= self.max_scroll_y
        if at_end and self.behind and new_value > old_value and self.last_message() is not None:
            self.mount_newer()
        at_end = at_end and not self.behind
        if at_end != self.following and (at_end or new_value < old_value):
            self.following = at_end
            self._last_read = self.last_message()
            if self._last_read is not None:
                self._read_height = self._height_from(self._last_read)
            self._pin()
            self.post_message(self.ReadingMoved())
        if not self._placing:
            self._held = None
            if new_value <= 0 < old_value:
                self.reach_top()

    def watch_virtual_size(self, size: Size) -> None:
        self._pin()
        if self._held is not None:
            self.call_after_refresh(self.keep_place)
        if not self.following:
            self.post_message(self.ReadingMoved())

    def on_resize(self) -> None:
        self._pin()
