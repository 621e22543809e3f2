"""How each session stands: one word a session, also for those that nobody here has open.

A state machine without a clock: `now` is handed in, in the monotonic seconds that turns use. It reads the store
and the turns, and remembers only what neither tells: that a turn ended unseen, and when a session last moved.
"""

from collections.abc import Callable
from enum import Enum

from tui.core.diagnosis import DEFAULT_PATIENCE, StallTimeouts
from tui.core.model import Failure, Idle, Retrying
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


class SessionState(Enum):
    """The more a person is needed, the earlier it stands here."""

    WAITING = "waiting for you"
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
    """What became of each session since this client began to watch."""

    def __init__(
        self, store: Store, turn_of: Callable[[str], Turn | None], patience: StallTimeouts = DEFAULT_PATIENCE
    ) -> None:
        self._store = store
        self._still_after = patience.still_after
        self._turn_of = turn_of
        self._busy: set[str] = set()
        self._ends: dict[str, SessionState] = {}
        self._moved: dict[str, tuple[int, float]] = {}
        self._reading: str | None = None

    def of(self, session_id: str, now: float) -> SessionState:
        """How the session stands at `now`."""
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

    def reading(self, session_id: str | None) -> None:
        """The person looks at this session, and at no other."""
        self._reading = session_id
        if session_id is not None and self._ends.get(session_id) is SessionState.UNREAD:
            del self._ends[session_id]

    def failed(self, session_id: str, failure: Failure) -> None:
        """The server told of an error; whether it ends the turn is seen when the session comes to rest.

        One that ended an earlier answer, and is told late, says nothing of how the session stands.
        """
        transcript = self._store.transcript(session_id)
        failed = transcript.failed_with(failure) if transcript is not None else []
        late = transcript is not None and bool(failed) and transcript.newest_answer() not in failed
        if failure.kind != "aborted" and not late:
            self._ends[session_id] = SessionState.INTERRUPTED if failure.kind == "interrupted" else SessionState.FAILED

    def look(self, now: float) -> None:
        """Time passed, or anything may have changed."""
        for session_id in {*self._busy, *self._store.sessions}:
            self.look_at(session_id, now)

    def look_at(self, session_id: str | None, now: float) -> None:
        """Something of the session changed."""
        if session_id is None:
            return
        listed, was_busy = session_id in self._store.sessions, session_id in self._busy
        if listed and not isinstance(self._store.status(session_id), Idle):
            if not was_busy:
                self._busy.add(session_id)
                self._ends.pop(session_id, None)
            mark = self._store.mark(session_id)
            if self._moved.get(session_id, (-1, 0.0))[0] != mark:
                self._moved[session_id] = (mark, now)
        elif was_busy:
            self._busy.discard(session_id)
            self._moved.pop(session_id, None)
            if session_id != self._reading and listed:
                self._ends.setdefault(session_id, SessionState.UNREAD)

    def _still(self, session_id: str, turn: Turn | None, now: float) -> float:
        """Seconds since anything of the session changed."""
        if turn is not None and not turn.over:
            return turn.idle_for(now)
        _, at = self._moved.get(session_id, (0, now))
        return now - at
