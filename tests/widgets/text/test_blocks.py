import pytest
from textual.content import Content

from tui.widgets.text.blocks import Paragraph

WORDS = "one two three four five six seven"


def shown(piece: Paragraph, width: int) -> list[str]:
    return [line.plain.rstrip() for line in piece.lines(width)]


def test_a_first_line_that_begins_further_left_has_more_room() -> None:
    assert shown(Paragraph(Content(WORDS), "› ", "      "), 16) == [
        "› one two three",
        "      four five",
        "      six seven",
    ]


def test_a_first_line_that_begins_further_right_has_less() -> None:
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


def test_breaks_stay() -> None:
    assert shown(Paragraph(Content("one\ntwo\n\nthree"), "", "  "), 20) == ["one", "  two", "", "  three"]
