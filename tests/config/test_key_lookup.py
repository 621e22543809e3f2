"""Configured keys work, and every part of the screen that names a key names the configured one."""

import re
from collections.abc import Iterator

import pytest
from textual.binding import Binding
from textual.dom import DOMNode

from tests import sample_events as sample
from tests.app_harness import AppHarness, app_harness
from tests.fake_client import FakeClient
from tests.widgets.requests.test_panel import asked
from tui.config.display import DisplaySettings
from tui.config.key_lookup import KEYS, Hint, commands, help_lines, hints, key, label, names_of, set_keymap
from tui.config.keymap import EVERYWHERE, PARTS, TABLE, Scope
from tui.core import events as e
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Todo
from tui.ui.app import HoldfastApp
from tui.ui.main_screen import MainScreen
from tui.widgets.base.bindings import bindings
from tui.widgets.dialogs.confirm import Confirm
from tui.widgets.dialogs.help import COLUMN, Help
from tui.widgets.dialogs.inbox import Inbox
from tui.widgets.dialogs.picker import Picker
from tui.widgets.dialogs.prompt_history import PromptHistory
from tui.widgets.dialogs.session_picker import SessionPicker
from tui.widgets.dialogs.text_input_dialog import TextInputDialog
from tui.widgets.prompt.queue_list import QueueList
from tui.widgets.requests.permission import PermissionForm
from tui.widgets.requests.question import QuestionForm
from tui.widgets.transcript.foldable import Foldable
from tui.widgets.transcript.search_bar import SearchBar
from tui.widgets.transcript.view import TranscriptView

OTHER = {action: f"f{number}" for number, action in enumerate(KEYS, start=13)}
"""Every action has a key that is not a default."""
DEFAULTS = re.compile(r"\bF[1-9]\b|\^[FGT]\b")
LOST = ConnectionStatus(ConnectionState.RECONNECTING, reason="reset", attempt=2, retry_in=4.0)


@pytest.fixture(autouse=True)
def _default_keys() -> Iterator[None]:
    yield
    set_keymap({})


def names_only_configured_keys(harness: AppHarness) -> None:
    assert not DEFAULTS.findall(harness.text), harness.text


async def test_the_screen_names_only_configured_keys() -> None:
    client = FakeClient()
    async with app_harness(client=client, look=DisplaySettings(keys=OTHER)) as harness:
        client.feed(*sample.at_work(), e.TodosChanged(sample.SESSION, (Todo("one", "pending"),)))
        await harness.shows(f"{label(OTHER['plan'])} all", f"{label(OTHER['help'])} help")
        names_only_configured_keys(harness)
        await asked(harness, sample.ONE_CHOICE)
        await harness.press("escape")
        await harness.shows(f"{label(OTHER['fold'])} answers it")
        names_only_configured_keys(harness)
        client.set_line(LOST)
        await harness.shows(f"{label(OTHER['retry'])} now")
        names_only_configured_keys(harness)


async def test_the_start_page_names_configured_keys() -> None:
    async with app_harness(session=None, look=DisplaySettings(keys=OTHER)) as harness:
        await harness.shows(f"{label(OTHER['sessions'])} opens an earlier session")
        names_only_configured_keys(harness)


@pytest.mark.parametrize("part", ["prompt", "transcript", "question"])
async def test_help_names_configured_keys_and_closes_by_them(part: str) -> None:
    async with app_harness(look=DisplaySettings(keys=OTHER), size=(120, 60)) as harness:
        if part == "question":
            await asked(harness, sample.ONE_CHOICE)
        elif part == "transcript":
            await harness.press("tab")
        await harness.press(OTHER["help"])
        await harness.shows(f"In the {part}", "Everywhere", f"{label(OTHER['copy_code'])} ", "^C")
        names_only_configured_keys(harness)
        await harness.press(OTHER["help"])
        await harness.hides("Everywhere")


async def test_the_palette_names_configured_keys() -> None:
    async with app_harness(look=DisplaySettings(keys=OTHER)) as harness:
        about = [command.help for command in harness.app.get_system_commands(harness.app.screen)]
        assert not [words for words in about if DEFAULTS.search(words)]
        assert f"What needs your answer, in any session ({label(OTHER['inbox'])})" in about


async def test_configured_keys_take_precedence_over_the_prompts() -> None:
    async with app_harness(look=DisplaySettings(keys={"help": "ctrl+y", "inbox": "ctrl+w"})) as harness:
        await harness.press(*"words", "ctrl+y")
        await harness.shows("In the prompt")
        await harness.press("escape", "ctrl+w")
        await harness.shows("Inbox")
        assert harness.main.prompt.text == "words"


@pytest.mark.parametrize(("action", "title"), [("sessions", "filter"), ("inbox", "Inbox")])
async def test_a_dialog_closes_by_the_key_that_opened_it(action: str, title: str) -> None:
    async with app_harness(look=DisplaySettings(keys=OTHER)) as harness:
        await harness.press(OTHER[action])
        await harness.shows(title)
        await harness.press(OTHER[action])
        await harness.until(lambda: harness.app.screen is harness.main)


async def test_keys_in_a_dialog_open_no_other_dialog() -> None:
    async with app_harness() as harness:
        await harness.press("f2")
        await harness.shows("filter")
        dialog = harness.app.screen
        await harness.press("f3", "ctrl+t")
        assert harness.app.screen is dialog
        await harness.press("f2")
        await harness.until(lambda: harness.app.screen is harness.main)


