"""Places in the transcript: where words stand, and which code is in sight. Reads what is mounted; draws marks."""

import re
from collections.abc import Sequence

from textual.containers import VerticalScroll

from tui.widgets.lines import Lines
from tui.widgets.pieces import Code


def pattern_of(words: str) -> re.Pattern[str] | None:
    """Any white space between the words matches any other: a line break of ours is no obstacle."""
    parts = words.split()
    return re.compile(r"\s+".join(map(re.escape, parts)), re.IGNORECASE) if parts else None


class Search:
    """The places at which words stand in what `page` holds."""

    def __init__(self, page: VerticalScroll) -> None:
        self._page = page
        self._places: list[tuple[Lines, int]] = []
        self._at = 0

    @property
    def place(self) -> tuple[int, int]:
        """(which one, counted from 1; how many): both 0 where the words stand nowhere."""
        return (self._at + 1 if self._places else 0), len(self._places)

    def look_for(self, words: str) -> None:
        """Find the words anew, and go to the last place."""
        pattern = pattern_of(words)
        self._places = []
        for lines in self._page.query(Lines):
            self._places += [(lines, row) for row in lines.mark(pattern)]
        self._at = len(self._places) - 1
        self.go(0)

    def go(self, by: int) -> None:
        """On by so many places, around both ends."""
        if self._places:
            self._at = (self._at + by) % len(self._places)
            lines, row = self._places[self._at]
            for other in {one for one, _ in self._places}:
                other.mark_row(row if other is lines else None)
            self._show(lines, row)

    def _show(self, lines: Lines, row: int) -> None:
        page = self._page
        y = lines.region.y - page.region.y + page.scroll_offset.y + row
        page.scroll_to(y=max(0, y - page.size.height // 2), animate=False)


def code_above(page: VerticalScroll, before: Code | None = None) -> Code | None:
    """The lowest block of code in sight, else the nearest above; with `before`, the one above that."""
    blocks: Sequence[tuple[int, Code]] = [
        (lines.region.y + row, code) for lines in page.query(Lines) for row, code in lines.codes()
    ]
    if before is not None:
        at = next((at for at, (_, code) in enumerate(blocks) if code is before), 0)
        return blocks[at - 1][1] if at > 0 else None
    return next((code for y, code in reversed(blocks) if y < page.region.bottom), None)
