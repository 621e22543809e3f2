"""What is chosen for the next prompt, with keys."""

import gc
import warnings
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
from tui.backends.base import Traits
from tui.core.changes import DraftReturned
from tui.core.model import Prompt
from tui.net.errors import ConnectFailed
from tui.widgets.dialogs.picker import Picker

PROMPT = Prompt(talk.SESSION, "words", "msg_1", "prt_1")


async def test_the_agent_is_chosen_for_this_session() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+t")
        await stage.shows("Agent", "thinks first")
        await stage.press(*"plan", "enter")
        await stage.shows("agent plan", "· plan")
        assert stage.client.choices.applied(PROMPT).agent == "plan"
        assert stage.client.choices.applied(PROMPT).model is None
        assert stage.client.choices.of("ses_2").agent is None


async def test_what_a_family_calls_otherwise_is_called_that() -> None:
    async with on_stage() as stage:
        stage.client.traits = Traits("any", agent_label="mode")
        await stage.press("ctrl+t")
        await stage.shows("Mode", "thinks first")
        await stage.press(*"plan", "enter")
        await stage.shows("From the next prompt on: mode plan.")


async def test_the_model_is_chosen_from_the_palette() -> None:
    async with on_stage() as stage:
        stage.app.choosing.model()
        await stage.shows("acme/small")
        await stage.press("down", "enter")
        await stage.until(lambda: stage.client.choices.applied(PROMPT).model == "acme/small")
        await stage.shows("Move the store to SQLite · small")


async def test_esc_chooses_nothing() -> None:
    async with on_stage() as stage:
        await stage.press("ctrl+t")
        await stage.shows("thinks first")
        await stage.press("escape")
        await stage.until(lambda: not isinstance(stage.app.screen, Picker))
        assert stage.client.choices.applied(PROMPT) == PROMPT


async def test_a_server_that_does_not_answer_is_said() -> None:
    async with on_stage() as stage:
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press("ctrl+t")
        await stage.shows("connection refused")


async def test_names_are_listed_while_one_is_typed_and_narrowed() -> None:
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


async def test_a_name_further_down_is_taken_with_enter() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src")
        await stage.shows("› @src/store.py")
        await stage.press("up", "up", "down", "enter")
        assert stage.main.prompt.text == "see @src/session.py "
        assert stage.client.calls("send") == []
        await stage.press("backspace", "enter")
        assert stage.client.calls("send") == [(talk.SESSION, "see @src/session.py")]


async def test_enter_takes_what_is_not_whole_and_sends_what_is() -> None:
    async with on_stage() as stage:
        await stage.press(*"/in")
        await stage.shows("› /init  set up")
        await stage.press("enter")
        assert stage.main.prompt.text == "/init "
        await stage.press("backspace")
        await stage.shows("› /init  set up", "Tab choose  ↑ ↓ move  Esc close the list  Enter send")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "/init")]


async def test_enter_sends_before_the_list_is_there() -> None:
    async with on_stage() as stage:
        stage.burst(*"see @src", "enter", *"rest")
        await stage.until(lambda: stage.main.prompt.text == "rest")
        assert stage.client.calls("send") == [(talk.SESSION, "see @src")]


@pytest.mark.parametrize("words", ["see @", "/"])
async def test_enter_sends_a_sign_alone(words: str) -> None:
    async with on_stage() as stage:
        await stage.press(*words)
        await stage.shows(f"› {words[-1]}")
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, words)]


async def test_esc_closes_the_list_for_this_word_and_aborts_nothing() -> None:
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


async def test_tab_opens_a_list_that_was_closed() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src")
        await stage.shows("› @src/store.py")
        await stage.press("escape", "tab")
        await stage.shows("› @src/store.py")
        await stage.press("down", "tab")
        assert stage.main.prompt.text == "see @src/session.py "


async def test_a_folder_leads_on_to_what_is_in_it() -> None:
    async with on_stage() as stage:
        await stage.press(*"@tes")
        await stage.shows("› @tests/")
        await stage.press("tab")
        assert stage.main.prompt.text == "@tests/"
        await stage.shows("› @tests/")


async def test_earlier_prompts_open_no_list() -> None:
    async with on_stage() as stage:
        stage.main.prompt.past = lambda: ("see @src", "before that")
        await stage.press("up")
        assert stage.main.prompt.text == "see @src"
        await stage.press("up")
        assert stage.main.prompt.text == "before that"
        assert stage.client.calls("files") == []


async def test_a_listed_name_is_taken_with_the_mouse() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src")
        await stage.shows("@src/session.py")
        lines = stage.text.split("\n")
        row = next(row for row, line in enumerate(lines) if "@src/session.py" in line)
        await stage.pilot.click(offset=(8, row))
        await stage.until(lambda: stage.main.prompt.text == "see @src/session.py ")
        assert stage.main.focused is stage.main.prompt


