"""Filters stale requests of aborted turns, which servers keep in their list.

In an idle session all requests are stale, and in one with a transcript the store decides by the tool call. For busy
sessions without a transcript this filter fetches the newest messages.
"""

import asyncio
import logging

from msgspec.structs import replace

from tui.backends.base import Backend
from tui.core import events as e
from tui.core.model import FullMessage, Request, ToolPart
from tui.core.store import ENDED, Store
from tui.net.errors import NetError

log = logging.getLogger(__name__)


class StaleRequestFilter:
    """Removes stale requests of busy sessions without a transcript.

    A session is fetched once after a gap, and again if its list contains a request that no event reported.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[str, frozenset[str]] = {}
        """By session: the ids of its stale requests."""

    def forget(self) -> None:
        """Clear the results after a gap in the event stream."""
        self._found.clear()

    async def without_stale(self, backend: Backend, found: e.Resynced) -> e.Resynced:
        """`found` without stale requests; the requests of a session that cannot be fetched are kept."""
        doubtful: dict[str, list[Request]] = {}
        for request in found.requests:
            kept = self._store.transcript(request.session_id) is not None
            if request.message_id is not None and request.session_id in found.statuses and not kept:
                doubtful.setdefault(request.session_id, []).append(request)
        asking = (self._among(backend, session_id, requests) for session_id, requests in doubtful.items())
        stale = frozenset[str]().union(*await asyncio.gather(*asking))
        return replace(found, requests=tuple(one for one in found.requests if one.id not in stale))

    async def _among(self, backend: Backend, session_id: str, requests: list[Request]) -> frozenset[str]:
        known = self._found.get(session_id)
        if known is not None and all(one.id in known or one.id in self._store.requests for one in requests):
            return known
        try:
            page = (await backend.messages(session_id)).messages
        except NetError as error:
            log.info("cannot check whether the requests of %s are stale: %s", session_id, error.message)
            return frozenset()
        self._found[session_id] = frozenset(request.id for request in requests if _has_ended(request, page))
        return self._found[session_id]


def _has_ended(request: Request, page: tuple[FullMessage, ...]) -> bool:
    """Whether the request's tool call has ended."""
    parts = (part for full in page if full.message.id == request.message_id for part in full.parts)
    calls = (part for part in parts if isinstance(part, ToolPart) and part.call_id == request.call_id)
    return any(call.state in ENDED for call in calls)
