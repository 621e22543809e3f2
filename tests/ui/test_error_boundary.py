"""After an exception in any part of the screen, the app continues, reports it in one line, and redraws the part."""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from textual.widget import Widget

import tui.widgets
from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
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


async def still_works(harness: AppHarness) -> None:
    """Keys work, and server events are shown."""
    await harness.press(*"still")
    assert harness.main.prompt.text == "still"
    harness.client.feed(
        e.MessageUpserted(Message("msg_z", sample.SESSION, "user", created=99.0)),
        e.PartUpserted(TextPart("prt_z", sample.SESSION, "msg_z", "the newest words")),
    )
    await harness.shows("the newest words", "● live")


def tell_all(harness: AppHarness) -> None:
    harness.client.feed(*sample.at_work(), e.TodosChanged(sample.SESSION, (Todo("1", "in_progress"),)))
    harness.run_turn()


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
    async with app_harness(fails=True) as harness:
        fault = inject(widget, method, times)
        tell_all(harness)
        await wait_until(lambda: fault.struck == times)
        await harness.shows("failed and was redrawn: ZeroDivisionError at ")
        await harness.shows(
            "Move the session store", "I'll look at the store", "src/store.py", "pytest -q", "plan 0 of 1"
        )
        await still_works(harness)
        assert "cannot be shown" not in harness.text
        assert "ZeroDivisionError" in caplog.text
        assert "Traceback" in caplog.text


def draws(harness: AppHarness) -> bool:
    """Whether the whole screen can be drawn: the harness draws it by itself, and would raise the error."""
    try:
        return bool(harness.text)
    except ZeroDivisionError:
        return False


@pytest.mark.parametrize(
    ("widget", "method"),
    [(MarkdownView, "show_text"), (MarkdownView, "render_lines"), (MarkdownView, "get_content_height")],
)
async def test_a_repeatedly_failing_part_is_replaced_by_a_line(
    inject: Inject, widget: type, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with app_harness(fails=True) as harness:
        inject(widget, method, ALWAYS)
        tell_all(harness)
        await wait_until(lambda: harness.main.query(".replaced") and draws(harness))
        await harness.shows("✗ This cannot be shown: ZeroDivisionError at ", "Move the session store", "src/store.py")
        await still_works(harness)
        assert 1 < caplog.text.count("Traceback") <= LOGGED_WHOLE


@pytest.mark.parametrize(("widget", "method"), [(TurnStatus, "show_turn"), (Plan, "render"), (Notices, "render")])
async def test_a_line_that_fails_every_second_is_replaced(
    inject: Inject, widget: type, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with app_harness(fails=True) as harness:
        inject(widget, method, ALWAYS)
        tell_all(harness)
        harness.app.call_later(harness.app.show_notice, Notice("words"))
        harness.app.set_interval(0.1, harness.app._tick)
        await wait_until(lambda: harness.main.query(".replaced"))
        await harness.shows("✗ This cannot be shown: ZeroDivisionError at ", "Move the session store")
        await still_works(harness)
        assert 1 < caplog.text.count("Traceback") <= LOGGED_WHOLE


async def test_replaced_parts_are_redrawn_for_another_session(inject: Inject) -> None:
    async with app_harness(fails=True) as harness:
        fault = inject(TurnStatus, "show_turn", ALWAYS)
        tell_all(harness)
        await harness.shows("✗ This cannot be shown")
        fault.times = 0
        harness.app.presenter.show_session(sample.SESSION)
        await harness.shows("turn 12:04")
        await harness.hides("cannot be shown")


async def test_a_request_with_a_failed_form_can_be_answered_after_redrawing(inject: Inject) -> None:
    async with app_harness(fails=True) as harness:
        inject(QuestionForm, "on_mount")
        harness.client.feed(e.RequestOpened(sample.CHOICES))
        await harness.shows("The request failed and was redrawn", "Where shall the sessions live?", "Postgres")
        harness.pass_input_guard()
        await harness.press("2", "enter", "1", "enter", "enter")
        assert [call[0] for call in harness.client.calls("answer")] == [sample.CHOICES.id]


async def test_a_failing_key_affects_only_itself(inject: Inject) -> None:
    async with app_harness(fails=True) as harness:
        inject(PromptBox, "on_key")
        await harness.press("a", "b", "c")
        assert harness.main.prompt.text == "bc"


async def test_a_failed_dialog_is_closed(inject: Inject) -> None:
    async with app_harness(fails=True) as harness:
        inject(SessionPicker, "draw", ALWAYS)
        await harness.press("f2")
        await harness.shows("The dialog failed and was closed: ZeroDivisionError at ")
        await harness.until(lambda: harness.app.screen is harness.main)
        await still_works(harness)


async def test_a_failing_worker_or_timer_does_not_exit(inject: Inject) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    async with app_harness(fails=True) as harness:
        harness.app.run_worker(fail())
        await harness.shows("A part of the screen failed and was redrawn: ZeroDivisionError at ")
        harness.client.feed(*sample.prompt(), sample.answer_begins(), sample.text("", state="streaming"))
        fault = inject(PartDrawing, "_draw_grown")
        harness.client.feed(sample.delta("lost with its frame"))
        await wait_until(lambda: fault.struck == ONCE)
        await harness.shows("The transcript failed and was redrawn", "lost with its frame")
        await still_works(harness)


async def test_errors_while_quitting_do_not_prevent_it(inject: Inject) -> None:
    async with app_harness(fails=True) as harness:
        await harness.press(*"a draft")
        fault = inject(TurnStatus, "show_turn")
        harness.run_turn()
        harness.app.exit()
        assert fault.struck == ONCE
        assert harness.client.journal.draft(sample.SESSION) == "a draft"
    assert harness.client.closed


async def test_the_reported_location_is_where_the_error_was_raised() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    async with app_harness(fails=True) as harness:
        harness.main.prompt.call_later(fail)
        await harness.shows("The prompt failed and was redrawn: ZeroDivisionError at test_error_boundary.py:")


async def test_a_widget_is_replaced_once() -> None:
    async with app_harness() as harness:
        for _ in range(2):
            assert harness.main.replace(harness.main.turn_line, "cannot be shown")
        await harness.shows("cannot be shown")
        assert harness.text.count("cannot be shown") == 1
        assert not harness.main.replace(harness.main.prompt, "cannot be shown")


def ours() -> Iterator[type[Widget]]:
    for module in pkgutil.walk_packages(tui.widgets.__path__, "tui.widgets."):
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and issubclass(one, Widget) and one.__module__ == module.name:
                yield one


def test_every_own_widget_is_guarded() -> None:
    found = set(ours())
    assert len(found) > 30
    assert [one for one in found if not issubclass(one, Guarded)] == []
