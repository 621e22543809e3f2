"""The client's API: open sessions, send prompts, answer requests, abort turns.

It owns the event connection, the backend, the store and the journal. `prompts` sends prompts, `journal` keeps drafts.

It has no user interface and no code of a single server family. A user interface subscribes and reads the store.
"""

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from tui.backends.base import Backend, ServerInfo, Traits
from tui.backends.decoding import Rows
from tui.backends.families import USERS
from tui.client.abort_sender import AbortSender
from tui.client.event_handler import EventHandler
from tui.client.loading import LoadingTracker
from tui.client.pending_aborts import PendingAborts
from tui.client.pending_reply import PendingReply
from tui.client.polling import Poller
from tui.client.ports import Ports
from tui.client.prompt_dispatcher import PromptDispatcher
from tui.client.prompt_options import PromptOptions
from tui.client.prompt_queue import PromptQueue
from tui.client.recorded_turn import RecordedTurn, fetch_recorded_turn
from tui.client.reply_sender import ReplySender
from tui.client.resync import Fetching, Resync
from tui.client.server_connection import ServerConnection
from tui.client.session_actions import SessionActions
from tui.client.tasks import Tasks
from tui.client.turn_outcomes import TurnOutcomes
from tui.client.turns import TurnTracker
from tui.core import events as e
from tui.core.changes import (
    Change,
    Notice,
)
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.model import Answers, FullMessage, PermissionReply, Request, Session
from tui.core.store import Store
from tui.core.turn import Turn
from tui.net.clocks import Clocks
from tui.storage.journal import Journal

if TYPE_CHECKING:
    from tui.net.http_client import Http

log = logging.getLogger(__name__)

JOURNAL_INTERVAL = 1.0
"""Seconds between two tries to write the journal's pending changes; each also checks that its file exists."""
TICK_INTERVAL = 0.5
MAX_OPEN = 8
"""Number of recently opened sessions whose transcripts are kept, readable without a connection."""

