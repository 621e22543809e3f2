"""qwen serve's routes. Behaviour as measured on 0.24.4.

It only translates: without retries, turn state and guesses. It stores what the server issues and expects back: our
id in each session, the position of each stream, and the options of each open request.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from msgspec.structs import replace

from tui.backends.base import PostObserver, PromptAccepted, PromptLookup, ServerInfo, Traits
from tui.backends.client_identity import HEARTBEAT, ClientIdentity, Identities, InMemoryIdentities
from tui.backends.decoding import Rows, decode, read
from tui.backends.paging import OnBytes, Paging
from tui.backends.qwen import schema as wire
from tui.backends.qwen.catalog import QwenCatalog
from tui.backends.qwen.followed_session import FollowedSession, LoadedSession
from tui.backends.qwen.prompts import Prompts
from tui.backends.qwen.requests import CANCELLED, StreamedRequest, option, selected
from tui.backends.qwen.session_list import SessionList
from tui.backends.qwen.session_loader import LIMIT as LOAD_LIMIT
from tui.backends.qwen.session_loader import SessionLoader
from tui.backends.qwen.streams import StreamMultiplexer
from tui.backends.qwen.transcript_pages import RECORDS, older
from tui.core import events as e
from tui.core.model import Answers, PermissionReply, Prompt, Session, Todo
from tui.net.errors import NotFound, SchemaMismatch
from tui.net.http_client import SHORT, Http
from tui.net.json_input import JSON
from tui.net.url import path_segment

log = logging.getLogger(__name__)

QWEN = Traits(
    family="qwen",
    accepts_client_ids=False,
    reject_with_reason=False,
    reject_ends_turn=True,
    undoes=False,
    agent_label="mode",
    single_event_stream=False,
    holds_post=False,
    aborts_queued=False,
    heartbeat_interval=15.0,
)
LIMIT = 10.0
"""Timeout in seconds of a vote or a cancellation."""

T = TypeVar("T")


class QwenServe:
    """One `qwen serve`. `directory`: the workspace that the user named; else all of the server's."""

    def __init__(self, http: Http, *, directory: str | None = None, identities: Identities | None = None) -> None:
        self._http = http
        self._identity = ClientIdentity(http, kept=identities or InMemoryIdentities())
        self._traits = QWEN
        self._directory = directory
        self._streams: StreamMultiplexer | None = None
        self._watches: dict[str, FollowedSession] = {}
        self._listing = SessionList(http, self._watches, (directory,) if directory else ())
        self._loading = SessionLoader(http, self._identity)
        self._loads: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By session: one load at a time, since each may issue a new client id."""
        self._paging = Paging(RECORDS)
        self.offers = QwenCatalog(http, self._identity)
        self._prompts = Prompts(http, self._identity, self.offers, self._watches, self._loading, watch=self._watch)

    @property
    def traits(self) -> Traits:
        return self._traits

    async def handshake(self) -> ServerInfo:
        reply = await self._http.call("GET", "/capabilities", limit=SHORT)
        capabilities = decode("/capabilities", read, reply.value, wire.Capabilities)
        if self._directory is None:
            self._listing.workspaces = capabilities.trusted() or (
                (capabilities.workspace_cwd,) if capabilities.workspace_cwd else ()
            )
        self._identity.features = frozenset(one for one in capabilities.features if isinstance(one, str))
        self._traits = replace(QWEN, client_heartbeat=HEARTBEAT in capabilities.features)
        skew = None if reply.date is None else reply.date + 0.5 - time.time()
        return ServerInfo(capabilities.qwen_code_version, reply.elapsed, skew, self._identity.features)

    async def ping(self) -> float:
        return (await self._http.call("GET", "/health", limit=SHORT)).elapsed

    @asynccontextmanager
    async def subscribe(self, on_bytes: Callable[[int], None]) -> AsyncIterator[StreamMultiplexer]:
        streams = StreamMultiplexer(
            self._http,
            self._watches,
            loader=self._loading,
            listing=self._listing,
            identity=self._identity,
            on_bytes=on_bytes,
        )
        self._streams = streams
        try:
            yield streams
        finally:
            self._streams = None
            await streams.close()

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        return await self._listing.resync()

    async def sessions(self, *, limit: int = 100, search: str = "", cursor: str | None = None) -> Rows[Session]:
        """A page of the server's size, whatever the `limit`."""
        return await self._listing.page(search, cursor)

    async def session(self, session_id: str) -> Session:
        """The session as listed: only the list has the title derived from its first prompt."""
        if await self._listing.status(session_id) is None:
            await self._watch(session_id)
        listed = self._listing.known(session_id) or (await self._listing.fetch()).get(session_id)
        found = listed or await self._listing.status(session_id)
        return found.session if found is not None else Session(session_id, "")

    async def children(self, session_id: str) -> tuple[Session, ...]:
        """Always empty: a subagent's work is in its tool call."""
        return ()

    async def create_session(self, title: str = "") -> Session:
        body: dict[str, JSON] = {"sessionScope": "thread"}
        if self._directory is not None:
            body["cwd"] = self._directory
        reply = await self._http.call("POST", "/session", json=body, timeout=LOAD_LIMIT)
        made = decode("/session", read, reply.value, wire.Loaded)
        self._identity.record(made.session_id, made.client_id)
        session = wire.session_of(made)
        return replace(session, title=await self._set_title(session.id, title)) if title else session

    async def rename(self, session_id: str, title: str) -> Session:
        await self._activate(session_id)
        named = await self._set_title(session_id, title)
        return replace(await self.session(session_id), title=named)

    async def fork(self, session_id: str) -> Session:
        await self._activate(session_id)
        reply = await self._identity.call(session_id, "branch", json={}, timeout=LOAD_LIMIT)
        made = decode("/branch", read, reply.value, wire.Loaded)
        self._identity.record(made.session_id, made.client_id)
        return await self.session(made.session_id)

    async def delete(self, session_id: str) -> None:
        """Delete the stored session, or close it if nothing is stored (a session without a prompt)."""
        await self.leave(session_id)
        reply = await self._http.call("POST", "/sessions/delete", json={"sessionIds": [session_id]}, timeout=LOAD_LIMIT)
        gone = decode("/sessions/delete", read, reply.value, wire.Deleted)
        if session_id in gone.removed:
            return
        if session_id not in gone.not_found:
            raise SchemaMismatch("/sessions/delete", "the response names the session neither as deleted nor as unknown")
        try:
            await self._http.call("DELETE", f"/session/{path_segment(session_id)}")
        except NotFound as refusal:
            log.info("nothing was left of the session: %s", refusal.message)

    async def messages(
        self, session_id: str, *, limit: int = 50, before: str | None = None, on_bytes: OnBytes | None = None
    ) -> e.MessagesLoaded:
        """The server's replay at once; older messages in pages."""
        if before is not None:
            begins = self._loading.beginning(session_id)
            ask = partial(self._paging.ask, most=RECORDS, on_bytes=on_bytes)
            return await older(self._http, session_id, before, begins.first, begins.terminals, ask)
        reloaded = await self._watch(session_id, on_bytes)
        return next(event for event in reloaded.events if isinstance(event, e.MessagesLoaded))

    async def todos(self, session_id: str) -> tuple[Todo, ...]:
        async with self._loads[session_id]:  # a running load brings it
            return self._loading.plan(session_id)

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        return self._prompts.new(session_id, text)

    async def post_prompt(self, prompt: Prompt, watcher: PostObserver) -> PromptAccepted:
        return await self._prompts.post(prompt)

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        return await self._prompts.look_up(session_id, prompt_id, prompt)

    def server_id_of(self, prompt: Prompt) -> str:
        return self._prompts.server_id_of(prompt)

    async def abort(self, session_id: str) -> None:
        try:
            await self._identity.call(session_id, "cancel", timeout=LIMIT)
        except NotFound as refusal:
            log.info("nothing to cancel: %s", refusal.message)

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        return await self._vote(request_id, lambda asked: selected(option(asked, "once"), answers))

    async def reject(self, request_id: str, *, directory: str) -> bool:
        return await self._vote(request_id, lambda asked: dict(CANCELLED))

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        return await self._vote(request_id, lambda asked: selected(option(asked, reply)))

    async def leave(self, session_id: str) -> None:
        self._watches.pop(session_id, None)
        self._loading.forget(session_id)
        if self._streams is not None:
            await self._streams.drop(session_id)
        await self._identity.unfollow(session_id)

    async def send_heartbeat(self, session_id: str) -> None:
        if session_id not in self._watches:
            return  # a heartbeat would activate a closed session by `resume`, and its `load` then lacks the history
        try:
            await self._identity.send_heartbeat(session_id)
        except NotFound:
            await self._loading.load(session_id)  # which registers this client again

    async def close(self) -> None:
        await self._identity.detach_all()
        await self._http.close()

    async def _watch(self, session_id: str, on_bytes: OnBytes | None = None) -> LoadedSession:
        """Load the session, and follow its events from there on if not followed yet."""
        async with self._loads[session_id]:
            reloaded = await self._loading.load(session_id, on_bytes)
        watch = self._watches.get(session_id)
        if watch is not None:
            watch.reducer.shown_as(reloaded.watch.reducer)
        else:
            self._watches[session_id] = reloaded.watch
            if self._streams is not None:
                self._streams.follow(session_id)
        return reloaded

    async def _set_title(self, session_id: str, title: str) -> str:
        """Set the session's title; the server may shorten it."""
        headers = self._identity.header(session_id)
        path = f"/session/{path_segment(session_id)}/metadata"
        reply = await self._http.call("PATCH", path, json={"displayName": title}, headers=headers)
        named = decode(path, read, reply.value, wire.Renamed)
        return named.display_name

    async def _activate(self, session_id: str) -> None:
        """Load the session at the server if it is not live. Raises `HttpStatusError` with status 404."""
        if await self._listing.status(session_id) is None:
            await self._loading.load(session_id)

    async def _vote(self, request_id: str, vote: Callable[[StreamedRequest | None], dict[str, Any]]) -> bool:
        asked = self._listing.find_open(request_id)
        path = f"permission/{path_segment(request_id)}"
        if asked is None:  # a reply left by an earlier run of the client: the route without a session accepts it
            await self._http.call("POST", f"/{path}", json=vote(None), timeout=LIMIT)
        else:
            await self._identity.call(asked.request.session_id, path, json=vote(asked), timeout=LIMIT)
        return True
