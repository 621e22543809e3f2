"""List of queued prompts above the prompt field: their state and the actions on them."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message

from tui.config.key_lookup import key
from tui.config.keymap import Scope
from tui.core.connection_status import ConnectionStatus
from tui.core.model import Queued
from tui.core.sanitize import single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, MUTED, PRIMARY, WARNING, StaticText, spread

ROWS = 4
"""Maximum prompts shown, on a screen with enough rows."""


def why_waiting(held: str, line: ConnectionStatus, *, all_held: bool = True, unsaved: bool = False) -> Content:
    """Return why nothing is sent. `held`: why some, or `all_held`, are held. `unsaved`: saving failed."""
    if unsaved:
        return Content.styled("· waiting until it can be saved", WARNING)
    if held:
        return Content.styled(f"· {'' if all_held else 'some '}paused: {held}", WARNING)
    return Content.styled("· waiting until the turn ends" if line.up else "· waiting until connected", MUTED)


class QueueList(StaticText, can_focus=True):
    """One line per prompt, in the order of sending. Hidden while the queue is empty."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.QUEUE)

    @dataclass
    class EditRequested(Message):
        queued: Queued

    @dataclass
    class RemoveRequested(Message):
        queued: Queued

    @dataclass
    class SendNowRequested(Message):
        queued: Queued

    class Emptied(Message):
        """The queue became empty while the list had the focus."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._waiting: Sequence[Queued] = ()
        self._why = Content("")
        self._edited: str | None = None
        self._held: Collection[str] = ()
        self._within_reach = False
        self._cursor = 0
        self._small = False
        self._head_rows = 1

    def on_mount(self) -> None:
        self.display = False
        self.watch(self, "has_focus", self._draw, init=False)

    def show_waiting(
        self, waiting: Sequence[Queued], why: Content, edited: str | None = None, held: Collection[str] = ()
    ) -> None:
        """Show the session's queue. `edited`: id of the prompt being edited; `held`: ids not sent automatically."""
        self._waiting, self._why, self._edited, self._held = waiting, why, edited, held
        self._cursor = max(0, min(self._cursor, len(waiting) - 1))
        if not waiting and self.has_focus:
            self.post_message(self.Emptied())
        self.display = bool(waiting)
        if waiting:
            self._draw()

    def show_reach(self, within: bool) -> None:
        """Set whether Shift+Tab moves the focus to this list."""
        if within != self._within_reach:
            self._within_reach = within
            self._draw()

    def show_room(self, small: bool) -> None:
        """Set whether the screen is small: one line, and the selected prompt while the list has the focus."""
        if small != self._small:
            self._small = small
            self._draw()

    def action_move(self, rows: int) -> None:
        self._cursor = max(0, min(self._cursor + rows, len(self._waiting) - 1))
        self._draw()

    def action_edit(self) -> None:
        self._want(self.EditRequested)

    def action_remove(self) -> None:
        self._want(self.RemoveRequested)

    def action_send_now(self) -> None:
        self._want(self.SendNowRequested)

    def _want(self, wanted: Callable[[Queued], Message]) -> None:
        """Post a message for the selected prompt, unless the queue is empty."""
        if self._waiting:
            self.post_message(wanted(self._waiting[self._cursor]))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        row = event.y - self._head_rows + self._first
        if event.y >= self._head_rows and row < len(self._waiting):
            again = row == self._cursor and event.chain > 1
            self._cursor = row
            self._draw()
            if again:
                self.action_edit()

    def on_resize(self) -> None:
        self._draw()

    @property
    def _first(self) -> int:
        """Index of the first visible prompt."""
        return max(0, min(self._cursor - self._rows // 2, len(self._waiting) - self._rows))

    @property
    def _rows(self) -> int:
        return ROWS if not self._small else int(self.has_focus)

    def _draw(self) -> None:
        width = self.size.width or 80
        count = len(self._waiting)
        rows = self._head(width)
        self._head_rows = len(rows)
        shown = range(count)[self._first :][: self._rows]
        rows += [self._row(row, self._waiting[row], width) for row in shown]
        if len(shown) < count and not self._small:
            rows.append(Content.styled(f"     +{count - len(shown)} more", MUTED))
        self.show(Content("\n").join(rows))

    def _head(self, width: int) -> list[Content]:
        """Return the count, the reason and the release key, which always stays visible: in a second line if needed."""
        count = len(self._waiting)
        why = Content.assemble((" 1 prompt " if count == 1 else f" {count} prompts ", BOLD), self._why)
        held = self._held and self._edited is None
        release = Content.styled(f"{key('release')} resume queue", MUTED) if held else Content("")
        reach = Content.styled("⇧Tab changes " if self._within_reach else "", MUTED)
        head = Content.assemble(why, (" · ", MUTED), release) if release else why
        if head.cell_length + reach.cell_length + 2 <= width:
            return [spread(head, reach, width)]
        if head.cell_length <= width or not release:
            return [spread(head, Content(""), width)]
        if self._small:
            return [spread(why, release, width)]
        return [spread(why, Content(""), width), spread(Content.assemble("   ", release), reach, width)]

    def _row(self, row: int, queued: Queued, width: int) -> Content:
        first, *rest = queued.text.strip().split("\n")
        here = self.has_focus and row == self._cursor
        left = Content.assemble(
            (f" {'›' if here else ' '} {row + 1} ", PRIMARY), (single_line(first), BOLD if here else "")
        )
        lines = f"+{len(rest)} line{'s' if len(rest) > 1 else ''}" if rest else ""
        held = "paused" if queued.id in self._held and not self.all_held else ""
        marks = ["in the prompt"] if queued.id == self._edited else [mark for mark in (lines, held) if mark]
        return spread(left, Content.styled(f"{' · '.join(marks)} " if marks else "", MUTED), width)

    @property
    def some_held(self) -> bool:
        """Whether some of the prompts are held: a new prompt is sent before them."""
        return any(queued.id in self._held for queued in self._waiting)

    @property
    def all_held(self) -> bool:
        """Whether all of the prompts are held."""
        return all(queued.id in self._held for queued in self._waiting)
