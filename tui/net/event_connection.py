"""The connection to a server's event stream: subscribe, watch, back off, reconnect, fetch missed changes.

Events are delivered in order, and every gap is reported: when a stream ends, `StreamLost` is delivered; when a new
one is open, everything is fetched again while live events wait, and then both are delivered in that order. It knows
no family and no route; what to open and to fetch, clock and sleep are injected.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

from tui.core.backoff import Backoff
from tui.core.connection_status import ConnectionMonitor
from tui.core.events import Connected, Event, Heartbeat, ServerShuttingDown, StreamLost
from tui.net.clocks import Clocks
from tui.net.errors import ConnectFailed, ConnectionLost, HttpStatusError, NetError, ReadTimeout
from tui.net.pacing import InputPriority, Slice

log = logging.getLogger(__name__)

WATCH_INTERVAL = 1.0
"""Seconds between two checks of the watchdog."""
FIRST_BYTES = 10.0
"""Seconds within which an open event stream must deliver its first byte: servers greet, or send `retry:`."""
SUSPEND_THRESHOLD = 5.0
"""Seconds that the wall clock may gain on the monotonic clock before the system must have slept."""
WAITING_EVENTS = 100_000
WAITING_BYTES = 16 * 1024 * 1024
"""Limits of live events that wait for a fetch; beyond them the stream is reopened."""

FOCUSED_RETRY = 0.7
"""Retry interval in seconds while the user is watching and the server refuses connections."""
RECENT_INPUT_SECONDS = 30.0
"""Seconds after a key press in which the user is watching, for terminals that do not report focus."""
FOCUSED_RETRY_LIMIT = 600.0
"""Seconds after which the backoff applies again."""


class Feed(Protocol):
    """An open event stream."""

    def events(self) -> AsyncGenerator[Event, None]: ...


class StreamEnded(NetError):
    """The server ended the event stream normally."""

    def __init__(self) -> None:
        super().__init__("the server ended the event stream", "Nothing to do: it is reopened.")


class EventStreamStalled(NetError):
    """The server answered other requests, but the event stream delivered nothing."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the server answers, but its event stream delivers nothing ({seconds:g} s)",
            "A proxy may buffer it: switch response buffering off for text/event-stream. Run holdfast doctor.",
        )


class SystemSlept(NetError):
    """This computer slept: open connections may be dead."""

    def __init__(self) -> None:
        super().__init__("this computer was suspended", "Nothing to do: the connection is reopened.")


class Restarted(NetError):
    """The user requested a new connection."""

    def __init__(self) -> None:
        super().__init__("a new connection was requested", "Nothing to do: it is opened.")


class BacklogOverflow(NetError):
    """More events arrived during a fetch than can wait."""

    def __init__(self) -> None:
        super().__init__("events arrived faster than they could be read", "Nothing to do: the connection is reopened.")


