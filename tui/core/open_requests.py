"""Open requests, indexed by session, ancestor sessions and tool call.

Their number is limited to what a user can answer in hours, and so is their size; of further ones only the ids are
stored, and they are fetched from the server once there is room.
"""

from collections.abc import Callable, Iterable, Sequence

from tui.core.memory_size import weight
from tui.core.model import PermissionRequest, QuestionRequest, Request

MAX_REQUESTS = 500
"""Limit of requests that are stored completely..."""
MAX_REQUEST_BYTES = 16 << 20
"""...and bytes of them from which on no further one is stored."""
MAX_IDS = 20_000
"""Limit of ids of further requests; more are only counted."""


def asks_the_same(before: Request, now: Request) -> bool:
    """Whether a reply that was chosen for `before` is one to `now`, which has the same id.

    A permission may get further details, such as the name of its tool; what it asks for stays.
    """
    match before, now:
        case QuestionRequest(), QuestionRequest():
            return before.questions == now.questions
        case PermissionRequest(), PermissionRequest():
            pairs = (before.patterns, now.patterns), (before.detail, now.detail)
            return all(old == new or not old for old, new in pairs)
        case _:
            return False


class OpenRequests:
    """The requests by id, session, ancestor and call. `lineage` returns a session and its ancestors."""

    def __init__(self, lineage: Callable[[str], Sequence[str]], kept: int = MAX_REQUESTS) -> None:
        self._lineage = lineage
        self._kept = kept
        self.by_id: dict[str, Request] = {}
        """Oldest first; read only."""
        self.not_stored: dict[str, None] = {}
        """Ids of further open requests that are not stored."""
        self.same_id: set[tuple[str, str]] = set()
        """Session and id of further open requests whose id a stored request of another session has."""
        self._not_known = 0
        self._weights: dict[str, int] = {}
        self._total = 0
        self._within: dict[str, dict[str, None]] = {}
        self._of_call: dict[tuple[str, str | None], dict[str, None]] = {}
        self._listed: dict[str, set[str]] = {}
        """Request id → the sessions in `_within` that list it."""
        self._opened: dict[str, int] = {}
        self._count = 0

    @property
    def has_room(self) -> bool:
        """Whether enough were answered to fetch those in `not_stored`."""
        few = len(self.by_id) <= self._kept // 2 and self._total <= MAX_REQUEST_BYTES // 2
        return self.beyond > 0 and few

    @property
    def beyond(self) -> int:
        """The number of open requests that are not stored."""
        return len(self.not_stored) + len(self.same_id) + self._not_known

    def set_not_stored(self, ids: Iterable[str]) -> None:
        """Replace the ids of the open requests that are not stored."""
        self.same_id.clear()
        every = [one for one in ids if one not in self.by_id]
        self.not_stored = dict.fromkeys(every[:MAX_IDS])
        self._not_known = len(every) - len(self.not_stored)

    def put(self, request: Request) -> bool:
        """Add or replace a request; returns whether anything changed."""
        known = self.by_id.get(request.id)
        if known == request:
            return False
        if known is not None and known.session_id != request.session_id:
            before = self.beyond
            if len(self.same_id) < MAX_IDS:
                self.same_id.add((request.session_id, request.id))
            return self.beyond != before
        others = len(self.by_id) - (known is not None)
        if others >= self._kept or self._total - self._weights.get(request.id, 0) >= MAX_REQUEST_BYTES:
            if request.id in self.not_stored:
                return False
            self.pop(request.id)
            if len(self.not_stored) < MAX_IDS:
                self.not_stored[request.id] = None
            else:
                self._not_known += 1
            return True
        if known is not None:
            self._forget(known)
        self._weights[request.id] = weight(request)
        self._total += self._weights[request.id]
        self.not_stored.pop(request.id, None)
        self.by_id[request.id] = request
        self._opened.setdefault(request.id, self._count)
        self._count += 1
        self._of_call.setdefault((request.session_id, request.call_id), {})[request.id] = None
        self._list(request.id, self._lineage(request.session_id))
        return True

    def pop(self, request_id: str) -> Request | None:
        """Remove a request that is no longer open; None if it is not stored."""
        self.not_stored.pop(request_id, None)
        request = self.by_id.pop(request_id, None)
        if request is not None:
            self._forget(request)
            del self._opened[request_id]
        return request

    def within(self, session_id: str) -> list[Request]:
        """Requests of the session and its descendants, oldest first."""
        ids = self._within.get(session_id, {})
        return [self.by_id[one] for one in sorted(ids, key=self._opened.__getitem__)]

    def of(self, session_id: str) -> list[Request]:
        """Requests of the session itself."""
        return [request for request in self.within(session_id) if request.session_id == session_id]

    def of_call(self, session_id: str, call_id: str | None) -> list[Request]:
        """Requests that a tool call of the session waits for."""
        return [self.by_id[one] for one in self._of_call.get((session_id, call_id), ())]

    def moved(self, session_id: str, before: Sequence[str]) -> None:
        """Update the requests of a session whose ancestors were `before`."""
        for request_id in self._within.get(session_id, ()):
            self._unlist(request_id, before[1:])
            self._list(request_id, self._lineage(session_id)[1:])

    def _forget(self, request: Request) -> None:
        self._total -= self._weights.pop(request.id)
        self._unlist(request.id, list(self._listed[request.id]))
        of_call = self._of_call[(request.session_id, request.call_id)]
        del of_call[request.id]
        if not of_call:
            del self._of_call[(request.session_id, request.call_id)]

    def _list(self, request_id: str, sessions: Iterable[str]) -> None:
        for session_id in sessions:
            self._within.setdefault(session_id, {})[request_id] = None
            self._listed.setdefault(request_id, set()).add(session_id)

    def _unlist(self, request_id: str, sessions: Iterable[str]) -> None:
        listed = self._listed[request_id]
        for session_id in listed.intersection(sessions):
            del self._within[session_id][request_id]
            if not self._within[session_id]:
                del self._within[session_id]
            listed.discard(session_id)
        if not listed:
            del self._listed[request_id]
