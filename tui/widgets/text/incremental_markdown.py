"""Incremental Markdown parsing: completed blocks are kept; only the end of the text is parsed again.

Parsed again are: the last block; of an open code fence, its last lines, unhighlighted until it closes (highlighting at
each delta costs 490 ms at 1,600 lines); of a table, its last rows (560 ms at 1,000 rows); of a long paragraph, list or
quotation, its last words (parsing takes up to 2 ms for each 1,000 characters).
"""

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from msgspec.structs import replace

from tui.core.model import Progress
from tui.widgets.text.blocks import Code, Paragraph, Table, TextBlock
from tui.widgets.text.markdown import Block, read

FENCE_STEP = 30
"""Lines of an open fence that are settled in one step."""
TABLE_STEP = 40
"""Rows of a table that are settled in one step. The column widths stay fixed from then until it ends."""
CELLS_READ_AGAIN = 800
"""Cells of a wide table after which its rows are settled before there are `TABLE_STEP` of them."""
LONG_BLOCK = 3_000
"""Characters of a paragraph, list or quotation above which it is settled up to its last..."""
KEPT_CHARACTERS = 500
"""...this many characters."""
MAX_REPARSED = 20_000
"""Maximum characters of a text that is parsed as a whole again when it is complete."""
MAX_UNCUT = 20_000
"""Maximum characters of one item or quotation that is not split; the rest continues as a paragraph."""
LINES_AT_ONCE, MARKS_AT_ONCE = 800, 1_200
"""Maximum lines, and possible Markdown marks, of a text parsed in one step: parsing time is linear in the lines and
quadratic in the marks."""
MARKS = "[]!*_~`<&|"

OPENING = re.compile(r"( {0,3})([-*+]|\d{1,9}[.)]|>)")
"""Start of a list or a quotation."""
QUOTED = re.compile(r"^ {0,3}>", re.MULTILINE)
QUOTED_BLANK = re.compile(r"^ {0,3}>[ \t]*$", re.MULTILINE)
FENCE = re.compile(r"^[ >]*(?:```|~~~)", re.MULTILINE)
BLANK_LINE = re.compile(r"\n[ >]*\n\Z")
"""A blank line at the end of the text."""

Edit: TypeAlias = tuple[int, list[TextBlock]]
"""Replace all blocks from the index on with these."""


class IncrementalMarkdown:
    """Parses a growing text. Settled text is not parsed again while the text only grows."""

    def __init__(self) -> None:
        self.source = ""
        self.state: Progress | None = None
        self._settled = 0
        """Settled characters of the source, and settled blocks."""
        self._settled_pieces = 0
        self._opening = ""
        """Text to prepend when parsing the rest of a partly settled fence or table."""
        self._opened_at = (0, 0)
        self._columns: tuple[int, ...] = ()
        self._rest_gap: int | None = None
        """Blank lines above the rest of a partly settled block; None if there is none."""

    def show(self, text: str, state: Progress, below: Sequence[TextBlock] = ()) -> Iterator[Edit]:
        """Parse `text`, which usually extends the previous text; the blocks `below` follow it.

        The caller applies each edit before it requests the next, and applies all of them.
        """
        done = state == "done" != self.state and len(text) <= MAX_REPARSED and is_quick(text)
        if done or not text.startswith(self.source[: self._settled]):
            self._settled, self._settled_pieces, self._opening, self._rest_gap = 0, 0, "", None
        self.source, self.state = text, state
        blocks = self._read_rest()
        if self._opening and self._has_ended(blocks):  # parsed as a whole, for highlighting or column widths
            (self._settled, self._settled_pieces), self._opening = self._opened_at, ""
            blocks = self._read_rest()
        pieces: list[TextBlock] = [piece for block in blocks for piece in block.pieces]
        if self._opening:
            pieces[0] = self._going_on(pieces[0])
        elif self._rest_gap is not None:
            _set_gap(pieces, self._rest_gap)
        yield self._settled_pieces, [*pieces, *below]
        open_blocks = 1 if self._stands_alone(blocks) else 2
        if len(blocks) > open_blocks:
            self._settled += blocks[-open_blocks].start - len(self._opening)
            self._settled_pieces += sum(len(block.pieces) for block in blocks[:-open_blocks])
            self._opening, self._rest_gap = "", None
        if state == "streaming" and len(blocks[-open_blocks:]) == 1:
            yield from self._settle(blocks[-1])

    def _has_ended(self, blocks: Sequence[Block]) -> bool:
        """Whether the partly settled fence or table is complete."""
        if not blocks[0].opening:
            return True
        if not any(isinstance(piece, Table) for piece in blocks[0].pieces):
            return False
        short = len(self.source) - self._opened_at[0] <= MAX_REPARSED
        return short and (self.state == "done" or (len(blocks) > 1 and self._stands_alone(blocks)))

    def _stands_alone(self, blocks: Sequence[Block]) -> bool:
        """Whether the last block cannot become a continuation of the block before it.

        Right under a paragraph `***` is a rule, but `***so***` continues the paragraph; after a list `2` is a
        paragraph, but `2. so` is the next item.
        """
        if len(blocks) < 2:
            return True
        rest = self._opening + self.source[self._settled :]
        before, own = rest[: blocks[-1].start], rest[blocks[-1].start :]
        if own.strip().isdigit():
            return False
        return "\n" in own or is_plain(blocks[-1]) or BLANK_LINE.search(before) is not None

    def _read_rest(self) -> list[Block]:
        return read(self._opening + self.source[self._settled :], growing=self.state != "done")

    def _going_on(self, piece: TextBlock) -> TextBlock:
        """Return a block parsed after `_opening` as a continuation of the settled part."""
        match piece:
            case Code(code):
                return Code(code, gap=0)
            case Table(rows):
                return Table(rows[1:], 0, self._columns, goes_on=True)
            case _:
                return piece

    def _settle(self, block: Block) -> Iterator[Edit]:
        """Settle the part of a long block that cannot change any more."""
        match block.pieces:
            case (Code() as code,) if block.opening:
                return self._settle_fence(block, code)
            case (Table() as table,) if block.opening:
                return self._settle_table(block, table)
            case _:
                return self._settle_long(block)

    def _open(self, block: Block) -> None:
        if not self._opening:
            self._opened_at, self._opening = (self._settled, self._settled_pieces), block.opening
            self._settled = self.source.index(block.opening, self._settled) + len(block.opening)

    def _settle_lines(self, count: int) -> None:
        for line in self.source[self._settled :].split("\n")[:count]:
            self._settled += len(line) + 1

    def _settle_table(self, block: Block, table: Table) -> Iterator[Edit]:
        head, *body = table.rows
        if len(body) <= TABLE_STEP and len(body) * len(head) <= CELLS_READ_AGAIN:
            return
        if not self._opening:
            self._columns = table.preferred_widths()
            aside = Table((head, *body[:-1]), table.gap, self._columns)
        else:
            aside = Table(tuple(body[:-1]), 0, self._columns, goes_on=True)
        self._open(block)
        last = Table(tuple(body[-1:]), 0, self._columns, goes_on=True)
        yield self._settled_pieces, [aside, last]
        self._settled_pieces += 1
        self._settle_lines(len(body) - 1)

    def _settle_fence(self, block: Block, code: Code) -> Iterator[Edit]:
        if len(code.code) <= FENCE_STEP:
            return
        self._open(block)
        steps = (len(code.code) - 1) // FENCE_STEP
        chunks = [code.code[step * FENCE_STEP : (step + 1) * FENCE_STEP] for step in range(steps)]
        chunks.append(code.code[steps * FENCE_STEP :])
        gap = 1 if self._settled_pieces == self._opened_at[1] else 0
        yield self._settled_pieces, [Code(chunk, gap=0 if row else gap) for row, chunk in enumerate(chunks)]
        self._settled_pieces += steps
        self._settle_lines(steps * FENCE_STEP)

    def _settle_long(self, block: Block) -> Iterator[Edit]:
        rest = self.source[self._settled :]
        if self._opening or (len(rest) < LONG_BLOCK and is_quick(rest)):
            return
        before = rest[: len(rest) - KEPT_CHARACTERS]
        cut = stable_offset(before) if is_plain(block) else next_item(before)
        if not cut and len(rest) > MAX_UNCUT:
            cut = before.rfind("\n") + 1 or stable_offset(before)
        if not cut:
            return
        aside = [piece for one in read(rest[:cut]) for piece in one.pieces]
        last = [piece for one in read(rest[cut:], growing=True) for piece in one.pieces]
        if self._rest_gap is not None:
            _set_gap(aside, self._rest_gap)
        self._rest_gap = 1 if BLANK_LINE.search(rest[:cut]) else 0
        _set_gap(last, self._rest_gap)
        yield self._settled_pieces, [*aside, *last]
        self._settled += cut
        self._settled_pieces += len(aside)


