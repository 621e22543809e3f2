"""qwen serve has one event stream per session: merges the streams of all followed sessions into one feed.

Each stream resumes at its position, in the server's epoch, without loss or duplicates. If the server cannot resume
there (its ring is past it, or it was restarted), the session is loaded and reported again, in order with the events.
The first stream that ends otherwise ends the feed, and the event connection reconnects.

Sessions that are not followed have no stream; they are polled at intervals.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any

from tui.backends.client_identity import ClientIdentity
from tui.backends.decoding import UNREADABLE, read
from tui.backends.qwen import schema as wire
from tui.backends.qwen.followed_session import FollowedSession
from tui.backends.qwen.session_list import SessionList
from tui.backends.qwen.session_loader import SessionLoader
from tui.core import events as e
from tui.net.errors import InvalidBody, NetError, NotFound
from tui.net.event_connection import StreamEnded
from tui.net.http_client import Http
from tui.net.json_input import loads
from tui.net.pacing import SLICE, Slice
from tui.net.sse import read_events
from tui.net.url import path_segment

log = logging.getLogger(__name__)

FIRST_BYTE = 6.0
"""Seconds for an event stream to respond."""
READ_TIMEOUT = 45.0
"""Read timeout in seconds of one stream, three heartbeats, even if others are alive."""
UNREAD = 1_000
"""Limit of unread events of all streams, above which reading from the network pauses."""
POLL_INTERVAL = 10.0
"""Seconds between two polls of sessions without a stream, and between heartbeats if none has one."""
CLOSED, DIED = "session_closed", "session_died"
CRASH_LOOP_WINDOW = 30.0
"""Seconds after a session died in which it is not loaded again at once if it dies again."""
STALE_LOOP_WINDOW = 5.0
"""Seconds after a load because of a gap in which another gap is left to the backoff."""
RESYNC = "state_resync_required"
REPLAYED = "replay_complete"
"""All missed events were sent, unless `RESYNC` preceded."""


class End(Enum):
    """Why a stream ended."""

    CLOSED = "the session was closed"
    DIED = "the agent's process ended: what is stored can be loaded again"
    STALE = "the server cannot resume from the last event"


class StreamMultiplexer:
    """An open feed. `watches` belongs to its owner, who may add to it and call `follow`."""

    def __init__(
        self,
        http: Http,
        watches: dict[str, FollowedSession],
        *,
        loader: SessionLoader,
        listing: SessionList,
        identity: ClientIdentity,
        on_bytes: Callable[[int], None],
    ) -> None:
        self._http = http
        self._watches = watches
        self._loader = loader
        self._listing = listing
        self._identity = identity
        self._on_bytes = on_bytes
        self._events: asyncio.Queue[e.Event | BaseException] = asyncio.Queue()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._alone = asyncio.Event()
        self._looking = asyncio.create_task(self._poll_sessions())
        self._looking.add_done_callback(self._done)
        for session_id in watches:
            self.follow(session_id)

    async def events(self) -> AsyncGenerator[e.Event, None]:
        while True:
            received = await self._events.get()
            if isinstance(received, BaseException):
                raise received
            yield received

    def follow(self, session_id: str) -> None:
        """Open the stream of a newly followed session."""
        task = asyncio.create_task(self._follow(self._watches[session_id]))
        self._tasks[session_id] = task
        task.add_done_callback(self._done)

    async def drop(self, session_id: str) -> None:
        """Close the stream of a session, if it has one."""
        task = self._tasks.pop(session_id, None)
        if task is not None:
            await _ended(task)

    async def close(self) -> None:
        tasks = [self._looking, *self._tasks.values()]
        self._tasks.clear()
        await _ended(*tasks)

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._events.put_nowait(error)

    def _emit(self, events: Sequence[e.Event]) -> None:
        for event in events:
            self._events.put_nowait(event)

    async def _follow(self, watch: FollowedSession) -> None:
        """Follow one session until it is deleted or closed. Raises what ends its stream otherwise.

        After a load without effect it is not loaded again at once: the feed ends, and the backoff applies.
        """
        just_loaded = False
        died_at = stale_at = float("-inf")
        while True:
            stood = watch.reducer.cursor
            try:
                match await self._stream(watch):
                    case End.CLOSED:
                        break
                    case End.DIED:
                        before, died_at = died_at, asyncio.get_running_loop().time()
                        if died_at - before < CRASH_LOOP_WINDOW:
                            raise StreamEnded
                    case End.STALE:
                        before, stale_at = stale_at, asyncio.get_running_loop().time()
                        if stale_at - before < STALE_LOOP_WINDOW:
                            raise StreamEnded
            except NotFound:
                if just_loaded:
                    raise
                just_loaded = True  # the server was restarted, and knows the session once it is loaded
            else:
                if just_loaded and watch.reducer.cursor == stood:
                    raise StreamEnded
                just_loaded = watch.reducer.cursor == stood
            if not await self._start_over(watch):
                break
        self._watches.pop(watch.session_id, None)
        self._tasks.pop(watch.session_id, None)
        if not self._tasks:
            self._alone.set()

    async def _start_over(self, watch: FollowedSession) -> bool:
        """Load the session and report it again; False if it was deleted."""
        try:
            reloaded = await self._loader.load(watch.session_id)
        except NotFound:
            self._emit([e.SessionDeleted(watch.session_id)])
            return False
        watch.reducer, watch.epoch = reloaded.watch.reducer, reloaded.watch.epoch
        self._emit(reloaded.events)
        return True

    async def _stream(self, watch: FollowedSession) -> End:
        """Run one stream. Raises what ends it unexpectedly."""
        headers = {
            "accept": "text/event-stream",
            "last-event-id": str(watch.reducer.cursor),
            "x-qwen-event-epoch": watch.epoch,
            **self._identity.header(watch.session_id),
        }
        path = f"/session/{path_segment(watch.session_id)}/events"
        async with self._http.stream(
            "GET", path, headers=headers, first_byte=FIRST_BYTE, silence=READ_TIMEOUT
        ) as response:
            chunks = read_events(
                response.chunks(), on_bytes=self._on_bytes, on_comment=lambda comment: self._beat(watch)
            )
            turn = Slice()
            async for sent in chunks:
                if turn.over:  # events already received are returned without a pause
                    await self._until_read()
                    turn.begin()
                frame = _frame(sent.data)
                if frame is None or (frame.id is not None and frame.id <= watch.reducer.cursor):
                    continue
                if frame.type == RESYNC or (frame.id is not None and frame.id > watch.reducer.cursor + 1):
                    return End.STALE  # ids have no gaps: an event was lost or unreadable
                if frame.type == REPLAYED:
                    self._emit(watch.reducer.resumed())
                self._take(watch, frame)
                if frame.type == CLOSED:
                    return End.CLOSED
                if frame.type == DIED:
                    return End.DIED
                if watch.reducer.stale:
                    return End.STALE
        raise StreamEnded

    def _take(self, watch: FollowedSession, frame: wire.Frame) -> None:
        try:
            self._emit(watch.reducer.take(frame))
        except UNREADABLE as error:
            self._emit(watch.reducer.unreadable(error))

    async def _until_read(self) -> None:
        """Wait for the reader of the feed, to limit the queue."""
        while True:
            await asyncio.sleep(SLICE)  # lets keys be handled: an echo takes several passes of the loop
            if self._events.qsize() <= UNREAD:
                return

    def _beat(self, watch: FollowedSession) -> None:
        """Each stream has heartbeats; those of the oldest count for the connection."""
        if next(iter(self._tasks), None) == watch.session_id:
            self._emit([e.Heartbeat()])

    async def _poll_sessions(self) -> None:
        """Poll sessions without a stream. If no session has one, the polls prove the connection."""
        while True:
            self._alone.clear()
            try:
                found = await self._listing.poll_changes()
            except NetError as error:
                if not self._tasks or error.permanent:
                    raise
                log.info("the list of sessions could not be fetched: %s", error.message)
            else:
                if not self._tasks:
                    self._on_bytes(1)
                    self._emit([e.Heartbeat()])
                self._emit(found)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._alone.wait()


async def _ended(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _frame(data: str) -> wire.Frame | None:
    """One event; None for an unreadable one: the next load brings its change."""
    try:
        return read(loads(data, fragments=wire.FRAGMENTS), wire.Frame)
    except (InvalidBody, *UNREADABLE) as error:
        log.warning("event skipped: %s", error)
        return None
