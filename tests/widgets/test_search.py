"""Looking for words, copying code and opening links, used with keys."""

import pytest
from rich.console import Console
from textual.content import Content

from tests import conversation as talk
from tests.screen import Stage, on_stage
from tui.core import events as e
from tui.core.model import Message, TextPart
from tui.widgets.finding import pattern_of
from tui.widgets.markdown import link_style
from tui.widgets.search import SearchBar

CODE = "words\n\n```make\nall:\n\techo [x]\n```\n\nmore\n\n```python\nprint(1)\n```\n"


async def long_talk(stage: Stage) -> None:
    stage.client.feed(*talk.prompt(), talk.answer_begins())
    stage.client.feed(
        talk.text("a needle here\n\n" + "hay\n\n" * 60 + "**another needle** there\n\n" + "straw\n\n" * 30)
    )
    await stage.until(lambda: stage.main.transcript.max_scroll_y > 60)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_words_are_found_from_the_end_upwards(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        await long_talk(stage)
        await stage.press("ctrl+f", *"NEEDLE")
        await stage.shows("2 of 2", "another needle there")
        assert "a needle here" not in stage.text
        await stage.press("enter")
        await stage.shows("1 of 2", "a needle here")
        await stage.press("down")
        await stage.shows("2 of 2", "another needle there")
        await stage.press("escape")
        await stage.until(lambda: not stage.main.query(SearchBar))
        assert stage.main.focused is stage.main.prompt
        assert stage.main.prompt.text == ""


async def test_what_stands_nowhere_is_said() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        await stage.press("ctrl+f", *"zebra")
        await stage.shows("nowhere")
        await stage.press("enter", "ctrl+f")
        await stage.until(lambda: not stage.main.query(SearchBar))


def test_a_line_break_is_no_obstacle() -> None:
    pattern = pattern_of("two  words [x]")
    assert pattern is not None
    assert pattern.search("the Two\nWords [X].")
    assert pattern_of("  ") is None


async def test_words_across_a_wrapped_line_are_found() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("word " * 12 + "one two three " * 10))
        await stage.shows("three")
        await stage.press("ctrl+f", *"two three one two three one two three one two three one two")
        await stage.shows("of")
        await stage.hides("nowhere")


async def test_a_search_ends_with_its_session() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        await stage.press("ctrl+f", *"hay")
        stage.app.presenter.show_session(None)
        await stage.until(lambda: not stage.main.query(SearchBar))


async def test_code_is_copied_with_one_key_as_it_was_written() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(CODE))
        await stage.shows("print(1)")
        await stage.press("f7")
        assert stage.app.clipboard == "print(1)\n"
        await stage.shows("Copied 1 line of code")
        await stage.press("f7")
        assert stage.app.clipboard == "all:\n\techo [x]\n"
        await stage.press("f7")
        await stage.shows("No more code above.")
        stage.client.advance(10)
        await stage.press("f7")
        assert stage.app.clipboard == "print(1)\n"


async def test_code_out_of_sight_below_is_not_copied() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("```\nupper\n```\n\n" + "hay\n\n" * 60))
        stage.client.feed(e.MessageUpserted(Message("msg_9", talk.SESSION, "assistant", created=9.0)))
        stage.client.feed(e.PartUpserted(TextPart("prt_9", talk.SESSION, "msg_9", "```\nlower\n```")))
        await stage.shows("lower")
        stage.main.transcript.scroll_to(y=0, animate=False)
        await stage.shows("upper")
        await stage.press("f7")
        assert stage.app.clipboard == "upper\n"


async def test_where_there_is_no_code_it_says_so() -> None:
    async with on_stage() as stage:
        await stage.press("f7")
        await stage.shows("No code in sight.")


@pytest.mark.parametrize(
    ("address", "opens"),
    [
        ("https://example.org/a?b=c", True),
        ("http://example.org", True),
        ("file:///etc/passwd", False),
        ("javascript:alert(1)", False),
        ("https://example.org/\x1b\\", False),
        ("https://example.org/" + "x" * 3000, False),
    ],
)
def test_only_pages_become_links(address: str, opens: bool) -> None:
    style = link_style(address)
    assert style.underline
    assert (style.link == address) is opens
    shown = Console(force_terminal=True, color_system="truecolor", _environ={})
    with shown.capture() as capture:
        shown.print(Content("here").stylize(style).plain, style=style.rich_style)
    assert ("\x1b]8;" in capture.get()) is opens
