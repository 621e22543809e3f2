"""Options of the next prompt, selected with keys."""

import asyncio
import gc
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
from tests.fake_client import FakeOffers
from tui.backends.base import Traits
from tui.backends.decoding import CATALOG_KEPT, Rows
from tui.core.changes import DraftReturned
from tui.core.model import CatalogItem, Prompt
from tui.net.errors import ConnectFailed
from tui.widgets.dialogs.picker import Picker

PROMPT = Prompt(talk.SESSION, "words", "msg_1", "prt_1")


async def test_the_agent_is_selected_for_this_session() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+t")
        await stage.shows("Agent", "thinks first")
        await stage.press(*"plan", "enter")
        await stage.shows("agent plan", "· plan")
        assert stage.client.choices.applied(PROMPT).agent == "plan"
        assert stage.client.choices.applied(PROMPT).model is None
        assert stage.client.choices.of("ses_2").agent is None


async def test_the_familys_name_for_agents_is_used() -> None:
    async with on_stage() as stage:
        stage.client.traits = Traits("any", agent_label="mode")
        await stage.press("ctrl+t")
        await stage.shows("Mode", "thinks first")
        await stage.press(*"plan", "enter")
        await stage.shows("From the next prompt on: mode plan.")


async def test_the_model_is_selected_from_the_palette() -> None:
    async with on_stage() as stage:
        stage.app.choosing.model()
        await stage.shows("acme/small")
        await stage.press("down", "enter")
        await stage.until(lambda: stage.client.choices.applied(PROMPT).model == "acme/small")
        await stage.shows("Move the store to SQLite · small")


async def test_esc_selects_nothing() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+t")
        await stage.shows("thinks first")
        await stage.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Picker))
        assert stage.client.choices.applied(PROMPT) == PROMPT


async def test_an_unreachable_server_is_reported() -> None:
    async with on_stage() as stage:
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press("ctrl+t")
        await stage.shows("connection refused")


async def test_completions_are_listed_and_filtered_while_typing() -> None:
    async with on_stage(size=(80, 24)) as stage:
        await stage.press(*"see @s")
        await stage.shows(
            "› @src/store.py", "  @src/session.py", "@tests/", "Enter choose  ↑ ↓ move  Esc close the list"
        )
        await stage.press(*"rc/se")
        await stage.shows("› @src/session.py")
        await stage.hides("@src/store.py")
        await stage.press("tab")
        assert stage.main.prompt.text == "see @src/session.py "
        await stage.hides("› @")
        assert stage.main.focused is stage.main.prompt


async def test_enter_inserts_the_selected_completion() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src")
        await stage.shows("› @src/store.py")
        await stage.press("up", "up", "down", "enter")
        assert stage.main.prompt.text == "see @src/session.py "
        assert stage.client.calls("send") == []
        await stage.press("backspace", "enter")
        assert stage.client.calls("send") == [(talk.SESSION, "see @src/session.py")]


async def test_enter_completes_a_partial_name_and_sends_a_complete_one() -> None:
    async with on_stage() as stage:
        await stage.press(*"/in")
        await stage.shows("› /init  set up")
        await stage.press("enter")
        assert stage.main.prompt.text == "/init "
        await stage.press("backspace")
        await stage.shows("› /init  set up", "Tab choose  ↑ ↓ move  Esc close the list  Enter send")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "/init")]


async def test_enter_before_the_completions_arrive_sends() -> None:
    async with on_stage() as stage:
        stage.burst(*"see @src", "enter", *"rest")
        await stage.until(lambda: stage.main.prompt.text == "rest")
        assert stage.client.calls("send") == [(talk.SESSION, "see @src")]


@pytest.mark.parametrize("words", ["see @", "/"])
async def test_enter_after_a_bare_sign_sends(words: str) -> None:
    async with on_stage() as stage:
        await stage.press(*words)
        await stage.shows(f"› {words[-1]}")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, words)]


async def test_esc_closes_the_completions_of_this_word_without_aborting() -> None:
    async with on_stage() as stage:
        stage.run_turn()
        await stage.press(*"see @src")
        await stage.shows("› @src/store.py")
        await stage.press("escape")
        await stage.hides("› @src/store.py")
        await stage.hides("Esc once more")
        await stage.press(*"/st")
        await stage.hides("› @src/store.py")
        await stage.press("enter")
        assert stage.client.calls("wait") or stage.main.queue.display
        await stage.press(*"@src")
        await stage.shows("› @src/store.py")


