"""Options of the next prompt, selected with keys."""

import asyncio
import gc
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests import sample_events as sample
from tests.app_harness import app_harness
from tests.fake_client import FakeOffers
from tui.backends.base import Traits
from tui.backends.decoding import MAX_CATALOG_ITEMS, Rows
from tui.core.changes import DraftReturned
from tui.core.model import CatalogItem, Prompt
from tui.net.errors import ConnectFailed
from tui.widgets.dialogs.picker import Picker

PROMPT = Prompt(sample.SESSION, "words", "msg_1", "prt_1")


async def test_the_agent_is_selected_for_this_session() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+t")
        await harness.shows("Agent", "thinks first")
        await harness.press(*"plan", "enter")
        await harness.shows("agent plan", "· plan")
        assert harness.client.choices.applied(PROMPT).agent == "plan"
        assert harness.client.choices.applied(PROMPT).model is None
        assert harness.client.choices.of("ses_2").agent is None


async def test_the_familys_name_for_agents_is_used() -> None:
    async with app_harness() as harness:
        harness.client.traits = Traits("any", agent_label="mode")
        await harness.press("ctrl+t")
        await harness.shows("Mode", "thinks first")
        await harness.press(*"plan", "enter")
        await harness.shows("From the next prompt on: mode plan.")


async def test_the_model_is_selected_from_the_palette() -> None:
    async with app_harness() as harness:
        harness.app.choosing.model()
        await harness.shows("acme/small")
        await harness.press("down", "enter")
        await harness.until(lambda: harness.client.choices.applied(PROMPT).model == "acme/small")
        await harness.shows("Move the store to SQLite · small")


async def test_esc_selects_nothing() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+t")
        await harness.shows("thinks first")
        await harness.press("escape")
        await harness.until(lambda: not isinstance(harness.app.screen, Picker))
        assert harness.client.choices.applied(PROMPT) == PROMPT


async def test_an_unreachable_server_is_reported() -> None:
    async with app_harness() as harness:
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press("ctrl+t")
        await harness.shows("connection refused")


async def test_completions_are_listed_and_filtered_while_typing() -> None:
    async with app_harness(size=(80, 24)) as harness:
        await harness.press(*"see @s")
        await harness.shows(
            "› @src/store.py", "  @src/session.py", "@tests/", "Enter choose  ↑ ↓ move  Esc close the list"
        )
        await harness.press(*"rc/se")
        await harness.shows("› @src/session.py")
        await harness.hides("@src/store.py")
        await harness.press("tab")
        assert harness.main.prompt.text == "see @src/session.py "
        await harness.hides("› @")
        assert harness.main.focused is harness.main.prompt


async def test_enter_inserts_the_selected_completion() -> None:
    async with app_harness() as harness:
        await harness.press(*"see @src")
        await harness.shows("› @src/store.py")
        await harness.press("up", "up", "down", "enter")
        assert harness.main.prompt.text == "see @src/session.py "
        assert harness.client.calls("send") == []
        await harness.press("backspace", "enter")
        assert harness.client.calls("send") == [(sample.SESSION, "see @src/session.py")]


async def test_enter_completes_a_partial_name_and_sends_a_complete_one() -> None:
    async with app_harness() as harness:
        await harness.press(*"/in")
        await harness.shows("› /init  set up")
        await harness.press("enter")
        assert harness.main.prompt.text == "/init "
        await harness.press("backspace")
        await harness.shows("› /init  set up", "Tab choose  ↑ ↓ move  Esc close the list  Enter send")
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "/init")]


async def test_enter_before_the_completions_arrive_sends() -> None:
    async with app_harness() as harness:
        harness.burst(*"see @src", "enter", *"rest")
        await harness.until(lambda: harness.main.prompt.text == "rest")
        assert harness.client.calls("send") == [(sample.SESSION, "see @src")]


@pytest.mark.parametrize("words", ["see @", "/"])
async def test_enter_after_a_bare_sign_sends(words: str) -> None:
    async with app_harness() as harness:
        await harness.press(*words)
        await harness.shows(f"› {words[-1]}")
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, words)]


async def test_esc_closes_the_completions_of_this_word_without_aborting() -> None:
    async with app_harness() as harness:
        harness.run_turn()
        await harness.press(*"see @src")
        await harness.shows("› @src/store.py")
        await harness.press("escape")
        await harness.hides("› @src/store.py")
        await harness.hides("Esc once more")
        await harness.press(*"/st")
        await harness.hides("› @src/store.py")
        await harness.press("enter")
        assert harness.client.calls("wait") or harness.main.queue.display
        await harness.press(*"@src")
        await harness.shows("› @src/store.py")


