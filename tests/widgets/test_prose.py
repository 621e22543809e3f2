import random
import re
from typing import Literal

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from tests.waiting import wait_until
from tui.widgets import prose as prose_module
from tui.widgets.highlights import SHORT
from tui.widgets.markdown import Block, read
from tui.widgets.prose import AT_ONCE, FENCE_STEP, LONG_BLOCK, Prose, calm_place

SOURCE = """# Head
Some *prose* with **marks**, `code` and a [link](http://x.y/z).

- first
  - nested
- second

1. one
2. two

> quoted

| a | b |
|---|---|
| one | two |

```python
def f(x):

    return [x]  # [/]
```
and the end.
"""


class Page(App[None]):
    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Prose(label=Content(" ▌ agent"), margin=12)


def shown(app: Page) -> list[str]:
    return [line.rstrip() for line in app.query_one(Prose).text.split("\n")]


@pytest.mark.parametrize("seed", range(8))
async def test_any_split_of_the_text_ends_in_the_same_page(seed: int) -> None:
    dice = random.Random(seed)
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        prose.show_text(SOURCE, "done")
        whole = shown(app)
        prose.show_text("", "streaming")
        end = 0
        while end < len(SOURCE):
            end += dice.randint(1, 30)
            prose.show_text(SOURCE[:end], "streaming")
        assert shown(app) == whole
        prose.show_text(SOURCE, "done")
        assert shown(app) == whole


@pytest.mark.parametrize("step", [1, 7, 250])
async def test_a_long_fence_is_whole_while_open_and_when_it_closes(step: int) -> None:
    code = [f"line_{row} = {row}" for row in range(3 * FENCE_STEP + 20)]
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = "words\n\n```python\n"
        for row in range(0, len(code), step):
            source += "".join(f"{line}\n" for line in code[row : row + step])
            prose.show_text(source, "streaming")
        assert [line.strip() for line in shown(app)] == ["words", "", *code]
        prose.show_text(source + "```\n\nafter", "streaming")
        assert [line.strip() for line in shown(app)] == ["words", "", *code, "", "after"]


BODY = {
    "fence": ("```python\n", "row {n:03} = {n}\n"),
    "table": ("| a | b |\n|---|---|\n", "| row {n:03} | {n:03} |\n"),
}


@pytest.mark.parametrize("kind", ["fence", "table"])
async def test_what_stands_above_a_long_block_that_came_with_it_costs_no_line_of_it(kind: str) -> None:
    head, row = BODY[kind]
    rows = [row.format(n=n) for n in range(200)]
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = "words that come in the same frame\n\n" + head + "".join(rows[:100])
        prose.show_text(source, "streaming")
        for line in rows[100:]:
            source += line
            prose.show_text(source, "streaming")
        assert re.findall(r"row (\d+)", prose.text) == [f"{n:03}" for n in range(200)]


@pytest.mark.parametrize("last", ["***so*** on", "#12 and on", "```so``` on", "---so on"])
@pytest.mark.parametrize("above", ["one paragraph", "- an item", "> quoted", "| a |\n|---|\n| row |"])
async def test_a_line_that_begins_like_a_block_of_its_own_goes_on_with_the_one_above(
    above: str, last: str
) -> None:
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = f"before\n\n{above}\n{last}"
        for end in range(len(source) + 1):
            prose.show_text(source[:end], "streaming")
        grown = shown(app)
        prose.replace_from(0, [piece for block in read(source) for piece in block.pieces])
        assert grown == shown(app)


async def test_items_apart_from_each_other_are_counted_as_one_list() -> None:
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = "1. one\n1. two\n\n1. three"
        for end in range(len(source) + 1):
            prose.show_text(source[:end], "streaming")
        assert shown(app) == ["1. one", "", "2. two", "", "3. three"]


async def test_a_text_that_was_replaced_is_read_anew() -> None:
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        prose.show_text("one\n\ntwo\n\nthree", "streaming")
        prose.show_text("other", "done")
        assert shown(app) == ["other"]


async def test_a_partial_text_says_so_until_it_is_whole() -> None:
    app = Page()
    async with app.run_test(size=(80, 40)):
        prose = app.query_one(Prose)
        prose.show_text("some wo", "streaming")
        prose.show_text("some wo", "partial")
        assert shown(app) == ["some wo", "", "… words may be missing until the server sends the whole"]
        prose.show_text("some words", "done")
        assert shown(app) == ["some words"]


async def test_a_narrower_page_wraps_anew() -> None:
    app = Page()
    async with app.run_test(size=(60, 40)) as pilot:
        prose = app.query_one(Prose)
        prose.show_text("word " * 20, "done")
        await pilot.resize_terminal(30, 40)
        await pilot.pause()
        assert prose.size.height == len(shown(app)) > 4


MARKED = "and so **it** is `told` on and on, "


@pytest.mark.parametrize("state", ["streaming", "done"])
async def test_a_paragraph_without_end_is_whole(state: Literal["streaming", "done"]) -> None:
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = "before\n\n"
        for _ in range(1500):
            source += MARKED
            prose.show_text(source, "streaming")
        source += "\n\nafter"
        prose.show_text(source, "streaming")
        prose.show_text(source.rstrip(), state)
        words = " ".join(shown(app)).split()
        assert words == ["before", *MARKED.replace("*", "").replace("`", "").split() * 1500, "after"]
        assert shown(app)[0] == "before"
        assert shown(app).count("") == 2, "one gap before the paragraph, one behind it, none inside"