async def test_tab_reopens_the_completions() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src")
        await stage.shows("› @src/store.py")
        await stage.press("escape", "tab")
        await stage.shows("› @src/store.py")
        await stage.press("down", "tab")
        assert stage.main.prompt.text == "see @src/session.py "


async def test_completing_a_folder_lists_its_contents() -> None:
    async with on_stage() as stage:
        await stage.press(*"@tes")
        await stage.shows("› @tests/")
        await stage.press("tab")
        assert stage.main.prompt.text == "@tests/"
        await stage.shows("› @tests/")


async def test_recalled_prompts_open_no_completions() -> None:
    async with on_stage() as stage:
        stage.client.journal.remember("before that")
        stage.client.journal.remember("see @src")
        await stage.press("up")
        assert stage.main.prompt.text == "see @src"
        await stage.press("up")
        assert stage.main.prompt.text == "before that"
        assert stage.client.calls("files") == []


async def test_a_click_inserts_a_completion() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src")
        await stage.shows("@src/session.py")
        lines = stage.text.split("\n")
        row = next(row for row, line in enumerate(lines) if "@src/session.py" in line)
        await stage.pilot.click(offset=(8, row))
        await stage.until(lambda: stage.main.prompt.text == "see @src/session.py ")
        assert stage.main.focused is stage.main.prompt


async def test_an_unreachable_server_is_reported_only_on_tab() -> None:
    async with on_stage() as stage:
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press(*"see @src")
        await stage.until(lambda: stage.client.calls("files"))
        await stage.hides("connection refused")
        await stage.press("tab")
        await stage.shows("connection refused")


async def test_an_unknown_command_is_sent_only_after_a_second_enter() -> None:
    async with on_stage() as stage:
        await stage.press(*"/reviw the store", "enter")
        await stage.shows("Unknown command /reviw. Did you mean /review? Enter again sends it as text.")
        assert stage.main.prompt.text == "/reviw the store"
        assert stage.client.calls("send") == []
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "/reviw the store")]


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
    async with on_stage() as stage:
        stage.burst(*"/frobnicate", "enter")
        await stage.until(lambda: stage.client.calls("send"))
        answered.set()
        await stage.shows("Unknown command /frobnicate: it is sent as text.")
        assert stage.client.calls("send") == [(talk.SESSION, "/frobnicate")]


@pytest.mark.parametrize("words", ["/review the store", "/etc/hosts is wrong", "a /frobnicate"])
async def test_known_commands_and_other_text_cause_no_notice(words: str) -> None:
    async with on_stage() as stage:
        await stage.press(*words, "enter")
        assert stage.client.calls("send") == [(talk.SESSION, words)]
        await stage.hides("no command")


async def test_tab_before_the_completions_arrive_completes_one_name() -> None:
    async with on_stage() as stage:
        stage.burst(*"see @store", "tab")
        await stage.until(lambda: stage.main.prompt.text == "see @src/store.py ")


async def test_keys_right_after_tab_do_not_change_its_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = held(monkeypatch, "files")
    async with on_stage() as stage:
        stage.burst(*"see @store", "tab", "enter", *"and on")
        await stage.until(lambda: stage.client.calls("send"))
        answered.set()
        await stage.until(lambda: stage.client.calls("files"))
        await stage.until(lambda: stage.main.prompt.text == "and on")
        assert stage.main.focused is stage.main.prompt
        assert stage.client.calls("send") == [(talk.SESSION, "see @store")]


async def test_a_name_with_a_space_is_quoted() -> None:
    async with on_stage() as stage:
        await stage.press(*"@notes", "tab")
        await stage.until(lambda: stage.main.prompt.text == '@"my notes.md" ')


async def test_commands_are_completed_only_at_the_beginning() -> None:
    async with on_stage() as stage:
        await stage.press(*"/in", "tab")
        await stage.until(lambda: stage.main.prompt.text == "/init ")
        await stage.press(*"/re", "tab")
        assert not isinstance(stage.app.screen, Picker)
        assert stage.client.calls("commands") == [("/src/holdall",)]


async def test_no_match_is_reported_and_the_text_stays() -> None:
    async with on_stage() as stage:
        await stage.press(*"@zebra", "tab")
        await stage.shows("No file matches @zebra.")
        assert stage.main.prompt.text == "@zebra"