async def test_tab_reopens_the_completions() -> None:
    async with app_harness() as harness:
        await harness.press(*"see @src")
        await harness.shows("› @src/store.py")
        await harness.press("escape", "tab")
        await harness.shows("› @src/store.py")
        await harness.press("down", "tab")
        assert harness.main.prompt.text == "see @src/session.py "


async def test_completing_a_folder_lists_its_contents() -> None:
    async with app_harness() as harness:
        await harness.press(*"@tes")
        await harness.shows("› @tests/")
        await harness.press("tab")
        assert harness.main.prompt.text == "@tests/"
        await harness.shows("› @tests/")


async def test_recalled_prompts_open_no_completions() -> None:
    async with app_harness() as harness:
        harness.client.journal.remember("before that")
        harness.client.journal.remember("see @src")
        await harness.press("up")
        assert harness.main.prompt.text == "see @src"
        await harness.press("up")
        assert harness.main.prompt.text == "before that"
        assert harness.client.calls("files") == []


async def test_a_click_inserts_a_completion() -> None:
    async with app_harness() as harness:
        await harness.press(*"see @src")
        await harness.shows("@src/session.py")
        lines = harness.text.split("\n")
        row = next(row for row, line in enumerate(lines) if "@src/session.py" in line)
        await harness.pilot.click(offset=(8, row))
        await harness.until(lambda: harness.main.prompt.text == "see @src/session.py ")
        assert harness.main.focused is harness.main.prompt


async def test_an_unreachable_server_is_reported_only_on_tab() -> None:
    async with app_harness() as harness:
        harness.client.fails = ConnectFailed("connection refused")
        await harness.press(*"see @src")
        await harness.until(lambda: harness.client.calls("files"))
        await harness.hides("connection refused")
        await harness.press("tab")
        await harness.shows("connection refused")


async def test_an_unknown_command_is_sent_only_after_a_second_enter() -> None:
    async with app_harness() as harness:
        await harness.press(*"/reviw the store", "enter")
        await harness.shows("Unknown command /reviw. Did you mean /review? Enter again sends it as text.")
        assert harness.main.prompt.text == "/reviw the store"
        assert harness.client.calls("send") == []
        await harness.press("enter")
        assert harness.client.calls("send") == [(sample.SESSION, "/reviw the store")]


def held(monkeypatch: pytest.MonkeyPatch, name: str) -> asyncio.Event:
    """The server answers what the list needs only after this is set."""
    answer, answered = getattr(FakeOffers, name), asyncio.Event()

    async def later(*args: str) -> object:
        await answered.wait()
        return await answer(*args)

    monkeypatch.setattr(FakeOffers, name, later)
    return answered


async def test_an_unknown_command_in_a_burst_is_reported_when_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = held(monkeypatch, "commands")
    async with app_harness() as harness:
        harness.burst(*"/frobnicate", "enter")
        await harness.until(lambda: harness.client.calls("send"))
        answered.set()
        await harness.shows("Unknown command /frobnicate: it is sent as text.")
        assert harness.client.calls("send") == [(sample.SESSION, "/frobnicate")]


@pytest.mark.parametrize("words", ["/review the store", "/etc/hosts is wrong", "a /frobnicate"])
async def test_known_commands_and_other_text_cause_no_notice(words: str) -> None:
    async with app_harness() as harness:
        await harness.press(*words, "enter")
        assert harness.client.calls("send") == [(sample.SESSION, words)]
        await harness.hides("no command")


async def test_tab_before_the_completions_arrive_completes_one_name() -> None:
    async with app_harness() as harness:
        harness.burst(*"see @store", "tab")
        await harness.until(lambda: harness.main.prompt.text == "see @src/store.py ")


async def test_keys_right_after_tab_do_not_change_its_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = held(monkeypatch, "files")
    async with app_harness() as harness:
        harness.burst(*"see @store", "tab", "enter", *"and on")
        await harness.until(lambda: harness.client.calls("send"))
        answered.set()
        await harness.until(lambda: harness.client.calls("files"))
        await harness.until(lambda: harness.main.prompt.text == "and on")
        assert harness.main.focused is harness.main.prompt
        assert harness.client.calls("send") == [(sample.SESSION, "see @store")]


async def test_a_name_with_a_space_is_quoted() -> None:
    async with app_harness() as harness:
        await harness.press(*"@notes", "tab")
        await harness.until(lambda: harness.main.prompt.text == '@"my notes.md" ')


async def test_commands_are_completed_only_at_the_beginning() -> None:
    async with app_harness() as harness:
        await harness.press(*"/in", "tab")
        await harness.until(lambda: harness.main.prompt.text == "/init ")
        await harness.press(*"/re", "tab")
        assert not isinstance(harness.app.screen, Picker)
        assert harness.client.calls("commands") == [("/src/holdall",)]


