"""qwen serve's routes. Behaviour as measured on 0.24.4.

It translates and does nothing else: no retry, no state of a turn, no guess. What it keeps is what the server gives
out and wants back: who we are in each session, where each stream stands, how each open request is voted on.
"""

import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from tui.backends import qwen_wire as wire
from tui.backends.base import Lookup, NotTaken, PostWatcher, ServerInfo, Taken, Traits
from tui.backends.presence import HEARTBEAT, Identities, Presence, Unkept
from tui.backends.qwen_echo import Place, find_prompt
from tui.backends.qwen_fold import Fold, picture
from tui.backends.qwen_listing import Listing
from tui.backends.qwen_offers import QwenOffers
from tui.backends.qwen_older import FROM_THE_END, older
from tui.backends.qwen_requests import CANCELLED, Asked, option, selected
from tui.backends.qwen_streams import Reloaded, Streams, Watch
from tui.core import events as e
from tui.core.model import Answers, Busy, Idle, PermissionReply, Prompt, Session, Todo
from tui.net.address import segment
from tui.net.clean_json import JSON
from tui.net.errors import Misshapen, Refused
from tui.net.http import Http

log = logging.getLogger(__name__)

QWEN = Traits(
    family="qwen",
    takes_our_ids=False,
    reject_with_reason=False,
    reject_ends_turn=True,
    agents_are="mode",
    one_stream=False,
    holds_post=False,
    beats_every=15.0,
)
POST_LIMIT = 10.0
LOAD_LIMIT = 30.0
"""Seconds for a prompt to be taken, and for a session to be read from the disk."""
CLAIMS_KEPT = 500
"""Prompts of ours that are remembered, so that no other of the same words is taken for one of them."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where what `load` gave of a session begins: its first message; and how the prompts before it ended."""

    first: str
    terminals: tuple[wire.Terminal, ...]


