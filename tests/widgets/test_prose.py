import random

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from tui.widgets.prose import FENCE_STEP, Prose

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
