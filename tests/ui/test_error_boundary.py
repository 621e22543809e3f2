"""After an exception in any part of the screen, the app continues, reports it in one line, and redraws the part."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.widget import Widget

import tui.widgets
from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.waiting import wait_until
from tui.core import events as e
from tui.core.changes import Notice
from tui.core.model import Message, TextPart, Todo
from tui.ui import error_boundary
from tui.ui.error_boundary import LOGGED_WHOLE
from tui.widgets.base.guarded import Guarded
from tui.widgets.dialogs.session_picker import SessionPicker
from tui.widgets.prompt.prompt import PromptBox
from tui.widgets.requests.question import QuestionForm
from tui.widgets.status.notices import Notices
from tui.widgets.status.plan import Plan
from tui.widgets.status.turn_status import TurnStatus
from tui.widgets.text.markdown_view import MarkdownView
from tui.widgets.transcript.foldable import Foldable
from tui.widgets.transcript.part_drawing import PartDrawing
from tui.widgets.transcript.tool_call import ToolCall
from tui.widgets.transcript.view import TranscriptView

ONCE, TWICE, ALWAYS = 1, 2, 1_000_000


class Fault:
    """Make `method` of `widget` raise the next `times` times; `struck` counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, widget: type, method: str, times: int) -> None:
        original, fault = getattr(widget, method), self
        self.struck, self.times = 0, times

        @functools.wraps(original)  # Textual passes a handler as many arguments as it accepts
        def faulty(self: Widget, *args: object, **kwargs: object) -> object:
            if fault.struck < fault.times:
                fault.struck += 1
                raise ZeroDivisionError(method)
            return original(self, *args, **kwargs)

        monkeypatch.setattr(widget, method, faulty)


Inject = Callable[..., Fault]


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Inject:
    monkeypatch.setattr(error_boundary, "OURS", Path(__file__).parent)  # the place of a fault is its line here
    return lambda widget, method, times=ONCE: Fault(monkeypatch, widget, method, times)


async def still_works(stage: Stage) -> None:
    """Keys work, and server events are shown."""
    await stage.press(*"still")
    assert stage.main.prompt.text == "still"
    stage.client.feed(
        e.MessageUpserted(Message("msg_z", talk.SESSION, "user", created=99.0)),
        e.PartUpserted(TextPart("prt_z", talk.SESSION, "msg_z", "the newest words")),
    )
    await stage.shows("the newest words", "● live")


def tell_all(stage: Stage) -> None:
    stage.client.feed(*talk.at_work(), e.TodosChanged(talk.SESSION, (Todo("1", "in_progress"),)))
    stage.run_turn()