async def test_tab_without_a_completable_name_moves_the_focus() -> None:
    async with on_stage() as stage:
        await stage.press(*"me@home said", "tab")
        assert stage.main.transcript.has_focus
        assert stage.client.calls("files") == []


@pytest.mark.parametrize(
    ("script", "told", "text"),
    [
        ("printf ' and more\\n' >> \"$1\"", "", "words and more"),
        ("exit 3", "ended with 3", "words"),
        ('rm "$1"', "left no file", "words"),
        ('rm "$1"; mkdir "$1"', "left no file", "words"),
    ],
)
async def test_the_external_editor_changes_the_prompt(
    script: str, told: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    async with on_stage() as stage:
        monkeypatch.setattr(stage.app, "suspend", nullcontext)
        await stage.press(*"words", "ctrl+g")
        await stage.shows(told)
        await stage.until(lambda: stage.main.prompt.text == text)


async def test_a_missing_editor_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    async with on_stage() as stage:
        monkeypatch.setattr(stage.app, "suspend", nullcontext)
        await stage.press(*"words", "ctrl+g")
        await stage.shows("/nowhere/editor cannot be started")
        assert stage.main.prompt.text == "words"


async def test_a_prompt_returned_while_the_editor_is_open_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    seen, go = tmp_path / "seen", tmp_path / "go"
    editor.write_text(f'#!/bin/sh\ncp "$1" {seen}\nwhile [ ! -e {go} ]; do sleep 0.05; done\necho "more" >> "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    async with on_stage() as stage:
        monkeypatch.setattr(stage.app, "suspend", nullcontext)
        await stage.press(*"next ", "ctrl+g")
        await stage.until(seen.exists)
        stage.client.tell(DraftReturned(talk.SESSION, "sent before", "refused"))
        await stage.until(lambda: "sent before" in stage.main.prompt.text)
        go.touch()
        await stage.until(lambda: "more" in stage.main.prompt.text)
        assert stage.main.prompt.text == "next more\n\nsent before"


async def test_an_invalid_editor_command_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vi '")
    async with on_stage() as stage:
        await stage.press("ctrl+g")
        await stage.shows("vi ' cannot be started", "Set EDITOR")


@pytest.mark.parametrize("session", [talk.SESSION, None])
async def test_an_unknown_file_name_is_reported_when_sent(session: str | None) -> None:
    async with on_stage(session=session) as stage:
        await stage.press(*"see @READ and @src/store.py.", "enter")
        await stage.shows("File @READ not found: it is sent as text.")


async def test_known_file_names_cause_no_notice() -> None:
    async with on_stage() as stage:
        await stage.press(*'see @src/store.py, @"my notes.md"', "enter")
        await stage.until(lambda: ("/src/holdall", "src/store.py,") in stage.client.calls("files"))
        await stage.until(lambda: stage.client.calls("files")[-1] == ("/src/holdall", "my notes.md"))
        await stage.hides("names no file")


@pytest.mark.parametrize("ask", ["editor", "agent"])
async def test_tasks_cancelled_before_their_start_cause_no_warning(ask: str) -> None:
    async with on_stage() as stage:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(stage.app.choosing, ask)()
            stage.app.workers.cancel_all()
            await stage.settled()
            gc.collect()
    assert [str(one.message) for one in caught if "never awaited" in str(one.message)] == []


@pytest.mark.parametrize("what", ["agents", "models", "commands"])
async def test_a_catalog_read_only_in_part_is_reported_in_one_line(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    many = Rows(CatalogItem(f"item{at}") for at in range(CATALOG_KEPT))
    many.beyond = 220_000 - CATALOG_KEPT

    async def offered(self: FakeOffers, directory: str, session_id: str = "") -> Rows[CatalogItem]:
        return many

    monkeypatch.setattr(FakeOffers, what, offered)
    async with on_stage() as stage:
        if what != "commands":
            await stage.press(*(["ctrl+t"] if what == "agents" else ["ctrl+p", *"model", "enter"]))
            await stage.shows(f"{what[:-1].capitalize()} · the first 5,000 of 220,000")
            return
        await stage.press("/")
        await stage.shows(f"The server lists 220,000 {what}: only the first 5,000 are offered.")


async def test_a_filter_without_matches_says_so() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+t")
        await stage.shows("thinks first")
        await stage.press(*"qqq")
        await stage.shows("None has these words.")
