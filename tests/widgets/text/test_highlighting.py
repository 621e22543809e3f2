from time import thread_time

import pytest
from textual.content import Content

from tui.widgets.text import highlighting
from tui.widgets.text.highlighting import (
    FRAME_BUDGET,
    MAX_CACHED_LINES,
    MAX_CHARACTERS,
    MAX_LINE_CHARACTERS,
    MAX_LINES,
    SHORT,
    SHORT_CHARACTERS,
    Highlights,
    _coloured,
)


def code(lines: int, name: str = "f") -> str:
    return "\n".join(f"def {name}_{line}(): pass" for line in range(lines))


def coloured(lines: tuple[Content, ...]) -> bool:
    return all(line.spans for line in lines)


def test_only_short_code_is_highlighted_at_once() -> None:
    highlights = Highlights()
    short = highlights.at_once(code(SHORT), "python")
    assert short is not None
    assert coloured(short)
    assert highlights.at_once(code(SHORT + 1), "python") is None


async def test_code_highlighted_in_a_thread_is_cached() -> None:
    highlights = Highlights()
    long = code(SHORT + 1)
    lines = await highlights.beside(long, "python")
    assert coloured(lines)
    assert highlights.at_once(long, "python") is lines
    assert highlights.at_once(long, "rust") is None


@pytest.mark.parametrize(
    "source",
    [code(MAX_LINES + 1), "x = 1; " * MAX_LINE_CHARACTERS, ("x = 1; " * 100 + "\n") * (MAX_CHARACTERS // 700 + 1)],
    ids=["lines", "one line", "characters"],
)
def test_oversized_code_stays_plain(source: str) -> None:
    lines = Highlights().at_once(source, "python")
    assert lines == tuple(map(Content, source.split("\n")))
    assert not any(line.spans for line in lines)


def test_few_long_lines_are_not_highlighted_at_once() -> None:
    assert Highlights().at_once(("x = 1; " * 20 + "\n") * (SHORT_CHARACTERS // 140 + 1), "python") is None


async def test_the_number_of_cached_lines_is_bounded() -> None:
    highlights = Highlights()
    pieces = [code(MAX_LINES, name) for name in "abcde"]
    for piece in pieces:
        await highlights.beside(piece, "python")
    assert MAX_CACHED_LINES < 5 * MAX_LINES
    assert [highlights.at_once(piece, "python") is None for piece in pieces] == [True, False, False, False, False]


def test_highlighting_that_changes_lines_is_discarded() -> None:
    source = "a = 1\u2028b = 2"
    lines = Highlights().at_once(source, "python")
    assert lines is not None
    assert [line.plain for line in lines] == [source]


def test_highlighting_stops_at_a_time_limit() -> None:
    source = "\n".join(["x = 1", *[" "] * 3_000])
    begun = thread_time()
    lines = _coloured(source, "python", 0.02)
    spent = thread_time() - begun
    assert spent < 1.0  # unlimited it takes 3 s, without the first line hardly any time
    assert lines[0].spans
    assert "\n".join(line.plain for line in lines) == source


@pytest.mark.parametrize("language", ["autohotkey", "idris", "no such language"])
def test_an_unknown_or_slow_language_stays_plain(language: str) -> None:
    source = "x = 1\ny = 2"
    lines = Highlights().at_once(source, language)
    assert lines is not None
    assert [line.plain for line in lines] == source.split("\n")
    assert not any(span.style not in ("$text",) for line in lines for span in line.spans)


async def test_code_highlighted_at_once_in_one_frame_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame may show hundreds of short pieces of code."""

    def slow(source: str, language: str, budget: float) -> tuple[Content, ...]:
        until = thread_time() + 0.03
        while thread_time() < until:
            pass
        return (Content.styled(source, "red"),)

    monkeypatch.setattr(highlighting, "_coloured", slow)
    highlights = Highlights()
    found = [highlights.at_once(f"piece {number}", "python") for number in range(100)]
    immediate = [lines for lines in found if lines is not None]
    assert found[0] is not None
    assert len(immediate) * 0.03 <= FRAME_BUDGET + 0.12, "the last one, and what the pauses between them gave"
    assert coloured(await highlights.beside("piece 99", "python"))
    assert highlights.at_once("piece 99", "python") is not None, "it was highlighted before"
