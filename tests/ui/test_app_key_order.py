"""Keys and text are handled in the order in which the terminal sent them, however busy the screen is."""

from collections.abc import Awaitable, Callable

import pytest
from textual import events
from textual.widgets import Input, TextArea

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.core import events as e
from tui.ui.terminal_input import TextBurst
from tui.widgets.requests.custom_answer import Field


async def _prompt(stage: Stage) -> None:
    pass


async def _custom_answer(stage: Stage) -> None:
    stage.client.feed(e.RequestOpened(talk.CHOICES))
    await stage.shows("Where shall")
    stage.after_grace()
    await stage.until(lambda: stage.main.panel.has_focus_within)
    stage.after_grace()
    await stage.press("3")
    await stage.until(lambda: isinstance(stage.app.focused, Field))


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
