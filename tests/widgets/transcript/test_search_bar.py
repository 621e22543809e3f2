"""Searching, copying code and opening links, used with keys."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console
from textual.content import Content
from textual.widgets import Input

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.waiting import wait_until
from tui.core import events as e
from tui.core.events import MessagesLoaded
from tui.core.model import FullMessage, Message, ReasoningPart, TextPart, ToolPart
from tui.net.errors import ConnectFailed
from tui.widgets.text import markdown
from tui.widgets.text.markdown import link_style
from tui.widgets.transcript.foldable import SHOWN_AT_MOST
from tui.widgets.transcript.search_bar import SearchBar
from tui.widgets.transcript.search_targets import pattern_of

CODE = "words\n\n```make\nall:\n\techo [x]\n```\n\nmore\n\n```python\nprint(1)\n```\n"


async def long_talk(stage: Stage) -> None:
    stage.client.feed(*talk.prompt(), talk.answer_begins())
    stage.client.feed(
        talk.text("a needle here\n\n" + "hay\n\n" * 60 + "**another needle** there\n\n" + "straw\n\n" * 30)
    )
    await stage.until(lambda: stage.main.transcript.max_scroll_y > 60)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_matches_are_found_from_the_end_upwards(size: tuple[int, int]) -> None:
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


async def test_footer_and_help_show_the_keys_of_the_search() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        await stage.press("ctrl+f", *"hay")
        await stage.shows("Enter previous match", "Esc close")
        await stage.press("f1")
        await stage.shows("In the search", "search older pages")
        await stage.press("escape", "escape")
        await stage.shows("Enter send")


async def test_no_match_is_reported() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        await stage.press("ctrl+f", *"zebra")
        await stage.shows("no matches")
        await stage.press("enter", "ctrl+f")
        await stage.until(lambda: not stage.main.query(SearchBar))


def test_a_match_may_span_a_line_break() -> None:
    pattern = pattern_of("two  words [x]")
    assert pattern is not None
    assert pattern.search("the Two\nWords [X].")
    assert pattern_of("  ") is None


async def test_a_match_may_span_a_wrapped_line() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("word " * 12 + "one two three " * 10))
        await stage.shows("three")
        await stage.press("ctrl+f", *"two three one two three one two three one two three one two")
        await stage.shows("of")
        await stage.hides("no matches")


async def test_a_search_ends_with_its_session() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        await stage.press("ctrl+f", *"hay")
        stage.app.presenter.show_session(None)
        await stage.until(lambda: not stage.main.query(SearchBar))


def old_messages(count: int, *, first: float = -1000.0) -> list[FullMessage]:
    """Messages older than the conversation; every tenth contains a needle."""
    messages = []
    for row in range(count):
        message_id = f"msg_old{first:.0f}_{row:04}"
        message = Message(message_id, talk.SESSION, "user", created=first + row)
        words = f"needle {first:.0f}/{row}" if row % 10 == 0 else "straw"
        messages.append(FullMessage(message, (TextPart(f"prt{message_id[3:]}", talk.SESSION, message_id, words),)))
    return messages


def pages(stage: Stage, count: int, size: int) -> None:
    """The server has this many older pages."""
    left = iter(range(count))
    loaded = MessagesLoaded(talk.SESSION, (), "cursor", "older")

    def older() -> bool:
        page = next(left, None)
        if page is None:
            return False
        cursor = None if page == count - 1 else "cursor"
        found = tuple(old_messages(size, first=-1000.0 * (page + 1)))
        stage.client.feed(replace(loaded, messages=found, cursor=cursor))
        return True

    stage.client.feed(loaded)
    stage.client.older = older


async def test_older_pages_are_fetched_and_searched() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        pages(stage, 3, 50)
        await stage.press("ctrl+f", *"needle")
        await stage.shows("17 of 17", "another needle there")
        assert len(stage.client.calls("load_older")) == 3
        await stage.press("down")
        await stage.shows("1 of 17", "needle -3000/0")
        await stage.press("up")
        await stage.shows("17 of 17", "another needle there")
        await stage.press("up", "up")
        await stage.shows("15 of 17", "needle -1000/40")


async def test_a_match_only_in_older_pages_is_found() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        pages(stage, 2, 50)
        await stage.press("ctrl+f", *"needle -2000/40")
        await stage.shows("1 of 1", "needle -2000/40")


async def test_the_search_of_older_pages_can_be_stopped_and_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        pages(stage, 2, 50)
        gate = asyncio.Event()
        fetch = stage.client.load_older

        async def slowly(session_id: str) -> bool:
            found = await fetch(session_id)
            await gate.wait()
            return found

        monkeypatch.setattr(stage.client, "load_older", slowly)
        await stage.press("ctrl+f", *"zebra")
        await stage.shows("no matches yet", "messages, searching…", "Esc stops")
        await stage.press("escape")
        gate.set()
        await stage.shows("newest 52 messages only")
        assert len(stage.client.calls("load_older")) == 1
        await stage.press("ctrl+o")
        await stage.hides("no matches yet")
        await stage.shows("no matches")
        assert len(stage.client.calls("load_older")) == 2
        await stage.press("escape")
        await stage.until(lambda: not stage.main.query(SearchBar))


async def test_a_failed_page_is_reported() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        pages(stage, 2, 50)
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press("ctrl+f", *"zebra")
        await stage.shows("connection refused", "no matches yet", "messages only")


async def test_collapsed_parts_are_expanded_at_a_match() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins())
        tool = ToolPart("prt_t", talk.SESSION, talk.ANSWER, "call_1", "bash", "completed", output="hay\nneedle one")
        thought = ReasoningPart("prt_r", talk.SESSION, talk.ANSWER, "first\n\nthen a needle two")
        stage.client.feed(e.PartUpserted(tool), e.PartUpserted(thought))
        await stage.shows("bash")
        assert "needle" not in stage.text
        await stage.press("ctrl+f", *"needle")
        await stage.shows("2 of 2", "then a needle two")
        await stage.press("enter")
        await stage.shows("1 of 2", "needle one")


async def test_truncated_output_is_searched_too() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins())
        output = "hay\n" * (SHOWN_AT_MOST + 50) + "the needle"
        tool = ToolPart("prt_t", talk.SESSION, talk.ANSWER, "call_1", "bash", "completed", output=output)
        stage.client.feed(e.PartUpserted(tool))
        await stage.press("ctrl+f", *"needle")
        await stage.shows("1 of 1", "the needle")


async def test_a_match_in_the_line_of_a_tool_call_does_not_expand_it() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins())
        tool = ToolPart(
            "prt_t", talk.SESSION, talk.ANSWER, "call_1", "bash", "completed", title="the needle", output="hay"
        )
        stage.client.feed(e.PartUpserted(tool))
        await stage.press("ctrl+f", *"needle")
        await stage.shows("1 of 1")
        await stage.until(lambda: stage.main.transcript.query(".-found"))
        assert "hay" not in stage.text
        await stage.press("escape")
        await stage.until(lambda: not stage.main.transcript.query(".-found"))


async def test_scrolling_down_from_an_old_match_reaches_the_end() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        pages(stage, 2, 100)
        await stage.press("ctrl+f", *"needle -2000/0")
        await stage.shows("1 of 1", "needle -2000/0")
        transcript = stage.main.transcript
        assert "straw" in stage.text
        assert not transcript.following
        stage.client.feed(e.MessageUpserted(Message("msg_new", talk.SESSION, "user", created=90.0)))
        stage.client.feed(e.PartUpserted(TextPart("prt_new", talk.SESSION, "msg_new", "brand new")))
        await stage.press("escape")
        for _ in range(12):
            transcript.scroll_end(animate=False)
            await stage.pilot.pause()
        await stage.shows("brand new")
        assert transcript.following


async def test_the_end_key_goes_from_an_old_match_to_the_newest_message() -> None:
    async with on_stage() as stage:
        await long_talk(stage)
        pages(stage, 2, 100)
        await stage.press("ctrl+f", *"needle -2000/0")
        await stage.shows("1 of 1", "needle -2000/0", "more below")
        await stage.press("escape", "end")
        await stage.until(lambda: stage.main.transcript.following)
        await stage.hides("needle -2000/0")


async def test_one_key_copies_code_verbatim() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(CODE))
        await stage.shows("print(1)")
        await stage.press("f7")
        assert stage.app.clipboard == "print(1)\n"
        await stage.shows("1 line of code sent to the terminal's clipboard")
        await stage.press("f7")
        assert stage.app.clipboard == "all:\n\techo [x]\n"
        await stage.press("f7")
        await stage.shows("No more code above.")
        stage.client.advance(10)
        await stage.press("f7")
        assert stage.app.clipboard == "print(1)\n"


async def test_code_below_the_visible_part_is_not_copied() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("```\nupper\n```\n\n" + "hay\n\n" * 60))
        stage.client.feed(e.MessageUpserted(Message("msg_9", talk.SESSION, "assistant", created=9.0)))
        stage.client.feed(e.PartUpserted(TextPart("prt_9", talk.SESSION, "msg_9", "```\nlower\n```")))
        await stage.shows("lower")
        stage.main.transcript.scroll_to(y=0, animate=False)
        await stage.shows("upper")
        await stage.press("f7")
        assert stage.app.clipboard == "upper\n"


async def test_copying_without_code_shows_a_notice() -> None:
    async with on_stage() as stage:
        await stage.press("f7")
        await stage.shows("No visible code.")


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
def test_only_web_addresses_become_links(address: str, opens: bool) -> None:
    style = link_style(address)
    assert style.underline
    assert (style.link == address) is opens
    shown = Console(force_terminal=True, color_system="truecolor", _environ={})
    with shown.capture() as capture:
        shown.print(Content("here").stylize(style).plain, style=style.rich_style)
    assert ("\x1b]8;" in capture.get()) is opens


def long_text(characters: int) -> str:
    """Markdown of this many characters, with one *needle*, at the end."""
    line = "some **words** and `more` of [them](https://example.com) here\n\n"
    return line * (characters // len(line)) + "the needle"


async def test_a_key_is_handled_while_a_long_text_is_searched() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(long_text(200_000)))
        await stage.press("ctrl+f")
        stage.burst("w")
        await stage.shows("searching…")
        stage.burst("o")
        field = stage.main.query_one(SearchBar).query_one(Input)
        await wait_until(lambda: field.value == "wo", within=60)
        assert "searching…" in stage.text
        stage.burst("x")
        await stage.shows("no matches")


async def test_a_searched_text_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    parse = markdown._parser().parse

    def counted(text: str, *more: Any) -> Any:
        read.append(text)
        return parse(text, *more)

    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(long_text(5_000)))
        await stage.press("ctrl+f", "n")
        await stage.shows("81 of 81 ")
        monkeypatch.setattr(markdown._parser(), "parse", counted)
        await stage.press(*"eedle")
        await stage.shows("1 of 1 ")
        assert read == []


async def test_a_match_far_down_in_a_long_text_is_scrolled_to() -> None:
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("hay\n\n" * 10_000 + "the needle"))
        await stage.press("ctrl+f", *"needle")
        await stage.shows("1 of 1 ", "the needle")


async def test_only_the_beginning_of_a_long_output_is_searched_with_a_notice() -> None:
    async with on_stage() as stage:
        output = "\n".join(f"line {number}" for number in range(60_000))
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.tool(output=output))
        await stage.press("ctrl+f", *"line 4999")
        await stage.shows("1 of 1 ", "the first 5,000 lines of long outputs", "line 4999")
        await stage.press("9")
        await stage.shows("no matches")
