"""Copied text is the original text, without the margin and without line breaks added by wrapping."""

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Offset
from textual.selection import Selection

from tests import sample_events as sample
from tests.app_harness import app_harness
from tui.widgets.text.blocks import Code, Paragraph, Rule, Table, TextBlock
from tui.widgets.text.copying import rows_of
from tui.widgets.text.lines_view import LinesView
from tui.widgets.transcript.foldable import MARGIN, USER_LABEL

WORDS = (
    "The quick brown fox jumps over the lazy dog,  and\nthen  some more words of it.\n\n  日本語日本語日本語日本語 end"
)
LONG = "x = " + "abcdefghij" * 5
PIECES: list[TextBlock] = [
    Paragraph(Content(WORDS)),
    Paragraph(Content("An item of a list that wraps twice at least here"), first="• ", rest="  "),
    Code((Content("def f():"), Content(""), Content(f"    {LONG}")), rest="  "),
    Rule(),
    Table(((Content("a"), Content("b")), (Content("1"), Content("2")))),
]


class Page(App[None]):
    def __init__(self, *pieces: TextBlock, margin: int = 0) -> None:
        super().__init__()
        self.lines = LinesView(pieces, label=USER_LABEL if margin else None, margin=margin)

    def compose(self) -> ComposeResult:
        yield self.lines

    def copied(self, start: tuple[int, int] | None = None, end: tuple[int, int] | None = None) -> str:
        selection = Selection(start and Offset(*start), end and Offset(*end))
        copied = self.lines.get_selection(selection)
        return "" if copied is None else copied[0]


@pytest.mark.parametrize("width", [10, 23, 40, 200])
@pytest.mark.parametrize("piece", PIECES)
def test_each_drawn_line_has_its_row(piece: TextBlock, width: int) -> None:
    lines, rows = piece.lines(width), rows_of(piece, width)
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line.plain[row.indent :].rstrip() == row.words.rstrip()


@pytest.mark.parametrize("width", [20, 31, 60, 200])
@pytest.mark.parametrize("margin", [0, MARGIN])
async def test_a_whole_paragraph_is_copied_unwrapped(width: int, margin: int) -> None:
    app = Page(Paragraph(Content(WORDS)), margin=margin)
    async with app.run_test(size=(width + margin, 40)):
        assert app.copied() == WORDS


@pytest.mark.parametrize("width", [24, 60])
async def test_lists_and_code_keep_only_their_own_line_breaks(width: int) -> None:
    app = Page(*PIECES[1:3], margin=MARGIN)
    async with app.run_test(size=(width + MARGIN, 40)):
        assert app.copied() == f"• An item of a list that wraps twice at least here\n\ndef f():\n\n    {LONG}"


async def test_a_partial_selection_is_copied_exactly() -> None:
    app = Page(Paragraph(Content("one two three four five six")), margin=MARGIN)
    async with app.run_test(size=(MARGIN + 10, 40)):
        assert app.lines.text == "one two\nthree four\nfive six"
        assert app.copied((MARGIN + 4, 0), (MARGIN + 5, 1)) == "two three"
        assert app.copied((2, 0), (MARGIN + 3, 0)) == "one"
        assert app.copied((2, 1), (3, 2)) == "three four "
        assert app.copied((MARGIN + 2, 1), None) == "ree four five six"


async def test_a_selection_of_several_parts_is_copied_without_margins() -> None:
    async with app_harness(size=(60, 40)) as harness:
        harness.client.feed(*sample.at_work())
        await harness.shows("pytest -q")
        harness.main.transcript.text_select_all()
        await harness.settled()
        copied = harness.main.get_selected_text() or ""
        assert "I'll look at the store first, then at whoever calls it:\n\n• src/store.py\n• its tests\n" in copied
        assert "▸ read  src/store.py  0.1s ✓ done" in copied.replace("read       src", "read  src")
        assert not [line for line in copied.split("\n") if line.startswith("   ")]
