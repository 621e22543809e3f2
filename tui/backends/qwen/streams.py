"""qwen serve has one event stream a session: all that are watched, as the one feed that the link reads.

Each stream goes on from where it stood, under the server's epoch, so that nothing is lost and nothing comes twice.
Where the server cannot go on from there (its ring is past it, or it was restarted) the session is loaded and told
anew, in its place between the events. The first stream that ends otherwise ends the feed: the link does the rest.

What happens in sessions that nobody watches has no stream; it is asked for, calmly.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any

from tui.backends.decoding import UNREADABLE
from tui.backends.qwen import schema as wire
from tui.backends.qwen.session_reducer import SessionReducer
from tui.core import events as e
from tui.net.errors import HttpStatusError, InvalidBody, NetError
from tui.net.event_connection import StreamEnded
from tui.net.http_client import Http
from tui.net.json_input import loads
from tui.net.pacing import SLICE, Slice
from tui.net.sse import read_events
from tui.net.url import path_segment

log = logging.getLogger(__name__)

FIRST_BYTE = 6.0
"""Seconds until an event stream must have answered."""
LONGEST_SILENCE = 45.0
"""Seconds without a byte, three beats, after which one stream is given up, though others may live."""
UNREAD = 1_000
"""Events of all streams that may wait for the reader of the feed before no more are read from the network."""
LOOK_EVERY = 10.0
"""Seconds between two looks at the sessions that have no stream, and between beats where none has one."""
CLOSED, DIED = "session_closed", "session_died"
CRASH_LOOP_WINDOW = 30.0
"""Seconds after a session has died within which another death is not answered by loading it at once again."""
STALE_LOOP_WINDOW = 5.0
"""Seconds after a session was loaded because of a gap within which another gap is left to the backoff."""
RESYNC = "state_resync_required"
REPLAYED = "replay_complete"
"""What was missed is told, and nothing of it was left out unless `RESYNC` came before."""


class End(Enum):
    """Why a stream has nothing more to tell."""

    CLOSED = "somebody closed the session"
    DIED = "the agent's process is gone: what is stored can be loaded again"
    STALE = "the server cannot go on from where we stand"


@dataclass(slots=True)
class FollowedSession:
    """A session whose events are followed: what they have led to, and the epoch that their ids are of."""

    fold: SessionReducer
    epoch: str

    @property
    def session_id(self) -> str:
        return self.fold.session_id


@dataclass(frozen=True, slots=True)
class LoadedSession:
    """A session as `load` gave it: where to go on from, and what to tell."""

    watch: FollowedSession
    events: tuple[e.Event, ...]


class StreamMultiplexer:
    """An open feed. `watches` are those of its owner, who may add to them by `follow`.

    `reload` loads a session; `identify` gives the header that says who we are in it; `look` asks what happens
    where there is no stream.
    """

    def __init__(
        self,
        http: Http,
        watches: dict[str, FollowedSession],
        *,
        reload: Callable[[str], Awaitable[LoadedSession]],
        identify: Callable[[str], dict[str, str]],
        look: Callable[[], Awaitable[Sequence[e.Event]]],
        on_bytes: Callable[[int], None],
    ) -> None:
        self._http = http
        self._watches = watches
        self._reload = reload
        self._identify = identify
        self._look = look
        self._on_bytes = on_bytes
        self._told: asyncio.Queue[e.Event | BaseException] = asyncio.Queue()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._alone = asyncio.Event()
        self._looking = asyncio.create_task(self._keep_looking())
        self._looking.add_done_callback(self._done)
        for session_id in watches:
            self.follow(session_id)

    async def events(self) -> AsyncGenerator[e.Event, None]:
        while True:
            told = await self._told.get()
            if isinstance(told, BaseException):
                raise told
            yield told

    def follow(self, session_id: str) -> None:
        """Open the stream of a session that is watched from now on."""
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
            self._told.put_nowait(error)

    def _tell(self, events: Sequence[e.Event]) -> None:
        for event in events:
            self._told.put_nowait(event)

    async def _follow(self, watch: FollowedSession) -> None:
        """Follow one session until it is gone or closed. Raises what ends its stream otherwise.

        Loaded in vain, it is not loaded again at once: the feed ends, and the link takes its time.
        """
        just_loaded = False
        died_at = stale_at = float("-inf")
        while True:
            stood = watch.fold.cursor
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
            except HttpStatusError as refusal:
                if refusal.status != 404 or just_loaded:
                    raise
                just_loaded = True  # the server was restarted: it knows the session again once it is loaded
            else:
                if just_loaded and watch.fold.cursor == stood:
                    raise StreamEnded
                just_loaded = watch.fold.cursor == stood
            if not await self._start_over(watch):
                break
        self._watches.pop(watch.session_id, None)
        self._tasks.pop(watch.session_id, None)
        if not self._tasks:
            self._alone.set()

    async def _start_over(self, watch: FollowedSession) -> bool:
        """Load the session and tell it anew; False if it is gone."""
        try:
            reloaded = await self._reload(watch.session_id)
        except HttpStatusError as refusal:
            if refusal.status != 404:
                raise
            self._tell([e.SessionDeleted(watch.session_id)])
            return False
        watch.fold, watch.epoch = reloaded.watch.fold, reloaded.watch.epoch
        self._tell(reloaded.events)
        return True

    async def _stream(self, watch: FollowedSession) -> End:
        """One stream from its opening on. Raises what ends it without a word."""
        headers = {
            "accept": "text/event-stream",
            "last-event-id": str(watch.fold.cursor),
            "x-qwen-event-epoch": watch.epoch,
            **self._identify(watch.session_id),
        }
        path = f"/session/{path_segment(watch.session_id)}/events"
        async with self._http.stream(
            "GET", path, headers=headers, first_byte=FIRST_BYTE, silence=LONGEST_SILENCE
        ) as response:
            chunks = read_events(
                response.chunks(), on_bytes=self._on_bytes, on_comment=lambda comment: self._beat(watch)
            )
            turn = Slice()
            async for sent in chunks:
                if turn.over:  # events that have all come are handed on without a pause
                    await self._until_read()
                    turn.begin()
                frame = _frame(sent.data)
                if frame is None or (frame.id is not None and frame.id <= watch.fold.cursor):
                    continue
                if frame.type == RESYNC or (frame.id is not None and frame.id > watch.fold.cursor + 1):
                    return End.STALE  # ids are without gaps: something was lost on the way, or cannot be read
                if frame.type == REPLAYED:
                    self._tell(watch.fold.resumed())
                self._take(watch, frame)
                if frame.type == CLOSED:
                    return End.CLOSED
                if frame.type == DIED:
                    return End.DIED
                if watch.fold.stale:
                    return End.STALE
        raise StreamEnded

    def _take(self, watch: FollowedSession, frame: wire.Frame) -> None:
        try:
            self._tell(watch.fold.take(frame))
        except UNREADABLE as error:
            self._tell(watch.fold.unreadable(error))

    async def _until_read(self) -> None:
        """Let whoever reads the feed catch up: else all that comes would be kept here."""
        while True:
            await asyncio.sleep(SLICE)  # keys have their turn: an echo takes several turns of the loop
            if self._told.qsize() <= UNREAD:
                return

    def _beat(self, watch: FollowedSession) -> None:
        """Each stream has beats of its own: those of the oldest are the line's."""
        if next(iter(self._tasks), None) == watch.session_id:
            self._tell([e.Heartbeat()])

    async def _keep_looking(self) -> None:
        """Look at what has no stream. Where nothing has one, that is all there is to prove the line by."""
        while True:
            self._alone.clear()
            try:
                found = await self._look()
            except NetError as error:
                if not self._tasks or error.permanent:
                    raise
                log.info("the list of sessions could not be had: %s", error.message)
            else:
                if not self._tasks:
                    self._on_bytes(1)
                    self._tell([e.Heartbeat()])
                self._tell(found)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._alone.wait()


async def _ended(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _frame(data: str) -> wire.Frame | None:
    """One event as it came; None for one that cannot be read: the next load brings what it would have told."""
    try:
        return wire.read(loads(data, fragments=wire.FRAGMENTS), wire.Frame)
    except (InvalidBody, *UNREADABLE) as error:
        log.warning("event skipped: %s", error)
        return None
