"""qwen serve's list of sessions: their statuses and requests, also of those without an event stream.

It polls and compares, and stores the last result; it changes nothing at the server.
"""

import asyncio
import dataclasses
import json
import logging
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from tui.backends.decoding import UNREADABLE, RawJSON, Rows, decode, decode_items, read
from tui.backends.paging import Paging
from tui.backends.qwen import schema as wire
from tui.backends.qwen.followed_session import FollowedSession
from tui.backends.qwen.requests import StreamedRequest, pending
from tui.core import events as e
from tui.core.model import Busy, Idle, PermissionRequest, Request, Session, SessionStatus
from tui.net.errors import InvalidBody, NetError, NotFound
from tui.net.gather import together
from tui.net.http_client import Http
from tui.net.response import Progress, Response
from tui.net.url import path_segment

log = logging.getLogger(__name__)

PAGE = 200
"""Page size of the list: the maximum; a real 0.24.4 returns 100."""
MAX_SEARCHED = 5000
"""Limit of sessions read for a search."""
NEWEST = 20
"""Stored records in which the call that waits for a permission is searched: it is among the last."""


class SessionList:
    """`watches`: the sessions with a stream. `workspaces`: those to list. Calls may raise `NetError`."""

    def __init__(self, http: Http, watches: Mapping[str, FollowedSession], workspaces: tuple[str, ...]) -> None:
        self.workspaces = workspaces
        self._http = http
        self._paging = Paging(PAGE)
        self._watches = watches
        self._seen: dict[str, wire.ListedSession] = {}
        self._unread: dict[str, str] = {}
        """Workspace → why its list could not be read at the last poll."""
        self._asked: dict[str, StreamedRequest] = {}
        self._tools: dict[str, str] = {}
        """Request id → the tool that waits for permission, "" if unknown."""

    def known(self, session_id: str) -> wire.ListedSession | None:
        """The session as of the last poll."""
        return self._seen.get(session_id)

    async def fetch(self) -> dict[str, wire.ListedSession]:
        """The newest sessions of all workspaces, newest first; those of an unreadable list as last seen."""
        pages = await together(*map(self._newest, self.workspaces))
        listed = zip(self.workspaces, pages, strict=True)
        self._unread = {place: page.message for place, page in listed if isinstance(page, InvalidBody)}
        found = [seen for page in pages if not isinstance(page, InvalidBody) for seen in page.sessions]
        found += [seen for seen in self._seen.values() if seen.session.directory in self._unread]
        found.sort(key=lambda one: one.session.updated, reverse=True)
        return {one.session.id: one for one in found}

    async def page(self, search: str, cursor: str | None) -> Rows[Session]:
        """A page of the sessions of each workspace; `cursor` is from the previous page.

        The server has no search: with `search` all pages are read, up to MAX_SEARCHED.
        """
        at: dict[str, str | None] = dict.fromkeys(self.workspaces) if cursor is None else json.loads(cursor)
        wanted = search.casefold()
        found: dict[str, wire.ListedSession] = {}
        read = unreadable = 0
        while at:
            for place, where in list(at.items()):
                page = await self._page(place, where)
                read += len(page.sessions) or PAGE  # an empty page may have a cursor too
                unreadable += page.sessions.unreadable
                fitting = (one for one in page.sessions if wanted in one.session.title.casefold())
                found |= {one.session.id: one for one in fitting}
                at[place] = _further(page, where)
                if at[place] is None:
                    del at[place]
            if not wanted or read >= MAX_SEARCHED:
                break
        newest = sorted(found.values(), key=lambda one: one.session.updated, reverse=True)
        rows = Rows(one.session for one in newest)
        rows.unreadable, rows.cursor = unreadable, json.dumps(at) if at else None
        return rows

    async def _newest(self, place: str) -> wire.ListedPage | InvalidBody:
        """The newest of a workspace: one page, or several smaller ones."""
        try:
            page, size = await self._sized_page(place)
            while page.cursor is not None and size < PAGE and len(page.sessions) < PAGE:
                more, size = await self._sized_page(place, page.cursor)
                further = _further(more, page.cursor) if more.sessions else None
                page = wire.ListedPage(page.sessions.with_more(more.sessions), further)
        except InvalidBody as error:
            log.warning("the sessions of %s cannot be listed: %s", place, error.message)
            return error
        return page

    async def _page(self, place: str, cursor: str | None = None) -> wire.ListedPage:
        page, _ = await self._sized_page(place, cursor)
        return page

    async def _sized_page(self, place: str, cursor: str | None = None) -> tuple[wire.ListedPage, int]:
        """A page, reduced if the response is too large or too slow, and its requested size."""
        asked_for = PAGE
        path = f"/workspaces/{path_segment(place)}/sessions"
        where = {} if cursor is None else {"cursor": cursor}

        async def fetch(size: int, progress: Progress) -> Response:
            nonlocal asked_for
            asked_for = size
            return await self._http.call("GET", path, params={"size": str(size), **where}, progress=progress)

        return decode(path, wire.page, (await self._paging.ask(fetch, PAGE)).value), asked_for

    async def status(self, session_id: str) -> wire.ListedSession | None:
        """The session's current state; None if it is not live at the server."""
        path = f"/session/{path_segment(session_id)}/status"
        try:
            value = (await self._http.call("GET", path)).value
        except NotFound:
            return None
        return decode(path, wire.seen, value)

    async def resync(self) -> e.Resynced:
        """All statuses and open requests."""
        seen = await self.fetch()
        unlisted = [one for one in self._watches if one not in seen]
        found = dict(zip(unlisted, await together(*map(self._status_or_why, unlisted)), strict=True))
        seen |= {one: status for one, status in found.items() if isinstance(status, wire.ListedSession)}
        unknown = {one: why.message for one, why in found.items() if isinstance(why, InvalidBody)}
        await self._name_tools(seen)
        self._seen = seen
        self._asked.clear()
        statuses: dict[str, SessionStatus] = {session_id: Busy() for session_id, one in seen.items() if one.busy}
        requests = [request for one in seen.values() for request in self._requests_of(one)]
        unreadable = sum(_waiting(one).unreadable for one in seen.values())
        covered = frozenset(self.workspaces) - frozenset(self._unread) if self._unread else None
        problem = "; ".join(dict.fromkeys([*self._unread.values(), *unknown.values()]))
        return e.Resynced(statuses, tuple(requests), covered, unreadable, problem, unknown=frozenset(unknown))

    async def _status_or_why(self, session_id: str) -> wire.ListedSession | InvalidBody | None:
        try:
            return await self.status(session_id)
        except InvalidBody as error:
            log.warning("the status of %s cannot be read: %s", session_id, error.message)
            return error

    async def poll_changes(self) -> Sequence[e.Event]:
        """Changes in the list; of followed sessions only the title, as the rest is streamed."""
        seen = await self.fetch()
        await self._name_tools(seen)
        before, self._seen = self._seen, seen
        found: list[e.Event] = []
        for session_id, now in self._seen.items():
            was = before.get(session_id)
            watched = session_id in self._watches
            if was is None or was.session.title != now.session.title or (not watched and was != now):
                found.append(e.SessionUpserted(now.session))
            if watched or was == now:
                continue
            found.append(e.StatusChanged(session_id, Busy() if now.busy else Idle()))
            is_open = {request.id: request for request in self._requests_of(now)}
            gone = [one.id for one in self._requests_of(was) if one.id not in is_open] if was is not None else []
            found += [e.RequestRemoved(session_id, request_id) for request_id in gone]
            found += [e.RequestOpened(request) for request in is_open.values()]
        return found

    def find_open(self, request_id: str) -> StreamedRequest | None:
        """An open request, with its options."""
        for watch in self._watches.values():
            if request_id in watch.reducer.open:
                return watch.reducer.open[request_id]
        return self._asked.get(request_id)

    async def _name_tools(self, seen: Mapping[str, wire.ListedSession]) -> None:
        """Look up, once per permission without a stream, which tool waits: the list does not name it."""
        waiting = {
            asked.request.id: asked
            for one in seen.values()
            if one.session.id not in self._watches
            for asked in _waiting(one)
            if isinstance(asked.request, PermissionRequest)
        }
        new = [asked for request_id, asked in waiting.items() if request_id not in self._tools]
        names = await asyncio.gather(*(tool_of(self._http, asked) for asked in new))
        found = {asked.request.id: name for asked, name in zip(new, names, strict=True)}
        self._tools = {one: name for one, name in self._tools.items() if one in waiting} | found

    def _requests_of(self, seen: wire.ListedSession) -> list[Request]:
        """The open requests of a session, with their tool calls if its events are streamed."""
        watch = self._watches.get(seen.session.id)
        streamed = {} if watch is None else watch.reducer.open
        asked = [streamed.get(one.request.id) or self._named(one) for one in _waiting(seen)]
        self._asked |= {one.request.id: one for one in asked}
        return [one.request for one in asked]

    def _named(self, asked: StreamedRequest) -> StreamedRequest:
        tool = self._tools.get(asked.request.id)
        if not tool or not isinstance(asked.request, PermissionRequest):
            return asked
        return dataclasses.replace(asked, request=replace(asked.request, action=tool))


