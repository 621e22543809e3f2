"""Selection of agent, model, file and command for the next prompt, and the external editor.

It queries the client, shows the choices and applies the selected one.
"""

import asyncio
import os
import shlex
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.backends.decoding import MAX_CATALOG_ITEMS, Rows
from tui.core.changes import Notice
from tui.core.mentions import MAX_FILES, command_in, names_in
from tui.core.model import CatalogItem
from tui.core.sanitize import sanitize, single_line
from tui.net.errors import NetError
from tui.net.local_file import read_small
from tui.ui.presenter import Presenter
from tui.ui.session_controller import SessionController
from tui.widgets.prompt.prompt import PromptBox, joined

if TYPE_CHECKING:
    from textual.app import App

    from tui.client.client import Client

MAX_WRITTEN_BYTES = 16 * 1024 * 1024
"""Maximum bytes read back from the external editor."""
COMMANDS_COMPARED = 2_000
"""Maximum commands compared to find the one that a mistyped name may mean."""
MAX_NAME_CHARACTERS = 40
"""Maximum characters of a name quoted in a notice."""


class Pickers:
    """Pickers for the session on the screen. `notify` shows a notice."""

    def __init__(
        self,
        app: "App[Any]",
        client: "Client",
        presenter: Presenter,
        sessions: SessionController,
        prompt: PromptBox,
        *,
        notify: Callable[[Notice], None],
    ) -> None:
        self._app = app
        self._client = client
        self._choices = client.choices
        self._presenter = presenter
        self._sessions = sessions
        self._prompt = prompt
        self._notify = notify
        self._word, self._finish, self._looks_up = "", False, False
        self._known: dict[str, Sequence[CatalogItem]] = {}
        self._kept_back = ""

    def agent(self) -> None:
        """Choose the agent for the next prompts; some servers call it a mode."""
        session_id = self._session_id
        traits = self._client.traits
        word = "agent" if traits is None else traits.agent_label

        def chosen(name: str) -> None:
            self._choices.choose(session_id, agent=name)
            self._notify(Notice(f"From the next prompt on: {word} {name}."))
            self._presenter.show_heading()

        current = self._choices.of(session_id).agent
        self._offer(word.capitalize(), lambda: self._choices.agents(session_id), chosen, current)

    def model(self) -> None:
        """Choose the model for the next prompts."""
        session_id = self._session_id

        def chosen(name: str) -> None:
            self._choices.choose(session_id, model=name)
            self._notify(Notice(f"From the next prompt on: {name}."))
            self._presenter.show_heading()

        current = self._choices.of(session_id).model
        self._offer("Model", lambda: self._choices.models(session_id), chosen, current)

    def offer(self, word: str, *, finish: bool) -> None:
        """Look up completions of a word in the prompt; of several words, only the newest."""
        self._word, self._finish = word, finish
        if not self._looks_up:
            self._looks_up = True
            self._app.run_worker(self._look_up(), group="offers")

    async def _look_up(self) -> None:
        try:
            while word := self._word:
                finish, self._word = self._finish, ""
                try:
                    found = await self._offers_for(word)
                except NetError as error:
                    if finish:
                        self._sessions.say(error)
                    continue
                if finish and not found:
                    what = "file" if word[0] == "@" else "command"
                    self._notify(Notice(f"No {what} matches {single_line(word, MAX_NAME_CHARACTERS)}."))
                self._prompt.offer(word, found, finish=finish)
        finally:
            self._looks_up = False

    async def _offers_for(self, word: str) -> Sequence[CatalogItem]:
        if word[0] == "@":
            return await self._choices.files(self._session_id, word[1:].strip('"'))
        known = self._known.get(self._session_id) if len(word) > 1 else None
        commands = known or await self._commands()
        return [one for one in commands if one.name.casefold().startswith(word[1:].casefold())]

    async def _commands(self) -> Sequence[CatalogItem]:
        session_id = self._session_id
        commands = await self._choices.commands(session_id)
        if session_id not in self._known:
            self._tell_beyond("commands", commands)
        if commands:
            self._known = {session_id: commands}
        return commands

    def _tell_beyond(self, what: str, found: Sequence[CatalogItem]) -> None:
        """Report entries that the server lists and that are not read."""
        if isinstance(found, Rows) and found.beyond:
            limit = f"only the first {MAX_CATALOG_ITEMS:,} are offered"
            self._notify(Notice(f"The server lists {MAX_CATALOG_ITEMS + found.beyond:,} {what}: {limit}.", "warning"))

    def holds_unknown_command(self, text: str) -> bool:
        """Whether to hold a prompt that begins with an unknown command; the same text is held only once."""
        known, name = [one.name for one in self._known.get(self._session_id, ())], command_in(text)
        if not known or not name or name in known or self._kept_back == text:
            self._kept_back = ""
            return False
        from difflib import get_close_matches

        self._kept_back = text
        near = [one for one in known if one.startswith(name)] or get_close_matches(name, known[:COMMANDS_COMPARED], 1)
        meant = f" Did you mean /{near[0]}?" if near else ""
        unknown = f"Unknown command /{single_line(name, MAX_NAME_CHARACTERS)}.{meant}"
        self._notify(Notice(f"{unknown} Enter again sends it as text.", "warning"))
        return True

    def look_up_names(self, text: str) -> None:
        """Check a sent prompt for unknown files and commands, as far as the server can tell; notify the user."""
        named = list(dict.fromkeys(names_in(text)))[:MAX_FILES]
        if named:
            self._app.run_worker(self._tell_unnamed(self._session_id, named), group="names")
        command = command_in(text)
        if command and self._session_id not in self._known:
            self._app.run_worker(self._tell_unknown(command), group="names")

    async def _tell_unknown(self, command: str) -> None:
        try:
            commands = await self._commands()
        except NetError:
            return  # sending the prompt reports connection errors
        if commands and all(one.name != command for one in commands):
            unknown = f"Unknown command /{single_line(command, MAX_NAME_CHARACTERS)}"
            self._notify(Notice(f"{unknown}: it is sent as text.", "warning"))

    async def _tell_unnamed(self, session_id: str, named: Sequence[tuple[str, ...]]) -> None:
        missing = []
        try:
            for candidates in named:
                if not await self._names_a_file(session_id, candidates):
                    missing.append(f"@{single_line(candidates[-1], MAX_NAME_CHARACTERS)}")
        except NetError:
            return  # sending the prompt reports connection errors
        if missing:
            files, sent = ("File", "it is sent") if len(missing) == 1 else ("Files", "they are sent")
            self._notify(Notice(f"{files} {', '.join(missing)} not found: {sent} as text.", "warning"))

    async def _names_a_file(self, session_id: str, candidates: Sequence[str]) -> bool:
        for name in candidates:
            found = await self._choices.files(session_id, name)
            if any(one.name.rstrip("/") == name.rstrip("/") for one in found):
                return True
        return False

    def editor(self) -> None:
        """Edit the prompt in the user's editor (VISUAL, EDITOR). The connection stays open meanwhile."""
        self._app.run_worker(self._edit(), group="editor", exclusive=True)

    async def _edit(self) -> None:
        from textual.app import SuspendNotSupported

        editor_command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        before = self._prompt.text
        with tempfile.TemporaryDirectory(prefix="holdfast-") as folder:
            path = Path(folder) / "prompt.md"
            path.write_text(before, encoding="utf-8")
            try:
                program, *arguments = shlex.split(editor_command) or ["vi"]
                with self._app.batch_update(), self._app.suspend():
                    process = await asyncio.create_subprocess_exec(program, *arguments, str(path))
                    status = await process.wait()
            except (OSError, ValueError, SuspendNotSupported) as error:
                self._notify(Notice(f"{editor_command} cannot be started: {error}. Set EDITOR.", "warning"))
                return
            if status:
                self._notify(Notice(f"{program} ended with {status}: the prompt stays as it was.", "warning"))
                return
            try:
                written = read_small(path, MAX_WRITTEN_BYTES).decode("utf-8", "replace")
            except OSError as error:
                why = f"{program} left no file to read ({error.strerror})"
                self._notify(Notice(f"{why}: the prompt stays as it was.", "warning"))
                return
            came_back = self._prompt.text.removeprefix(before.rstrip()).strip("\n")  # unsent prompts returned meanwhile
            self._prompt.text = joined(sanitize(written).rstrip("\n"), came_back)
            self._prompt.move_cursor(self._prompt.document.end)

    @property
    def _session_id(self) -> str:
        return self._presenter.session_id or ""

    def _offer(
        self,
        title: str,
        offered: Callable[[], Awaitable[Sequence[CatalogItem]]],
        chosen: Callable[[str], None],
        current: str | None = None,
    ) -> None:
        self._app.run_worker(self._choose(title, offered, chosen, current), group="choose", exclusive=True)

    async def _choose(
        self,
        title: str,
        offered: Callable[[], Awaitable[Sequence[CatalogItem]]],
        chosen: Callable[[str], None],
        current: str | None,
    ) -> None:
        from tui.widgets.dialogs.picker import Picker

        found = await self._sessions.ask(offered())
        if found is None:
            return
        if isinstance(found, Rows) and found.beyond:
            title = f"{title} · the first {MAX_CATALOG_ITEMS:,} of {MAX_CATALOG_ITEMS + found.beyond:,}"
        if not found:
            self._notify(Notice(f"{title}: nothing to choose from."))
        else:
            self._app.push_screen(Picker(title, found, chosen, current))
