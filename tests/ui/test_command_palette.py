"""The command palette lists what the keys do, and each command says so if it has nothing to do."""

import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.fake_client import FakeClient
from tui.backends.base import Traits


async def run_command(stage: Stage, name: str) -> None:
    await stage.press("ctrl+p", *name)
    await stage.shows(f"  {name}  ")
    await stage.press("enter")
    await stage.until(lambda: stage.app.screen is stage.main)


async def test_the_palette_says_that_nothing_was_found() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+p", *"qqqq")
        await stage.shows("No matches found")


@pytest.mark.parametrize(
    ("name", "said"),
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
async def test_a_command_that_has_nothing_to_do_says_so(name: str, said: str) -> None:
    client = FakeClient()
    client.traits = Traits("opencode", undoes=True)
    async with on_stage(client=client, session=None if name == "Search" else talk.SESSION) as stage:
        await run_command(stage, name)
        await stage.shows(said)


async def test_escape_without_a_turn_says_nothing() -> None:
    async with on_stage() as stage:
        await stage.press("escape", "escape")
        assert "No turn" not in stage.text


async def test_a_queue_that_is_not_paused_is_not_resumed() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press(*"next", "enter", "f8")
        await stage.shows("The queue is not paused.")


async def test_the_palette_sends_now() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press(*"hurry")
        await run_command(stage, "Send now")
        await stage.until(lambda: stage.client.calls("send") == [(talk.SESSION, "hurry")])


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
    async with on_stage() as stage:
        await stage.press(*before)
        await run_command(stage, name)
        await stage.shows(offered)
        await stage.press("tab")
        assert stage.main.prompt.text == after
