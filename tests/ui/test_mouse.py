"""The mouse, in all parts where something can be selected, opened or closed."""

import pytest
from textual.color import Color
from textual.events import MouseScrollUp

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.widgets.requests.test_panel import asked
from tui.config.display import DisplaySettings
from tui.core import events as e
from tui.core.model import Session, Todo, ToolPart


async def click_on(harness: AppHarness, words: str) -> None:
    """Click in the middle of the first occurrence of `words`."""
    await harness.shows(words)
    lines = harness.text.split("\n")
    row = next(row for row, line in enumerate(lines) if words in line)
    await harness.pilot.click(offset=(lines[row].index(words) + len(words) // 2, row))
    await harness.pilot.pause()


async def test_a_click_opens_a_listed_session() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(Session("ses_2", "The other one", updated=5.0)))
        await click_on(harness, "F2 sessions")
        await click_on(harness, "The other one")
        await harness.until(lambda: harness.app.presenter.session_id == "ses_2")


async def test_a_click_answers_a_request_in_the_inbox() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(Session("ses_2", "The other one")))
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE.__class__("que_9", "ses_2", sample.ONE_CHOICE.questions)))
        await click_on(harness, "F3 inbox (1)")
        await click_on(harness, "The other one")
        await click_on(harness, "Leave them")
        await click_on(harness, "Enter send")
        await harness.until(lambda: harness.client.calls("answer") == [("que_9", (("Leave them",),))])
        assert harness.app.presenter.session_id == sample.SESSION


async def test_a_permission_is_selected_and_sent_by_clicking_hints() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.PERMISSION)
        await click_on(harness, "2 always")
        assert harness.client.calls("reply") == []
        await click_on(harness, "Enter answer")
        await harness.until(lambda: harness.client.calls("reply"))
        assert harness.client.calls("reply")[0][1] == "always"


async def test_tabs_and_rows_of_questions_can_be_clicked() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.CHOICES)
        await click_on(harness, "Postgres")
        await click_on(harness, "Extras")
        await click_on(harness, "Expiry")
        await click_on(harness, "Review")
        await harness.shows("Enter sends this:", "Postgres", "Expiry")


async def test_a_click_on_the_request_header_collapses_and_expands_it() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await click_on(harness, "needs your answer")
        await harness.hides("Leave them")
        await click_on(harness, "answers it")
        await harness.shows("Leave them")


THEMES = ["holdfast", "textual-dark", "dracula", "gruvbox", "textual-light", "solarized-light"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("plain", [False, True], ids=["glyphs", "ascii"])
async def test_a_selection_is_readable_in_any_theme(theme: str, plain: bool) -> None:
    async with app_harness(size=(80, 24), look=DisplaySettings(theme=theme, ascii=plain)) as harness:
        words = "first `code`\n\n```python\nprint('x')\n```\n- item\n\nlast"
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text(words))
        await harness.shows("print('x')", "last")
        lines = harness.text.split("\n")
        top, bottom = (next(y for y, line in enumerate(lines) if word in line) for word in ("first", "last"))
        await harness.pilot.mouse_down(offset=(16, top))
        await harness.pilot.hover(offset=(22, bottom))
        await harness.pilot.mouse_up(offset=(22, bottom))
        await harness.until(lambda: "print('x')" in (harness.app.screen.get_selected_text() or ""))
        strips = harness.app.screen._compositor.render_strips()[top : bottom + 1]
        found = [(one, one.style) for strip in strips for one in strip.crop(16, 20) if one.text.strip()]
        assert len(found) >= 4
        for one, style in found:
            assert style is not None
            colour, ground = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            assert abs(colour.brightness - ground.brightness) > 0.4, one
        await harness.press("ctrl+c")
        assert "print('x')" in harness.app.clipboard
        await harness.shows("lines sent to the terminal's clipboard.")


@pytest.mark.parametrize(("environ", "reported"), [("/tmp/tmux", True), ("", False)], ids=["in tmux", "elsewhere"])
async def test_a_possibly_blocked_clipboard_in_tmux_is_reported_once(
    environ: str, reported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    if environ:
        monkeypatch.setenv("TMUX", environ)
    async with app_harness() as harness:
        await harness.press(*"words")
        harness.main.prompt.select_all()
        await harness.press("ctrl+c")
        await harness.shows("1 line sent to the terminal's clipboard.")
        assert ("set -g set-clipboard on" in harness.text) is reported
        for notice in harness.main.notices._notices[:]:
            harness.main.notices.drop(notice)
        await harness.press("ctrl+c")
        await harness.shows("1 line sent to the terminal's clipboard.")
        assert "set-clipboard" not in harness.text


async def test_a_click_shows_the_next_of_two_requests() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE, sample.PERMISSION)
        await click_on(harness, "n next")
        await harness.shows("Allow")


async def test_a_click_expands_the_plan() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.TodosChanged(sample.SESSION, (Todo("first", "in_progress"), Todo("second", "pending"))))
        await click_on(harness, "F6 all")
        await harness.shows("second", "F6 less")
        await click_on(harness, "F6 less")
        await harness.hides("second")


async def test_the_end_button_scrolls_down_and_the_wheel_scrolls_away() -> None:
    async with app_harness(size=(80, 24)) as harness:
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("hay\n\n" * 80 + "the end"))
        await harness.shows("the end")
        transcript = harness.main.transcript
        at_end = transcript.scroll_y
        transcript.post_message(_wheel_up(harness))
        await harness.until(lambda: transcript.scroll_y == transcript.scroll_target_y < at_end)
        await harness.shows("more below")
        await harness.pilot.click(harness.main.unread)
        await harness.shows("the end")
        assert transcript.following


async def test_a_tool_call_and_the_queue_can_be_clicked() -> None:
    async with app_harness() as harness:
        tool = ToolPart("prt_t", sample.SESSION, sample.ANSWER, "call_1", "bash", "completed", output="twelve passed")
        harness.client.feed(*sample.prompt(), sample.answer_begins(), e.PartUpserted(tool))
        await click_on(harness, "bash")
        await harness.shows("twelve passed")
        await click_on(harness, "bash")
        await harness.hides("twelve passed")


async def test_a_click_in_the_prompt_focuses_it() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        await click_on(harness, "Ask anything…")
        assert harness.main.focused is harness.main.prompt
        assert harness.client.calls("reject") == []


def _wheel_up(harness: AppHarness) -> MouseScrollUp:
    region = harness.main.transcript.region
    return MouseScrollUp(harness.main.transcript, region.x + 5, region.y + 5, 0, -1, 0, False, False, False)
