import random
import time
from itertools import pairwise

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content

from tests.waiting import wait_until
from tui.core.model import Progress
from tui.widgets.text import incremental_markdown
from tui.widgets.text.highlighting import SHORT
from tui.widgets.text.incremental_markdown import LONG_BLOCK
from tui.widgets.text.markdown import Block, read
from tui.widgets.text.markdown_view import AT_ONCE, MarkdownView

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
            yield MarkdownView(label=Content(" ▌ agent"), margin=12)


def shown(app: Page) -> list[str]:
    return [line.rstrip() for line in app.query_one(MarkdownView).text.split("\n")]


@pytest.mark.parametrize("seed", range(8))
async def test_any_split_of_the_text_gives_the_same_result(seed: int) -> None:
    dice = random.Random(seed)
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(MarkdownView)
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


async def test_a_partial_text_is_marked_until_complete() -> None:
    app = Page()
    async with app.run_test(size=(80, 40)):
        prose = app.query_one(MarkdownView)
        prose.show_text("some wo", "streaming")
        prose.show_text("some wo", "partial")
        assert shown(app) == ["some wo", "", "… text may be missing until the server sends all of it"]
        prose.show_text("some words", "done")
        assert shown(app) == ["some words"]


async def test_a_narrower_view_wraps_again() -> None:
    app = Page()
    async with app.run_test(size=(60, 40)) as pilot:
        prose = app.query_one(MarkdownView)
        prose.show_text("word " * 20, "done")
        await pilot.resize_terminal(30, 40)
        await pilot.pause()
        assert prose.size.height == len(shown(app)) > 4


async def test_a_long_text_is_parsed_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def measured(text: str, *, growing: bool = False) -> list[Block]:
        sizes.append(len(text))
        return read(text, growing=growing)

    monkeypatch.setattr(incremental_markdown, "read", measured)
    source = "".join(f"word{n} " if n % 50 else f"\n\n**part {n}** " for n in range(12_000))
    app = Page()
    async with app.run_test(size=(60, 40)):
        prose = app.query_one(MarkdownView)
        prose.show_text(source, "done")
        assert 0 < len(prose.text.split()) < 4_000
        await wait_until(lambda: "word11999" in prose.text)
        assert " ".join(shown(app)).split() == source.replace("*", "").split()
    assert len(source) > 4 * AT_ONCE
    assert max(sizes) < AT_ONCE + LONG_BLOCK


async def test_long_code_is_plain_first_and_highlighted_later() -> None:
    app = Page()
    source = "```python\n" + "".join(f"def f_{n}(): pass  # {n}\n" for n in range(SHORT + 1)) + "```\n\nafter"
    async with app.run_test(size=(60, 100)):
        prose = app.query_one(MarkdownView)
        prose.show_text(source, "done")
        plain = [prose.render_line(row) for row in range(SHORT + 3)]
        words = shown(app)
        await wait_until(lambda: prose.render_line(0) != plain[0])
        assert all(prose.render_line(row) != plain[row] for row in range(SHORT + 1))
        assert prose.render_line(SHORT + 2) is plain[SHORT + 2], "what stands behind it is not drawn anew"
        assert shown(app) == words
        [(_, code)] = prose.codes()
        assert code.text == source.removeprefix("```python\n").removesuffix("```\n\nafter")


async def test_repeated_long_code_is_highlighted_everywhere() -> None:
    app = Page()
    source = "```python\n" + "".join(f"def f_{n}(): pass  # twice\n" for n in range(SHORT + 1)) + "```\n\n"
    async with app.run_test(size=(60, 100)):
        prose = app.query_one(MarkdownView)
        prose.show_text("words\n\n" + source + source, "done")
        await wait_until(lambda: all(line.spans for _, code in prose.codes() for line in code.code))
        assert len(prose.codes()) == 2


async def test_several_long_texts_are_parsed_one_slice_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine at once would delay the screen nine times as long."""
    reads: list[tuple[float, float]] = []
    show = MarkdownView._show

    def timed(view: MarkdownView, text: str, state: Progress) -> None:
        began = time.perf_counter()
        show(view, text, state)
        reads.append((began, time.perf_counter()))

    monkeypatch.setattr(MarkdownView, "_show", timed)
    app = Page()
    async with app.run_test(size=(80, 24)):
        views = [app.query_one(MarkdownView), *(MarkdownView() for _ in range(4))]
        await app.query_one(VerticalScroll).mount_all(views[1:])
        text = "![a](" * 2_000
        for view in views:
            view.show_text(text, "done")
        await wait_until(lambda: all(view.shown == text for view in views))
    pauses = [(after - end, end - began) for (began, end), (after, _) in pairwise(reads)]
    assert all(pause >= took * 0.9 for pause, took in pauses)
