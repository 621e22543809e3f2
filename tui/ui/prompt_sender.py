"""Sends the prompt's text to the session on the screen; if there is none, or it was deleted, to a new session.

Errors are shown. Text that is not sent stays in the prompt, or returns to it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from tui.core.changes import Notice
from tui.core.model import Queued
from tui.net.errors import NetError
from tui.ui.main_screen import MainScreen
from tui.ui.pickers import Pickers
from tui.ui.presenter import Presenter
from tui.ui.prompt_controller import PromptController
from tui.ui.session_controller import SessionController

if TYPE_CHECKING:
    from tui.client.client import Client
    from tui.core.model import Session

SESSION_CREATE_TIMEOUT = 2.0
"""Seconds that the exit waits for the session of a first prompt, which would otherwise be unknown here."""
NOT_CONNECTED = Notice("Not connected: nothing was sent, your text stays here.", "warning")
NOT_SENT = Notice("Connected. Your prompt was not sent: press Enter to send it.", "warning")


class PromptSender:
    """`work` starts a coroutine as a worker; `opens_later`: whether a session is opened once connected."""

    def __init__(
        self,
        client: "Client",
        main: MainScreen,
        presenter: Presenter,
        writing: PromptController,
        sessions: SessionController,
        choosing: Pickers,
        *,
        work: Callable[[Coroutine[Any, Any, None]], object],
        opens_later: Callable[[], bool],
        notify: Callable[[Notice], None],
    ) -> None:
        self._client = client
        self._main = main
        self._presenter = presenter
        self._writing = writing
        self._sessions = sessions
        self._choosing = choosing
        self._work = work
        self._opens_later = opens_later
        self._notify = notify
        self._making: asyncio.Task[Session] | None = None
        self._leaving = False
        self._refused = ""
        """The prompt that was not sent because there was no connection yet."""

    def send(self, text: str, *, now: bool) -> None:
        """Queue the text or, with `now`, send it without waiting for the running turn."""
        if self._main.prompt.edited is None and self._choosing.holds_unknown_command(text):
            return
        if (self._presenter.session_id is None and not self._opens_later()) or (
            self._presenter.gone and self._main.prompt.edited is None
        ):
            self._send_first(text)
            return
        try:
            self._writing.send_now(text) if now else self._writing.submit(text)
        except NetError as error:
            self._sessions.say(error)
        else:
            self._main.transcript.follow()
            self._choosing.look_up_names(text)

    def send_waiting(self, queued: Queued) -> None:
        """Send a queued prompt now."""
        if self._presenter.gone:
            self._leave_gone(queued.session_id, queued.id)
            return
        try:
            self._writing.send_waiting(queued)
        except NetError as error:
            self._sessions.say(error)

    def release(self) -> None:
        """Release the held queue; that of a deleted session in a new session."""
        gone = self._presenter.session_id if self._presenter.gone else None
        if gone is not None and self._main.prompt.edited is None and self._client.prompts.waiting(gone):
            self._leave_gone(gone)
        else:
            self._writing.release()

    def on_connected(self) -> None:
        """Remind of a prompt that was not sent because there was no connection."""
        self._main.notices.drop(NOT_CONNECTED)
        if self._refused and self._refused == self._main.prompt.text:
            self._notify(NOT_SENT)
        self._refused = ""

    async def send_in_new_session(self, text: str) -> None:
        """Send the text that `PromptController` holds for a new session."""
        sent = False
        gone = self._presenter.session_id if self._presenter.gone else None
        try:
            self._making = asyncio.create_task(self._client.new_session())
            session = await self._sessions.ask(asyncio.shield(self._making))
            if session is not None:
                self._client.choices.begin(session.id)
                self._writing.session_made(session.id)
            if session is not None and await self._sessions.open(session.id):
                if gone is not None:
                    self._client.prompts.move(gone, session.id)
                self._client.prompts.submit(session.id, text)
                sent = True
        finally:
            if not self._presenter.stopped:
                self._writing.release_held(sent=sent)
                self._presenter.show_held()

    async def keep_first_prompt(self) -> str | None:
        """At the exit, wait for a session that is being created, and save the held prompt as its draft.

        Returns the session's id; None if none is created.
        """
        if self._making is None or not self._writing.waits_for_session:
            return None
        done, _ = await asyncio.wait([self._making], timeout=SESSION_CREATE_TIMEOUT)
        if not done or self._making.exception() is not None:
            return None
        made = self._making.result().id
        self._writing.left(made)
        return made

    def _send_first(self, text: str) -> None:
        """Hold the prompt and create a session."""
        if not text.strip():
            return
        if not self._client.connection_status().up:
            self._refused = text
            self._notify(NOT_CONNECTED)
        elif self._writing.beginning:
            self._notify(Notice("The session is still being created: your text stays here."))
        else:
            self._main.notices.drop(NOT_SENT)
            self._writing.hold_for_new_session(text)
            self._presenter.show_held()
            self._choosing.look_up_names(text)
            self._work(self.send_in_new_session(text))

    def _leave_gone(self, session_id: str, queued_id: str | None = None) -> None:
        """Move the queue of a deleted session to a new one, and send one of its prompts there, or all."""
        if not self._leaving:
            self._leaving = True
            self._work(self._take_to_new_session(session_id, queued_id))

    async def _take_to_new_session(self, session_id: str, queued_id: str | None) -> None:
        try:
            session = await self._sessions.ask(self._client.new_session())
            if session is None:
                return
            self._writing.open(session.id, carry=True)
            if await self._sessions.open(session.id):
                self._client.prompts.move(session_id, session.id)
                if queued_id is None:
                    self._client.prompts.release(session.id)
                else:
                    self._client.prompts.send_queued_now(queued_id)
        finally:
            self._leaving = False
