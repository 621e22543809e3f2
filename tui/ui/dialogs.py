"""Dialogs that need no action on a session: help, prompt history, and two confirmations."""

from typing import TYPE_CHECKING, Any

from tui.core.model import Queued
from tui.core.sanitize import single_line
from tui.ui import footer_hints
from tui.ui.main_screen import MainScreen
from tui.ui.prompt_controller import QUOTED, PromptController
from tui.ui.quit_warning import warnings

if TYPE_CHECKING:
    from textual.app import App

    from tui.client.client import Client


class Dialogs:
    """Opens them over the main screen. `demo`: the server ends with this program."""

    def __init__(
        self, app: "App[Any]", client: "Client", main: MainScreen, writing: PromptController, *, demo: bool
    ) -> None:
        self._app = app
        self._client = client
        self._main = main
        self._writing = writing
        self._demo = demo

    def help(self, server: str) -> None:
        """Show the keys of the focused part. `server`: its family and version; "" until known."""
        from tui.widgets.dialogs.help import Help

        where = f"{server} at {self._client.address.removeprefix('http://')}" if server else ""
        self._app.push_screen(Help(footer_hints.part_of(self._app.screen, self._main), where))

    def history(self) -> None:
        """Show earlier prompts; the chosen one is put into the prompt."""
        from tui.widgets.dialogs.prompt_history import PromptHistory

        self._app.push_screen(PromptHistory(self._client.journal.history()), self._recall)

    def _recall(self, text: str | None) -> None:
        if text is not None:
            self._main.prompt.recall_earlier(text)
            self._main.prompt.focus()

    def remove(self, queued: Queued) -> None:
        """Remove a queued prompt after confirmation."""
        from tui.widgets.dialogs.confirm import Confirm

        text = f"“{single_line(queued.text, QUOTED)}” will not be sent. ↑ in the prompt restores it."
        self._app.push_screen(
            Confirm("Remove the queued prompt?", text, "remove", "keep"),
            lambda yes: self._writing.remove(queued) if yes else None,
        )

    def quit(self) -> None:
        """Quit; with running turns or queued prompts, ask for confirmation. A second call quits."""
        from tui.widgets.dialogs.confirm import Confirm

        found = warnings(self._client, demo=self._demo, beginning=self._writing.beginning)
        if not found or isinstance(self._app.screen, Confirm):
            self._app.exit()
            return
        asked = Confirm("Quit?", "\n".join(found), "quit")
        self._app.push_screen(asked, lambda yes: self._app.exit() if yes else None)
