"""Keys and text are handled in the order in which the terminal sent them, however busy the screen is."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.widgets import Input, TextArea

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.waiting import wait_until
from tui.core import events as e
from tui.ui.terminal_input import TextBurst
from tui.widgets.requests.request_form import AnswerInput


async def _prompt(harness: AppHarness) -> None:
    pass


async def _custom_answer(harness: AppHarness) -> None:
    harness.client.feed(e.RequestOpened(sample.CHOICES))
    await harness.shows("Where shall")
    harness.pass_input_guard()
    await harness.until(lambda: harness.main.panel.has_focus_within)
    harness.pass_input_guard()
    await harness.press("3")
    await harness.until(lambda: isinstance(harness.app.focused, AnswerInput))


async def _search(harness: AppHarness) -> None:
    await harness.press("ctrl+f")


async def test_the_editor_gets_text_typed_before_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if letters are passed to the prompt by a question that has just taken the focus."""
    async with app_harness() as harness:
        opened: list[str] = []
        monkeypatch.setattr(harness.app.choosing, "editor", lambda: opened.append(harness.main.prompt.text))
        harness.client.feed(e.RequestOpened(sample.ONE_CHOICE))
        await harness.until(lambda: harness.main.panel.has_focus_within)
        harness.burst(*"before", "ctrl+g")
        await harness.until(lambda: opened)
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


def came(harness: AppHarness, *keys: str) -> None:
    """The terminal's input while the app was busy: keys, several letters per read, and pastes in `<>`."""
    for key in keys:
        if key.startswith("<"):
            harness.app.post_message(events.Paste(key[1:-1]))
        elif " " in key or key == "one":
            harness.app.post_message(TextBurst(key))
        else:
            harness.burst(key)


@FIELDS
@EDITS
async def test_editing_keys_and_text_are_handled_in_order(
    open_field: Callable[[AppHarness], Awaitable[None]], keys: list[str], text: str
) -> None:
    async with app_harness() as harness:
        await open_field(harness)
        await harness.until(lambda: isinstance(harness.app.focused, Input | TextArea))
        field = harness.app.focused
        assert isinstance(field, Input | TextArea)
        came(harness, *keys)
        await harness.settled()
        assert (field.text if isinstance(field, TextArea) else field.value) == text


async def test_input_behind_a_key_that_moves_the_focus_is_for_the_new_target() -> None:
    async with app_harness() as harness:
        came(harness, "a", "ctrl+f", "b", "x", "backspace", "c", "escape", "d", "home", "e")
        await harness.until(lambda: harness.main.focused is harness.main.prompt and "d" in harness.main.prompt.text)
        assert harness.main.prompt.text == "ead"
        came(harness, "f", "enter", "g", "backspace", "h", "enter")
        await harness.shows("1 prompt", "▌ you          efad")
        assert harness.client.calls("send") == [(sample.SESSION, "efad")]
        assert harness.main.prompt.text == ""


async def test_input_behind_a_key_that_opens_a_dialog_is_for_the_dialog() -> None:
    async with app_harness() as harness:
        came(harness, "a", "f2", "b", "x", "backspace", "c", "escape", "d")
        await harness.until(lambda: harness.app.screen is harness.main and harness.main.prompt.text == "ad")


async def test_a_widget_that_never_answers_does_not_hold_up_the_keys_for_ever() -> None:
    async with app_harness() as harness:
        answers = asyncio.Event()
        harness.main.prompt.call_later(answers.wait)
        came(harness, "tab", "f2")
        for _ in range(4):
            harness.app.call_later(harness.app.input.tick)
        try:
            await wait_until(lambda: harness.app.screen is not harness.main, what="the second key is handled")
        finally:
            answers.set()
        await harness.settled()
