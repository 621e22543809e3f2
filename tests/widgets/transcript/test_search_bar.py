"""Searching, copying code and opening links, used with keys."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console
from textual.content import Content
from textual.widgets import Input

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.waiting import wait_until
from tui.core import events as e
from tui.core.events import MessagesLoaded
from tui.core.model import FullMessage, Message, ReasoningPart, TextPart, ToolPart
from tui.net.errors import ConnectFailed
from tui.widgets.text import markdown
from tui.widgets.text.markdown import link_style
from tui.widgets.transcript.foldable import MAX_SHOWN
from tui.widgets.transcript.search_bar import SearchBar
from tui.widgets.transcript.search_targets import pattern_of

CODE = "words\n\n```make\nall:\n\techo [x]\n```\n\nmore\n\n```python\nprint(1)\n```\n"


async def load_long_transcript(harness: AppHarness) -> None:
    harness.client.feed(*sample.prompt(), sample.answer_begins())
    harness.client.feed(
        sample.text("a needle here\n\n" + "hay\n\n" * 60 + "**another needle** there\n\n" + "straw\n\n" * 30)
    )
    await harness.until(lambda: harness.main.transcript.max_scroll_y > 60)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_matches_are_found_from_the_end_upwards(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        await load_long_transcript(harness)
        await harness.press("ctrl+f", *"NEEDLE")
        await harness.shows("2 of 2", "another needle there")
        assert "a needle here" not in harness.text
        await harness.press("enter")
        await harness.shows("1 of 2", "a needle here")
        await harness.press("down")
        await harness.shows("2 of 2", "another needle there")
        await harness.press("escape")
        await harness.until(lambda: not harness.main.query(SearchBar))
        assert harness.main.focused is harness.main.prompt
        assert harness.main.prompt.text == ""


async def test_footer_and_help_show_the_keys_of_the_search() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        await harness.press("ctrl+f", *"hay")
        await harness.shows("Enter previous match", "Esc close")
        await harness.press("f1")
        await harness.shows("In the search", "search older pages")
        await harness.press("escape", "escape")
        await harness.shows("Enter send")


async def test_no_match_is_reported() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        await harness.press("ctrl+f", *"zebra")
        await harness.shows("no matches")
        await harness.press("enter", "ctrl+f")
        await harness.until(lambda: not harness.main.query(SearchBar))


def test_a_match_may_span_a_line_break() -> None:
    pattern = pattern_of("two  words [x]")
    assert pattern is not None
    assert pattern.search("the Two\nWords [X].")
    assert pattern_of("  ") is None


async def test_a_match_may_span_a_wrapped_line() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("word " * 12 + "one two three " * 10))
        await harness.shows("three")
        await harness.press("ctrl+f", *"two three one two three one two three one two three one two")
        await harness.shows("of")
        await harness.hides("no matches")


async def test_a_search_ends_with_its_session() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        await harness.press("ctrl+f", *"hay")
        harness.app.presenter.show_session(None)
        await harness.until(lambda: not harness.main.query(SearchBar))


def old_messages(count: int, *, first: float = -1000.0) -> list[FullMessage]:
    """Messages older than the conversation; every tenth contains a needle."""
    messages = []
    for row in range(count):
        message_id = f"msg_old{first:.0f}_{row:04}"
        message = Message(message_id, sample.SESSION, "user", created=first + row)
        words = f"needle {first:.0f}/{row}" if row % 10 == 0 else "straw"
        messages.append(FullMessage(message, (TextPart(f"prt{message_id[3:]}", sample.SESSION, message_id, words),)))
    return messages


def pages(harness: AppHarness, count: int, size: int) -> None:
    """The server has this many older pages."""
    left = iter(range(count))
    loaded = MessagesLoaded(sample.SESSION, (), "cursor", "older")

    def older() -> bool:
        page = next(left, None)
        if page is None:
            return False
        cursor = None if page == count - 1 else "cursor"
        found = tuple(old_messages(size, first=-1000.0 * (page + 1)))
        harness.client.feed(replace(loaded, messages=found, cursor=cursor))
        return True

    harness.client.feed(loaded)
    harness.client.older = older


async def test_older_pages_are_fetched_and_searched() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        pages(harness, 3, 50)
        await harness.press("ctrl+f", *"needle")
        await harness.shows("17 of 17", "another needle there")
        assert len(harness.client.calls("load_older")) == 3
        await harness.press("down")
        await harness.shows("1 of 17", "needle -3000/0")
        await harness.press("up")
        await harness.shows("17 of 17", "another needle there")
        await harness.press("up", "up")
        await harness.shows("15 of 17", "needle -1000/40")


async def test_a_match_only_in_older_pages_is_found() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        pages(harness, 2, 50)
        await harness.press("ctrl+f", *"needle -2000/40")
        await harness.shows("1 of 1", "needle -2000/40")


async def test_the_search_of_older_pages_can_be_stopped_and_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        pages(harness, 2, 50)
        gate = asyncio.Event()
        fetch = harness.client.load_older

        async def slowly(session_id: str) -> bool:
            found = await fetch(session_id)
            await gate.wait()
            return found

        monkeypatch.setattr(harness.client, "load_older", slowly)
        await harness.press("ctrl+f", *"zebra")
        await harness.shows("no matches yet", "messages, searching…", "Esc stops")
        await harness.press("escape")
        gate.set()
        await harness.shows("newest 52 messages only")
        assert len(harness.client.calls("load_older")) == 1
        await harness.press("ctrl+o")
        await harness.hides("no matches yet")
        await harness.shows("no matches")
        assert len(harness.client.calls("load_older")) == 2
        await harness.press("escape")
        await harness.until(lambda: not harness.main.query(SearchBar))


async def test_a_failed_page_is_reported() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        pages(harness, 2, 50)
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press("ctrl+f", *"zebra")
        await harness.shows("connection refused", "no matches yet", "messages only")


async def test_collapsed_parts_are_expanded_at_a_match() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins())
        tool = ToolPart("prt_t", sample.SESSION, sample.ANSWER, "call_1", "bash", "completed", output="hay\nneedle one")
        thought = ReasoningPart("prt_r", sample.SESSION, sample.ANSWER, "first\n\nthen a needle two")
        harness.client.feed(e.PartUpserted(tool), e.PartUpserted(thought))
        await harness.shows("bash")
        assert "needle" not in harness.text
        await harness.press("ctrl+f", *"needle")
        await harness.shows("2 of 2", "then a needle two")
        await harness.press("enter")
        await harness.shows("1 of 2", "needle one")


async def test_truncated_output_is_searched_too() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins())
        output = "hay\n" * (MAX_SHOWN + 50) + "the needle"
        tool = ToolPart("prt_t", sample.SESSION, sample.ANSWER, "call_1", "bash", "completed", output=output)
        harness.client.feed(e.PartUpserted(tool))
        await harness.press("ctrl+f", *"needle")
        await harness.shows("1 of 1", "the needle")


async def test_a_match_in_the_line_of_a_tool_call_does_not_expand_it() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins())
        tool = ToolPart(
            "prt_t", sample.SESSION, sample.ANSWER, "call_1", "bash", "completed", title="the needle", output="hay"
        )
        harness.client.feed(e.PartUpserted(tool))
        await harness.press("ctrl+f", *"needle")
        await harness.shows("1 of 1")
        await harness.until(lambda: harness.main.transcript.query(".-found"))
        assert "hay" not in harness.text
        await harness.press("escape")
        await harness.until(lambda: not harness.main.transcript.query(".-found"))


async def test_scrolling_down_from_an_old_match_reaches_the_end() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        pages(harness, 2, 100)
        await harness.press("ctrl+f", *"needle -2000/0")
        await harness.shows("1 of 1", "needle -2000/0")
        transcript = harness.main.transcript
        assert "straw" in harness.text
        assert not transcript.following
        harness.client.feed(e.MessageUpserted(Message("msg_new", sample.SESSION, "user", created=90.0)))
        harness.client.feed(e.PartUpserted(TextPart("prt_new", sample.SESSION, "msg_new", "brand new")))
        await harness.press("escape")
        for _ in range(12):
            transcript.scroll_end(animate=False)
            await harness.pilot.pause()
        await harness.shows("brand new")
        assert transcript.following


async def test_the_end_key_goes_from_an_old_match_to_the_newest_message() -> None:
    async with app_harness() as harness:
        await load_long_transcript(harness)
        pages(harness, 2, 100)
        await harness.press("ctrl+f", *"needle -2000/0")
        await harness.shows("1 of 1", "needle -2000/0", "more below")
        await harness.press("escape", "end")
        await harness.until(lambda: harness.main.transcript.following)
        await harness.hides("needle -2000/0")


async def test_one_key_copies_code_verbatim() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(CODE))
        await harness.shows("print(1)")
        await harness.press("f7")
        assert harness.app.clipboard == "print(1)\n"
        await harness.shows("1 line of code sent to the terminal's clipboard")
        await harness.press("f7")
        assert harness.app.clipboard == "all:\n\techo [x]\n"
        await harness.press("f7")
        await harness.shows("No more code above.")
        harness.client.advance(10)
        await harness.press("f7")
        assert harness.app.clipboard == "print(1)\n"


async def test_code_below_the_visible_part_is_not_copied() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(
            *sample.prompt(), sample.answer_begins(), sample.text("```\nupper\n```\n\n" + "hay\n\n" * 60)
        )
        harness.client.feed(e.MessageUpserted(Message("msg_9", sample.SESSION, "assistant", created=9.0)))
        harness.client.feed(e.PartUpserted(TextPart("prt_9", sample.SESSION, "msg_9", "```\nlower\n```")))
        await harness.shows("lower")
        harness.main.transcript.scroll_to(y=0, animate=False)
        await harness.shows("upper")
        await harness.press("f7")
        assert harness.app.clipboard == "upper\n"


async def test_copying_without_code_shows_a_notice() -> None:
    async with app_harness() as harness:
        await harness.press("f7")
        await harness.shows("No visible code.")


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
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(long_text(200_000)))
        await harness.press("ctrl+f")
        harness.burst("w")
        await harness.shows("searching…")
        harness.burst("o")
        field = harness.main.query_one(SearchBar).query_one(Input)
        await wait_until(lambda: field.value == "wo", within=60)
        assert "searching…" in harness.text
        harness.burst("x")
        await harness.shows("no matches")


async def test_a_searched_text_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    read = []
    parse = markdown._parser().parse

    def counted(text: str, *more: Any) -> Any:
        read.append(text)
        return parse(text, *more)

    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(long_text(5_000)))
        await harness.press("ctrl+f", "n")
        await harness.shows("81 of 81 ")
        monkeypatch.setattr(markdown._parser(), "parse", counted)
        await harness.press(*"eedle")
        await harness.shows("1 of 1 ")
        assert read == []


async def test_a_match_far_down_in_a_long_text_is_scrolled_to() -> None:
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("hay\n\n" * 10_000 + "the needle"))
        await harness.press("ctrl+f", *"needle")
        await harness.shows("1 of 1 ", "the needle")


async def test_only_the_beginning_of_a_long_output_is_searched_with_a_notice() -> None:
    async with app_harness() as harness:
        output = "\n".join(f"line {number}" for number in range(60_000))
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.tool(output=output))
        await harness.press("ctrl+f", *"line 4999")
        await harness.shows("1 of 1 ", "the first 5,000 lines of long outputs", "line 4999")
        await harness.press("9")
        await harness.shows("no matches")
