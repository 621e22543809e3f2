"""The mouse, in all parts where something can be selected, opened or closed."""

import pytest
from textual.color import Color
from textual.events import MouseScrollUp

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.widgets.requests.test_panel import asked
from tui.config.display import DisplaySettings
from tui.core import events as e
from tui.core.model import Session, Todo, ToolPart


async def click_on(stage: Stage, words: str) -> None:
    """Click in the middle of the first occurrence of `words`."""
    await stage.shows(words)
    lines = stage.text.split("\n")
    row = next(row for row, line in enumerate(lines) if words in line)
    await stage.pilot.click(offset=(lines[row].index(words) + len(words) // 2, row))
    await stage.pilot.pause()


async def test_a_click_opens_a_listed_session() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(Session("ses_2", "The other one", updated=5.0)))
        await click_on(stage, "F2 sessions")
        await click_on(stage, "The other one")
        await stage.until(lambda: stage.app.presenter.session_id == "ses_2")


async def test_a_click_answers_a_request_in_the_inbox() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(Session("ses_2", "The other one")))
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE.__class__("que_9", "ses_2", talk.ONE_CHOICE.questions)))
        await click_on(stage, "F3 inbox (1)")
        await click_on(stage, "The other one")
        await click_on(stage, "Leave them")
        await click_on(stage, "Enter send")
        await stage.until(lambda: stage.client.calls("answer") == [("que_9", (("Leave them",),))])
        assert stage.app.presenter.session_id == talk.SESSION


async def test_a_permission_is_selected_and_sent_by_clicking_hints() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.PERMISSION)
        await click_on(stage, "2 always")
        assert stage.client.calls("reply") == []
        await click_on(stage, "Enter answer")
        await stage.until(lambda: stage.client.calls("reply"))
        assert stage.client.calls("reply")[0][1] == "always"


async def test_tabs_and_rows_of_questions_can_be_clicked() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.CHOICES)
        await click_on(stage, "Postgres")
        await click_on(stage, "Extras")
        await click_on(stage, "Expiry")
        await click_on(stage, "Review")
        await stage.shows("Enter sends this:", "Postgres", "Expiry")


async def test_a_click_on_the_request_header_collapses_and_expands_it() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await click_on(stage, "needs your answer")
        await stage.hides("Leave them")
        await click_on(stage, "answers it")
        await stage.shows("Leave them")


THEMES = ["holdfast", "textual-dark", "dracula", "gruvbox", "textual-light", "solarized-light"]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("plain", [False, True], ids=["glyphs", "ascii"])
async def test_a_selection_is_readable_in_any_theme(theme: str, plain: bool) -> None:
    async with on_stage(size=(80, 24), look=DisplaySettings(theme=theme, ascii=plain)) as stage:
        words = "first `code`\n\n```python\nprint('x')\n```\n- item\n\nlast"
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text(words))
        await stage.shows("print('x')", "last")
        lines = stage.text.split("\n")
        top, bottom = (next(y for y, line in enumerate(lines) if word in line) for word in ("first", "last"))
        await stage.pilot.mouse_down(offset=(16, top))
        await stage.pilot.hover(offset=(22, bottom))
        await stage.pilot.mouse_up(offset=(22, bottom))
        await stage.until(lambda: "print('x')" in (stage.app.screen.get_selected_text() or ""))
        strips = stage.app.screen._compositor.render_strips()[top : bottom + 1]
        found = [(one, one.style) for strip in strips for one in strip.crop(16, 20) if one.text.strip()]
        assert len(found) >= 4
        for one, style in found:
            assert style is not None
            colour, ground = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            assert abs(colour.brightness - ground.brightness) > 0.4, one
        await stage.press("ctrl+c")
        assert "print('x')" in stage.app.clipboard
        await stage.shows("lines sent to the terminal's clipboard.")


@pytest.mark.parametrize(("environ", "told"), [("/tmp/tmux", True), ("", False)], ids=["in tmux", "elsewhere"])
async def test_a_possibly_blocked_clipboard_in_tmux_is_reported_once(
    environ: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    if environ:
        monkeypatch.setenv("TMUX", environ)
    async with on_stage() as stage:
        await stage.press(*"words")
        stage.main.prompt.select_all()
        await stage.press("ctrl+c")
        await stage.shows("1 line sent to the terminal's clipboard.")
        assert ("set -g set-clipboard on" in stage.text) is told
        for notice in stage.main.notices._notices[:]:
            stage.main.notices.drop(notice)
        await stage.press("ctrl+c")
        await stage.shows("1 line sent to the terminal's clipboard.")
        assert "set-clipboard" not in stage.text


async def test_a_click_shows_the_next_of_two_requests() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE, talk.PERMISSION)
        await click_on(stage, "n next")
        await stage.shows("Allow")


async def test_a_click_expands_the_plan() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.TodosChanged(talk.SESSION, (Todo("first", "in_progress"), Todo("second", "pending"))))
        await click_on(stage, "F6 all")
        await stage.shows("second", "F6 less")
        await click_on(stage, "F6 less")
        await stage.hides("second")


async def test_the_end_button_scrolls_down_and_the_wheel_scrolls_away() -> None:
    async with on_stage(size=(80, 24)) as stage:
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("hay\n\n" * 80 + "the end"))
        await stage.shows("the end")
        transcript = stage.main.transcript
        at_end = transcript.scroll_y
        transcript.post_message(_wheel_up(stage))
        await stage.until(lambda: transcript.scroll_y == transcript.scroll_target_y < at_end)
        await stage.shows("more below")
        await stage.pilot.click(stage.main.unread)
        await stage.shows("the end")
        assert transcript.following


async def test_a_tool_call_and_the_queue_can_be_clicked() -> None:
    async with on_stage() as stage:
        tool = ToolPart("prt_t", talk.SESSION, talk.ANSWER, "call_1", "bash", "completed", output="twelve passed")
        stage.client.feed(*talk.prompt(), talk.answer_begins(), e.PartUpserted(tool))
        await click_on(stage, "bash")
        await stage.shows("twelve passed")
        await click_on(stage, "bash")
        await stage.hides("twelve passed")


async def test_a_click_in_the_prompt_focuses_it() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        await click_on(stage, "Ask anything…")
        assert stage.main.focused is stage.main.prompt
        assert stage.client.calls("reject") == []


def _wheel_up(stage: Stage) -> MouseScrollUp:
    region = stage.main.transcript.region
    return MouseScrollUp(stage.main.transcript, region.x + 5, region.y + 5, 0, -1, 0, False, False, False)
