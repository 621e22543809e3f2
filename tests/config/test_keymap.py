"""Keys of the person's own: they work, and every place on the screen that names a key names theirs."""

import re
from collections.abc import Iterator

import pytest

from tests import sample_events as talk
from tests.app_harness import Stage, on_stage
from tests.fake_client import FakeClient
from tests.widgets.requests.test_panel import asked
from tui.config.display import DisplaySettings
from tui.config.keymap import KEYS, key, keys_in_hint, label, set_keymap, with_keys
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Todo

OTHER = {action: f"f{number}" for number, action in enumerate(KEYS, start=13)}
"""Every action has a key that no default is."""
DEFAULTS = re.compile(r"\bF[1-9]\b|\^[FGT]\b")
LOST = ConnectionStatus(ConnectionState.RECONNECTING, reason="reset", attempt=2, retry_in=4.0)


@pytest.fixture(autouse=True)
def _default_keys() -> Iterator[None]:
    yield
    set_keymap({})


def names_only_theirs(stage: Stage) -> None:
    assert not DEFAULTS.findall(stage.text), stage.text


async def test_no_place_names_a_key_that_is_not_theirs() -> None:
    client = FakeClient()
    async with on_stage(client=client, look=DisplaySettings(keys=OTHER)) as stage:
        client.feed(*talk.at_work(), e.TodosChanged(talk.SESSION, (Todo("one", "pending"),)))
        await stage.shows(f"{label(OTHER['plan'])} all", f"{label(OTHER['help'])} help")
        names_only_theirs(stage)
        await asked(stage, talk.ONE_CHOICE)
        await stage.press("escape")
        await stage.shows(f"{label(OTHER['fold'])} answers it")
        names_only_theirs(stage)
        client.set_line(LOST)
        await stage.shows(f"{label(OTHER['retry'])} retry now")
        names_only_theirs(stage)


async def test_the_page_without_a_session_names_theirs() -> None:
    async with on_stage(session=None, look=DisplaySettings(keys=OTHER)) as stage:
        await stage.shows(f"{label(OTHER['sessions'])} opens an earlier session")
        names_only_theirs(stage)


@pytest.mark.parametrize("part", ["prompt", "transcript", "question"])
async def test_help_names_theirs_and_goes_by_theirs(part: str) -> None:
    async with on_stage(look=DisplaySettings(keys=OTHER), size=(120, 60)) as stage:
        if part == "question":
            await asked(stage, talk.ONE_CHOICE)
        elif part == "transcript":
            await stage.press("tab")
        await stage.press(OTHER["help"])
        await stage.shows(f"In the {part}", "Everywhere", f"{label(OTHER['copy_code'])} ", "^C")
        names_only_theirs(stage)
        await stage.press(OTHER["help"])
        await stage.hides("Everywhere")


async def test_the_palette_names_theirs() -> None:
    async with on_stage(look=DisplaySettings(keys=OTHER)) as stage:
        about = [command.help for command in stage.app.get_system_commands(stage.app.screen)]
        assert not [words for words in about if DEFAULTS.search(words)]
        assert f"Who waits for you, in any session ({label(OTHER['inbox'])})" in about


async def test_a_key_that_the_prompt_would_take_is_theirs() -> None:
    async with on_stage(look=DisplaySettings(keys={"help": "ctrl+y", "inbox": "ctrl+w"})) as stage:
        await stage.press(*"words", "ctrl+y")
        await stage.shows("In the prompt")
        await stage.press("escape", "ctrl+w")
        await stage.shows("Inbox")
        assert stage.main.prompt.text == "words"


@pytest.mark.parametrize(("action", "title"), [("sessions", "filter"), ("inbox", "Inbox")])
async def test_a_dialog_is_left_by_the_key_that_opened_it(action: str, title: str) -> None:
    async with on_stage(look=DisplaySettings(keys=OTHER)) as stage:
        await stage.press(OTHER[action])
        await stage.shows(title)
        await stage.press(OTHER[action])
        await stage.until(lambda: stage.app.screen is stage.main)


async def test_in_a_dialog_they_open_no_other_dialog() -> None:
    async with on_stage() as stage:
        await stage.press("f2")
        await stage.shows("filter")
        dialog = stage.app.screen
        await stage.press("f3", "ctrl+t")
        assert stage.app.screen is dialog
        await stage.press("f2")
        await stage.until(lambda: stage.app.screen is stage.main)


@pytest.mark.parametrize("action", sorted(set(KEYS) - {"release", "editor", "leave"}))
async def test_every_key_of_ours_does_something(action: str) -> None:
    """By its default key, where it has something to do. Those left out have tests with what they need."""
    async with on_stage() as stage:
        client = stage.client
        client.feed(*talk.prompt(), talk.answer_begins(), talk.text("```\ncode\n```"))
        client.feed(e.TodosChanged(talk.SESSION, (Todo("one", "pending"), Todo("two", "pending"))))
        await asked(stage, talk.ONE_CHOICE)
        await stage.shows("code", "plan 0 of 2")
        before, calls = stage.text, len(client.asked)
        await stage.press(KEYS[action])
        await stage.until(lambda: stage.text != before or len(client.asked) > calls, action)


def test_how_keys_are_named_and_pressed() -> None:
    set_keymap({"help": "ctrl+h"})
    assert key("help") == "^H"
    assert with_keys("{help} or {inbox}") == "^H or F3"
    assert keys_in_hint("{help}") == ("ctrl+h",)
    assert keys_in_hint("Esc Esc") == ("escape", "escape")
    assert keys_in_hint("⇧Tab") == ("shift+tab",)
    assert keys_in_hint("^J") == ("ctrl+j",)
    assert keys_in_hint("x") == ("x",)
    assert keys_in_hint("↑ ↓") == ()
    assert keys_in_hint("← →") == ()
    assert keys_in_hint("n p") == ()


async def test_a_hint_is_clicked() -> None:
    async with on_stage() as stage:
        await asked(stage, talk.ONE_CHOICE)
        for hint, folded in (("Esc fold", True), ("F4 answer", False)):
            await stage.shows(hint)
            line = stage.text.split("\n")[-1]
            await stage.pilot.click(stage.main.key_hints, offset=(line.index(hint) + 1, 0))
            await stage.until(lambda folded=folded: stage.main.panel.folded is folded)  # type: ignore[misc]
