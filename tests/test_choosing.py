"""What is chosen for the next prompt, with keys."""

from contextlib import nullcontext
from pathlib import Path

import pytest
from textual.widgets import Input

from tests import conversation as talk
from tests.screen import on_stage
from tui.backends.base import Traits
from tui.core.changes import DraftReturned
from tui.core.model import Prompt
from tui.net.errors import Unreachable
from tui.widgets.choose import Choose

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
        stage.client.traits = Traits("any", agents_are="mode")
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
        await stage.until(lambda: not isinstance(stage.app.screen, Choose))
        assert stage.client.choices.applied(PROMPT) == PROMPT


async def test_a_server_that_does_not_answer_is_said() -> None:
    async with on_stage() as stage:
        stage.client.fails = Unreachable("connection refused")
        await stage.press("ctrl+t")
        await stage.shows("connection refused")


async def test_a_file_s_name_is_finished_with_tab() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @store", "tab")
        await stage.until(lambda: stage.main.prompt.text == "see @src/store.py ")
        await stage.press(*"and @src", "tab")
        await stage.shows("Files", "src/session.py")
        await stage.press("down", "enter")
        await stage.until(lambda: stage.main.prompt.text == "see @src/store.py and @src/session.py ")
        assert stage.main.focused is stage.main.prompt


async def test_what_is_typed_after_the_choice_reaches_the_prompt() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src", "tab")
        await stage.until(lambda: isinstance(stage.app.screen, Choose))
        stage.burst(*"session", "enter", *"and on", "enter", *"rest")
        await stage.until(lambda: stage.main.prompt.text == "rest")
        assert stage.client.calls("send") == [(talk.SESSION, "see @src/session.py and on")]


async def test_what_is_typed_after_esc_reaches_the_prompt() -> None:
    async with on_stage() as stage:
        await stage.press(*"see @src", "tab")
        await stage.until(lambda: isinstance(stage.app.screen, Choose))
        stage.burst(*"ses", "escape", *"/app")
        await stage.until(lambda: stage.main.prompt.text == "see @src/app")


async def test_enter_takes_from_a_list_that_has_only_just_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its box may not have the keys yet."""
    async with on_stage() as stage:
        monkeypatch.setattr(Input, "focus", lambda box: None)
        monkeypatch.setattr(Choose, "AUTO_FOCUS", "")
        await stage.press(*"see @src", "tab")
        await stage.shows("src/session.py")
        assert stage.app.focused is None
        stage.burst("enter")
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
        assert not isinstance(stage.app.screen, Choose)
        assert stage.client.calls("commands") == [("/src",)]


async def test_nothing_fitting_is_said_and_the_words_stay() -> None:
    async with on_stage() as stage:
        await stage.press(*"@zebra", "tab")
        await stage.shows("nothing to choose from")
        assert stage.main.prompt.text == "@zebra"


async def test_tab_elsewhere_still_goes_on() -> None:
    async with on_stage() as stage:
        await stage.press(*"me@home said", "tab")
        assert stage.main.transcript.has_focus
        assert stage.client.calls("files") == []


@pytest.mark.parametrize(
    ("script", "text"), [("printf ' and more\\n' >> \"$1\"", "words and more"), ("exit 3", "words")]
)
async def test_the_person_s_editor(
    script: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    async with on_stage() as stage:
        monkeypatch.setattr(stage.app, "suspend", nullcontext)
        await stage.press(*"words", "ctrl+g")
        if "exit" in script:
            await stage.shows("ended with 3")
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
    editor.write_text(
        f'#!/bin/sh\ncp "$1" {seen}\nwhile [ ! -e {go} ]; do sleep 0.05; done\necho "more" >> "$1"\n'
    )
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
        await stage.until(lambda: len(stage.client.calls("files")) == 3)
        await stage.hides("names no file")
