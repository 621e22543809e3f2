"""opencode's routes, and those of its forks. Behaviour as measured on opencode 1.18.33.

It only translates: without retries, turn state and guesses.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from tui.backends.base import PostObserver, PromptLookup, ServerInfo, Traits
from tui.backends.client_identity import HEARTBEAT, ClientIdentity, Identities, InMemoryIdentities
from tui.backends.decoding import UNREADABLE_TODO, RawJSON, Rows, checked_aside, decode, string, todos
from tui.backends.opencode import schema as wire
from tui.backends.opencode.catalog import OpenCodeCatalog
from tui.backends.opencode.events import event_of
from tui.backends.opencode.message_ids import Ids
from tui.backends.opencode.messages import full_message, full_messages, too_large
from tui.backends.opencode.prompt_payload import payload
from tui.backends.opencode.running import running
from tui.backends.paging import OnBytes, PageBudget, Paging, contents
from tui.core import events as e
from tui.core.model import Answers, FullMessage, PermissionReply, Prompt, Session, Todo
from tui.net.errors import Empty, InvalidBody, NotFound, SchemaMismatch, TooLarge, UnexpectedContentType
from tui.net.gather import together
from tui.net.http_client import PARSED_AT_ONCE, SHORT, Http
from tui.net.json_input import loads
from tui.net.padded_json import PaddedJson
from tui.net.response import Progress, Response
from tui.net.sse import read_events
from tui.net.url import path_segment

log = logging.getLogger(__name__)

OPENCODE = Traits(family="opencode")
CREATE_LIMIT = 15.0
"""Timeout in seconds to create a session: the first of a project waits until the project is read."""
UNDO_LIMIT = 30.0
"""Timeout in seconds to undo or redo: the server may restore files."""
FIRST_BYTE = 6.0
"""Seconds for an event stream to respond: just after its start the server accepts and never responds."""
EVERYWHERE = "/experimental/session"
"""The sessions of all projects, newest first; `/session` lists one project only."""
LONGER = "limit="
"""Prefix of the cursor for a list without pages, which is requested again with a higher limit."""
MAX_MESSAGES = 50
"""Maximum messages per page."""
ROWS_READ = 2_000
"""Limit of sessions read from a list, if the server returns more than requested."""
READ_TIMEOUT = 60.0
"""Read timeout in seconds of an event stream, as a fallback for the connection's watchdog."""