def is_quick(text: str) -> bool:
    """Whether the text can be parsed in one step without a noticeable delay."""
    return text.count("\n") <= LINES_AT_ONCE and sum(map(text.count, MARKS)) <= MARKS_AT_ONCE


def _set_gap(pieces: list[TextBlock], gap: int) -> None:
    """Set the number of blank lines above the first block."""
    if pieces and isinstance(first := pieces[0], Paragraph | Code):
        pieces[0] = replace(first, gap=gap)


def is_plain(block: Block) -> bool:
    """Whether the block is a plain paragraph: no list or quotation, which depend on context, and not empty."""
    first = block.pieces[0] if len(block.pieces) == 1 else None
    return isinstance(first, Paragraph) and bool(first.words) and not first.first and not first.rest


def next_item(text: str) -> int:
    """Return the offset of the list's last item, or the quotation's last paragraph or line; 0 if there is none."""
    opening = OPENING.match(text)
    if opening is None:
        return 0
    indent, marker = opening.groups()
    if marker == ">":
        places = [one.end() + 1 for one in QUOTED_BLANK.finditer(text)] or [
            one.start() for one in QUOTED.finditer(text)
        ]
    elif marker[0].isdigit():
        items = list(re.finditer(rf"^{indent}(\d{{1,9}})[.)][ \t]", text, re.MULTILINE))
        # an item whose number is out of sequence would be renumbered
        places = [one.start() for match_index, one in enumerate(items) if int(one[1]) == int(items[0][1]) + match_index]
    else:
        places = [one.start() for one in re.finditer(rf"^{indent}{re.escape(marker)}[ \t]", text, re.MULTILINE)]
    closed = (place for place in places[:-4:-1] if len(FENCE.findall(text, 0, place)) % 2 == 0)
    return next(closed, 0)


def stable_offset(text: str) -> int:
    """Return an offset near the end of `text` at which no mark is open; else one between words."""
    before = {mark: text.count(mark) for mark in "`*_~[]()"}
    between_words = 0
    for at in range(len(text) - 1, max(0, len(text) - 2_000), -1):
        character = text[at]
        if character in before:
            before[character] -= 1
        elif character.isspace():
            between_words = between_words or at + 1
            if before["["] == before["]"] and before["("] == before[")"] and not any(before[m] % 2 for m in "`*_~"):
                return at + 1
    return between_words or len(text)
