"""The client's API: open sessions, send prompts, answer requests, abort turns.

It owns the event connection, the backend, the store and the journal. `prompts` sends prompts, `journal` keeps drafts.

It has no user interface and no code of a single server family. A user interface subscribes and reads the store.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from tui.backends import USERS
from tui.backends.base import Backend, ServerInfo, Traits
from tui.backends.decoding import Rows
from tui.client.abort_sender import AbortSender
from tui.client.loading import LoadingTracker
from tui.client.polling import Poller
from tui.client.prompt_dispatcher import PromptDispatcher
from tui.client.prompt_options import PromptOptions
from tui.client.recorded_turn import RecordedTurn, fetch_recorded_turn
from tui.client.reply_sender import PendingReply, ReplySender
from tui.client.resync import Fetching, Resync
from tui.client.session_actions import SessionActions
from tui.client.turns import TurnTracker
from tui.core import events as e
from tui.core.backoff import Backoff
from tui.core.changes import (
    Change,
    ConnectionChanged,
    Notice,
    ReplyStatusChanged,
    RequestClosed,
    TextAppended,
    TurnChanged,
    TurnEnded,
)
from tui.core.connection_status import ConnectionMonitor, ConnectionState, ConnectionStatus
from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.model import Answers, Idle, PermissionReply, PermissionRequest, Request, Session
from tui.core.store import Store
from tui.core.turn import Turn
from tui.net.errors import NetError, ReadTimeout
from tui.net.event_connection import EventConnection, Feed, HeldBack
from tui.net.pacing import Paced
from tui.storage.journal import Journal

if TYPE_CHECKING:
    from tui.net.http_client import Http

log = logging.getLogger(__name__)

JOURNAL_EVERY = 1.0
"""Seconds between two tries to write the journal's pending changes; each also checks that its file exists."""
TICK_EVERY = 0.5
OPEN_KEPT = 8
"""Number of recently opened sessions whose transcripts are kept, readable without a connection."""

Listener = Callable[[Change], None]


class NotConnected(NetError):
    """A request was made before the first connection."""

    def __init__(self) -> None:
        super().__init__("not connected yet", "Wait for the connection, or retry it now.")


class Clocks(msgspec.Struct, frozen=True):
    """Injectable clocks and random source, in seconds. `mono` is monotonic; `wall` is epoch time."""

    mono: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random


