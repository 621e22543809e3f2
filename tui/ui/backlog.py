"""Changes that wait to be shown, and what is made of them where they come faster than they can be.

What only says where to look may be said once for many; what is told to the person stays, and in its order.
"""

from collections import deque

from tui.core import changes as c

LIMIT = 1_000
"""Changes that say where to look, from which on they are gathered."""

IN_TRANSCRIPT = (c.TextAppended, c.PartChanged, c.PartRemoved, c.MessageChanged, c.MessageRemoved, c.OlderLoaded)
"""The transcript is drawn anew instead."""
SAID_ONCE = (
    c.SessionsChanged,
    c.RequestsChanged,
    c.PlanChanged,
    c.ConnectionChanged,
    c.LoadingChanged,
    c.TurnChanged,
    c.QueueChanged,
    c.TranscriptReset,
)
LOOKS = (*IN_TRANSCRIPT, *SAID_ONCE)


class Backlog:
    """In the order in which they came. `session_id`: the session on the screen."""

    def __init__(self) -> None:
        self._changes: deque[c.Change] = deque()
        self._looks = 0
        self._limit = LIMIT
        self.outcomes = 0
        """Of these, those that put a line of ours into the transcript on the screen."""

    def __len__(self) -> int:
        return len(self._changes)

    def add(self, change: c.Change, session_id: str | None) -> None:
        self._changes.append(change)
        self.outcomes += is_outcome(change, session_id)
        if isinstance(change, LOOKS):
            self._looks += 1
            if self._looks > self._limit:
                self.gather(session_id)

    def next(self, session_id: str | None) -> c.Change:
        """Take out the oldest."""
        change = self._changes.popleft()
        self._looks -= isinstance(change, LOOKS)
        self.outcomes -= is_outcome(change, session_id)
        return change

    def gather(self, session_id: str | None) -> None:
        """Say once what only says where to look."""
        gathered: dict[c.Change, None] = {}
        others: deque[c.Change] = deque()
        for change in self._changes:
            if not isinstance(change, LOOKS):
                others.append(change)
            elif not isinstance(change, IN_TRANSCRIPT):
                gathered[change] = None
            elif change.session_id == session_id:
                gathered[c.TranscriptReset(change.session_id)] = None
        self._changes = deque(gathered) + others
        self._looks = len(gathered)
        self._limit = max(LIMIT, 2 * self._looks)


def is_outcome(change: c.Change, session_id: str | None) -> bool:
    """Whether it puts a line of ours into the transcript of the session."""
    match change:
        case c.RequestClosed(request):
            return request.session_id == session_id
        case c.FailureSeen(failed_in):
            return failed_in == session_id
        case _:
            return False
