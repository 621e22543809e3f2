from time import thread_time

import pytest
from textual.content import Content

from tui.widgets.text.highlighting import (
    AT_MOST,
    AT_MOST_CHARACTERS,
    KEPT,
    LONGEST_LINE,
    SHORT,
    SHORT_CHARACTERS,
    Highlights,
    _coloured,
)


def code(lines: int, name: str = "f") -> str:
    return "\n".join(f"def {name}_{line}(): pass" for line in range(lines))


def coloured(lines: tuple[Content, ...]) -> bool:
    return all(line.spans for line in lines)


def test_short_code_is_coloured_at_once_and_longer_code_is_not() -> None:
    kept = Highlights()
    short = kept.at_once(code(SHORT), "python")
    assert short is not None
    assert coloured(short)
    assert kept.at_once(code(SHORT + 1), "python") is None


async def test_what_was_coloured_beside_is_there_at_once_from_then_on() -> None:
    kept = Highlights()
    long = code(SHORT + 1)
    lines = await kept.beside(long, "python")
    assert coloured(lines)
    assert kept.at_once(long, "python") is lines
    assert kept.at_once(long, "rust") is None


@pytest.mark.parametrize(
    "source",
    [code(AT_MOST + 1), "x = 1; " * LONGEST_LINE, ("x = 1; " * 100 + "\n") * (AT_MOST_CHARACTERS // 700 + 1)],
    ids=["lines", "one line", "characters"],
)
def test_code_without_end_stays_plain(source: str) -> None:
    lines = Highlights().at_once(source, "python")
    assert lines == tuple(map(Content, source.split("\n")))
    assert not any(line.spans for line in lines)


def test_few_lines_of_many_characters_are_not_coloured_at_once() -> None:
    assert Highlights().at_once(("x = 1; " * 20 + "\n") * (SHORT_CHARACTERS // 140 + 1), "python") is None


async def test_no_more_lines_are_kept_than_their_bound() -> None:
    kept = Highlights()
    pieces = [code(AT_MOST, name) for name in "abcde"]
    for piece in pieces:
        await kept.beside(piece, "python")
    assert KEPT < 5 * AT_MOST
    assert [kept.at_once(piece, "python") is None for piece in pieces] == [True, False, False, False, False]


def test_colours_that_would_break_other_lines_are_not_taken() -> None:
    source = "a = 1\u2028b = 2"
    lines = Highlights().at_once(source, "python")
    assert lines is not None
    assert [line.plain for line in lines] == [source]


def test_code_that_its_lexer_takes_the_square_of_stays_plain_from_where_the_time_is_spent() -> None:
    source = "\n".join(["x = 1", *[" "] * 3_000])
    begun = thread_time()
    lines = _coloured(source, "python", 0.02)
    spent = thread_time() - begun
    assert spent < 1.0  # all of it takes 3 s where the first line takes none
    assert lines[0].spans
    assert "\n".join(line.plain for line in lines) == source


@pytest.mark.parametrize("language", ["autohotkey", "idris", "no such language"])
def test_a_language_whose_lexer_is_not_trusted_stays_plain(language: str) -> None:
    source = "x = 1\ny = 2"
    lines = Highlights().at_once(source, language)
    assert lines is not None
    assert [line.plain for line in lines] == source.split("\n")
    assert not any(span.style not in ("$text",) for line in lines for span in line.spans)
