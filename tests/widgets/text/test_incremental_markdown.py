import re
from itertools import chain
from typing import Literal

import pytest

from tui.core.model import Progress
from tui.widgets.text import incremental_markdown
from tui.widgets.text.blocks import Code, TextBlock
from tui.widgets.text.incremental_markdown import (
    FENCE_STEP,
    LONG_BLOCK,
    MAX_REPARSED,
    IncrementalMarkdown,
    stable_offset,
)
from tui.widgets.text.markdown import Block, read

WIDTH = 48


class Page:
    """The blocks of a growing text, after its updates."""

    def __init__(self) -> None:
        self._growing = IncrementalMarkdown()
        self.pieces: list[TextBlock] = []

    def show(self, text: str, state: Progress) -> None:
        for index, pieces in self._growing.show(text, state):
            self.pieces[index:] = pieces

    def read_whole(self, text: str) -> None:
        """The result of parsing all text at once."""
        self.pieces = [piece for block in read(text) for piece in block.pieces]

    def rows(self) -> list[str]:
        """The drawn lines."""
        lines = chain.from_iterable(
            [*[""] * (piece.gap if at else 0), *(line.plain.rstrip() for line in piece.lines(WIDTH))]
            for at, piece in enumerate(self.pieces)
        )
        return list(lines)

    @property
    def text(self) -> str:
        return "\n".join(self.rows())


@pytest.mark.parametrize("step", [1, 7, 250])
def test_a_long_fence_is_complete_while_open_and_when_closed(step: int) -> None:
    code = [f"line_{row} = {row}" for row in range(3 * FENCE_STEP + 20)]
    page = Page()
    source = "words\n\n```python\n"
    for row in range(0, len(code), step):
        source += "".join(f"{line}\n" for line in code[row : row + step])
        page.show(source, "streaming")
    assert [line.strip() for line in page.rows()] == ["words", "", *code]
    page.show(source + "```\n\nafter", "streaming")
    assert [line.strip() for line in page.rows()] == ["words", "", *code, "", "after"]
    assert [block.text for block in page.pieces if isinstance(block, Code)] == ["\n".join([*code, ""])], "in one"


BODY = {
    "fence": ("```python\n", "row {n:03} = {n}\n"),
    "table": ("| a | b |\n|---|---|\n", "| row {n:03} | {n:03} |\n"),
}


@pytest.mark.parametrize("kind", ["fence", "table"])
def test_text_before_a_long_block_does_not_drop_its_lines(kind: str) -> None:
    head, row = BODY[kind]
    rows = [row.format(n=n) for n in range(200)]
    page = Page()
    source = "words that come in the same frame\n\n" + head + "".join(rows[:100])
    page.show(source, "streaming")
    for line in rows[100:]:
        source += line
        page.show(source, "streaming")
    assert re.findall(r"row (\d+)", page.text) == [f"{n:03}" for n in range(200)]


@pytest.mark.parametrize("last", ["***so*** on", "#12 and on", "```so``` on", "---so on"])
@pytest.mark.parametrize("above", ["one paragraph", "- an item", "> quoted", "| a |\n|---|\n| row |"])
def test_a_line_that_looks_like_a_new_block_may_continue_the_previous(above: str, last: str) -> None:
    page = Page()
    source = f"before\n\n{above}\n{last}"
    for end in range(len(source) + 1):
        page.show(source[:end], "streaming")
    grown = page.rows()
    page.read_whole(source)
    assert grown == page.rows()


def test_items_separated_by_blank_lines_are_numbered_as_one_list() -> None:
    page = Page()
    source = "1. one\n1. two\n\n1. three"
    for end in range(len(source) + 1):
        page.show(source[:end], "streaming")
    assert page.rows() == ["1. one", "", "2. two", "", "3. three"]


def test_a_replaced_text_is_parsed_again() -> None:
    page = Page()
    page.show("one\n\ntwo\n\nthree", "streaming")
    page.show("other", "done")
    assert page.rows() == ["other"]


MARKED = "and so **it** is `reported` on and on, "


@pytest.mark.parametrize("state", ["streaming", "done"])
def test_a_very_long_paragraph_is_complete(state: Literal["streaming", "done"]) -> None:
    page = Page()
    source = "before\n\n"
    for _ in range(1500):
        source += MARKED
        page.show(source, "streaming")
    source += "\n\nafter"
    page.show(source, "streaming")
    page.show(source.rstrip(), state)
    words = " ".join(page.rows()).split()
    assert words == ["before", *MARKED.replace("*", "").replace("`", "").split() * 1500, "after"]
    assert page.rows()[0] == "before"
    assert page.rows().count("") == 2, "one gap before the paragraph, one behind it, none inside"