class QwenServe:
    """One `qwen serve`. `directory`: the one workspace that the user named; all of the server's otherwise."""

    def __init__(self, http: Http, *, directory: str | None = None, identities: Identities | None = None) -> None:
        self._http = http
        self._presence = Presence(http, kept=identities or Unkept())
        self._traits = QWEN
        self._directory = directory
        self._streams: Streams | None = None
        self._watches: dict[str, Watch] = {}
        self._listing = Listing(http, self._watches, (directory,) if directory else ())
        self._plans: dict[str, tuple[Todo, ...]] = {}
        self._claims: dict[str, str] = {}
        self._begins: dict[str, Beginning] = {}
        self.offers = QwenOffers(http, self._presence)

    @property
    def traits(self) -> Traits:
        return self._traits

    async def hello(self) -> ServerInfo:
        reply = await self._http.call("GET", "/capabilities")
        said = _checked("/capabilities", wire.read, reply.value, wire.Capabilities)
        if self._directory is None:
            trusted = tuple(one.cwd for one in said.workspaces if one.trusted)
            self._listing.workspaces = trusted or ((said.workspace_cwd,) if said.workspace_cwd else ())
        self._presence.features = frozenset(said.features)
        self._traits = replace(QWEN, client_heartbeat=HEARTBEAT in said.features)
        skew = None if reply.date is None else reply.date + 0.5 - time.time()
        return ServerInfo(said.qwen_code_version, reply.elapsed, skew, self._presence.features)

    async def ping(self) -> float:
        return (await self._http.call("GET", "/health")).elapsed

    @asynccontextmanager
    async def subscribe(self, on_bytes: Callable[[int], None]) -> AsyncIterator[Streams]:
        streams = Streams(
            self._http,
            self._watches,
            reload=self._load,
            identify=self._presence.header,
            look=self._listing.look,
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

    async def sessions(self, *, limit: int = 100, search: str = "") -> tuple[Session, ...]:
        found = (one.session for one in (await self._listing.fetch()).values())
        wanted = search.casefold()
        return tuple(session for session in found if wanted in session.title.casefold())[:limit]

    async def session(self, session_id: str) -> Session:
        """As the list has it: there alone stands the title that a session gets by its first prompt."""
        if await self._listing.status(session_id) is None:
            await self._watch(session_id)
        listed = self._listing.known(session_id) or (await self._listing.fetch()).get(session_id)
        found = listed or await self._listing.status(session_id)
        return found.session if found is not None else Session(session_id, "")

    async def children(self, session_id: str) -> tuple[Session, ...]:
        """None: what a subagent does stands in its tool call."""
        return ()

    async def create_session(self, title: str = "") -> Session:
        body: dict[str, JSON] = {"sessionScope": "thread"}
        if self._directory is not None:
            body["cwd"] = self._directory
        reply = await self._http.call("POST", "/session", json=body, timeout=LOAD_LIMIT)
        made = _checked("/session", wire.read, reply.value, wire.Loaded)
        self._presence.issued(made.session_id, made.client_id)
        session = wire.session_of(made)
        return replace(session, title=await self._entitle(session.id, title)) if title else session

    async def rename(self, session_id: str, title: str) -> Session:
        await self._awake(session_id)
        named = await self._entitle(session_id, title)
        return replace(await self.session(session_id), title=named)

    async def fork(self, session_id: str) -> Session:
        await self._awake(session_id)
        reply = await self._presence.call(session_id, "branch", json={}, timeout=LOAD_LIMIT)
        made = _checked("/branch", wire.read, reply.value, wire.Loaded)
        self._presence.issued(made.session_id, made.client_id)
        return await self.session(made.session_id)

    async def delete(self, session_id: str) -> None:
        """Delete what is stored of it, and close it where nothing is: a session without a prompt is not stored."""
        await self.leave(session_id)
        reply = await self._http.call("POST", "/sessions/delete", json={"sessionIds": [session_id]}, timeout=30.0)
        gone = _checked("/sessions/delete", wire.read, reply.value, wire.Deleted)
        if session_id in gone.removed:
            return
        if session_id not in gone.not_found:
            raise Misshapen("/sessions/delete", "it says neither that it deleted the session nor why not")
        try:
            await self._http.call("DELETE", f"/session/{segment(session_id)}")
        except Refused as refusal:
            if refusal.status != 404:
                raise
            log.info("nothing was left of the session: %s", refusal.what)

    async def messages(self, session_id: str, *, limit: int = 50, before: str | None = None) -> e.MessagesLoaded:
        """All that the server keeps at hand, at once; what came before that in pages."""
        if before is not None:
            begins = self._begins.get(session_id, Beginning("", ()))
            return await older(self._http, session_id, before, begins.first, begins.terminals)
        reloaded = await self._watch(session_id)
        return next(event for event in reloaded.events if isinstance(event, e.MessagesLoaded))

    async def todos(self, session_id: str) -> tuple[Todo, ...]:
        """As the session was loaded last: there is no other place to ask."""
        return self._plans.get(session_id, ())

    def new_prompt(self, session_id: str, text: str) -> Prompt:
        watch = self._watches.get(session_id)
        after = "" if watch is None else str(Place.of(watch))
        return Prompt(session_id, text, message_id=str(uuid.uuid4()), part_id="", after=after)

    async def post_prompt(self, prompt: Prompt, watcher: PostWatcher) -> Taken:
        body: JSON = {"prompt": [{"type": "text", "text": prompt.text}]}
        await self._choose(prompt)
        try:
            reply = await self._presence.call(prompt.session_id, "prompt", json=body, timeout=POST_LIMIT)
        except Refused as refusal:
            if _code(refusal) == "prompt_queue_full":
                raise NotTaken(
                    "the server's own queue is full", "Send it again when a turn has ended."
                ) from refusal
            if refusal.status != 404:
                raise
            await self._watch(prompt.session_id)  # the session was closed, or the server restarted: wake it
            reply = await self._presence.call(prompt.session_id, "prompt", json=body, timeout=POST_LIMIT)
        known_as = _checked("/prompt", wire.read, reply.value, wire.Accepted).prompt_id
        self._claim(known_as, prompt)
        return Taken(known_as)

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> Lookup:
        if prompt is None or prompt.known_as:
            return await self._look_up_known(session_id, prompt_id)
        try:
            loaded = await self._load(session_id)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            return Lookup(stored=False, session_gone=True)
        mine = frozenset(self._presence.mine(session_id))
        claimed = frozenset(one for one, owner in self._claims.items() if owner != prompt.message_id)
        found = find_prompt(prompt, loaded.watch, mine=mine, claimed=claimed)
        if found is None:
            return Lookup(stored=None if loaded.watch.fold.torn else False)
        self._claim(found, prompt)
        return Lookup(stored=True, known_as=found)

    async def abort(self, session_id: str) -> None:
        try:
            await self._presence.call(session_id, "cancel", timeout=POST_LIMIT)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            log.info("nothing to cancel: %s", refusal.what)

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        return await self._vote(request_id, lambda asked: selected(option(asked, "once"), answers))

    async def reject(self, request_id: str, *, directory: str) -> bool:
        return await self._vote(request_id, lambda asked: dict(CANCELLED))

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        return await self._vote(request_id, lambda asked: selected(option(asked, reply)))

    async def leave(self, session_id: str) -> None:
        for kept in (self._watches, self._plans, self._begins):
            kept.pop(session_id, None)
        if self._streams is not None:
            await self._streams.drop(session_id)
        await self._presence.leave(session_id)

    async def heartbeat(self, session_id: str) -> None:
        try:
            await self._presence.beat(session_id)
        except Refused as refusal:
            if refusal.status != 404 or session_id not in self._watches:
                raise
            await self._load(session_id)  # which makes us known there again

    async def close(self) -> None:
        await self._presence.leave_all()
        await self._http.close()

    async def _watch(self, session_id: str) -> Reloaded:
        """Load the session; its events are followed from there on, if they are not yet."""
        reloaded = await self._load(session_id)
        if session_id not in self._watches:
            self._watches[session_id] = reloaded.watch
            if self._streams is not None:
                self._streams.follow(session_id)
        return reloaded

    async def _load(self, session_id: str) -> Reloaded:
        """The session as the server keeps it. Raises `Refused` with status 404 if there is none."""
        known = self._presence.header(session_id)
        reply = await self._http.call(
            "POST", _path(session_id, "load"), json={}, headers=known, timeout=LOAD_LIMIT
        )
        said = _checked("/load", wire.read, reply.value, wire.Loaded)
        if said.client_id in known.values():
            await self._presence.detach(session_id, known)
        elif said.client_id:
            self._presence.issued(session_id, said.client_id)
        terminals = said.terminals()
        fold = Fold(session_id, terminals)
        told = [event for raw in (*said.compacted_replay, *said.live_journal) for event in _told(fold, raw)]
        if not said.has_active_prompt:
            told += fold.finish()
        fold.cursor = max(fold.cursor, said.last_event_id)
        messages = picture(session_id, told)
        cut = said.history_has_more or any(wire.is_truncation(raw) for raw in said.compacted_replay)
        more = cut or _lacks_prompts(fold, terminals)
        first = messages[0].message.id if messages else ""
        self._begins[session_id] = Beginning(first, terminals)
        plans = [event for event in told if isinstance(event, e.TodosChanged)]
        self._plans[session_id] = plans[-1].todos if plans else ()
        events: list[e.Event] = [
            e.MessagesLoaded(session_id, messages, FROM_THE_END if more else None),
            e.TodosChanged(session_id, self._plans[session_id]),
            e.StatusChanged(session_id, Busy() if said.has_active_prompt else Idle()),
            *(e.RequestOpened(asked.request) for asked in fold.open.values()),
        ]
        return Reloaded(Watch(fold, said.event_epoch), tuple(events))

    async def _choose(self, prompt: Prompt) -> None:
        """Set what was chosen for the prompt; where the server does not take that, it does not get the prompt."""
        try:
            await self.offers.choose(prompt)
        except Refused as refusal:
            why = wire.string(refusal.value.get("data"), "details") if isinstance(refusal.value, dict) else ""
            raise NotTaken(why or refusal.what, "Choose another, and send it again.") from refusal

    async def _entitle(self, session_id: str, title: str) -> str:
        """Give the session a title; the server may shorten it."""
        headers = self._presence.header(session_id)
        path = _path(session_id, "metadata")
        reply = await self._http.call("PATCH", path, json={"displayName": title}, headers=headers)
        named: wire.Named = _checked(path, wire.read, reply.value, wire.Named)
        return named.display_name

    async def _awake(self, session_id: str) -> None:
        """Have the server load the session, where it has put it away. Raises `Refused` with status 404."""
        if await self._listing.status(session_id) is None:
            await self._load(session_id)

    async def _look_up_known(self, session_id: str, prompt_id: str) -> Lookup:
        """Ask for a prompt by the server's id. A restarted server knows it only by the transcript.

        One that was cancelled is stored if it had begun, which the transcript tells: it may have been taken out of
        the server's queue.
        """
        try:
            turn = await self._http.call("GET", _path(session_id, f"turns/{segment(prompt_id)}"))
        except Refused as refusal:
            if refusal.status != 404:
                raise
        else:
            return Lookup(stored=wire.string(turn.value, "state") != "cancelled")
        try:
            loaded = await self._watch(session_id)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            return Lookup(stored=False, session_gone=True)
        return Lookup(stored=any(echo.prompt_id == prompt_id for echo in loaded.watch.fold.echoes))

    async def _vote(self, request_id: str, vote: Callable[[Asked | None], dict[str, Any]]) -> bool:
        asked = self._listing.find_asked(request_id)
        path = f"permission/{segment(request_id)}"
        if asked is None:  # an answer that an earlier run of the client left: any session's route takes it
            await self._http.call("POST", f"/{path}", json=vote(None), timeout=POST_LIMIT)
        else:
            await self._presence.call(asked.request.session_id, path, json=vote(asked), timeout=POST_LIMIT)
        return True

    def _claim(self, known_as: str, prompt: Prompt) -> None:
        self._claims[known_as] = prompt.message_id
        while len(self._claims) > CLAIMS_KEPT:
            del self._claims[next(iter(self._claims))]


def _path(session_id: str, what: str) -> str:
    return f"/session/{segment(session_id)}/{what}"


def _lacks_prompts(fold: Fold, terminals: Iterable[wire.Terminal]) -> bool:
    """Whether prompts were answered of which nothing is told.

    That is so where somebody woke the session by `resume`: then `load` shows nobody its past, and does not say so.
    """
    told = {echo.prompt_id for echo in fold.echoes}
    return any(end.terminal == "completed" and end.prompt_id not in told for end in terminals)


def _told(fold: Fold, raw: JSON) -> list[e.Event]:
    try:
        return fold.take(wire.read(raw, wire.Frame))
    except msgspec.ValidationError as error:
        return fold.unreadable(error)


def _code(refusal: Refused) -> str:
    return wire.string(refusal.value, "code")


def _checked(path: str, translate: Callable[..., T], *values: Any) -> T:
    """Translate what came from `path`. Raises `Misshapen`, which says what does not fit."""
    try:
        return translate(*values)
    except msgspec.ValidationError as error:
        raise Misshapen(path, str(error)) from error