@pytest.mark.parametrize("action", sorted(set(KEYS) - {"release", "editor", "leave"}))
async def test_every_default_key_has_an_effect(action: str) -> None:
    """By its default key, in a state where it has an effect. Omitted keys are tested elsewhere."""
    async with app_harness() as harness:
        client = harness.client
        client.feed(*sample.prompt(), sample.answer_begins(), sample.text("```\ncode\n```"))
        client.feed(e.TodosChanged(sample.SESSION, (Todo("one", "pending"), Todo("two", "pending"))))
        await asked(harness, sample.ONE_CHOICE)
        await harness.shows("code", "plan 0 of 2")
        before, calls = harness.text, len(client.asked)
        await harness.press(KEYS[action])
        await harness.until(lambda: harness.text != before or len(client.asked) > calls, action)


def test_keys_have_labels_and_hints() -> None:
    set_keymap({"help": "ctrl+h, f9"})
    assert key("help") == "^H"
    assert hints(Scope.APP, "help", "abort") == (
        Hint("^H", "help", ("ctrl+h",)),
        Hint("Esc Esc", "abort", ("escape", "escape")),
    )
    assert hints(Scope.MAIN, "next_part(-1)")[0][::2] == ("⇧Tab", ("shift+tab",))
    assert hints(Scope.EDITOR, "newline")[0][::2] == ("^J", ("ctrl+j",))
    assert hints(Scope.QUESTION, "move(-1)", "move(1)") == (Hint("↑ ↓", "move"),), "a click cannot tell which"
    assert Hint("↑ ↓ k j", "move") in help_lines(Scope.QUESTION)
    assert help_lines(Scope.APP)[0][:2] == ("^H F9", "help: the keys of the focused part")


@pytest.mark.parametrize("scope", Scope)
def test_each_scope_is_in_the_help_or_has_keys_for_the_footer_only(scope: Scope) -> None:
    listed = scope in EVERYWHERE or any(scope in scopes for scopes in PARTS.values())
    assert listed or not [row for row in TABLE if row.scope is scope and row.help]


def test_the_help_fits_beside_its_keys() -> None:
    """In a dialog of 64 cells."""
    lines = [hint for scopes in (EVERYWHERE, *PARTS.values()) for hint in help_lines(*scopes)]
    assert [hint for hint in lines if len(hint.label) >= COLUMN or len(hint.what) > 60 - COLUMN - 2] == []


BOUND: list[tuple[Scope, type[DOMNode]]] = [
    (Scope.APP, HoldfastApp),
    (Scope.MAIN, MainScreen),
    (Scope.QUEUE, QueueList),
    (Scope.TRANSCRIPT, TranscriptView),
    (Scope.TOOL_CALL, Foldable),
    (Scope.QUESTION, QuestionForm),
    (Scope.PERMISSION, PermissionForm),
    (Scope.SEARCH, SearchBar),
    (Scope.SESSIONS, SessionPicker),
    (Scope.HISTORY, PromptHistory),
    (Scope.INBOX, Inbox),
    (Scope.PICKER, Picker),
    (Scope.CONFIRM, Confirm),
    (Scope.TEXT_INPUT, TextInputDialog),
    (Scope.HELP, Help),
]


@pytest.mark.parametrize(("scope", "widget"), BOUND, ids=lambda value: getattr(value, "name", ""))
def test_each_row_is_bound_to_an_existing_action(scope: Scope, widget: type[DOMNode]) -> None:
    bound = {binding.key: binding for binding in bindings(scope) if isinstance(binding, Binding)}
    for row in TABLE:
        if row.scope is scope and row.action and " " not in row.keys:
            assert set(filter(None, names_of(row))) <= set(bound)
    for binding in bound.values():
        owner, _, name = binding.action.partition("(")[0].rpartition(".")
        assert hasattr(MainScreen if owner else widget, f"action_{name}"), binding.action
    assert set(bound) <= {binding.key for binding in widget.BINDINGS if isinstance(binding, Binding)}


def test_each_command_has_an_action() -> None:
    actions = [f"action_{action}" for _, _, action in commands()]
    assert [one for one in actions if not (hasattr(HoldfastApp, one) or hasattr(MainScreen, one))] == []


MOVES_OR_EDITS = {
    "command_palette", "copy_or_leave", "send", "newline", "earlier", "cut", "paste", "page_up", "page_down", "",
}  # fmt: skip
"""Rows of the help that only edit text, move, or open the command list itself."""


def test_each_key_that_does_more_than_edit_or_move_is_a_command() -> None:
    rows = [row for row in TABLE if row.scope in (*EVERYWHERE, Scope.PROMPT, Scope.EDITOR) and row.help]
    assert {row.action for row in rows if row.command is None} == MOVES_OR_EDITS


async def test_a_hint_can_be_clicked() -> None:
    async with app_harness() as harness:
        await asked(harness, sample.ONE_CHOICE)
        for hint, folded in (("Esc collapse", True), ("F4 answer", False)):
            await harness.shows(hint)
            line = harness.text.split("\n")[-1]
            await harness.pilot.click(harness.main.key_hints, offset=(line.index(hint) + 1, 0))
            await harness.until(lambda folded=folded: harness.main.panel.folded is folded)  # type: ignore[misc]
