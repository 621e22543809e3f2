"""Blocks of text that can be laid out at any width: paragraphs, code, tables.

Immutable values, created by `tui.widgets.text.markdown` and laid out again only when the width changes.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Protocol

import msgspec
from rich.cells import chop_cells
from textual.content import Content, Span

from tui.widgets.base.static_text import BOLD, CODE_GROUND, FAINT

COLUMN_GAP = "  "
NARROWEST_COLUMN = 6
MAX_CELL_CHARACTERS = 2_000
"""Maximum characters shown of a table cell."""
MAX_LINE_CHARACTERS = 10_000
"""Maximum characters shown of a code line; copying includes the whole line."""
MAX_PART_CHARACTERS = 4_000
"""Characters wrapped as one paragraph; a longer one is split."""
MEASURE = 120
"""Maximum width of prose in cells, for readability. Code and tables use the full width."""


class TextBlock(Protocol):
    """A block of a text. `gap` is the number of blank lines before it."""

    @property
    def gap(self) -> int: ...

    def lines(self, width: int) -> list[Content]:
        """Return the lines, each at most `width` cells wide."""


class Paragraph(msgspec.Struct, frozen=True):
    """Text that wraps. `first` precedes the first line, `rest` the others (for example a list bullet).

    They may differ in length: the first line may be indented less or more than the others.
    """

    words: Content
    first: str = ""
    rest: str = ""
    gap: int = 1

    def lines(self, width: int) -> list[Content]:
        wrapped = self.wrapped(width)
        if not self.first and not self.rest:
            return wrapped
        return [Content.assemble((self.rest if row else self.first, FAINT), line) for row, line in enumerate(wrapped)]

    def wrapped(self, width: int) -> list[Content]:
        """Return the wrapped lines without their prefixes."""
        room = max(8, min(width, MEASURE) - Content(self.rest).cell_length)
        at_first = room
        if len(self.first) != len(self.rest):
            at_first = max(8, min(width, MEASURE) - Content(self.first).cell_length)
        wrapped = [self.words]
        if self.words.cell_length > at_first or "\n" in self.words.plain:
            wrapped = self.words.wrap(at_first)
            if at_first != room and len(wrapped) > 1:
                wrapped = [wrapped[0], *_after(self.words, wrapped[0]).wrap(room)]
        return wrapped


def _after(words: Content, line: Content) -> Content:
    """Return the text after the first line of `words`, without the blank or line break at its end."""
    behind = len(line.plain)
    blanks = len(words.plain) - behind - len(words.plain[behind:].lstrip(" "))
    behind += blanks
    return words[behind + 1 :] if words.plain[behind : behind + 1] == "\n" else words[behind:]


def paragraphs(text: str, style: str = "", *, gap: int = 1) -> Iterator[Paragraph]:
    """Split `text` into paragraphs of bounded length. With `gap`, blank lines separate paragraphs."""
    for paragraph in text.split("\n\n") if gap else (text,):
        for match_index, part in enumerate(_parts(paragraph)):
            words = Content.styled(part, style) if style else Content(part)
            yield Paragraph(words, gap=0 if match_index else gap)


def _parts(text: str) -> Iterator[str]:
    """Split at line ends, else between words, else anywhere."""
    at = 0
    while len(text) - at > MAX_PART_CHARACTERS:
        end = text.rfind("\n", at, at + MAX_PART_CHARACTERS)
        skipped = 1
        if end <= at:
            end = text.rfind(" ", at, at + MAX_PART_CHARACTERS)
        if end <= at:
            end, skipped = at + MAX_PART_CHARACTERS, 0
        yield text[at:end]
        at = end + skipped
    yield text[at:]


class Code(msgspec.Struct, frozen=True):
    """Code with its own background. Line breaks are kept; long lines wrap.

    `source`: the original text with its tabs; "" if `code` equals it. `language`: set while highlighting is pending.
    """

    code: tuple[Content, ...]
    rest: str = ""
    gap: int = 1
    source: str = ""
    language: str = ""

    @property
    def text(self) -> str:
        """The text to copy."""
        return self.source or "".join(f"{line.plain}\n" for line in self.code)

    @property
    def indent(self) -> int:
        """Blanks before the background."""
        return Content(self.rest).cell_length

    def lines(self, width: int) -> list[Content]:
        indent = self.indent
        room = max(8, width - indent)
        rows = [_grounded(row, room) for rows in self.folded(width) for row in rows]
        return [row.pad_left(indent) for row in rows] if indent else rows

    def folded(self, width: int) -> Iterator[list[Content]]:
        """Return the wrapped rows of each line."""
        room = max(8, width - self.indent)
        return (_rows(line, room - 2) for line in self.code)


def _rows(line: Content, room: int) -> list[Content]:
    more = len(line.plain) - MAX_LINE_CHARACTERS
    if more > 0:
        line = Content.assemble(line[:MAX_LINE_CHARACTERS], (f"… {more} more characters", FAINT))
    if line.cell_length <= room:
        return [line]
    ends = list(accumulate(map(len, chop_cells(line.plain, room))))  # `fold` drops what follows a combining mark
    return line.divide(ends[:-1])


def _grounded(line: Content, room: int) -> Content:
    after = " " * max(1, room - 1 - line.cell_length)
    if not line.spans:  # a fast path: a long fence has thousands of these
        words = f" {line.plain}{after}"
        return Content(words, [Span(0, len(words), CODE_GROUND)])
    return Content.assemble(" ", line, after).stylize_before(CODE_GROUND)


class Rule(msgspec.Struct, frozen=True):
    """A thematic break."""

    gap: int = 1

    def lines(self, width: int) -> list[Content]:
        return [Content.styled("─" * min(width, 40), FAINT)]


class Table(msgspec.Struct, frozen=True):
    """Rows of cells; the first row is the header. Columns shrink to fit and cells wrap.

    `columns`: the wanted column widths in cells; () to compute them from the rows. `goes_on`: the rows continue the
    table above, without a header.
    """

    rows: tuple[tuple[Content, ...], ...]
    gap: int = 1
    columns: tuple[int, ...] = ()
    goes_on: bool = False

    def lines(self, width: int) -> list[Content]:
        if not self.rows:
            return []
        widths = self._widths(width)
        lines: list[Content] = []
        more = max(map(len, self.rows)) - len(widths)
        if not self.goes_on:
            lines += _row_lines(tuple(cell.stylize(BOLD) for cell in self.rows[0]), widths)
            lines.append(Content.styled(COLUMN_GAP.join("─" * column for column in widths), FAINT))
        for row in self.rows if self.goes_on else self.rows[1:]:
            lines += _row_lines(row, widths)
        if more > 0:
            lines.append(Content.styled(f"… {more} more {'column' if more == 1 else 'columns'}", FAINT))
        return lines

    def preferred_widths(self) -> tuple[int, ...]:
        """Return the wanted width of each column in cells."""
        columns = max(len(row) for row in self.rows)
        return self.columns or tuple(
            max([1, *(row[column].cell_length for row in self.rows if column < len(row))]) for column in range(columns)
        )

    def _widths(self, width: int) -> list[int]:
        widths = list(self.preferred_widths())[: max(1, (width + len(COLUMN_GAP)) // (1 + len(COLUMN_GAP)))]
        columns = len(widths)
        room = max(columns, width - len(COLUMN_GAP) * (columns - 1))
        while sum(widths) > room and max(widths) > NARROWEST_COLUMN:
            widest = widths.index(max(widths))
            widths[widest] -= max(1, min(sum(widths) - room, widths[widest] - NARROWEST_COLUMN) // 2)
        return widths


def _row_lines(row: tuple[Content, ...], widths: list[int]) -> list[Content]:
    cells = [
        (row[column][:MAX_CELL_CHARACTERS].wrap(width) if column < len(row) and row[column] else [Content("")])
        for column, width in enumerate(widths)
    ]
    height = max(len(cell) for cell in cells)
    return [
        Content(COLUMN_GAP).join(
            _padded(cell[line] if line < len(cell) else Content(""), width)
            for cell, width in zip(cells, widths, strict=True)
        )
        for line in range(height)
    ]


def _padded(cell: Content, width: int) -> Content:
    return cell.pad_right(max(0, width - cell.cell_length))
