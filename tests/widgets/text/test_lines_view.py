import re

from textual.app import App, ComposeResult
from textual.content import Content
from textual.geometry import Offset, Region
from textual.selection import Selection

from tui.widgets.text.blocks import Code, Paragraph
from tui.widgets.text.lines_view import LinesView


class Page(App[None]):
    def compose(self) -> ComposeResult:
        yield LinesView([words(name) for name in ("one", "two", "three")], margin=4)


def words(text: str) -> Paragraph:
    return Paragraph(Content.styled(text, "$secondary"))


async def test_only_changed_lines_are_rendered_again() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)):
        lines = app.query_one(LinesView)
        first, second = lines.render_line(0), lines.render_line(2)
        lines.replace_from(1, [words("other"), words("three")])
        assert lines.render_line(0) is first
        assert second.text.strip() == "two"
        assert lines.render_line(2).text.strip() == "other"


async def test_marks_selections_and_themes_are_drawn_at_once() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)) as pilot:
        lines = app.query_one(LinesView)
        plain = lines.render_line(2)
        lines.mark(re.compile("two"))
        marked = lines.render_line(2)
        assert marked != plain
        lines.mark_row(2)
        assert lines.render_line(2) != marked
        lines.mark(None)
        assert lines.render_line(2) == plain
        app.screen.selections = {lines: Selection(Offset(0, 2), Offset(6, 2))}
        await pilot.pause()
        assert lines.render_line(2) != plain
        app.screen.clear_selection()
        await pilot.pause()
        assert lines.render_line(2) == plain
        app.theme = "solarized-light"
        await pilot.pause()
        assert lines.render_line(2) != plain


async def test_a_removed_view_can_still_be_drawn() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)):
        lines = app.query_one(LinesView)
        lines.notify_style_update()
        await lines.remove()
        assert [strip.cell_length for strip in lines.render_lines(Region(0, 0, 40, 2))] == [40, 40]


async def test_a_new_width_is_drawn_at_once() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)) as pilot:
        lines = app.query_one(LinesView)
        assert lines.render_line(0).cell_length == 40
        await pilot.resize_terminal(30, 20)
        assert lines.render_line(0).cell_length == 30


async def test_unchanged_lines_of_an_extended_block_are_not_rendered_again() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)):
        lines = app.query_one(LinesView)
        code = tuple(Content(f"line {row}") for row in range(4))
        lines.replace_from(1, [Code(code[:3])])
        before = [lines.render_line(row) for row in range(5)]
        lines.replace_from(1, [Code(code)])
        assert [lines.render_line(row) for row in range(5)] == before
        assert all(lines.render_line(row) is strip for row, strip in enumerate(before))
        assert lines.render_line(5).text.strip() == "line 3"


async def test_the_same_text_in_another_style_is_drawn() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)):
        lines = app.query_one(LinesView)
        plain = lines.render_line(0)
        lines.replace_from(0, [Paragraph(Content.styled("one", "bold"))])
        assert lines.render_line(0).text == plain.text
        assert lines.render_line(0) != plain


async def test_marking_wraps_only_drawn_lines() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)):
        lines = app.query_one(LinesView)
        lines.replace_from(0, [words(f"line {number} " + "word " * 100) for number in range(5_000)])
        begun = len(lines._wrapped)
        lines.mark(re.compile("line 1 "))
        assert "line 1 " in "".join(lines.render_line(y).text for y in range(60))
        assert len(lines._wrapped) == begun < 5_000


async def test_a_mark_may_span_rows() -> None:
    app = Page()
    async with app.run_test(size=(40, 20)):
        lines = app.query_one(LinesView)
        lines.replace_from(0, [words("before"), words("a " * 25 + "two"), words("three")])
        plain = [lines.render_line(y) for y in range(6)]
        lines.mark(re.compile(r"two\s+three"))
        changed = [y for y in range(6) if lines.render_line(y) != plain[y]]
        assert [plain[y].text.split()[-1] for y in changed] == ["two", "three"]
        assert lines.marked_rows() == changed[:1]
