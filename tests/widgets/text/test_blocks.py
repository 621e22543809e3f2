import pytest
from textual.content import Content

from tui.widgets.text.blocks import MAX_LINE_CHARACTERS, Code, Paragraph

WORDS = "one two three four five six seven"


def shown(piece: Paragraph, width: int) -> list[str]:
    return [line.plain.rstrip() for line in piece.lines(width)]


def test_a_first_line_with_less_indent_is_longer() -> None:
    assert shown(Paragraph(Content(WORDS), "› ", "      "), 16) == [
        "› one two three",
        "      four five",
        "      six seven",
    ]


def test_a_first_line_with_more_indent_is_shorter() -> None:
    assert shown(Paragraph(Content(WORDS), "      ", "  "), 16) == [
        "      one two",
        "  three four",
        "  five six seven",
    ]


@pytest.mark.parametrize("width", range(14, 40))
@pytest.mark.parametrize(("first", "rest"), [("› ", "      "), ("      ", "› "), ("", "  ")])
def test_no_word_is_lost_and_no_line_is_too_long(width: int, first: str, rest: str) -> None:
    lines = Paragraph(Content(f"{WORDS}\n\n{WORDS}  {'x' * 30}"), first, rest).lines(width)
    assert all(line.cell_length <= width for line in lines)
    text = "".join(line.plain.replace("›", " ") for line in lines)
    assert "".join(text.split()) == "".join(f"{WORDS}{WORDS}{'x' * 30}".split())


def test_line_breaks_are_kept() -> None:
    assert shown(Paragraph(Content("one\ntwo\n\nthree"), "", "  "), 20) == ["one", "  two", "", "  three"]


def test_a_long_code_line_with_combining_marks_wraps_completely() -> None:
    line = "e\u0301" * 30 + "x" * 50
    rows = Code((Content(line),)).lines(40)
    assert "".join(row.plain.strip() for row in rows) == line


def test_the_rest_of_an_oversized_code_line_is_counted() -> None:
    rows = Code((Content("x" * (MAX_LINE_CHARACTERS + 7)),)).lines(100)
    assert rows[-1].plain.rstrip().endswith("… 7 more characters")
    assert len(rows) < MAX_LINE_CHARACTERS / 90
