"""The command palette lists what the keys do, and each command says so if it has nothing to do."""

import pytest

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import FakeClient
from tui.backends.base import Traits


async def run_command(harness: AppHarness, name: str) -> None:
    await harness.press("ctrl+p", *name)
    await harness.shows(f"  {name}  ")
    await harness.press("enter")
    await harness.until(lambda: harness.app.screen is harness.main)


async def test_the_palette_says_that_nothing_was_found() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+p", *"qqqq")
        await harness.shows("No matches found")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Abort the turn", "No turn is running."),
        ("Resume queue", "No prompt is queued."),
        ("Question", "Nothing in this session needs your answer."),
        ("Send now", "The prompt is empty."),
        ("Search", "There is no transcript to search."),
        ("Plan", "This session has no plan."),
        ("Copy code", "No visible code."),
        ("Undo", "No prompt to undo here."),
        ("Redo", "Nothing to redo here."),
    ],
)
async def test_a_command_that_has_nothing_to_do_says_so(name: str, message: str) -> None:
    client = FakeClient()
    client.traits = Traits("opencode", undoes=True)
    async with app_harness(client=client, session=None if name == "Search" else sample.SESSION) as harness:
        await run_command(harness, name)
        await harness.shows(message)


async def test_escape_without_a_turn_says_nothing() -> None:
    async with app_harness() as harness:
        await harness.press("escape", "escape")
        assert "No turn" not in harness.text


async def test_a_queue_that_is_not_paused_is_not_resumed() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press(*"next", "enter", "f8")
        await harness.shows("The queue is not paused.")


async def test_the_palette_sends_now() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press(*"hurry")
        await run_command(harness, "Send now")
        await harness.until(lambda: harness.client.calls("send") == [(sample.SESSION, "hurry")])


@pytest.mark.parametrize(
    ("name", "before", "offered", "after"),
    [
        ("Attach a file", "see", "src/store.py", "see @src/store.py "),
        ("Attach a file", "", "src/store.py", "@src/store.py "),
        ("Run a server command", "", "init", "/init "),
        ("Run a server command", "the parser", "init", "/init the parser"),
    ],
)
async def test_the_palette_opens_the_lists_of_files_and_commands(
    name: str, before: str, offered: str, after: str
) -> None:
    async with app_harness() as harness:
        await harness.press(*before)
        await run_command(harness, name)
        await harness.shows(offered)
        await harness.press("tab")
        assert harness.main.prompt.text == after
