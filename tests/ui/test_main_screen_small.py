"""The prompt and its keys are always visible, even on the smallest screen."""

import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tui.core import events as e
from tui.core.changes import Notice
from tui.core.model import Todo

SIZES = [(40, 12), (40, 16), (80, 24), (120, 40)]


async def fill(stage: Stage) -> None:
    """A turn with a plan, a question, five queued prompts, and a sticky notice."""
    stage.client.feed(*talk.at_work(), e.TodosChanged(talk.SESSION, (Todo("first", "in_progress"),)))
    stage.run_turn()
    for number in range(5):
        await stage.press(*f"prompt {number}", "enter")
    stage.client.feed(e.RequestOpened(talk.CHOICES))
    stage.after_grace()
    await stage.until(lambda: stage.main.panel.has_focus_within)
    stage.client.tell(Notice("Something to know that may need two lines on this screen.", sticky=True))
    stage.after_grace()
    await stage.settled()


@pytest.mark.parametrize("size", SIZES)
async def test_the_prompt_is_visible_with_a_question_and_a_queue(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        await fill(stage)
        lines = stage.text.split("\n")
        assert lines[-2].startswith(" › "), stage.text
        assert "F1 help" in lines[-1]
        assert "Where shall the sessions live?" in stage.text
        assert "› 1 ( ) SQLite" in stage.text


@pytest.mark.parametrize("size", SIZES)
async def test_the_question_and_the_keys_are_visible_with_a_long_draft(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        await fill(stage)
        stage.after_grace()
        await stage.press("escape", *"the draft")
        for _ in range(12):
            await stage.press("ctrl+j", "x")
        lines = stage.text.split("\n")
        assert lines[-2].strip(" ▁▂▃▄▅▆▇█") == "x", stage.text
        assert "F1 help" in lines[-1]
        assert "build needs your answer" in stage.text


async def test_a_small_screen_shows_the_selected_queued_prompt() -> None:
    async with on_stage(size=(40, 12)) as stage:
        await fill(stage)
        await stage.press("escape")
        await stage.shows("5 prompts")
        assert "prompt 0" not in stage.text
        stage.main.queue.focus()
        await stage.press("down")
        await stage.shows("2 prompt 1")


async def test_a_tiny_screen_does_not_wrap_a_long_text_to_its_width() -> None:
    """Which would take seconds for a long paste, each time a window manager makes the terminal tiny for a moment."""
    async with on_stage() as stage:
        stage.client.feed(*talk.prompt("lorem ipsum " * 500))
        await stage.press(*"draft")
        await stage.settled()
        height = stage.main.transcript.virtual_size.height
        await stage.pilot.resize_terminal(3, 2)
        await stage.settled()
        assert stage.main.transcript.size.width >= 20
        assert stage.main.transcript.virtual_size.height < 6000 / 4
        await stage.pilot.resize_terminal(120, 40)
        await stage.shows("lorem ipsum", "› draft", "F1 help")
        assert stage.main.transcript.virtual_size.height == height