class Client:
    """A client of one server. `address` is the displayed URL; `open_http` and `users`: see `detect_backend`."""

    def __init__(
        self,
        address: str,
        open_http: "Callable[[str], Http]",
        *,
        users: Sequence[str] = USERS,
        directory: str | None = None,
        family: str | None = None,
        journal: Journal | None = None,
        clocks: Clocks | None = None,
        patience: StallTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self.store = Store()
        self.server: ServerInfo | None = None
        self.address = address
        self._open_http = open_http
        self._users = users
        self._directory = directory
        self._family = family
        self._clocks = clocks or Clocks()
        self.journal = journal or Journal(None, address, wall=self._clocks.wall)
        self._backend: Backend | None = None
        self._health = ConnectionMonitor()
        self._listeners: list[Listener] = []
        self._opened: dict[str, None] = {}
        """The opened sessions in the order of opening."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._line_up = asyncio.Event()
        self._linking: asyncio.Task[None] | None = None
        self._closing = self._fetches_beyond = False
        self._unreadable = 0
        self._problem = ""
        self._look = Paced(self._look_now, later=lambda wait, call: asyncio.get_running_loop().call_later(wait, call))
        self._link = EventConnection(
            subscribe=self._subscribe,
            fetch=lambda: self._resync.fetch_all(),
            deliver=self._apply,
            changed=self._line_changed,
            health=self._health,
            backoff=Backoff(self._clocks.random),
            clock=self._clocks.mono,
            wall=self._clocks.wall,
            sleep=self._clocks.sleep,
        )
        self.loadings = LoadingTracker(self._emit, self._clocks.mono)
        self._resync = Resync(
            self.store,
            loadings=self.loadings,
            backend=self._require_backend,
            refetch=self._link.refetch,
            kept=lambda: {*self.prompts.sessions(), *self.journal.sessions_with_drafts()},
        )
        fetching = Fetching(self.store, self._resync, spawn=self._spawn, sleep=self._clocks.sleep)
        self.turns = TurnTracker(
            self.store,
            backend=self._require_backend,
            refetch=self._link.refetch,
            spawn=self._spawn,
            deliver=self._apply,
            notify=self._turn_changed,
            ended=self._turn_ended,
            accepted=self.journal.set_server_id,
            arrived=lambda prompt: self.prompts.on_returned_prompt_found(prompt),
            clear=lambda turn: self.aborts.clear(turn),
            heard=lambda: self._link.events,
            ready=lambda: self._link.synced,
            clock=self._clocks.mono,
            server_now=self.server_now,
            patience=patience,
        )
        self.choices = PromptOptions(backend=self._require_backend, directory_of=self._directory_of)
        self.prompts = PromptDispatcher(
            self.store,
            self.journal,
            self.turns,
            backend=self._require_backend,
            ready=lambda: self._link.synced and not self._closing,
            notify=self._emit,
            choose=self.choices.applied,
            fetch=lambda session_id: fetching.fetch(session_id, self.prompts.dispatch_ready),
        )
        self.editing = SessionActions(backend=self._require_backend, deliver=self._apply)
        self._outbox = ReplySender(
            self.journal,
            post=self._post_reply,
            yes_is_proof=lambda: self.traits is None or self.traits.yes_is_proof,
            messages=self._resync.messages,
            runs=lambda session_id: not isinstance(self.store.status(session_id), Idle),
            is_open=lambda request_id: request_id in self.store.requests,
            spawn=self._spawn,
            deliver=self._apply,
            notify=self._emit,
            backoff=lambda: Backoff(self._clocks.random),
            pause=self._pause_for_line,
        )
        self.aborts = AbortSender(
            self.journal,
            self.turns,
            post=self._post_abort,
            ready=lambda: self._link.synced,
            live=lambda: self.line().state is ConnectionState.LIVE,
            spawn=self._spawn,
            notify=self._emit,
            refused=self.prompts.abort_refused,
            clock=self._clocks.mono,
            backoff=lambda: Backoff(self._clocks.random),
            pause=self._pause_for_line,
        )
        self._pulse = Poller(
            self.store,
            self._health,
            self._resync,
            backend=self._require_backend,
            line_up=self._line_up,
            notify=self._emit,
            heard=lambda: self._link.events,
            asked=lambda news: self.turns.poller.responsiveness.record_poll(self._clocks.mono(), missed_events=news),
            sleep=self._clocks.sleep,
        )

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every change, synchronously and in order, on the event loop's thread."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        """Call `listener` no more; does nothing if it is not subscribed."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def now(self) -> float:
        """The monotonic time in seconds, as used by `ConnectionStatus` and `Turn`."""
        return self._clocks.mono()

    def server_now(self) -> float:
        """The server's time in epoch seconds; the local time while the clock skew is unknown."""
        skew = self.server.clock_skew if self.server is not None else None
        return self._clocks.wall() + (skew or 0.0)

    def line(self) -> ConnectionStatus:
        """The current status of the connection."""
        return self._health.view(self.now())

    @property
    def synced(self) -> bool:
        """Whether the connection is up and the store is as the server's state."""
        return self._link.synced

    @property
    def traits(self) -> Traits | None:
        """The server's behavior, by its family and as observed; None before the first connection."""
        if self._backend is None:
            return None
        traits = self._backend.traits
        if self.turns.cancels is not None:
            traits = msgspec.structs.replace(traits, cancels_on_disconnect=self.turns.cancels)
        return traits

    def turn(self, session_id: str) -> Turn | None:
        """The session's turn to display: the running one, else the newest."""
        return self.turns.current(session_id)

    def start(self, *, adopt: bool = True) -> None:
        """Start to connect; results are reported as changes.

        `adopt`: take over the prompts, aborts and answers of ended clients. A client that does one thing and ends
        leaves them to the next one that stays.
        """
        self.journal.told = self._tell_journal
        for problem in self.journal.problems:
            self.journal.told(problem)
        if adopt:
            self.prompts.restore()
            self.aborts.restore()
            for reply in self._outbox.load_pending():
                self._spawn(self._outbox.send(reply))
        self._linking = self._start_connection()
        for work in (self._tick(), self._keep_journal(), *self._pulse.tasks()):
            self._spawn(work)

    def _tell_journal(self, problem: str) -> None:
        words = f"{problem[:1].upper()}{problem[1:]}"
        severity: Literal["warning", "error"] = "error" if self.journal.in_memory_only else "warning"
        self._emit(Notice(words, severity, sticky=self.journal.in_memory_only))

    async def close(self) -> None:
        """Cancel all tasks, close the backend and the journal. Turns keep running where the server supports that."""
        self._closing = True
        while tasks := list(self._tasks):  # a task that ends may start another
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._backend is not None:
            await self._backend.close()
        self.journal.close()

    def restart_line(self) -> None:
        """Reconnect at once (F5), whatever the connection's status; turns and prompts are not affected."""
        self._try_now(self._link.restart)

    def retry_now(self) -> None:
        """Retry the connection at once (on terminal focus), also after *stopped*; sends blocked replies."""
        self._try_now(self._link.retry_now)

    def _try_now(self, way: Callable[[], None]) -> None:
        if self._linking is not None and self._linking.done():
            self._linking = self._start_connection()
        way()
        if self._line_up.is_set():
            self._send_stopped()
            self._spawn(self._pulse.load_failed())

    def set_focused(self, now: bool) -> None:
        """Set whether the terminal has the focus; gaining it retries a lost connection."""
        self._link.focused = now
        if now and not self.line().up:
            self.retry_now()

    @property
    def input_pause(self) -> float:
        """Seconds that long work should pause between two slices, so that typed keys are echoed in time."""
        return self._link.input_priority.pause

    def on_user_input(self) -> None:
        """Record a key press: it counts as focus, and retries a lost connection if the client had no focus before."""
        watched = self._link.watched
        self._link.on_user_input()
        if not watched and self.line().state is ConnectionState.RECONNECTING:
            self.retry_now()

    def verify_now(self) -> None:
        """Check the connection and the server's state at once, because this process was suspended."""
        self.retry_now()
        if self._line_up.is_set():
            self._spawn(self._pulse.check_now())

    async def list_sessions(self, search: str = "", cursor: str | None = None) -> Rows[Session]:
        """The newest sessions whose title contains `search`; `cursor` of the previous page. Raises `NetError`."""
        found = await self._require_backend().sessions(search=search, cursor=cursor)
        self._apply(e.SessionsListed(found))
        return found

    async def new_session(self, title: str = "") -> Session:
        """Create a session on the server. Raises `NetError`."""
        session = await self._require_backend().create_session(title)
        self._apply(e.SessionUpserted(session))
        return session

    async def open_session(self, session_id: str) -> None:
        """Open the session's transcript and fetch its newest page. Raises `NetError`.

        After a failure `loadings` has the reason, and the fetch is retried. While the connection is down nothing is
        fetched until the client reconnects. All but the `OPEN_KEPT` last opened sessions are closed.
        """
        self.store.open_transcript(session_id)
        self._opened.pop(session_id, None)
        self._opened[session_id] = None
        is_known = session_id in self.store.sessions
        if is_known:
            self.journal.save_last_session(session_id)
        if self._link.synced:
            await self._resync.session(session_id)
        if not is_known and session_id in self.store.sessions:  # else `--continue` would open a mistyped id
            self.journal.save_last_session(session_id)
        for old in list(self._opened)[:-OPEN_KEPT]:
            self.close_session(old)

    async def recorded_turn(self, session_id: str, prompt_id: str) -> RecordedTurn:
        """Fetch what the server stored of a prompt's turn. Raises `NetError`."""
        return await fetch_recorded_turn(self._require_backend(), session_id, prompt_id)

    def close_session(self, session_id: str) -> None:
        """Drop the session's transcript, unless a turn runs or a prompt is queued: both need it."""
        if not self.turns.running_in(session_id) and not self.prompts.waiting(session_id):
            self._opened.pop(session_id, None)
            self.store.close_transcript(session_id)
            self.loadings.forget(session_id)
            if self._backend is not None:
                self._spawn(self._backend.leave(session_id))

    async def load_older(self, session_id: str) -> bool:
        """Fetch the page before the oldest message; returns False if there is none. Raises `NetError`."""
        transcript = self.store.transcript(session_id)
        if transcript is None or transcript.cursor is None:
            return False
        cursor = transcript.cursor
        if self.loadings.of(session_id).doing == "older":
            return True
        with self.loadings.fetching(session_id, "older") as on_bytes:
            page = await self._require_backend().messages(session_id, before=cursor, on_bytes=on_bytes)
        transcript = self.store.transcript(session_id)
        if (
            transcript is not None and transcript.cursor == cursor
        ):  # else it was refetched meanwhile, and the page no longer joins it
            self._apply(page)
        return True

    def abort(self, session_id: str) -> None:
        """Abort the session's running turns; `aborts` retries until the server has done so."""
        if self.aborts.ask(session_id):
            self.prompts.hold_for_abort(session_id)

    async def _post_abort(self, session_id: str) -> None:
        """Send an abort and reject the requests of the aborted turns. Raises `NetError`."""
        left = {request.id: request for request in self.store.requests_of(session_id)}
        await self._require_backend().abort(session_id)
        self.turns.poll_all()
        left |= {request.id: request for request in self.store.requests_of(session_id)}
        for request in left.values():  # stale now, but the server keeps them in its list
            self._apply(e.RequestGone(request.session_id, request.id))
            permission = isinstance(request, PermissionRequest)
            self._spawn(
                self._clear(PendingReply(request, permission="reject") if permission else PendingReply(request))
            )

    def answer(self, request: Request, answers: Answers) -> None:
        """Send an answer, retried until the server acknowledges it; `ReplyStatusChanged` reports the progress."""
        self._reply(PendingReply(request, answers=answers))

    def reject(self, request: Request) -> None:
        """Dismiss a question; the server reports the dismissal to the agent."""
        self._reply(PendingReply(request))

    def reply(self, request: Request, reply: PermissionReply, message: str = "") -> None:
        """Answer a permission request; `message` is the reason of a rejection and lets the agent continue."""
        self._reply(PendingReply(request, permission=reply, message=message))

    def _reply(self, reply: PendingReply) -> None:
        if reply.request.id in self.store.requests:
            self._spawn(self._outbox.send(reply))
        else:  # the request was closed while the user decided
            self._emit(ReplyStatusChanged(reply.request, "expired"))

    def _send_stopped(self) -> None:
        self.aborts.resume()
        for reply in self._outbox.pop_blocked():
            self._spawn(self._outbox.send(reply))

    async def _post_reply(self, reply: PendingReply) -> bool:
        backend, request = self._require_backend(), reply.request
        directory = self._directory_of(request.session_id)
        if reply.permission is not None:
            return await backend.reply(request.id, reply.permission, reply.message, directory=directory)
        if reply.answers is None:
            return await backend.reject(request.id, directory=directory)
        return await backend.answer(request.id, reply.answers, directory=directory)

    async def _clear(self, reply: PendingReply) -> None:
        try:
            await self._post_reply(reply)
        except NetError as error:
            log.info("a request that nobody waits for stays at the server: %s", error.message)

    def _require_backend(self) -> Backend:
        if self._backend is None:
            raise NotConnected
        return self._backend

    def _directory_of(self, session_id: str) -> str:
        session = self.store.sessions.get(session_id)
        return session.directory if session is not None else ""

    @asynccontextmanager
    async def _subscribe(self, on_bytes: Callable[[int], None]) -> AsyncIterator[Feed]:
        if self._backend is None:
            from tui.backends.detect import detect_backend  # httpx is slow to import: after the first paint

            self._backend, server = await detect_backend(
                self._open_http,
                users=self._users,
                directory=self._directory,
                family=self._family,
                identities=self.journal,
            )
        else:
            server = await self._backend.handshake()
        self._on_server_info(server)
        self._health.answered(server.round_trip)
        async with AsyncExitStack() as stack:
            try:
                feed = await stack.enter_async_context(self._backend.subscribe(on_bytes))
            except ReadTimeout as error:
                try:
                    await self._backend.ping()
                except NetError:
                    raise error from None
                raise HeldBack(error.seconds) from error
            yield feed

    def _on_server_info(self, server: ServerInfo) -> None:
        """Store the server's data after each handshake, and report a changed version."""
        before, self.server = self.server, server
        self.turns.set_traits(self._require_backend().traits)
        if before is not None and before.version != server.version:
            self._emit(Notice(f"The server is now {server.version} (was {before.version})."))

    def _apply(self, event: e.Event) -> None:
        changes = self.store.apply(event)
        for change in changes:
            self._emit(change)
            if isinstance(change, RequestClosed):
                self._outbox.closed(change)
                self._fetch_beyond()
                if change.how == "rejected" or change.reply == "reject":
                    self.turns.rejected(change.request, here=self._outbox.rejects(change.request.id))
        if isinstance(event, e.Resynced):
            self._tell_unreadable(event.unreadable)
            self._tell_problem(event.problem)
        if isinstance(event, e.SessionFailed):
            self.turns.failure_seen(event)
        elif isinstance(event, e.TextDelta):
            self.turns.touch(event.session_id)
        elif any(not isinstance(change, TextAppended) for change in changes):
            self._look()

    def _look_now(self) -> None:
        """Update the turns and the queue after changes of the store."""
        if not self._closing:
            self.turns.reevaluate()
            self.prompts.dispatch_ready()

    def _fetch_beyond(self) -> None:
        """Fetch the requests beyond the store's limit once it has room for them."""
        if self.store.has_room_for_requests and self._link.synced and not self._fetches_beyond:
            self._fetches_beyond = True
            self._spawn(self._fetch_requests())

    async def _fetch_requests(self) -> None:
        try:
            await self._resync.requests()
        except NetError as error:
            log.info("the requests beyond those that are kept: %s", error.message)
        finally:
            self._fetches_beyond = False

    def _tell_unreadable(self, count: int) -> None:
        """Report open requests that cannot be displayed, again only when their number grows."""
        before, self._unreadable = self._unreadable, count
        if count > before:
            what = "1 request that waits" if count == 1 else f"{count} requests that wait"
            self._emit(Notice(f"{what} for an answer cannot be shown. Answer in another client.", "warning"))

    def _tell_problem(self, problem: str) -> None:
        """Report once per reason that the server's list of running turns and requests cannot be read."""
        before, self._problem = self._problem, problem
        if problem and problem != before:
            what = f"The server's list of what runs and waits cannot be read: {problem}."
            self._emit(Notice(f"{what} Sessions are shown as last known, updated by events.", "warning"))

    def _start_connection(self) -> "asyncio.Task[None]":
        task = self._spawn(self._link.run())
        task.add_done_callback(self._on_connection_exit)
        return task

    def _on_connection_exit(self, task: "asyncio.Task[None]") -> None:
        """Report the end of the connection task as an internal error, unless it was cancelled by `close`."""
        if not task.cancelled():
            what = f"Holdfast itself failed ({type(task.exception()).__name__})"
            self._health.stopped(self._clocks.mono(), what, "F5 retries. If it happens again, restart Holdfast.")
            self._line_changed()

    def _line_changed(self) -> None:
        if self._link.synced and not self._line_up.is_set():
            self._line_up.set()
            self.turns.line_back()
            self._look_now()
            self._send_stopped()
        elif not self._link.synced:
            self._line_up.clear()
            self.turns.line_lost()
        self._emit(ConnectionChanged())

    def _turn_changed(self, change: TurnChanged | TurnEnded) -> None:
        self._emit(change)
        self.aborts.turn_changed(change.session_id)

    def _turn_ended(self, turn: Turn) -> None:
        self.prompts.on_turn_ended(turn, abort_asked=self.aborts.covers(turn))

    def _emit(self, change: Change) -> None:
        for listener in tuple(self._listeners):
            listener(change)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a task of the client ended", exc_info=error)
            self._emit(Notice(f"A part of Holdfast stopped working ({type(error).__name__}). Restart it.", "error"))

    async def _pause_for_line(self, seconds: float) -> None:
        """Wait `seconds` or until the client reconnects; while the connection is stopped, until it reconnects."""
        sleeping = asyncio.ensure_future(self._clocks.sleep(seconds))
        waking = asyncio.create_task(self._line_up.wait())
        waits = {sleeping} if self._line_up.is_set() else {sleeping, waking}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self.line().state is ConnectionState.STOPPED:
                await self._line_up.wait()
        finally:
            sleeping.cancel()
            waking.cancel()

    async def _keep_journal(self) -> None:
        while True:
            await self._clocks.sleep(JOURNAL_EVERY)
            behind = self.journal.behind
            self.journal.catch_up()
            if behind:
                self.prompts.dispatch_ready()

    async def _tick(self) -> None:
        while True:
            await self.turns.awake.wait()
            await self._clocks.sleep(TICK_EVERY)
            self.turns.tick()
            self.prompts.dispatch_ready()
            if not self.turns.running():
                self.turns.awake.clear()