def _further(page: wire.ListedPage, cursor: str | None) -> str | None:
    """The cursor of the page after this one, which was requested by `cursor`."""
    return page.cursor if page.cursor != cursor else None


def _waiting(seen: wire.ListedSession) -> Rows[StreamedRequest]:
    return decode_items(list(seen.interactions), lambda raw: pending(seen.session.id, raw), "an open request")


class _Page(msgspec.Struct):
    events: list[RawJSON] = []


class _Meta(msgspec.Struct, rename="camel"):
    tool_name: str = ""


class _Update(msgspec.Struct, rename="camel"):
    session_update: str = ""
    raw_input: RawJSON = None
    meta: _Meta = msgspec.field(default_factory=_Meta, name="_meta")


class _Event(msgspec.Struct):
    data: _Update = msgspec.field(default_factory=_Update)


async def tool_of(http: Http, asked: StreamedRequest) -> str:
    """The name of the newest call with the input of the request; "" if unknown.

    The list has the kind of the call and its input ("execute", a command), but not its name. The stored transcript has
    the call itself; unlike `load`, reading it neither activates nor joins the session.
    """
    path = f"/session/{path_segment(asked.request.session_id)}/transcript"
    try:
        reply = await http.call("GET", path, params={"direction": "backward", "limit": NEWEST})
        calls = list(_calls(reply.value))
    except (NetError, *UNREADABLE) as error:
        log.info("the tool name of a permission is unknown: %s", error)
        return ""
    names = [call.meta.tool_name for call in calls if asked.input and call.raw_input == asked.input]
    return names[-1] if names else ""


def _calls(value: RawJSON) -> Iterator[_Update]:
    events = read(value, _Page).events
    for event in decode_items(events, lambda raw: read(raw, _Event), "an event of a stored transcript"):
        update = event.data
        if update.session_update == "tool_call":
            yield update