Listener = Callable[[Change], None]


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
        self.address = address
        self._open_http = open_http
        self._users = users
        self._directory = directory
        self._family = family
        self._clocks = clocks or Clocks()
        self.journal = journal or Journal(None, address, wall=self._clocks.wall)
        self._listeners: list[Listener] = []
        self._opened: dict[str, None] = {}
        """The opened sessions in the order of opening."""
        self._tasks = Tasks(self._emit)
        self._spawn = self._tasks.spawn
        connection = self._connection = ServerConnection(
            self._detect, emit=self._emit, spawn=self._spawn, clocks=self._clocks
        )
        ports = Ports(connection, self._emit, self._apply, self._spawn, self._clocks)
        queue = PromptQueue(self.journal)
        self.loadings = LoadingTracker(self._emit, self._clocks.mono)
        self._resync = Resync(self.store, self.journal, queue, self.loadings, connection)
        self.aborts = PendingAborts()
        outcomes = TurnOutcomes(self.journal, queue, self.aborts, self._emit)
        self.turns = TurnTracker(self.store, outcomes, self.aborts, ports, patience=patience)
        self.choices = PromptOptions(self.store, connection)
        fetching = Fetching(self.store, self._resync, spawn=self._spawn, clocks=self._clocks)
        self.prompts = PromptDispatcher(self.store, self.journal, queue, self.turns, self.choices, fetching, ports)
        self.editing = SessionActions(ports)
        self._replies = ReplySender(self.store, self.journal, self._resync, ports)
        self._abort_sender = AbortSender(
            self.store, self.journal, self.turns, self.prompts, self._replies, self.aborts, ports
        )
        self._poller = Poller(self.store, connection.health, self._resync, self.turns.poller.responsiveness, ports)
        self._handler = EventHandler(
            self.store, self._resync, self.turns, self.prompts, self._replies, self._abort_sender, ports
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
        return self._connection.server_now()

    @property
    def server(self) -> ServerInfo | None:
        """The server's version and features; None before the first connection."""
        return self._connection.info

    def connection_status(self) -> ConnectionStatus:
        """The current status of the connection."""
        return self._connection.status()

    @property
    def synced(self) -> bool:
        """Whether the connection is up and the store is as the server's state."""
        return self._connection.synced

    @property
    def traits(self) -> Traits | None:
        """The server's behavior, by its family and as observed; None before the first connection."""
        if self._connection.known_backend is None:
            return None
        traits = self._connection.known_backend.traits
        if self.turns.cancels is not None:
            traits = msgspec.structs.replace(traits, cancels_on_disconnect=self.turns.cancels)
        return traits

    @property
    def unreadable_requests(self) -> int:
        """The number of open requests that could not be decoded, so that the store lacks them."""
        return self._handler.unreadable

    @property
    def resync_problem(self) -> str:
        """Why the server's list of statuses or requests could not be read; "" if it could."""
        return self._handler.problem

    def turn(self, session_id: str) -> Turn | None:
        """The session's turn to display: the running one, else the newest."""
        return self.turns.current(session_id)

    def start(self, *, adopt: bool = True) -> None:
        """Start to connect; results are reported as changes.

        `adopt`: take over the prompts, aborts and answers of ended clients. A client that does one thing and ends
        leaves them to the next one that stays.
        """
        self.journal.subscribe(self._tell_journal)
        if adopt:
            self.prompts.restore()
            self._abort_sender.restore()
            for reply in self._replies.load_pending():
                self._spawn(self._replies.send(reply))
        self._connection.start(self._handler)
        for work in (self._tick(), self._keep_journal(), *self._poller.tasks()):
            self._spawn(work)

    def _tell_journal(self, problem: str) -> None:
        words = f"{problem[:1].upper()}{problem[1:]}"
        severity: Literal["warning", "error"] = "error" if self.journal.in_memory_only else "warning"
        self._emit(Notice(words, severity, sticky=self.journal.in_memory_only))

    async def close(self) -> None:
        """Cancel all tasks, close the backend and the journal. Turns keep running where the server supports that."""
        self._connection.stop()
        await self._tasks.close()
        await self._connection.close()
        self.journal.close()

    def restart_line(self) -> None:
        """Reconnect at once (F5), whatever the connection's status; turns and prompts are not affected."""
        self._connection.restart()
        self._on_retry()

    def retry_now(self) -> None:
        """Retry the connection at once (on terminal focus), also after *stopped*; sends blocked replies."""
        self._connection.retry_now()
        self._on_retry()

    def _on_retry(self) -> None:
        if self._connection.up.is_set():
            self._handler.send_blocked()
            self._spawn(self._poller.load_failed())

    def set_focused(self, now: bool) -> None:
        """Set whether the terminal has the focus; gaining it retries a lost connection."""
        self._connection.focused = now
        if now and not self.connection_status().up:
            self.retry_now()

    @property
    def input_pause(self) -> float:
        """Seconds that long work should pause between two slices, so that typed keys are echoed in time."""
        return self._connection.input_priority.pause

    def on_user_input(self) -> None:
        """Record a key press: it counts as focus, and retries a lost connection if the client had no focus before."""
        watched = self._connection.on_user_input()
        if not watched and self.connection_status().state is ConnectionState.RECONNECTING:
            self.retry_now()

    def verify_now(self) -> None:
        """Check the connection and the server's state at once, because this process was suspended."""
        self._connection.retry_now()
        if self._connection.up.is_set():
            self._handler.send_blocked()
            self._spawn(self._poller.check_now())

    async def list_sessions(self, search: str = "", cursor: str | None = None) -> Rows[Session]:
        """The newest sessions whose title contains `search`; `cursor` of the previous page. Raises `NetError`."""
        found = await self._connection.backend().sessions(search=search, cursor=cursor)
        self._apply(e.SessionsListed(found))
        return found

    async def new_session(self, title: str = "") -> Session:
        """Create a session on the server. Raises `NetError`."""
        session = await self._connection.backend().create_session(title)
        self._apply(e.SessionUpserted(session))
        return session

    async def open_session(self, session_id: str, *, is_new: bool = False) -> None:
        """Open the session's transcript and fetch its newest page. Raises `NetError`.

        `is_new`: it was created just now, so there is nothing to fetch, unless its events have a stream of their own.
        After a failure `loadings` has the reason, and the fetch is retried. While the connection is down nothing is
        fetched until the client reconnects. All but the `MAX_OPEN` last opened sessions are closed.
        """
        self.store.open_transcript(session_id)
        self._opened.pop(session_id, None)
        self._opened[session_id] = None
        is_known = session_id in self.store.sessions
        if is_known:
            self.journal.save_last_session(session_id)
        if is_new and self.traits is not None and self.traits.single_event_stream:
            self._apply(e.MessagesLoaded(session_id, (), None))
        elif self._connection.synced:
            await self._resync.session(session_id)
        if not is_known and session_id in self.store.sessions:  # else `--continue` would open a mistyped id
            self.journal.save_last_session(session_id)
        for old in list(self._opened)[:-MAX_OPEN]:
            self.close_session(old)

    async def recorded_turn(self, session_id: str, prompt_id: str) -> RecordedTurn:
        """Fetch what the server stored of a prompt's turn. Raises `NetError`."""
        return await fetch_recorded_turn(self._connection.backend(), session_id, prompt_id)

    async def newest_messages(self, session_id: str) -> Sequence[FullMessage]:
        """Fetch the newest messages of a session that need not be open. Raises `NetError`."""
        page = await self._connection.backend().messages(session_id)
        if self.store.transcript(session_id) is None:
            await self._connection.backend().leave(session_id)
        return page.messages

    def close_session(self, session_id: str) -> None:
        """Drop the session's transcript, unless a turn runs or a prompt is queued: both need it."""
        if not self.turns.is_running_in(session_id) and not self.prompts.waiting(session_id):
            self._opened.pop(session_id, None)
            self.store.close_transcript(session_id)
            self.loadings.forget(session_id)
            if self._connection.known_backend is not None:
                self._spawn(self._connection.known_backend.leave(session_id))

    async def load_older(self, session_id: str) -> bool:
        """Fetch the page before the oldest message; returns False if there is none. Raises `NetError`."""
        transcript = self.store.transcript(session_id)
        if transcript is None or transcript.cursor is None:
            return False
        cursor = transcript.cursor
        if self.loadings.of(session_id).activity == "older":
            return True
        with self.loadings.fetching(session_id, "older") as on_bytes:
            page = await self._connection.backend().messages(session_id, before=cursor, on_bytes=on_bytes)
        transcript = self.store.transcript(session_id)
        if (
            transcript is not None and transcript.cursor == cursor
        ):  # else it was refetched meanwhile, and the page no longer joins it
            self._apply(page)
        return True

    def abort(self, session_id: str) -> None:
        """Abort the session's running turns; `aborts` retries until the server has done so."""
        self._abort_sender.ask(session_id)

    def answer(self, request: Request, answers: Answers) -> None:
        """Send an answer, retried until the server acknowledges it; `ReplyStatusChanged` reports the progress."""
        self._replies.submit(PendingReply(request, answers=answers))

    def reject(self, request: Request) -> None:
        """Dismiss a question; the server reports the dismissal to the agent."""
        self._replies.submit(PendingReply(request))

    def reply(self, request: Request, reply: PermissionReply, message: str = "") -> None:
        """Answer a permission request; `message` is the reason of a rejection and lets the agent continue."""
        self._replies.submit(PendingReply(request, permission=reply, message=message))

    async def _detect(self) -> tuple[Backend, ServerInfo]:
        from tui.backends.detect import detect_backend  # httpx is slow to import: after the first paint

        return await detect_backend(
            self._open_http,
            users=self._users,
            directory=self._directory,
            family=self._family,
            identities=self.journal,
        )

    def _apply(self, event: e.Event) -> None:
        self._handler.apply(event)

    def _emit(self, change: Change) -> None:
        for listener in tuple(self._listeners):
            listener(change)

    async def _keep_journal(self) -> None:
        while True:
            await self._clocks.sleep(JOURNAL_INTERVAL)
            behind = self.journal.behind
            self.journal.catch_up()
            if behind:
                self.prompts.dispatch_ready()

    async def _tick(self) -> None:
        while True:
            await self.turns.awake.wait()
            await self._clocks.sleep(TICK_INTERVAL)
            self.turns.tick()
            self.prompts.dispatch_ready()
            if not self.turns.running():
                self.turns.awake.clear()