class EventFeed:
    """An open event stream, decoded."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        on_bytes: Callable[[int], None],
        translate: Callable[[RawJSON], e.Event | None],
    ) -> None:
        self._chunks = chunks
        self._on_bytes = on_bytes
        self._translate = translate

    async def events(self) -> AsyncGenerator[e.Event, None]:
        async for frame in read_events(self._chunks, on_bytes=self._on_bytes):
            try:
                event = decode("/event", self._translate, loads(frame.data))
            except SchemaMismatch as error:
                log.warning("event skipped: %s", error.message)  # the next resync brings its change
                continue
            if event is not None:
                yield event


class OpenCode:
    """One opencode server. `directory`: if the user named one; else the server's own."""

    directory_header = "x-opencode-directory"
    default_traits = OPENCODE

    def __init__(self, http: Http, *, directory: str | None = None, identities: Identities | None = None) -> None:
        self._http = http
        self._identity = ClientIdentity(http, kept=identities or InMemoryIdentities())
        self._traits = self.default_traits
        self._directory = directory
        self._home = directory or ""
        self._ids = Ids()
        self._lists_everywhere = True
        self._paging = Paging(MAX_MESSAGES)
        self.offers = OpenCodeCatalog(http, lambda place: self._scope(place or self._directory))

    @property
    def traits(self) -> Traits:
        return self._traits

    async def handshake(self) -> ServerInfo:
        health, where, features = await asyncio.gather(
            self._get("/global/health", limit=SHORT), self._get("/path", limit=SHORT), self._identity.fetch_features()
        )
        value = health.value
        if not isinstance(value, dict) or value.get("healthy") is not True:
            raise SchemaMismatch("/global/health", "it does not report that it is healthy")
        skew = None if health.date is None else health.date + 0.5 - time.time()
        if health.date is not None:
            self._ids.dated(health.date)
        paths = wire.inside(where.value)
        if paths:
            self._home = self._directory or str(paths.get("directory") or "")
        # the last folder only: a user or a project may have the program's name
        folders = {str(paths.get(which)).replace("\\", "/").rpartition("/")[2] for which in ("state", "config")}
        self._traits = replace(self.default_traits, client_heartbeat=HEARTBEAT in features)
        return ServerInfo(str(value.get("version", "")), health.elapsed, skew, features, frozenset(folders))

    async def ping(self) -> float:
        return (await self._get("/global/health", limit=SHORT)).elapsed

    @asynccontextmanager
    async def subscribe(self, on_bytes: Callable[[int], None]) -> AsyncIterator[EventFeed]:
        path = "/event" if self._directory else "/global/event"
        headers = {"accept": "text/event-stream", **await self._scope(self._directory)}
        async with self._http.stream(
            "GET", path, headers=headers, first_byte=FIRST_BYTE, silence=READ_TIMEOUT
        ) as response:
            yield EventFeed(response.chunks(), on_bytes, self._event_of)

    def _event_of(self, frame: RawJSON) -> e.Event | None:
        event = event_of(frame)
        if isinstance(event, e.MessageUpserted):
            self._ids.saw(event.message)
        return event

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        scopes: list[tuple[dict[str, str], list[str]]] = []
        for place in dict.fromkeys([self._home, *directories]):
            scope = await self._scope(place)
            same = next((places for known, places in scopes if known == scope), None)
            if same is None:
                scopes.append((scope, [place]))
            else:
                same.append(place)
        found = await together(*(running(partial(self._get, headers=scope), places) for scope, places in scopes))
        statuses = found[0].statuses  # there may be very many: a copy is not made of them
        for one in found[1:]:
            statuses |= one.statuses
        return e.Resynced(
            statuses,
            tuple(request for one in found for request in one.requests),
            frozenset(place for one in found for place in one.directories or ()),
            sum(one.unreadable for one in found),
            "; ".join(dict.fromkeys(one.problem for one in found if one.problem)),
            frozenset[str]().union(*(one.not_read for one in found)),
        )

    async def sessions(self, *, limit: int = 100, search: str = "", cursor: str | None = None) -> Rows[Session]:
        params = {"limit": str(limit), "roots": "true"} | ({"search": search} if search else {})
        if cursor is not None:
            params |= {"limit": cursor.removeprefix(LONGER)} if cursor.startswith(LONGER) else {"cursor": cursor}
        if self._directory is None and self._lists_everywhere:
            try:
                everywhere = await self._get(EVERYWHERE, params=params)
                return await _page(EVERYWHERE, everywhere, int(params["limit"]), search)
            except (NotFound, UnexpectedContentType) as error:  # opencode answers unknown paths with a web page
                log.info("an older server lists the sessions of one project only: %s", error.message)
                self._lists_everywhere = False
        reply = await self._get("/session", params=params, headers=await self._scope(self._directory))
        return await _page("/session", reply, int(params["limit"]), search)

    async def session(self, session_id: str) -> Session:
        return decode("/session", wire.session, (await self._get(f"/session/{path_segment(session_id)}")).value)

    async def children(self, session_id: str) -> tuple[Session, ...]:
        reply = await self._get(f"/session/{path_segment(session_id)}/children")
        rows = reply.value[:ROWS_READ] if isinstance(reply.value, list) else reply.value
        return await checked_aside("/session/children", wire.sessions, rows)

    async def create_session(self, title: str = "") -> Session:
        body: dict[str, Any] = {"title": title} if title else {}
        reply = await self._http.call(
            "POST", "/session", json=body, headers=await self._scope(self._directory), timeout=CREATE_LIMIT
        )
        return decode("/session", wire.session, reply.value)

    async def rename(self, session_id: str, title: str) -> Session:
        path = f"/session/{path_segment(session_id)}"
        return decode(path, wire.session, (await self._http.call("PATCH", path, json={"title": title})).value)

    async def fork(self, session_id: str) -> Session:
        path = f"/session/{path_segment(session_id)}/fork"
        scope = await self._scope_of(session_id)
        reply = await self._http.call("POST", path, json={}, headers=scope, timeout=30.0)
        return decode(path, wire.session, reply.value)

    async def undo(self, session_id: str, message_id: str) -> Session:
        path = f"/session/{path_segment(session_id)}/revert"
        scope = await self._scope_of(session_id)
        body: dict[str, Any] = {"messageID": message_id}
        reply = await self._http.call("POST", path, json=body, headers=scope, timeout=UNDO_LIMIT)
        return decode(path, wire.session, reply.value)

    async def redo(self, session_id: str) -> Session:
        path = f"/session/{path_segment(session_id)}/unrevert"
        return decode(path, wire.session, (await self._http.call("POST", path, timeout=UNDO_LIMIT)).value)

    async def delete(self, session_id: str) -> None:
        await self._http.call("DELETE", f"/session/{path_segment(session_id)}", timeout=30.0)

    async def messages(
        self, session_id: str, *, limit: int = 50, before: str | None = None, on_bytes: OnBytes | None = None
    ) -> e.MessagesLoaded:
        """The newest page includes at least one prompt, if any, to know the state of the last turn."""
        items, cursor = await self._page_of(session_id, limit, before, on_bytes)
        budget, older = PageBudget(), items
        while before is None and len(items) < limit and not any(m.message.role == "user" for m in items):
            if cursor is None or not budget.allows(cursor, contents(older)):
                break
            older, cursor = await self._page_of(session_id, limit - len(items), cursor, on_bytes)
            if not older:
                break
            items = (*older, *items)
        for full in items:
            self._ids.saw(full.message)
        return e.MessagesLoaded(session_id, items, cursor, "newest" if before is None else "older")

    async def _page_of(
        self, session_id: str, limit: int, before: str | None, on_bytes: OnBytes | None
    ) -> tuple[tuple[FullMessage, ...], str | None]:
        """Messages, oldest first, and the cursor for those before them."""
        path = f"/session/{path_segment(session_id)}/message"

        async def fetch(count: int, progress: Progress) -> Response:
            params = {"limit": str(count)} | ({"before": before} if before is not None else {})
            return await self._get(path, params=params, timeout=15.0, progress=progress)

        try:
            reply = await self._paging.ask(fetch, limit, on_bytes)
        except TooLarge as error:
            return (too_large(session_id, error),), error.headers.get("x-next-cursor")
        messages = await checked_aside(path, full_messages, reply.value, session_id)
        return messages, reply.headers.get("x-next-cursor")

    async def todos(self, session_id: str) -> tuple[Todo, ...]:
        try:
            reply = await self._get(f"/session/{path_segment(session_id)}/todo")
            return await checked_aside("/session/todo", todos, reply.value)
        except InvalidBody:
            return (UNREADABLE_TODO,)

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        return Prompt(session_id, text, *self._ids.new(session_id))

    async def post_prompt(self, prompt: Prompt, watcher: PostObserver) -> FullMessage:
        kind, body = await payload(prompt, self.offers, self._directory_of)
        path = f"/session/{path_segment(prompt.session_id)}/{kind}"
        scope = await self._scope_of(prompt.session_id)
        parser = PaddedJson()
        async with self._http.stream("POST", path, json=body, headers=scope, first_byte=None, silence=None) as response:
            if response.headers.get("content-length") == "0":
                raise Empty(declared=True)  # MiMo Code: unknown agent or model
            watcher.headers()
            async for chunk in response.chunks():
                parser.feed(chunk)
                if not parser.started:
                    watcher.padding(parser.padding_bytes)
        large = parser.received - parser.padding_bytes > PARSED_AT_ONCE
        value = await asyncio.to_thread(parser.close) if large else parser.close()
        answer = await checked_aside(path, full_message, value)
        self._ids.saw(answer.message)
        return answer

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        try:
            await self._get(f"/session/{path_segment(session_id)}/message/{path_segment(prompt_id)}")
            return PromptLookup(stored=True)
        except NotFound:
            pass
        try:
            await self.session(session_id)
        except NotFound:
            return PromptLookup(stored=False, session_gone=True)
        return PromptLookup(stored=False)

    def server_id_of(self, prompt: Prompt) -> str:
        return prompt.message_id

    async def abort(self, session_id: str) -> None:
        await self._http.call("POST", f"/session/{path_segment(session_id)}/abort", timeout=10.0)

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        body = {"answers": [list(row) for row in answers]}
        return await self._resolve(f"/question/{path_segment(request_id)}/reply", body, directory)

    async def reject(self, request_id: str, *, directory: str) -> bool:
        return await self._resolve(f"/question/{path_segment(request_id)}/reject", {}, directory)

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        body = {"reply": reply} | ({"message": message} if message else {})
        return await self._resolve(f"/permission/{path_segment(request_id)}/reply", body, directory)

    async def leave(self, session_id: str) -> None:
        """Nothing to do: there is no stream per session."""

    async def send_heartbeat(self, session_id: str) -> None:
        await self._identity.send_heartbeat(session_id)

    async def close(self) -> None:
        await self._identity.detach_all()
        await self._http.close()

    async def _resolve(self, path: str, body: dict[str, Any], directory: str) -> bool:
        """True if the server accepted it; if it is not open, older servers return `false`, newer ones 404."""
        reply = await self._http.call("POST", path, json=body, headers=await self._scope(directory), timeout=5.0)
        return reply.value is not False

    async def _directory_of(self, session_id: str) -> str:
        return (await self.session(session_id)).directory or self._home

    async def _get(self, path: str, **options: Any) -> Response:
        return await self._http.call("GET", path, **options)

    async def _scope_of(self, session_id: str) -> dict[str, str]:
        """The directory header for requests on a session; opencode itself uses the session's directory."""
        return {}

    async def _scope(self, directory: str | None) -> dict[str, str]:
        """The directory header; empty for the server's own directory if the user named none."""
        if not directory or (directory == self._home and self._directory is None):
            return {}
        return {self.directory_header: quote(directory, safe="/")}


async def _page(path: str, reply: Response, limit: int, search: str) -> Rows[Session]:
    """A page of the session list; for an older server without cursors, the cursor requests a longer list.

    Of more rows than requested, and too many to decode quickly, only the first that match `search` are decoded.
    """
    value, longer = reply.value, None
    most = max(limit, ROWS_READ)
    if isinstance(value, list) and len(value) > most:
        wanted = search.casefold()
        fitting = [row for row in value if wanted in string(row, "title").casefold()]
        value, longer = fitting[:most], f"{LONGER}{2 * most}" if len(fitting) > most else None
    elif isinstance(value, list) and len(value) >= limit:
        longer = f"{LONGER}{2 * limit}"
    rows = await checked_aside(path, wire.sessions, value)
    rows.cursor = reply.headers.get("x-next-cursor") or longer
    return rows
