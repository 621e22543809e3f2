"""A collapsible line: glyph, name, subject, and the outcome at the right.

The detail is created when the line is expanded and removed when it is collapsed.
"""

import operator
import re
from itertools import takewhile
from typing import ClassVar

import msgspec
from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.selection import Selection
from textual.widget import Widget

from tui.config.keymap import Scope
from tui.core.sanitize import single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.guarded import Guarded
from tui.widgets.base.static_text import ACCENT, BOLD, MUTED, spread
from tui.widgets.text.blocks import TextBlock
from tui.widgets.text.lines_view import LinesView

MARGIN = 16
"""Width in cells of the left margin of a message; labels and names are drawn in it."""
BLANKS = re.compile(r" {3,}")
NAME = 10
"""Width in cells of a name in the margin."""
USER_LABEL = Content.assemble((" ▌", ACCENT), (" you", BOLD))
"""Margin label of the user's messages."""


MAX_SHOWN = 400
"""Lines of a detail shown at first; the rest is counted and shown on request."""
MORE = 2_000
"""Lines added each time that the user asks for more."""
CHARACTERS_A_LINE = 100
"""Limit on the average line length: at most this many characters per line of the limit are shown."""


def first_lines(text: str, limit: int) -> tuple[str, str]:
    """Return the first `limit` lines of `text` and a description of the rest ("" if nothing is left out)."""
    text = text.rstrip("\n")
    head = text[: limit * CHARACTERS_A_LINE]
    lines = head.split("\n", limit)
    more = ""
    if len(lines) > limit:
        head = "\n".join(lines[:limit])
        left = text.count("\n", len(head))
        more = "1 more line" if left == 1 else f"{left} more lines"
    elif len(head) < len(text):
        more = f"{len(text) - len(head)} more characters"
    return head.expandtabs(4), more


def more_line(more: str) -> Content:
    """Return the last line of a shortened text, with the key that shows more."""
    return Content.styled(f"… {more} · m shows more", MUTED)


class Headline(msgspec.Struct, frozen=True):
    """Content of a collapsed line. `outcome` is already styled."""

    name: str
    about: str
    outcome: Content


class FoldableLine(Guarded):
    """First line of an expanded `Foldable`. A collapsed one renders its line itself, as there may be hundreds."""

    DEFAULT_CSS = "FoldableLine { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }"

    def __init__(self, of: "Foldable") -> None:
        super().__init__()
        self._of = of

    def render(self) -> Content:
        return self._of.line(self.size.width)

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        return selected(selection, self.render())


def selected(selection: Selection, line: Content) -> tuple[str, str]:
    """Return the selected text of a line without the margin and the padding between left and right."""
    return BLANKS.sub("  ", selection.extract(line.plain).strip()), "\n"


class Foldable(Guarded, can_focus=True):
    """A part of a message that is collapsed to one line until the user expands it."""

    DEFAULT_CSS = """
    Foldable { width: 1fr; height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
    Foldable.-unfolded { height: auto; layout: vertical; }
    Foldable.-found, Foldable.-found > FoldableLine { background: $accent 45%; }
    Foldable.-found.-unfolded { background: transparent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.TOOL_CALL)

    def __init__(self) -> None:
        super().__init__()
        self._headline = Headline("", "", Content(""))
        self._line: FoldableLine | None = None
        self._detail: LinesView | None = None
        self._limit = MAX_SHOWN

    def render(self) -> Content:
        return self.line(self.size.width)

    def line(self, width: int) -> Content:
        """Return the line rendered for `width` cells."""
        glyph = "▾" if self.unfolded else "▸"
        name = Content(single_line(self._headline.name, NAME + 1)).truncate(NAME, ellipsis=True, pad=True)
        left = Content.assemble((f"   {glyph} ", MUTED), name.stylize(MUTED), " ", self._headline.about)
        return spread(left, self._headline.outcome, width - 1)

    def get_selection(self, selection: Selection) -> tuple[str, str]:
        return selected(selection, self.render())

    @property
    def text(self) -> str:
        """The displayed text."""
        detail = "" if self._detail is None else "\n" + self._detail.text
        return self.line(self.size.width).plain + detail

    @property
    def unfolded(self) -> bool:
        return self._line is not None

    def headline(self) -> Headline:
        raise NotImplementedError

    def detail(self) -> list[TextBlock]:
        """Return the detail, at most `_limit` lines of each text."""
        raise NotImplementedError

    @property
    def is_cut(self) -> bool:
        """Whether `detail` leaves anything out."""
        raise NotImplementedError

    def show(self) -> None:
        """Update the line and the detail."""
        headline = self.headline()
        if headline != self._headline or not headline.outcome.is_same(self._headline.outcome):
            self._headline = headline
            (self._line or self).refresh()
        if self._detail is not None:
            pieces, shown = self.detail(), self._detail.pieces
            same = sum(1 for _ in takewhile(bool, map(operator.eq, pieces, shown)))
            self._detail.replace_from(same, pieces[same:])

    def action_unfold(self) -> None:
        if self._line is None:
            self._line = FoldableLine(self)
            self._detail = LinesView(self.detail(), margin=MARGIN, classes="detail")
            self.mount(self._line, self._detail)
        else:
            self.remove_children()
            self._line = self._detail = None
        self.set_class(self.unfolded, "-unfolded")

    def unfold(self) -> LinesView:
        """Expand if collapsed, and return the detail."""
        if self._detail is None:
            self.action_unfold()
        assert self._detail is not None
        return self._detail

    def action_more(self) -> None:
        self.show_more()

    def show_more(self) -> bool:
        """Show more of a shortened detail; return False if nothing is left out."""
        if not self.unfolded or not self.is_cut:
            return False
        self._limit += MORE
        self.show()
        return True

    def show_up_to(self, limit: int) -> None:
        """Raise the line limit of the detail to `limit`."""
        if limit > self._limit:
            self._limit = limit
            self.show()

    def on_click(self, event: events.Click) -> None:
        """Toggle on a click on the first line; show more on a click on the last line of a shortened detail."""
        detail = self._detail
        if detail is not None and event.screen_offset.y == detail.region.bottom - 1 and self.is_cut:
            event.stop()
            self.action_more()
        elif (self._line or self).region.contains_point(event.screen_offset):
            event.stop()
            self.action_unfold()


def focus_fold(page: Widget, by: int) -> None:
    """Focus the fold of a page that is `by` after the focused one, or the last one."""
    folds = list(page.query(Foldable))
    if not folds:
        return
    focused = page.screen.focused
    at = len(folds) - 1
    if isinstance(focused, Foldable) and focused in folds:
        at = max(0, min(folds.index(focused) + by, len(folds) - 1))
    folds[at].focus()
