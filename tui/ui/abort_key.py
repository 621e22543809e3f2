"""Two presses of Esc abort a turn: the first asks, the second within a few seconds aborts the turn that ran then."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.core.changes import Notice
from tui.core.turn import Turn

if TYPE_CHECKING:
    from tui.client.client import Client

ABORT_CONFIRM_TIMEOUT = 3.0
"""Seconds within which a second Esc aborts the turn."""


class AbortKey:
    """`notify` shows a notice; `changed` is called when `awaits` may have changed."""

    def __init__(self, client: "Client", *, notify: Callable[[Notice], None], changed: Callable[[], None]) -> None:
        self._client = client
        self._notify = notify
        self._changed = changed
        self._armed: Turn | None = None
        self._until = float("-inf")

    def awaits(self, turn: Turn | None) -> bool:
        """Whether one more Esc aborts this turn."""
        return turn is not None and turn is self._armed and self._client.now() < self._until

    def press(self, session_id: str | None) -> None:
        """Esc was pressed in the prompt of the session."""
        turn, armed = self._client.turn(session_id or ""), self._armed
        now, self._armed = self._client.now(), None
        in_time = armed is not None and now < self._until and armed.session_id == session_id
        if in_time and armed is not None and armed.over:
            self._notify(Notice("That turn ended before the second Esc. Nothing was aborted."))
        elif turn is not None and not turn.over:
            if in_time and turn is armed:
                self._client.abort(turn.session_id)
            else:
                self._armed, self._until = turn, now + ABORT_CONFIRM_TIMEOUT
        self._changed()

    def press_or_tell(self, session_id: str | None) -> None:
        """As Esc in the prompt, but say so if there is nothing to abort."""
        turn = self._client.turn(session_id or "")
        if turn is None or turn.over:
            self._notify(Notice("No turn is running."))
        else:
            self.press(session_id)

    def other_key(self) -> None:
        """Another key was pressed: only two consecutive Esc abort."""
        if self._armed is not None:
            self._armed = None
            self._changed()
