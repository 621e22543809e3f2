"""Shows the open requests of the session on the screen in the panel, and how requests ended."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.content import Content

from tui.core.changes import Notice
from tui.core.model import Request
from tui.ui.heading import asker_of, name_of
from tui.ui.main_screen import MainScreen

if TYPE_CHECKING:
    from tui.client.client import Client


class RequestDisplay:
    """Draws from the client's state. `notify` shows a notice."""

    def __init__(self, client: "Client", main: MainScreen, notify: Callable[[Notice], None]) -> None:
        self._client = client
        self._main = main
        self._notify = notify

    def show(self, session_id: str | None) -> None:
        """Show the requests of the session and its descendants; the footer counts those of all sessions."""
        panel, store, traits = self._main.panel, self._client.store, self._client.traits
        panel.reject_with_reason = traits is None or traits.reject_with_reason
        for request in store.requests.values():
            waited = 0.0 if request.asked is None else max(0.0, self._client.server_now() - request.asked)
            panel.ui_state.since.setdefault(request.id, self._client.now() - waited)
        self._main.waiting = len(store.requests) + store.requests_not_loaded
        requests = store.requests_of(session_id) if session_id else []
        if panel.show_requests(requests, {one.session_id: asker_of(store, one, session_id) for one in requests}):
            self._main.request_appeared()
        self._main.refresh_hints()

    def waited_in(self, session_id: str) -> float | None:
        """Return the seconds that the session's oldest request has waited; None if it has no request."""
        since = self._main.panel.ui_state.since
        known = [since[one.id] for one in self._client.store.requests_of(session_id) if one.id in since]
        return self._client.now() - min(known) if known else None

    def show_outcome(self, request: Request, words: Content, session_id: str | None) -> None:
        """Show the outcome in the transcript if it belongs to the session on the screen, else as a notice."""
        store = self._client.store
        if session_id is not None and store.is_within(request.session_id, session_id):
            self._main.transcript.note(words, request.call_id or "")
        else:
            self._notify(Notice(f"{name_of(store, request.session_id)}\n{words.plain.removeprefix('· ')}"))
