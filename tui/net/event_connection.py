"""The line to a server: subscribe, watch, back off, reconnect, fetch again what was missed.

The link delivers events in order and never a gap in silence: when a stream ends it says `StreamLost`; when a new
one is up it has everything fetched anew while the live events wait, then hands over both in that order. It knows
no family and no route; what to open and what to fetch come in from outside, and so do clock and sleep.
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
from tui.net.errors import ConnectFailed, ConnectionLost, HttpStatusError, NetError, ReadTimeout
from tui.net.pacing import Slice

log = logging.getLogger(__name__)

WATCH_EVERY = 1.0
"""Seconds between two looks of the watchdog."""
FIRST_BYTES = 10.0
"""Seconds within which an open event stream must bring its first byte: the servers greet, or say when to retry."""
ASLEEP = 5.0
"""Seconds by which the wall clock may outrun the monotonic one before the computer must have slept."""
WAITING_EVENTS = 100_000
"""Live events that may wait for a fetch; past that the stream is given up and begun anew."""

FOCUSED_RETRY = 0.7
"""Seconds between two tries while somebody is known to look and nobody answers: nobody is hammered by that."""
AT_THE_KEYS = 30.0
"""Seconds for which a person who pressed a key is known to look, where the terminal does not tell of its focus."""
PATIENTLY_WATCHED = 600.0
"""Seconds for which that goes on; after them it is the backoff's again."""


class Feed(Protocol):
    """An open event stream."""

    def events(self) -> AsyncGenerator[Event, None]: ...


class StreamEnded(NetError):
    """The server ended the event stream in an orderly way."""

    def __init__(self) -> None:
        super().__init__("the server ended the event stream", "Nothing: it is opened again.")