async def test_a_server_that_does_not_answer_lists_nothing_and_is_said_with_tab() -> None:
    async with on_stage() as stage:
        stage.client.fails = ConnectFailed("connection refused")
        await stage.press(*"see @src")
        await stage.until(lambda: stage.client.calls("files"))
        await stage.hides("connection refused")
        await stage.press("tab")
        await stage.shows("connection refused")


async def test_an_unknown_command_stays_in_the_box_until_enter_is_pressed_again() -> None:
    async with on_stage() as stage:
        await stage.press(*"/reviw the store", "enter")
        await stage.shows("There is no command /reviw here; /review is one. Enter again sends it as text.")
        assert stage.main.prompt.text == "/reviw the store"
        assert stage.client.calls("send") == []
        await stage.press("enter")
        assert stage.client.calls("send") == [(talk.SESSION, "/reviw the store")]


async def test_an_unknown_command_that_was_pasted_is_said_as_it_is_sent() -> None:
    async with on_stage() as stage:
        stage.burst(*"/frobnicate", "enter")
        await stage.shows("There is no command /frobnicate here: it goes as text.")
        assert stage.client.calls("send") == [(talk.SESSION, "/frobnicate")]


@pytest.mark.parametrize("words", ["/review the store", "/etc/hosts is wrong", "a /frobnicate"])
async def test_what_is_a_command_and_what_is_none_needs_no_word(words: str) -> None:
    async with on_stage() as stage:
        await stage.press(*words, "enter")
        assert stage.client.calls("send") == [(talk.SESSION, words)]
        await stage.hides("no command")


async def test_tab_that_comes_before_the_list_finishes_one_name() -> None:
    async with on_stage() as stage:
        stage.burst(*"see @store", "tab")
        await stage.until(lambda: stage.main.prompt.text == "see @src/store.py ")


async def test_what_follows_tab_at_once_does_not_change_what_tab_means() -> None:
    async with on_stage() as stage:
        stage.burst(*"see @store", "tab", "enter", *"and on")
        await stage.until(lambda: stage.client.calls("files"))
        await stage.until(lambda: stage.main.prompt.text == "and on")
        assert stage.main.focused is stage.main.prompt
        assert stage.client.calls("send") == [(talk.SESSION, "see @store")]


async def test_a_name_with_a_space_stands_in_quotes() -> None:
    async with on_stage() as stage:
        await stage.press(*"@notes", "tab")
        await stage.until(lambda: stage.main.prompt.text == '@"my notes.md" ')


async def test_a_command_is_finished_with_tab_at_the_beginning_alone() -> None:
    async with on_stage() as stage:
        await stage.press(*"/in", "tab")
        await stage.until(lambda: stage.main.prompt.text == "/init ")
        await stage.press(*"/re", "tab")
        assert not isinstance(stage.app.screen, Picker)
        assert stage.client.calls("commands") == [("/src",)]


async def test_nothing_fitting_is_said_and_the_words_stay() -> None:
    async with on_stage() as stage:
        await stage.press(*"@zebra", "tab")
        await stage.shows("No file here is like @zebra.")
        assert stage.main.prompt.text == "@zebra"


async def test_tab_elsewhere_still_goes_on() -> None:
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
async def test_the_person_s_editor(
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


async def test_an_editor_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/nowhere/editor")
    async with on_stage() as stage:
        monkeypatch.setattr(stage.app, "suspend", nullcontext)
        await stage.press(*"words", "ctrl+g")
        await stage.shows("/nowhere/editor cannot be started")
        assert stage.main.prompt.text == "words"


async def test_a_prompt_that_comes_back_while_the_editor_is_open_is_not_written_over(
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


async def test_an_editor_s_command_that_cannot_be_read_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "vi '")
    async with on_stage() as stage:
        await stage.press("ctrl+g")
        await stage.shows("vi ' cannot be started", "Set EDITOR")


@pytest.mark.parametrize("session", [talk.SESSION, None])
async def test_a_name_that_is_no_file_is_said_when_it_is_sent(session: str | None) -> None:
    async with on_stage(session=session) as stage:
        await stage.press(*"see @READ and @src/store.py.", "enter")
        await stage.shows("@READ names no file here: it goes as text.")


async def test_names_of_files_need_no_word() -> None:
    async with on_stage() as stage:
        await stage.press(*'see @src/store.py, @"my notes.md"', "enter")
        await stage.until(lambda: ("/src", "src/store.py,") in stage.client.calls("files"))
        await stage.until(lambda: stage.client.calls("files")[-1] == ("/src", "my notes.md"))
        await stage.hides("names no file")


@pytest.mark.parametrize("ask", ["editor", "agent"])
async def test_work_that_is_cancelled_before_it_begins_leaves_no_warning(ask: str) -> None:
    async with on_stage() as stage:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            getattr(stage.app.choosing, ask)()
            stage.app.workers.cancel_all()
            await stage.settled()
            gc.collect()
    assert [str(one.message) for one in caught if "never awaited" in str(one.message)] == []
