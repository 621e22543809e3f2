"""Queue of changes to be shown, coalesced when they arrive faster than the screen can draw.

Changes that only name what to redraw are merged; messages to the user are kept, in order.
"""

from collections import deque

from tui.core import changes as c

LIMIT = 1_000
"""Number of redraw changes above which they are merged."""

IN_TRANSCRIPT = (c.TextAppended, c.PartChanged, c.PartRemoved, c.MessageChanged, c.MessageRemoved, c.OlderLoaded)
"""Merged into one redraw of the transcript."""
COALESCED_CHANGES = (
    c.SessionsChanged,
    c.RequestsChanged,
    c.PlanChanged,
    c.ConnectionChanged,
    c.LoadingChanged,
    c.TurnChanged,
    c.QueueChanged,
    c.TranscriptReset,
)
LOOKS = (*IN_TRANSCRIPT, *COALESCED_CHANGES)


class Backlog:
    """Changes in order of arrival. `session_id`: the session on the screen."""

    def __init__(self) -> None:
        self._changes: deque[c.Change] = deque()
        self._looks = 0
        self._limit = LIMIT
        self.outcomes = 0
        """How many of the changes add a note to the transcript on the screen."""

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
        """Remove and return the oldest change."""
        change = self._changes.popleft()
        self._looks -= isinstance(change, LOOKS)
        self.outcomes -= is_outcome(change, session_id)
        return change

    def gather(self, session_id: str | None) -> None:
        """Merge the changes that only name what to redraw."""
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
    """Whether the change adds a note to the transcript of the session."""
    match change:
        case c.RequestClosed(request):
            return request.session_id == session_id
        case c.FailureSeen(failed_in):
            return failed_in == session_id
        case _:
            return False
