"""The requests that wait for a person, found by their session, by its ancestors, or by the tool call that asked.

So many are kept that a person can answer for hours; of more, only the ids: the server has the rest, and is asked
for them once there is room.
"""

from collections.abc import Callable, Iterable, Sequence

from tui.core.model import Request

KEPT = 500
"""Requests that are kept whole."""


class OpenRequests:
    """`lineage` gives a session and its ancestors: a request waits in each of them."""

    def __init__(self, lineage: Callable[[str], Sequence[str]], kept: int = KEPT) -> None:
        self._lineage = lineage
        self._kept = kept
        self.by_id: dict[str, Request] = {}
        """The oldest first; to be read."""
        self.beyond: dict[str, None] = {}
        """The ids of those that are open too, and not kept."""
        self._within: dict[str, dict[str, None]] = {}
        self._of_call: dict[tuple[str, str | None], dict[str, None]] = {}
        self._listed: dict[str, set[str]] = {}
        """By request, the sessions in `_within` that have it."""
        self._opened: dict[str, int] = {}
        self._count = 0

    @property
    def has_room(self) -> bool:
        """Whether so many were answered that the server is asked for those beyond."""
        return bool(self.beyond) and len(self.by_id) <= self._kept // 2

    def put(self, request: Request) -> bool:
        """Take one in, or its new state; whether that changed anything."""
        known = self.by_id.get(request.id)
        if known == request:
            return False
        if known is None and len(self.by_id) >= self._kept:
            if request.id in self.beyond:
                return False
            self.beyond[request.id] = None
            return True
        if known is not None:
            self._forget(known)
        self.beyond.pop(request.id, None)
        self.by_id[request.id] = request
        self._opened.setdefault(request.id, self._count)
        self._count += 1
        self._of_call.setdefault((request.session_id, request.call_id), {})[request.id] = None
        self._list(request.id, self._lineage(request.session_id))
        return True

    def pop(self, request_id: str) -> Request | None:
        """It is not open any more; None where it is not kept."""
        self.beyond.pop(request_id, None)
        request = self.by_id.pop(request_id, None)
        if request is not None:
            self._forget(request)
            del self._opened[request_id]
        return request

    def within(self, session_id: str) -> list[Request]:
        """Those of the session and its descendants, oldest first."""
        ids = self._within.get(session_id, {})
        return [self.by_id[one] for one in sorted(ids, key=self._opened.__getitem__)]

    def of(self, session_id: str) -> list[Request]:
        """Those of the session itself."""
        return [request for request in self.within(session_id) if request.session_id == session_id]

    def of_call(self, session_id: str, call_id: str | None) -> list[Request]:
        """Those for which a tool call of the session waits."""
        return [self.by_id[one] for one in self._of_call.get((session_id, call_id), ())]

    def moved(self, session_id: str, before: Sequence[str]) -> None:
        """The session has other ancestors than `before`: so have the requests in it."""
        for request_id in self._within.get(session_id, ()):
            self._unlist(request_id, before[1:])
            self._list(request_id, self._lineage(session_id)[1:])

    def _forget(self, request: Request) -> None:
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
