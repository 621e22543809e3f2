"""Keys and text are handled in the order in which the terminal sent them, however busy the screen is."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.widgets import Input, TextArea

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.waiting import wait_until
from tui.core import events as e
from tui.ui.terminal_input import TextBurst
from tui.widgets.requests.custom_answer import AnswerInput


async def _prompt(stage: Stage) -> None:
    pass


async def _custom_answer(stage: Stage) -> None:
    stage.client.feed(e.RequestOpened(talk.CHOICES))
    await stage.shows("Where shall")
    stage.after_grace()
    await stage.until(lambda: stage.main.panel.has_focus_within)
    stage.after_grace()
    await stage.press("3")
    await stage.until(lambda: isinstance(stage.app.focused, AnswerInput))


async def _search(stage: Stage) -> None:
    await stage.press("ctrl+f")


async def test_the_editor_gets_text_typed_before_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if letters are passed to the prompt by a question that has just taken the focus."""
    async with on_stage() as stage:
        opened: list[str] = []
        monkeypatch.setattr(stage.app.choosing, "editor", lambda: opened.append(stage.main.prompt.text))
        stage.client.feed(e.RequestOpened(talk.ONE_CHOICE))
        await stage.until(lambda: stage.main.panel.has_focus_within)
        stage.burst(*"before", "ctrl+g")
        await stage.until(lambda: opened)
        assert opened == ["before"]


FIELDS = pytest.mark.parametrize("open_field", [_prompt, _custom_answer, _search])

EDITS = pytest.mark.parametrize(
    ("keys", "text"),
    [
        (["a", "b", "backspace", "c"], "ac"),
        (["a", "backspace", "b", "backspace", "c", "backspace", "d"], "d"),
        (["a", "b", "left", "c"], "acb"),
        (["a", "b", "left", "left", "c", "right", "d"], "cadb"),
        (["a", "b", "home", "c", "end", "d"], "cabd"),
        (["a", "b", "left", "delete", "c"], "ac"),
        (["one", "left", "ctrl+k", "x"], "onx"),
        (["one two", "ctrl+w", "x"], "one x"),
        (["one", "ctrl+u", "x"], "x"),
        (["one", "backspace", "<two>", "backspace", "x"], "ontwx"),
        (["one", "home", "<two>", "end", "x"], "twoonex"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)


def came(stage: Stage, *keys: str) -> None:
    """The terminal's input while the app was busy: keys, several letters per read, and pastes in `<>`."""
    for key in keys:
        if key.startswith("<"):
            stage.app.post_message(events.Paste(key[1:-1]))
        elif " " in key or key == "one":
            stage.app.post_message(TextBurst(key))
        else:
            stage.burst(key)


@FIELDS
@EDITS
async def test_editing_keys_and_text_are_handled_in_order(
    open_field: Callable[[Stage], Awaitable[None]], keys: list[str], text: str
) -> None:
    async with on_stage() as stage:
        await open_field(stage)
        await stage.until(lambda: isinstance(stage.app.focused, Input | TextArea))
        field = stage.app.focused
        assert isinstance(field, Input | TextArea)
        came(stage, *keys)
        await stage.settled()
        assert (field.text if isinstance(field, TextArea) else field.value) == text


async def test_input_behind_a_key_that_moves_the_focus_is_for_the_new_target() -> None:
    async with on_stage() as stage:
        came(stage, "a", "ctrl+f", "b", "x", "backspace", "c", "escape", "d", "home", "e")
        await stage.until(lambda: stage.main.focused is stage.main.prompt and "d" in stage.main.prompt.text)
        assert stage.main.prompt.text == "ead"
        came(stage, "f", "enter", "g", "backspace", "h", "enter")
        await stage.shows("1 prompt", "▌ you          efad")
        assert stage.client.calls("send") == [(talk.SESSION, "efad")]
        assert stage.main.prompt.text == ""


async def test_input_behind_a_key_that_opens_a_dialog_is_for_the_dialog() -> None:
    async with on_stage() as stage:
        came(stage, "a", "f2", "b", "x", "backspace", "c", "escape", "d")
        await stage.until(lambda: stage.app.screen is stage.main and stage.main.prompt.text == "ad")


async def test_a_widget_that_never_answers_does_not_hold_up_the_keys_for_ever() -> None:
    async with on_stage() as stage:
        answers = asyncio.Event()
        stage.main.prompt.call_later(answers.wait)
        came(stage, "tab", "f2")
        for _ in range(4):
            stage.app.call_later(stage.app.input.tick)
        try:
            await wait_until(lambda: stage.app.screen is not stage.main, what="the second key is handled")
        finally:
            answers.set()
        await stage.settled()
