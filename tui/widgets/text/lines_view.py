"""A widget for text of any length that renders only the visible lines.

A `Static` renders all of its lines at each change; this wraps its blocks once per width and renders single lines. So
the cost of a delta does not grow with the length of the message. Rendered lines are cached, because growing text
scrolls line by line and each line is rendered again.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence

from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.selection import Selection
from textual.strip import Strip

from tui.widgets.base.guarded import Guarded
from tui.widgets.base.static_text import FOUND, FOUND_HERE, strip_of
from tui.widgets.text.blocks import Code, TextBlock
from tui.widgets.text.copying import Row, rows_of, selected

MAX_STRIPS = 500
WRAPPED_AT_ONCE = 20_000
"""Characters wrapped before the next drawing; the rest is wrapped in steps between drawings."""
MAX_OLD_LINES = 5_000
"""Maximum number of lines kept for the previous width."""
LINE_COST = 20
"""Cost of a line in characters, added to its length."""


MARKED_ACROSS = 10
"""Rows above and below a row that a match may extend to."""


class LinesView(Guarded):
    """Blocks below each other, with a left margin; `label` is drawn in it on the first line."""

    DEFAULT_CSS = """
    LinesView { height: auto; text-wrap: nowrap; text-overflow: clip; }
    """
    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)
    """Without layout or repaint: the layout that changes the size also draws it."""

    def __init__(
        self,
        pieces: Iterable[TextBlock] = (),
        *,
        label: Content | None = None,
        margin: int = 0,
        classes: str | None = None,
    ) -> None:
        super().__init__(classes=classes)
        self._pieces: list[TextBlock] = list(pieces)
        self._label = label
        self._margin = margin
        self._wrapped: list[list[Content]] = []
        self._starts: list[int] = [0]
        self._wrapped_at = -1
        self._kept: tuple[int, list[list[Content]], list[int]] | None = None
        """The previous width and its lines: a scroll bar that appears and disappears alternates between two widths."""
        self._strips: dict[int, Strip] = {}
        self._pattern: re.Pattern[str] | None = None
        self._found: list[int] | None = None
        self._marked_row: int | None = None
        self._wraps_more = False

    @property
    def text(self) -> str:
        """The whole text, wrapped at the current width."""
        self._wrap(self.size.width or 80, all_of_it=True)
        return "\n".join(line.plain for lines in self._wrapped for line in lines)

    def replace_from(self, index: int, pieces: Sequence[TextBlock]) -> None:
        """Replace all blocks from `index` on with `pieces`. Unchanged lines are not rendered again."""
        height = self._starts[-1]
        self._kept = None
        before = [line for lines in self._wrapped[index:] for line in lines]
        unchanged = self._starts[min(index, len(self._starts) - 1)]
        self._pieces[index:] = pieces
        del self._wrapped[index:]
        del self._starts[index + 1 :]
        if self._wrapped_at > 0:
            self._wrap(self._wrapped_at)
            after = (line for lines in self._wrapped[index:] for line in lines)
            for old, new in zip(before, after, strict=False):
                if not old.is_same(new):
                    break
                unchanged += 1
            if unchanged == height == self._starts[-1]:
                return
        self._strips = {y: strip for y, strip in self._strips.items() if y < unchanged and self._pattern is None}
        self._found = None
        self.refresh(layout=self._starts[-1] != height)

    def recolour(self, old: TextBlock, new: TextBlock) -> None:
        """Replace `old` with `new` wherever it occurs; their lines differ only in style."""
        self._kept = None
        for index in [at for at, piece in enumerate(self._pieces) if piece == old]:
            self._pieces[index] = new
            if index < len(self._wrapped):
                self._wrapped[index] = self._lines_of(index)
                rows = range(self._starts[index], self._starts[index + 1])
                self._strips = {y: strip for y, strip in self._strips.items() if y not in rows}
                self.refresh()

    def mark(self, pattern: re.Pattern[str] | None) -> None:
        """Highlight the matches of `pattern`; None removes all highlights."""
        if pattern == self._pattern and self._marked_row is None:
            return
        if pattern != self._pattern:
            self._pattern, self._found = pattern, None
        self._marked_row = None
        self._strips.clear()
        self.refresh()

    @property
    def is_complete(self) -> bool:
        """Whether the whole text is wrapped: a long one is wrapped in steps."""
        return len(self._wrapped) == len(self._pieces)

    def marked_rows(self) -> list[int]:
        """Return the rows at which matches begin, in the part wrapped so far."""
        self._wrap(self.size.width or 80)
        if self._found is None or not self.is_complete:
            self._found = []
            row, counted, text = 0, 0, "" if self._pattern is None else self._joined(0, self._starts[-1])
            for match in [] if self._pattern is None else self._pattern.finditer(text):
                row, counted = row + text.count("\n", counted, match.start()), match.start()
                self._found.append(row)
        return self._found

    def mark_row(self, row: int | None) -> None:
        """Highlight the current match in this row; None removes the highlight."""
        self._marked_row = row
        self._strips.clear()
        self.refresh()

    def codes(self) -> list[tuple[int, Code]]:
        """Return the code blocks, each with its first row."""
        self._wrap(self.size.width or 80, all_of_it=True)
        rows = zip(self._starts, self._pieces, strict=False)
        return [(row, piece) for row, piece in rows if isinstance(piece, Code)]

    def _marks_of(self, row: int) -> list[tuple[int, int]]:
        """Return the spans of the matches in a row; only the neighbouring rows are searched."""
        first = max(0, row - MARKED_ACROSS)
        text = self._joined(first, min(self._starts[-1], row + MARKED_ACROSS + 1))
        begins = 0
        for _ in range(row - first):
            begins = text.index("\n", begins) + 1
        end = text.find("\n", begins)
        end = len(text) if end < 0 else end
        found = [] if self._pattern is None else self._pattern.finditer(text)
        spans = [(max(begins, match.start()) - begins, min(end, match.end()) - begins) for match in found]
        return [(start, stop) for start, stop in spans if start < stop]

    def _joined(self, first: int, last: int) -> str:
        """Return the text of the rows from `first` up to `last`, in the part wrapped so far."""
        lines: list[str] = []
        at = max(0, bisect_right(self._starts, first) - 1)
        while len(lines) < last - first and at < len(self._wrapped):
            begun = first + len(lines) - self._starts[at]
            lines += [line.plain for line in self._wrapped[at][begun : begun + last - first - len(lines)]]
            at += 1
        return "\n".join(lines)

    @property
    def pieces(self) -> Sequence[TextBlock]:
        return self._pieces

    @property
    def count(self) -> int:
        """The number of blocks."""
        return len(self._pieces)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        self._wrap(width)
        return max(1, self._starts[-1])

    def render_lines(self, crop: Region) -> list[Strip]:
        """Render from the cache: Textual's own cache is cleared whenever the text grows.

        So the stylesheet cannot give this widget a border, padding or opacity.
        """
        if not self.is_attached:  # removed, and drawn once more before the next layout
            return [Strip.blank(crop.width, self.visual_style.rich_style)] * crop.height
        return [self.render_line(y).crop(crop.x, crop.right) for y in crop.line_range]

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if width != self._wrapped_at:
            self._wrap(width)
        if (strip := self._strips.get(y)) is None:
            if len(self._strips) >= MAX_STRIPS:
                self._strips.clear()
            strip = self._strips[y] = strip_of(self, self._line(y), y)
        return strip

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        width = max(8, self.size.width - self._margin)
        rows = []
        for index, piece in enumerate(self._pieces):
            rows += [Row("")] * (piece.gap if index else 0) + rows_of(piece, width)
        return selected(rows, selection, self._margin), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self._strips.clear()
        self.refresh()

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()

    def _line(self, y: int) -> Content:
        if not self._wrapped or y >= self._starts[-1]:
            words = Content("")
        else:
            index = bisect_right(self._starts, y) - 1
            words = self._wrapped[index][y - self._starts[index]]
        if self._pattern is not None:
            style = FOUND_HERE if y == self._marked_row else FOUND
            for start, end in self._marks_of(y):
                words = words.stylize(style, start, end)
        if not self._margin:
            return words
        if y == 0 and self._label is not None:
            return Content.assemble(self._label.pad_right(self._margin - self._label.cell_length), words)
        return Content.assemble(" " * self._margin, words)

    def _wrap(self, width: int, *, all_of_it: bool = False) -> None:
        """Wrap the blocks at this width: a long text in steps, to keep the screen responsive."""
        if width != self._wrapped_at:
            kept, self._kept = self._kept, None
            if self._starts[-1] <= MAX_OLD_LINES:
                self._kept = (self._wrapped_at, self._wrapped, self._starts)
            self._wrapped, self._starts = kept[1:] if kept is not None and kept[0] == width else ([], [0])
            self._wrapped_at = width
            self._strips.clear()
            self._found = None
        characters = 0
        for index in range(len(self._wrapped), len(self._pieces)):
            if characters > WRAPPED_AT_ONCE and not all_of_it:
                if not self._wraps_more:
                    self._wraps_more = self.call_after_refresh(self._wrap_more)
                return
            self._wrapped.append(self._lines_of(index))
            self._starts.append(self._starts[-1] + len(self._wrapped[-1]))
            characters += sum(len(line.plain) + LINE_COST for line in self._wrapped[-1])

    def _wrap_more(self) -> None:
        self._wraps_more = False
        if self.is_attached and self._wrapped_at > 0:
            self.refresh(layout=True)

    def _lines_of(self, index: int) -> list[Content]:
        piece = self._pieces[index]
        gap = piece.gap if index else 0
        return [Content("")] * gap + piece.lines(max(8, self._wrapped_at - self._margin))