def test_little_of_a_very_long_paragraph_is_parsed_at_each_update(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(text: str, *, growing: bool = False) -> list[Block]:
        sizes.append(len(text))
        return read(text, growing=growing)

    monkeypatch.setattr(incremental_markdown, "read", measured)
    page = Page()
    source = ""
    for _ in range(1500):
        source += MARKED
        page.show(source, "streaming")
    page.show(source.rstrip(), "done")
    assert len(source) > 7 * LONG_BLOCK
    assert max(sizes) < LONG_BLOCK + 100


@pytest.mark.parametrize(
    ("text", "cut"), [("one **two three** four", 18), ("one two **three", 8), ("x [a b](c d", 2), ("oneword", 7)]
)
def test_a_cut_is_not_inside_inline_markup(text: str, cut: int) -> None:
    assert stable_offset(text) == cut


TIGHT = "".join(f"- item {n} with **words**\n  - below {n}\n" for n in range(400))
LOOSE = "".join(f"- item {n} with **words**\n\n  more of it\n\n" for n in range(400))
NUMBERED = "".join(f"{n}. item with `code` and more words\n" for n in range(7, 400))
ALL_ONE = "".join("1. item with `code` and more words\n" for _ in range(300))
TABLE = "| call | before |\n|---|---|\n" + "".join(f"| `call {n:03}` | **{n:03}** ms |\n" for n in range(500))
QUOTED = "".join(f"> words {n} of somebody else\n>\n" for n in range(400))


@pytest.mark.parametrize("source", [TIGHT, LOOSE, NUMBERED, ALL_ONE, QUOTED, TABLE], ids=len)
def test_a_very_long_list_quotation_or_table_equals_a_full_parse(source: str) -> None:
    page = Page()
    for end in range(0, len(source), 400):
        page.show(source[:end], "streaming")
    page.show(source, "streaming")
    grown = page.rows()
    page.read_whole(source)
    assert grown == page.rows()


@pytest.mark.parametrize("source", [TIGHT, LOOSE, NUMBERED, QUOTED, TABLE], ids=len)
def test_little_of_a_very_long_block_is_parsed_at_each_update(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    sizes: list[int] = []

    def measured(text: str, *, growing: bool = False) -> list[Block]:
        sizes.append(len(text))
        return read(text, growing=growing)

    monkeypatch.setattr(incremental_markdown, "read", measured)
    page = Page()
    for end in range(0, len(source), 100):
        page.show(source[:end], "streaming")
    assert len(source) > 3 * LONG_BLOCK
    assert max(sizes) < LONG_BLOCK + 200


def test_a_long_table_keeps_its_columns_until_its_end_and_wraps_wider_rows() -> None:
    page, whole = Page(), Page()
    source = "\n\n" + TABLE
    page.show(source, "streaming")
    above = page.rows()
    source += "| a call with a long name | 501 ms |\n"
    for end in range(len(source) - 40, len(source) + 1):
        page.show(source[:end], "streaming")
    assert page.rows()[: len(above)] == above
    below = page.rows()[len(above) :]
    assert [line.split() for line in below] == [["a", "call", "501", "ms"], ["with", "a"], ["long"], ["name"]]
    whole.read_whole(source + "\nafter")
    page.show(source + "\nafter", "streaming")
    assert page.rows() == whole.rows()


@pytest.mark.parametrize("before", ["", "words before, "])
def test_a_table_at_the_end_of_a_long_text_gets_its_own_columns(before: str) -> None:
    page, whole = Page(), Page()
    source = before * 2000 + "\n\n" + TABLE
    for end in range(len(source) - len(TABLE) // 2, len(source), 300):
        page.show(source[:end], "streaming")
    source += "| a call with a long name | 501 ms |\n"
    page.show(source, "done")
    whole.read_whole(source)
    assert page.rows()[-300:] == whole.rows()[-300:]


def test_a_table_too_long_to_be_parsed_again_keeps_its_columns() -> None:
    page = Page()
    source = TABLE + "".join(f"| `call {n:03}` | **{n:03}** ms |\n" for n in range(500, 900))
    page.show(source, "streaming")
    above = page.rows()
    assert len(source) > MAX_REPARSED
    page.show(source + "| a call with a long name | 501 ms |\n\nafter", "done")
    assert page.rows()[: len(above)] == above