class EventConnection:
    """Keeps one event stream open while `run` runs. `health` is its status; a subclass says what the stream is."""

    def __init__(self, health: ConnectionMonitor, clocks: Clocks) -> None:
        self.health = health
        self._backoff = Backoff(clocks.random)
        self._clocks = clocks
        self._wake = asyncio.Event()
        self._restart = asyncio.Event()
        self._waiting: deque[Event] = deque()
        self._waiting_bytes = 0
        self._handing_over = asyncio.Lock()
        self._fetches = 0
        self.synced = False
        self.focused = False
        """Whether the terminal reported focus, and not its loss since."""
        self._input_at = float("-inf")
        self.input_priority = InputPriority()
        self.events = 0
        """The number of events received, other than heartbeats."""

    def subscribe(self, on_bytes: Callable[[int], None]) -> AbstractAsyncContextManager[Feed]:
        """Open a stream, which reports its bytes."""
        raise NotImplementedError

    async def fetch_all(self) -> Sequence[Event]:
        """The current state as events, after a gap. Raises `NetError`."""
        raise NotImplementedError

    def apply(self, event: Event) -> None:
        """Called with each event, in order."""
        raise NotImplementedError

    def on_change(self) -> None:
        """Called when `health` or `synced` may have changed."""
        raise NotImplementedError

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        try:
            while True:
                self.health.connecting(self._clocks.mono())
                self.on_change()
                lost = await self._hold_or_restart()
                self.synced = False
                self._take(StreamLost())
                await self._pause(lost)
        finally:
            self.synced = False

    @property
    def watched(self) -> bool:
        """Whether the user is watching: then a server that is back is found within a second."""
        return self.focused or self._clocks.mono() - self._input_at < RECENT_INPUT_SECONDS

    def on_user_input(self) -> bool:
        """Record a key press or a move of the mouse; returns whether the user was watching before."""
        watched = self.watched
        self._input_at = self._clocks.mono()
        self.input_priority.input_received()
        return watched

    def retry_now(self) -> None:
        """Retry at once if it is pausing or stopped; else do nothing."""
        self._wake.set()

    def restart(self) -> None:
        """Reconnect in any state: aborts a hanging attempt and an apparently live stream."""
        self._wake.set()
        self._restart.set()

    async def refetch(self, fetch: Callable[[], Awaitable[Sequence[Event]]]) -> None:
        """Deliver the events of `fetch`, in order with the live events. Raises `NetError`."""
        fetched: Sequence[Event] = ()
        self._fetches += 1
        try:
            fetched = await fetch()
        finally:
            await self._hand_over(deque(fetched))

    async def _hand_over(self, fetched: deque[Event]) -> None:
        """Deliver the fetched events, and after the last fetch the waiting ones, in slices.

        If cancelled, the rest is delivered at once, so that no event is lost.
        """
        try:
            async with self._handing_over:
                turn = Slice()
                while fetched or (self._fetches == 1 and self._waiting):
                    self.apply((fetched or self._waiting).popleft())
                    if turn.over:
                        await asyncio.sleep(self.input_priority.pause)
                        turn.begin()
        finally:
            self._fetches -= 1
            while fetched or (not self._fetches and self._waiting):
                self.apply((fetched or self._waiting).popleft())

    async def _hold_or_restart(self) -> NetError:
        """As `_hold`, until a restart is requested."""
        self._restart.clear()
        holding = asyncio.create_task(self._hold())
        restart = asyncio.create_task(self._restart.wait())
        try:
            await asyncio.wait({holding, restart}, return_when=asyncio.FIRST_COMPLETED)
            return holding.result() if holding.done() else Restarted()
        finally:
            holding.cancel()
            restart.cancel()
            await asyncio.gather(holding, restart, return_exceptions=True)

    async def _hold(self) -> NetError:
        """Run one stream; returns why it ended."""
        try:
            async with self.subscribe(self._on_bytes) as feed:
                self.health.opened(self._clocks.mono())
                # the resync first: live events wait from its first step on
                tasks = [asyncio.create_task(work) for work in (self._resync(), self._read(feed), self._watch())]
                try:
                    pending = set(tasks)
                    while pending:
                        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                        for task in done:
                            task.result()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        except NetError as error:
            return error
        return StreamEnded()

    async def _read(self, feed: Feed) -> None:
        turn = Slice()
        async with aclosing(feed.events()) as events:
            async for event in events:
                if turn.over:  # events already received are delivered without a pause
                    await asyncio.sleep(self.input_priority.pause)
                    turn.begin()
                if isinstance(event, Heartbeat):
                    self.health.heartbeat(self._clocks.mono())
                elif not isinstance(event, Connected | ServerShuttingDown):
                    self.events += 1
                if self.synced and not isinstance(event, Connected | ServerShuttingDown):
                    self._backoff.reset()
                    self.health.reset_attempts()
                if len(self._waiting) >= WAITING_EVENTS or self._waiting_bytes > WAITING_BYTES:
                    raise BacklogOverflow
                self._take(event)
        raise StreamEnded

    async def _resync(self) -> None:
        await self.refetch(self.fetch_all)
        self.synced = True
        self.on_change()

    async def _watch(self) -> None:
        """Raise for a silent stream, after two timely checks: after a blocked event loop, one proves nothing."""
        overdue, last = False, self._clocks.mono()
        drift = self._clocks.wall() - last
        while True:
            await self._clocks.sleep(WATCH_INTERVAL)
            now = self._clocks.mono()
            if abs(self._clocks.wall() - now - drift) > SUSPEND_THRESHOLD:
                raise SystemSlept
            in_time, last = now - last < 2 * WATCH_INTERVAL, now
            silence = self.health.silence(now)
            if silence is not None and silence > FIRST_BYTES and self.synced and not self.health.has_received:
                raise EventStreamStalled(round(silence))
            if silence is None or silence <= self.health.silence_limit:
                overdue = False
            elif overdue and in_time:
                raise ReadTimeout(round(silence))
            else:
                overdue = in_time

    def _on_bytes(self, count: int) -> None:
        self._waiting_bytes = self._waiting_bytes + count if self._fetches else 0
        if self.health.received(self._clocks.mono()):
            self.on_change()

    def _take(self, event: Event) -> None:
        if self._fetches:
            self._waiting.append(event)
        else:
            self.apply(event)

    def _lost_for(self, now: float) -> float:
        return self.health.view(now).lost_for or 0.0

    def _nobody_answered(self, lost: NetError) -> bool:
        """A tunnel or a proxy may take the connection, and reset it while there is no server behind it."""
        return isinstance(lost, ConnectFailed | ConnectionLost) and not self.health.has_answered

    async def _pause(self, lost: NetError) -> None:
        """Wait before the next attempt: for the backoff, or until the user acts."""
        log.info("connection lost: %s", lost.message)
        self._wake.clear()
        if isinstance(lost, Restarted):
            self._backoff.reset()
            self.health.lost(self._clocks.mono(), lost.message, retry_at=self._clocks.mono(), answers=True)
            return
        if lost.permanent:
            self.health.stopped(self._clocks.mono(), lost.message, lost.hint)
            self.on_change()
            await self._wake.wait()
            self._backoff.reset()  # a manual retry restarts the attempt count, as in `ConnectionMonitor`
            return
        asked = lost.retry_after if isinstance(lost, HttpStatusError) and lost.retry_after is not None else 0.0
        delay = self._backoff.next(at_least=asked)
        now = self._clocks.mono()
        if isinstance(lost, SystemSlept):
            delay = 0.0
        elif self._nobody_answered(lost) and self.watched and self._lost_for(now) < FOCUSED_RETRY_LIMIT:
            delay = min(delay, FOCUSED_RETRY)
        self.health.lost(
            now,
            lost.message,
            lost.hint,
            retry_at=now + delay,
            silent=isinstance(lost, ReadTimeout),
            answers=not isinstance(lost, ConnectFailed | ReadTimeout | ConnectionLost),
        )
        self.on_change()
        sleeping = asyncio.ensure_future(self._clocks.sleep(delay))
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)