async def test_of_a_paragraph_without_end_little_is_read_at_each_growth(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(text: str, *, growing: bool = False) -> list[Block]:
        sizes.append(len(text))
        return read(text, growing=growing)

    monkeypatch.setattr(prose_module, "read", measured)
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = ""
        for _ in range(1500):
            source += MARKED
            prose.show_text(source, "streaming")
        prose.show_text(source.rstrip(), "done")
    assert len(source) > 7 * LONG_BLOCK
    assert max(sizes) < LONG_BLOCK + 100


@pytest.mark.parametrize(
    ("text", "cut"), [("one **two three** four", 18), ("one two **three", 8), ("x [a b](c d", 2), ("oneword", 7)]
)
def test_a_cut_opens_no_mark(text: str, cut: int) -> None:
    assert calm_place(text) == cut


TIGHT = "".join(f"- item {n} with **words**\n  - below {n}\n" for n in range(400))
LOOSE = "".join(f"- item {n} with **words**\n\n  more of it\n\n" for n in range(400))
NUMBERED = "".join(f"{n}. item with `code` and more words\n" for n in range(7, 400))
ALL_ONE = "".join("1. item with `code` and more words\n" for _ in range(300))
TABLE = "| call | before |\n|---|---|\n" + "".join(f"| `call {n:03}` | **{n:03}** ms |\n" for n in range(500))
QUOTED = "".join(f"> words {n} of somebody else\n>\n" for n in range(400))


@pytest.mark.parametrize("source", [TIGHT, LOOSE, NUMBERED, ALL_ONE, QUOTED, TABLE], ids=len)
async def test_a_list_a_quotation_or_a_table_without_end_looks_as_if_read_as_a_whole(source: str) -> None:
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        for end in range(0, len(source), 400):
            prose.show_text(source[:end], "streaming")
        prose.show_text(source, "streaming")
        grown = shown(app)
        prose.replace_from(0, [piece for block in read(source) for piece in block.pieces])
        assert grown == shown(app)


@pytest.mark.parametrize("source", [TIGHT, LOOSE, NUMBERED, QUOTED, TABLE], ids=len)
async def test_of_a_list_a_quotation_or_a_table_without_end_little_is_read_at_each_growth(
    monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    sizes: list[int] = []

    def measured(text: str, *, growing: bool = False) -> list[Block]:
        sizes.append(len(text))
        return read(text, growing=growing)

    monkeypatch.setattr(prose_module, "read", measured)
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        for end in range(0, len(source), 100):
            prose.show_text(source[:end], "streaming")
    assert len(source) > 3 * LONG_BLOCK
    assert max(sizes) < LONG_BLOCK + 200


async def test_the_columns_of_a_long_table_stay_as_they_are_and_nothing_of_a_wider_row_is_cut() -> None:
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        source = "\n\n" + TABLE
        prose.show_text(source, "streaming")
        above = shown(app)
        source += "| a call with a long name | 501 ms |\n\nafter\n"
        for end in range(len(source) - 40, len(source) + 1):
            prose.show_text(source[:end], "streaming")
        assert shown(app)[: len(above)] == above
        below = shown(app)[len(above) :]
        assert [line.split() for line in below] == [
            ["a", "call", "501", "ms"], ["with", "a"], ["long"], ["name"], [], ["after"]
        ]  # fmt: skip


async def test_a_long_text_that_comes_at_once_is_read_a_piece_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(text: str, *, growing: bool = False) -> list[Block]:
        sizes.append(len(text))
        return read(text, growing=growing)

    monkeypatch.setattr(prose_module, "read", measured)
    source = "".join(f"word{n} " if n % 50 else f"\n\n**part {n}** " for n in range(12_000))
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(Prose)
        prose.show_text(source, "done")
        assert 0 < len(prose.text.split()) < 4_000
        await wait_until(lambda: "word11999" in prose.text)
        assert " ".join(shown(app)).split() == source.replace("*", "").split()
    assert len(source) > 4 * AT_ONCE
    assert max(sizes) < AT_ONCE + LONG_BLOCK


async def test_long_code_is_plain_at_first_and_in_its_colours_soon() -> None:
    app = Page()
    source = "```python\n" + "".join(f"def f_{n}(): pass  # {n}\n" for n in range(SHORT + 1)) + "```\n\nafter"
    async with app.run_test(size=(60, 100)):
        prose = app.query_one(Prose)
        prose.show_text(source, "done")
        plain = [prose.render_line(row) for row in range(SHORT + 3)]
        words = shown(app)
        await wait_until(lambda: prose.render_line(0) != plain[0])
        assert all(prose.render_line(row) != plain[row] for row in range(SHORT + 1))
        assert prose.render_line(SHORT + 2) is plain[SHORT + 2], "what stands behind it is not drawn anew"
        assert shown(app) == words
        [(_, code)] = prose.codes()
        assert code.text == source.removeprefix("```python\n").removesuffix("```\n\nafter")


async def test_long_code_that_stands_there_twice_gets_its_colours_twice() -> None:
    app = Page()
    source = "```python\n" + "".join(f"def f_{n}(): pass  # twice\n" for n in range(SHORT + 1)) + "```\n\n"
    async with app.run_test(size=(60, 100)):
        prose = app.query_one(Prose)
        prose.show_text("words\n\n" + source + source, "done")
        await wait_until(lambda: all(line.spans for _, code in prose.codes() for line in code.code))
        assert len(prose.codes()) == 2