async def test_no_match_is_reported_and_the_text_stays() -> None:
    async with app_harness() as harness:
        await harness.press(*"@zebra", "tab")
        await harness.shows("No file matches @zebra.")
        assert harness.main.prompt.text == "@zebra"


async def test_tab_without_a_completable_name_moves_the_focus() -> None:
    async with app_harness() as harness:
        await harness.press(*"me@home said", "tab")
        assert harness.main.transcript.has_focus
        assert harness.client.calls("files") == []


@pytest.mark.parametrize(
    ("script", "reported", "text"),
    [
        ("printf ' and more\\n' >> \"$1\"", "", "words and more"),
        ("exit 3", "ended with 3", "words"),
        ('rm "$1"', "left no file", "words"),
        ('rm "$1"; mkdir "$1"', "left no file", "words"),
    ],
)
async def test_the_external_editor_changes_the_prompt(
    script: str, reported: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    async with app_harness() as harness:
        monkeypatch.setattr(harness.app, "suspend", nullcontext)
        await harness.press(*"words", "ctrl+g")
        await harness.shows(reported)
        await harness.until(lambda: harness.main.prompt.text == text)


async def test_a_missing_editor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    async with app_harness() as harness:
        monkeypatch.setattr(harness.app, "suspend", nullcontext)
        await harness.press(*"words", "ctrl+g")
        await harness.shows("/nowhere/editor cannot be started")
        assert harness.main.prompt.text == "words"


async def test_a_prompt_returned_while_the_editor_is_open_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    seen, go = tmp_path / "seen", tmp_path / "go"
    editor.write_text(f'#!/bin/sh\ncp "$1" {seen}\nwhile [ ! -e {go} ]; do sleep 0.05; done\necho "more" >> "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    async with app_harness() as harness:
        monkeypatch.setattr(harness.app, "suspend", nullcontext)
        await harness.press(*"next ", "ctrl+g")
        await harness.until(seen.exists)
        harness.client.tell(DraftReturned(sample.SESSION, "sent before", "refused"))
        await harness.until(lambda: "sent before" in harness.main.prompt.text)
        go.touch()
        await harness.until(lambda: "more" in harness.main.prompt.text)
        assert harness.main.prompt.text == "next more\n\nsent before"


async def test_an_invalid_editor_command_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vi '")
    async with app_harness() as harness:
        await harness.press("ctrl+g")
        await harness.shows("vi ' cannot be started", "Set EDITOR")


@pytest.mark.parametrize("session", [sample.SESSION, None])
async def test_an_unknown_file_name_is_reported_when_sent(session: str | None) -> None:
    async with app_harness(session=session) as harness:
        await harness.press(*"see @READ and @src/store.py.", "enter")
        await harness.shows("File @READ not found: it is sent as text.")


async def test_known_file_names_cause_no_notice() -> None:
    async with app_harness() as harness:
        await harness.press(*'see @src/store.py, @"my notes.md"', "enter")
        await harness.until(lambda: ("/src/holdall", "src/store.py,") in harness.client.calls("files"))
        await harness.until(lambda: harness.client.calls("files")[-1] == ("/src/holdall", "my notes.md"))
        await harness.hides("names no file")


@pytest.mark.parametrize("ask", ["editor", "agent"])
async def test_tasks_cancelled_before_their_start_cause_no_warning(ask: str) -> None:
    async with app_harness() as harness:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(harness.app.choosing, ask)()
            harness.app.workers.cancel_all()
            await harness.settled()
            gc.collect()
    assert [str(one.message) for one in caught if "never awaited" in str(one.message)] == []


@pytest.mark.parametrize("what", ["agents", "models", "commands"])
async def test_a_catalog_read_only_in_part_is_reported_in_one_line(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Rows(CatalogItem(f"item{at}") for at in range(MAX_CATALOG_ITEMS))
    many.beyond = 220_000 - MAX_CATALOG_ITEMS

    async def offered(self: FakeOffers, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        return many

    monkeypatch.setattr(FakeOffers, what, offered)
    async with app_harness() as harness:
        if what != "commands":
            await harness.press(*(["ctrl+t"] if what == "agents" else ["ctrl+p", *"model", "enter"]))
            await harness.shows(f"{what[:-1].capitalize()} · the first 5,000 of 220,000")
            return
        await harness.press("/")
        await harness.shows(f"The server lists 220,000 {what}: only the first 5,000 are offered.")


async def test_a_filter_without_matches_says_so() -> None:
    async with app_harness() as harness:
        await harness.press("ctrl+t")
        await harness.shows("thinks first")
        await harness.press(*"qqq")
        await harness.shows("None has these words.")
