"""The prompt and its keys are always visible, even on the smallest screen."""

import pytest

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tui.core import events as e
from tui.core.changes import Notice
from tui.core.model import Todo

SIZES = [(40, 12), (40, 16), (80, 24), (120, 40)]


async def fill(harness: AppHarness) -> None:
    """A turn with a plan, a question, five queued prompts, and a sticky notice."""
    harness.client.feed(*sample.at_work(), e.TodosChanged(sample.SESSION, (Todo("first", "in_progress"),)))
    harness.run_turn()
    for number in range(5):
        await harness.press(*f"prompt {number}", "enter")
    harness.client.feed(e.RequestOpened(sample.CHOICES))
    harness.pass_input_guard()
    await harness.until(lambda: harness.main.panel.has_focus_within)
    harness.client.tell(Notice("Something to know that may need two lines on this screen.", sticky=True))
    harness.pass_input_guard()
    await harness.settled()


@pytest.mark.parametrize("size", SIZES)
async def test_the_prompt_is_visible_with_a_question_and_a_queue(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        await fill(harness)
        lines = harness.text.split("\n")
        assert lines[-2].startswith(" › "), harness.text
        assert "F1 help" in lines[-1]
        assert "Where shall the sessions live?" in harness.text
        assert "› 1 ( ) SQLite" in harness.text


@pytest.mark.parametrize("size", SIZES)
async def test_the_question_and_the_keys_are_visible_with_a_long_draft(size: tuple[int, int]) -> None:
    async with app_harness(size=size) as harness:
        await fill(harness)
        harness.pass_input_guard()
        await harness.press("escape", *"the draft")
        for _ in range(12):
            await harness.press("ctrl+j", "x")
        lines = harness.text.split("\n")
        assert lines[-2].strip(" ▁▂▃▄▅▆▇█") == "x", harness.text
        assert "F1 help" in lines[-1]
        assert "build needs your answer" in harness.text


async def test_a_small_screen_shows_the_selected_queued_prompt() -> None:
    async with app_harness(size=(40, 12)) as harness:
        await fill(harness)
        await harness.press("escape")
        await harness.shows("5 prompts")
        assert "prompt 0" not in harness.text
        harness.main.queue.focus()
        await harness.press("down")
        await harness.shows("2 prompt 1")


async def test_a_tiny_screen_does_not_wrap_a_long_text_to_its_width() -> None:
    """Which would take seconds for a long paste, each time a window manager makes the terminal tiny for a moment."""
    async with app_harness() as harness:
        harness.client.feed(*sample.prompt("lorem ipsum " * 500))
        await harness.press(*"draft")
        await harness.settled()
        height = harness.main.transcript.virtual_size.height
        await harness.pilot.resize_terminal(3, 2)
        await harness.settled()
        assert harness.main.transcript.size.width >= 20
        assert harness.main.transcript.virtual_size.height < 6000 / 4
        await harness.pilot.resize_terminal(120, 40)
        await harness.shows("lorem ipsum", "› draft", "F1 help")
        assert harness.main.transcript.virtual_size.height == height
