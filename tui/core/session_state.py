"""The state of each session, including those that are not open in this client.

A state machine without a clock: `now` is passed in, in the monotonic seconds of turns. It reads the store and the
turns, and stores only what neither has: that a turn ended unread, and when a session last changed.
"""

from collections.abc import Callable
from enum import Enum

from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.model import Failure, Idle, Retrying
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


class SessionState(Enum):
    """In order of urgency for the user."""

    WAITING = "needs your answer"
    RETRYING = "provider retry"
    STALLED = "stalled"
    RUNNING = "running"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNREAD = "done, unread"
    IDLE = "idle"
    GONE = "gone"


ENDS = {
    TurnState.FAILED: SessionState.FAILED,
    TurnState.NOT_SENT: SessionState.FAILED,
    TurnState.INTERRUPTED: SessionState.INTERRUPTED,
    TurnState.CANCELLED: SessionState.INTERRUPTED,
}


class SessionStates:
    """States of all sessions, since this client started."""

    def __init__(
        self, store: Store, turn_of: Callable[[str], Turn | None], timeouts: StallTimeouts = DEFAULT_TIMEOUTS
    ) -> None:
        self._store = store
        self._still_after = timeouts.still_after
        self._turn_of = turn_of
        self._busy: set[str] = set()
        self._ends: dict[str, SessionState] = {}
        self._moved: dict[str, tuple[int, float]] = {}
        self._reading: str | None = None

    def of(self, session_id: str, now: float) -> SessionState:
        """The session's state at `now`."""
        if session_id in self._store.deleted:
            return SessionState.GONE
        if self._store.requests_of(session_id):
            return SessionState.WAITING
        status, turn = self._store.status(session_id), self._turn_of(session_id)
        if isinstance(status, Retrying):
            return SessionState.RETRYING
        if not isinstance(status, Idle) or (turn is not None and not turn.over):
            return (
                SessionState.STALLED
                if self._still(session_id, turn, now) >= self._still_after
                else SessionState.RUNNING
            )
        ended = ENDS.get(turn.state) if turn is not None else None
        return ended or self._ends.get(session_id, SessionState.IDLE)

    def set_focused(self, session_id: str | None) -> None:
        """The user reads this session, and no other."""
        self._reading = session_id
        if session_id is not None and self._ends.get(session_id) is SessionState.UNREAD:
            del self._ends[session_id]

    def record_failure(self, session_id: str, failure: Failure) -> None:
        """The server reported an error; the session's state shows whether it ended the turn.

        A late error of an earlier answer does not change the state.
        """
        transcript = self._store.transcript(session_id)
        failed = transcript.failed_with(failure) if transcript is not None else []
        late = transcript is not None and bool(failed) and transcript.newest_answer() not in failed
        if failure.kind != "aborted" and not late:
            self._ends[session_id] = SessionState.INTERRUPTED if failure.kind == "interrupted" else SessionState.FAILED

    def refresh(self, now: float) -> None:
        """Update the sessions that work after time passed: others change only with a `SessionsChanged`."""
        for session_id in tuple(self._busy):
            self.refresh_session(session_id, now)

    def refresh_session(self, session_id: str, now: float) -> None:
        """Update one session after a change."""
        listed, was_busy = session_id in self._store.sessions, session_id in self._busy
        if listed and not isinstance(self._store.status(session_id), Idle):
            if not was_busy:
                self._busy.add(session_id)
                self._ends.pop(session_id, None)
            mark = self._store.session_version(session_id)
            if self._moved.get(session_id, (-1, 0.0))[0] != mark:
                self._moved[session_id] = (mark, now)
        elif was_busy:
            self._busy.discard(session_id)
            self._moved.pop(session_id, None)
            if session_id != self._reading and listed:
                self._ends.setdefault(session_id, SessionState.UNREAD)

    def _still(self, session_id: str, turn: Turn | None, now: float) -> float:
        """Seconds since the session last changed."""
        if turn is not None and not turn.over:
            return turn.idle_for(now)
        _, at = self._moved.get(session_id, (0, now))
        return now - at