@pytest.mark.parametrize(
    ("widget", "method"),
    [
        (TranscriptView, "show_part"),
        (TranscriptView, "show_message"),
        (PartDrawing, "fill"),
        (MarkdownView, "show_text"),
        (MarkdownView, "render_lines"),
        (MarkdownView, "get_content_height"),
        (ToolCall, "on_mount"),
        (ToolCall, "headline"),
        (Foldable, "render"),
        (Plan, "show_todos"),
        (TurnStatus, "show_turn"),
    ],
)
@pytest.mark.parametrize("times", [ONCE, TWICE])
async def test_a_failed_part_is_redrawn(
    inject: Inject, widget: type, method: str, times: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with on_stage(fails=True) as stage:
        fault = inject(widget, method, times)
        tell_all(stage)
        await wait_until(lambda: fault.struck == times)
        await stage.shows("failed and was redrawn: ZeroDivisionError at ")
        await stage.shows(
            "Move the session store", "I'll look at the store", "src/store.py", "pytest -q", "plan 0 of 1"
        )
        await still_works(stage)
        assert "cannot be shown" not in stage.text
        assert "ZeroDivisionError" in caplog.text
        assert "Traceback" in caplog.text


def draws(stage: Stage) -> bool:
    """Whether the whole screen can be drawn: the harness draws it by itself, and would raise the error."""
    try:
        return bool(stage.text)
    except ZeroDivisionError:
        return False


@pytest.mark.parametrize(
    ("widget", "method"),
    [(MarkdownView, "show_text"), (MarkdownView, "render_lines"), (MarkdownView, "get_content_height")],
)
async def test_a_repeatedly_failing_part_is_replaced_by_a_line(
    inject: Inject, widget: type, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with on_stage(fails=True) as stage:
        inject(widget, method, ALWAYS)
        tell_all(stage)
        await wait_until(lambda: stage.main.query(".replaced") and draws(stage))
        await stage.shows("✗ This cannot be shown: ZeroDivisionError at ", "Move the session store", "src/store.py")
        await still_works(stage)
        assert 1 < caplog.text.count("Traceback") <= LOGGED_WHOLE


@pytest.mark.parametrize(("widget", "method"), [(TurnStatus, "show_turn"), (Plan, "render"), (Notices, "render")])
async def test_a_line_that_fails_every_second_is_replaced(
    inject: Inject, widget: type, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with on_stage(fails=True) as stage:
        inject(widget, method, ALWAYS)
        tell_all(stage)
        stage.app.call_later(stage.app.show_notice, Notice("words"))
        stage.app.set_interval(0.1, stage.app._tick)
        await wait_until(lambda: stage.main.query(".replaced"))
        await stage.shows("✗ This cannot be shown: ZeroDivisionError at ", "Move the session store")
        await still_works(stage)
        assert 1 < caplog.text.count("Traceback") <= LOGGED_WHOLE


async def test_replaced_parts_are_redrawn_for_another_session(inject: Inject) -> None:
    async with on_stage(fails=True) as stage:
        fault = inject(TurnStatus, "show_turn", ALWAYS)
        tell_all(stage)
        await stage.shows("✗ This cannot be shown")
        fault.times = 0
        stage.app.presenter.show_session(talk.SESSION)
        await stage.shows("turn 12:04")
        await stage.hides("cannot be shown")


async def test_a_request_with_a_failed_form_can_be_answered_after_redrawing(inject: Inject) -> None:
    async with on_stage(fails=True) as stage:
        inject(QuestionForm, "on_mount")
        stage.client.feed(e.RequestOpened(talk.CHOICES))
        await stage.shows("The request failed and was redrawn", "Where shall the sessions live?", "Postgres")
        stage.after_grace()
        await stage.press("2", "enter", "1", "enter", "enter")
        assert [call[0] for call in stage.client.calls("answer")] == [talk.CHOICES.id]


async def test_a_failing_key_affects_only_itself(inject: Inject) -> None:
    async with on_stage(fails=True) as stage:
        inject(PromptBox, "on_key")
        await stage.press("a", "b", "c")
        assert stage.main.prompt.text == "bc"


async def test_a_failed_dialog_is_closed(inject: Inject) -> None:
    async with on_stage(fails=True) as stage:
        inject(SessionPicker, "draw", ALWAYS)
        await stage.press("f2")
        await stage.shows("The dialog failed and was closed: ZeroDivisionError at ")
        await stage.until(lambda: stage.app.screen is stage.main)
        await still_works(stage)


async def test_a_failing_worker_or_timer_does_not_exit(inject: Inject) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async with on_stage(fails=True) as stage:
        stage.app.run_worker(fail())
        await stage.shows("A part of the screen failed and was redrawn: ZeroDivisionError at ")
        stage.client.feed(*talk.prompt(), talk.answer_begins(), talk.text("", state="streaming"))
        fault = inject(PartDrawing, "_draw_grown")
        stage.client.feed(talk.delta("lost with its frame"))
        await wait_until(lambda: fault.struck == ONCE)
        await stage.shows("The transcript failed and was redrawn", "lost with its frame")
        await still_works(stage)


async def test_errors_while_quitting_do_not_prevent_it(inject: Inject) -> None:
    async with on_stage(fails=True) as stage:
        await stage.press(*"a draft")
        fault = inject(TurnStatus, "show_turn")
        stage.run_turn()
        stage.app.exit()
        assert fault.struck == ONCE
        assert stage.client.journal.draft(talk.SESSION) == "a draft"
    assert stage.client.closed


async def test_the_reported_location_is_where_the_error_was_raised() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async with on_stage(fails=True) as stage:
        stage.main.prompt.call_later(fail)
        await stage.shows("The prompt failed and was redrawn: ZeroDivisionError at test_error_boundary.py:")


async def test_a_widget_is_replaced_once() -> None:
    async with on_stage() as stage:
        for _ in range(2):
            assert stage.main.replace(stage.main.turn_line, "cannot be shown")
        await stage.shows("cannot be shown")
        assert stage.text.count("cannot be shown") == 1
        assert not stage.main.replace(stage.main.prompt, "cannot be shown")


def ours() -> Iterator[type[Widget]]:
    for module in pkgutil.walk_packages(tui.widgets.__path__, "tui.widgets."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and issubclass(one, Widget) and one.__module__ == module.name:
                yield one


def test_every_own_widget_is_guarded() -> None:
    found = set(ours())
    assert len(found) > 30
    assert [one for one in found if not issubclass(one, Guarded)] == []
