"""Actions on sessions: create, list, open, rename, fork, delete. It calls the client and shows the result.

It stores no server state: the store has the sessions, the presenter the session on the screen.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from tui.core.changes import Notice
from tui.core.model import Session
from tui.core.sanitize import single_line
from tui.net.errors import NetError
from tui.ui.presenter import Presenter

if TYPE_CHECKING:
    from textual.app import App

    from tui.client.client import Client
    from tui.widgets.dialogs.session_picker import New, Open, SessionPicker

T = TypeVar("T")

log = logging.getLogger(__name__)

TYPING = 0.25
"""Seconds without a key before the typed search is sent to the server."""


class SessionController:
    """Session actions of one client on one screen. `notify` shows a notice."""

    def __init__(
        self, app: "App[Any]", client: "Client", presenter: Presenter, *, notify: Callable[[Notice], None]
    ) -> None:
        self._app = app
        self._client = client
        self._presenter = presenter
        self._notify = notify
        self._picker: SessionPicker | None = None

    async def ask(self, call: Awaitable[T]) -> T | None:
        """Return the result of the call; on a `NetError`, show it and return None."""
        try:
            return await call
        except NetError as error:
            self.say(error)
            return None

    def say(self, error: NetError) -> None:
        """Show an error and its hint."""
        self._notify(Notice(f"{error.message}\n{error.hint}", "warning"))

    async def newest(self) -> str | None:
        """Return the id of the most recently changed session that is not a child; None if there is none."""
        sessions = await self.ask(self._client.list_sessions())
        return next((session.id for session in sessions or () if session.parent_id is None), None)

    async def open(self, session_id: str) -> bool:
        """Show a session; if it cannot be opened, return to the previous one and return False.

        If the user switched to another session meanwhile, that one stays.
        """
        before = self._presenter.session_id
        self._presenter.show_session(session_id)
        opened = bool(await self.ask(_done(self._client.open_session(session_id))))
        if self._presenter.session_id == session_id:
            self._presenter.show_session(session_id if opened else before)
        return opened

    def pick(self) -> None:
        """Show the session list."""
        from tui.widgets.dialogs.session_picker import SessionPicker

        traits = self._client.traits
        picker = SessionPicker(
            self._client.store,
            self._presenter.standing_of,
            self._client.server_now,
            self._presenter.session_id,
            self,
            edits=traits is not None and traits.edits_sessions,
            is_connected=lambda: self._client.connection_status().up,
            kept=self._gone_with_words,
            waited=self._presenter.requests.waited_in,
        )
        self._picker = picker
        self._presenter.refresh_dialog = picker.draw
        self._app.push_screen(picker, self._chosen)
        self.fetch("", None)

    def inbox(self) -> None:
        """Show the inbox: the open requests of all sessions."""
        from tui.widgets.dialogs.inbox import Inbox

        panel = self._presenter.panel
        traits = self._client.traits
        inbox = Inbox(
            self._client.store,
            panel.ui_state,
            self._client.now,
            reject_with_reason=traits is None or traits.reject_with_reason,
        )
        self._presenter.refresh_dialog = inbox.draw
        self._app.push_screen(inbox, self._inbox_left)

    def _inbox_left(self, session_id: str | None) -> None:
        self._presenter.refresh_dialog = None
        self._presenter.panel.redraw()
        if session_id is not None:
            self._work(self.open(session_id), "session")

    def rename(self, session: Session) -> None:
        """Show the rename dialog."""
        from tui.widgets.dialogs.text_input_dialog import TextInputDialog

        def named(title: str | None) -> None:
            if title is not None:
                self._work(self.ask(self._client.editing.rename(session.id, title)), "edit")

        self._app.push_screen(TextInputDialog("Rename the session", single_line(session.title), "rename"), named)

    def fork(self, session: Session) -> None:
        """Copy a session and open the copy."""
        self._work(self._fork(session), "edit")

    def delete(self, session: Session) -> None:
        """Delete a session after confirmation."""
        from tui.widgets.dialogs.confirm import Confirm

        children = len(self._client.store.session_tree(session.id)) - 1
        more = "" if not children else f" and its {children} child session{'s' if children > 1 else ''}"
        warning = f"“{session.title.strip() or 'untitled'}”{more} will be deleted from the server permanently."
        self._app.push_screen(
            Confirm("Delete this session?", warning, "delete", "cancel"), partial(self._delete, session.id)
        )

    def undo(self) -> None:
        """Undo the session's newest prompt that is not undone yet, and all messages after it."""
        session_id, store = self._presenter.session_id or "", self._client.store
        transcript, undone = store.transcript(session_id), store.undone(session_id)
        messages = [] if transcript is None else transcript.ordered()
        newest = next((m for m in reversed(messages) if m.role == "user" and m.id not in undone), None)
        if newest is None:
            self._notify(Notice("No prompt to undo here."))
        else:
            self._work(self.ask(self._client.editing.undo(session_id, newest.id)), "edit")

    def redo(self) -> None:
        """Restore the undone messages of the session on the screen."""
        session_id = self._presenter.session_id or ""
        if not self._client.store.undone(session_id):
            self._notify(Notice("Nothing to redo here."))
        else:
            self._work(self.ask(self._client.editing.redo(session_id)), "edit")

    def _delete(self, session_id: str, yes: bool | None) -> None:
        if yes:
            self._work(self._delete_now(session_id), "edit")

    async def _delete_now(self, session_id: str) -> None:
        deleted = await self.ask(_done(self._client.editing.delete(session_id)))
        if not deleted:
            return
        if self._presenter.session_id != session_id:
            self._client.journal.archive_draft(session_id)
        elif not self._has_words(session_id):
            self.begin()

    def _has_words(self, session_id: str) -> bool:
        """Whether the session has queued prompts or a draft."""
        return bool(self._client.prompts.waiting(session_id) or self._client.journal.has_draft(session_id))

    def _gone_with_words(self) -> list[Session]:
        """Return sessions deleted on the server that have queued prompts or a draft."""
        return [session for session in self._client.store.deleted.values() if self._has_words(session.id)]

    async def _fork(self, session: Session) -> None:
        copy = await self.ask(self._client.editing.fork(session.id))
        if copy is not None:
            if self._picker is not None and self._picker.is_attached:
                self._picker.dismiss(None)
            await self.open(copy.id)

    def fetch(self, search: str, cursor: str | None) -> None:
        """Fetch a page for the session list; a later call cancels this one."""
        if self._picker is not None:
            self._work(self._list(self._picker, search, cursor), "list")

    async def _list(self, picker: "SessionPicker", search: str, cursor: str | None) -> None:
        if not self._client.connection_status().up:
            picker.show_searching(False)
            return  # list and header show that it is not connected
        if search:
            await asyncio.sleep(TYPING)
        picker.show_searching(True)
        try:
            page = await self._client.list_sessions(search, cursor)
        except NetError as error:
            picker.show_failure(error.message, cursor)
        else:
            picker.show_page(search, page.cursor, page.unreadable, first=cursor is None)

    def load_older(self) -> None:
        """Load older messages of the session on the screen."""
        session_id = self._presenter.session_id
        if session_id is not None:
            self._app.run_worker(self._load_older(session_id), group="older")

    async def _load_older(self, session_id: str) -> None:
        try:
            await self._client.load_older(session_id)
        except NetError as error:
            log.info("older messages: %s", error.message)  # also shown in the transcript

    def _chosen(self, choice: "Open | New | None") -> None:
        from tui.widgets.dialogs.session_picker import New, Open

        self._presenter.refresh_dialog = None
        match choice:
            case Open(session_id):
                self._work(self.open(session_id), "session")
            case New():
                self.begin()
            case None:
                pass

    def begin(self) -> None:
        """Leave the session; the next prompt creates a new one."""
        self._presenter.show_session(None)

    def _work(self, work: Awaitable[object], group: str) -> None:
        self._app.run_worker(work, group=group, exclusive=group != "edit")


async def _done(call: Awaitable[None]) -> bool:
    await call
    return True
