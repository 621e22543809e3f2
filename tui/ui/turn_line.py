"""Shows whether a turn of the session on the screen runs, and how: above the prompt, in the plan, in the key hints."""

from typing import TYPE_CHECKING

from textual.content import Content

from tui.core.connection_status import ConnectionStatus
from tui.core.model import Idle, Session
from tui.core.sanitize import single_line
from tui.ui.abort_key import AbortKey
from tui.ui.main_screen import MainScreen
from tui.widgets.base.static_text import ALARM
from tui.widgets.status.turn_status import missing_session_text, undone_text

if TYPE_CHECKING:
    from tui.client.client import Client

OTHERS = object()
"""Placeholder for a turn that another client started."""
SESSION_ID = 40
"""Maximum characters of a session's id."""


class TurnLine:
    """Draws from the client's state."""

    def __init__(self, client: "Client", main: MainScreen, abort_key: AbortKey) -> None:
        self._client = client
        self._main = main
        self._abort_key = abort_key

    def show(self, session_id: str, line: ConnectionStatus, *, takes_now: bool) -> None:
        """Draw the session's turn, or why none can run. `takes_now`: a prompt is accepted now."""
        store, turn = self._client.store, self._client.turn(session_id)
        runs = turn is not None and not turn.over
        self._main.show_running(runs, takes_now=takes_now)
        busy = not isinstance(store.status(session_id), Idle)
        self._main.plan.show_turn(turn if runs else OTHERS if busy else None)
        if runs and self._abort_key.awaits(turn):
            self._main.turn_line.show_text(Content.styled("Esc once more aborts the turn", ALARM))
            return
        transcript = store.transcript(session_id)
        messages = {} if transcript is None else transcript.messages
        if session_id in store.deleted and not runs:
            unknown = single_line(session_id, SESSION_ID) if self._never_seen(session_id) else ""
            self._main.turn_line.show_text(missing_session_text(line, readable=bool(messages), unknown=unknown))
            return
        undone = store.undone(session_id)
        if undone and not runs and line.up:
            prompts = sum(messages[message_id].role == "user" for message_id in undone)
            self._main.turn_line.show_text(undone_text(prompts))
            return
        trouble = None if turn is None else self._client.turns.diagnose(turn)
        abort = self._client.aborts.progress(session_id)
        self._main.turn_line.show_turn(turn, trouble, line, self._client.now(), self._client.server_now(), abort)

    def _never_seen(self, session_id: str) -> bool:
        """Whether a session that the server does not have was never listed by it."""
        return self._client.store.deleted[session_id] == Session(session_id, "")