class HeldBack(NetError):
    """The server answered the calls before and beside it, and the event stream brought nothing."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the server answers, but its event stream brings nothing ({seconds:g} s)",
            "A proxy may buffer it: switch response buffering off for text/event-stream. holdfast doctor looks.",
        )


class SystemSlept(NetError):
    """This computer slept: whatever was open is not to be trusted."""

    def __init__(self) -> None:
        super().__init__("this computer slept", "Nothing: the line is opened again.")


class Restarted(NetError):
    """A person asked for a new connection."""

    def __init__(self) -> None:
        super().__init__("a new connection was asked for", "Nothing: it is opened.")


class BacklogOverflow(NetError):
    """More events came than could wait for a fetch to end."""

    def __init__(self) -> None:
        super().__init__("events came faster than they could be read", "Nothing: the line is opened again.")


class EventConnection:
    """Keeps one event stream open for as long as `run` runs. `events` counts those that carry more than a beat.

    `subscribe` opens a stream and reports its bytes; `fetch` gives what must be known anew after a gap, as events;
    `deliver` takes events in order; `changed` hears that `health` changed. `clock` is monotonic and `wall` is
    epoch, both in seconds.
    """

    def __init__(
        self,
        *,
        subscribe: Callable[[Callable[[int], None]], AbstractAsyncContextManager[Feed]],
        fetch: Callable[[], Awaitable[Sequence[Event]]],
        deliver: Callable[[Event], None],
        changed: Callable[[], None],
        health: ConnectionMonitor,
        backoff: Backoff,
        clock: Callable[[], float],
        wall: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._subscribe = subscribe
        self._fetch = fetch
        self._deliver = deliver
        self._changed = changed
        self._health = health
        self._backoff = backoff
        self._clock = clock
        self._wall = wall
        self._sleep = sleep
        self._wake = asyncio.Event()
        self._again = asyncio.Event()
        self._waiting: deque[Event] = deque()
        self._handing_over = asyncio.Lock()
        self._fetches = 0
        self.synced = False
        self.focused = False
        """The terminal said that it has the focus, and not since that it lost it."""
        self._input_at = float("-inf")
        self.events = 0

    async def run(self) -> None:
        """Connect and stay connected until cancelled."""
        try:
            while True:
                self._health.connecting(self._clock())
                self._changed()
                lost = await self._hold_or_restart()
                self.synced = False
                self._take(StreamLost())
                await self._pause(lost)
        finally:
            self.synced = False

    @property
    def watched(self) -> bool:
        """Whether somebody is known to look: a server that is there again is then found within a second."""
        return self.focused or self._clock() - self._input_at < AT_THE_KEYS

    def input_came(self) -> None:
        """A person pressed a key or moved the mouse."""
        self._input_at = self._clock()

    def retry_now(self) -> None:
        """Try at once if a pause or a stop is on; nothing otherwise."""
        self._wake.set()

    def restart(self) -> None:
        """Begin anew, whatever is going on: a try that hangs, or a stream that only looks alive, is given up."""
        self._wake.set()
        self._again.set()

    async def refetch(self, fetch: Callable[[], Awaitable[Sequence[Event]]]) -> None:
        """Deliver what `fetch` gives, in its place between the live events. Raises `NetError`."""
        fetched: Sequence[Event] = ()
        self._fetches += 1
        try:
            fetched = await fetch()
        finally:
            await self._hand_over(deque(fetched))

    async def _hand_over(self, fetched: deque[Event]) -> None:
        """Deliver what was fetched, and after the last fetch what waited for it, in slices.

        Where that is cancelled the rest comes at once: it is missed by nobody.
        """
        try:
            async with self._handing_over:
                turn = Slice()
                while fetched or (self._fetches == 1 and self._waiting):
                    self._deliver((fetched or self._waiting).popleft())
                    if turn.over:
                        await asyncio.sleep(0)
                        turn.begin()
        finally:
            self._fetches -= 1
            while fetched or (not self._fetches and self._waiting):
                self._deliver((fetched or self._waiting).popleft())

    async def _hold_or_restart(self) -> NetError:
        """As `_hold`, until a person asks for another connection."""
        self._again.clear()
        holding = asyncio.create_task(self._hold())
        again = asyncio.create_task(self._again.wait())
        try:
            await asyncio.wait({holding, again}, return_when=asyncio.FIRST_COMPLETED)
            return holding.result() if holding.done() else Restarted()
        finally:
            holding.cancel()
            again.cancel()
            await asyncio.gather(holding, again, return_exceptions=True)

    async def _hold(self) -> NetError:
        """One stream from its opening to its end; why it ended."""
        try:
            async with self._subscribe(self._heard) as feed:
                self._health.opened(self._clock())
                # the resync first: from its first step on, live events wait for it
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
                if turn.over:  # events that have all come are handed on without a pause
                    await asyncio.sleep(0)
                    turn.begin()
                if isinstance(event, Heartbeat):
                    self._health.heartbeat(self._clock())
                elif not isinstance(event, Connected | ServerShuttingDown):
                    self.events += 1
                if self.synced and not isinstance(event, Connected | ServerShuttingDown):
                    self._backoff.reset()
                    self._health.reset_attempts()
                if len(self._waiting) >= WAITING_EVENTS:
                    raise BacklogOverflow
                self._take(event)
        raise StreamEnded

    async def _resync(self) -> None:
        await self.refetch(self._fetch)
        self.synced = True
        self._changed()

    async def _watch(self) -> None:
        """Give up a silent stream, but only after two looks in time: a loop that stood still proves nothing."""
        overdue, last = False, self._clock()
        drift = self._wall() - last
        while True:
            await self._sleep(WATCH_EVERY)
            now = self._clock()
            if abs(self._wall() - now - drift) > ASLEEP:
                raise SystemSlept
            in_time, last = now - last < 2 * WATCH_EVERY, now
            silence = self._health.silence(now)
            if silence is not None and silence > FIRST_BYTES and self.synced and not self._health.has_begun:
                raise HeldBack(round(silence))
            if silence is None or silence <= self._health.silence_limit:
                overdue = False
            elif overdue and in_time:
                raise ReadTimeout(round(silence))
            else:
                overdue = in_time

    def _heard(self, count: int) -> None:
        if self._health.received(self._clock()):
            self._changed()

    def _take(self, event: Event) -> None:
        if self._fetches:
            self._waiting.append(event)
        else:
            self._deliver(event)

    def _lost_for(self, now: float) -> float:
        return self._health.view(now).lost_for or 0.0

    def _nobody_answered(self, lost: NetError) -> bool:
        """A tunnel or a proxy may take the connection, and reset it while there is no server behind it."""
        return isinstance(lost, ConnectFailed | ConnectionLost) and not self._health.has_answered

    async def _pause(self, lost: NetError) -> None:
        """Wait as long as the loss asks for: the backoff, or until a person acts."""
        log.info("line lost: %s", lost.message)
        self._wake.clear()
        if isinstance(lost, Restarted):
            self._backoff.reset()
            self._health.lost(self._clock(), lost.message, retry_at=self._clock(), answers=True)
            return
        if lost.permanent:
            self._health.stopped(self._clock(), lost.message, lost.hint)
            self._changed()
            await self._wake.wait()
            self._backoff.reset()  # the person begins a new series of tries, as `ConnectionMonitor` counts it too
            return
        asked = lost.retry_after if isinstance(lost, HttpStatusError) and lost.retry_after is not None else 0.0
        delay = self._backoff.next(at_least=asked)
        now = self._clock()
        if isinstance(lost, SystemSlept):
            delay = 0.0
        elif self._nobody_answered(lost) and self.watched and self._lost_for(now) < PATIENTLY_WATCHED:
            delay = min(delay, FOCUSED_RETRY)
        self._health.lost(
            now,
            lost.message,
            lost.hint,
            retry_at=now + delay,
            silent=isinstance(lost, ReadTimeout),
            answers=not isinstance(lost, ConnectFailed | ReadTimeout | ConnectionLost),
        )
        self._changed()
        sleeping = asyncio.ensure_future(self._sleep(delay))
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)
