"""The event connection, with a scripted stream and a clock that only the test advances."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import pytest

from tests.fake_ports import clocks
from tests.fake_time import FakeTime, settle
from tests.waiting import wait_until
from tui.core.connection_status import ConnectionMonitor, ConnectionState
from tui.core.events import Connected, Event, Heartbeat, SessionDeleted, StreamLost
from tui.net import event_connection
from tui.net.errors import ConnectFailed, ConnectionLost, HttpStatusError, NetError
from tui.net.event_connection import (
    BacklogOverflow,
    EventConnection,
    EventStreamStalled,
    Feed,
    Restarted,
    StreamEnded,
    SystemSlept,
)
from tui.net.pacing import ECHO, Slice

LIVE = SessionDeleted("live")
FETCHED = SessionDeleted("fetched")


class Server:
    """The other end: `refuse` connections, or send the events of the test."""

    def __init__(self, health: ConnectionMonitor) -> None:
        self.health = health
        self.answers = False
        self.opened = 0
        self.fetches = 0
        self.refuse: NetError | None = None
        self.fetch_fails: NetError | None = None
        self.fetch_gate = asyncio.Event()
        self.fetch_gate.set()
        self._queue: asyncio.Queue[Event | NetError | None] = asyncio.Queue()
        self._on_bytes: Callable[[int], None] = lambda count: None

    @asynccontextmanager
    async def subscribe(self, on_bytes: Callable[[int], None]) -> AsyncIterator[Feed]:
        self.opened += 1
        if self.answers:
            self.health.answered(0.01)
        if self.refuse is not None:
            raise self.refuse
        self._on_bytes = on_bytes
        self._queue = asyncio.Queue()
        yield self

    async def events(self) -> AsyncGenerator[Event, None]:
        while (item := await self._queue.get()) is not None:
            if isinstance(item, NetError):
                raise item
            yield item

    async def fetch(self) -> Sequence[Event]:
        self.fetches += 1
        await self.fetch_gate.wait()
        if self.fetch_fails is not None:
            raise self.fetch_fails
        return [FETCHED]

    async def say(self, *events: Event) -> None:
        for event in events:
            self._on_bytes(10)
            self._queue.put_nowait(event)
        await settle()

    async def end(self, error: NetError | None = None) -> None:
        self._queue.put_nowait(error)
        await settle()


class Connection(EventConnection):
    """Connects to the server of the test, and records what is delivered."""

    def __init__(self, harness: "Harness") -> None:
        super().__init__(harness.health, clocks(harness.time))
        self._harness = harness

    def subscribe(self, on_bytes: Callable[[int], None]) -> AbstractAsyncContextManager[Feed]:
        return self._harness.server.subscribe(on_bytes)

    async def fetch_all(self) -> Sequence[Event]:
        return await self._harness.server.fetch()

    def apply(self, event: Event) -> None:
        self._harness.delivered.append(event)

    def on_change(self) -> None:
        self._harness.synced.append(self.synced)


class Harness:
    """An event connection with its dependencies, and the events it delivered."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.health = ConnectionMonitor()
        self.server = Server(self.health)
        self.delivered: list[Event] = []
        self.synced: list[bool] = []
        self.connection = Connection(self)

    def state(self) -> ConnectionState:
        return self.health.view(self.time.mono()).state

    def reason(self) -> str:
        return self.health.view(self.time.mono()).reason


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    harness = Harness()
    running = asyncio.create_task(harness.connection.run())
    await settle()
    yield harness
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_first_byte_makes_it_live(harness: Harness) -> None:
    assert harness.state() is ConnectionState.CONNECTING
    await harness.server.say(Connected())
    assert harness.state() is ConnectionState.LIVE


async def test_live_events_wait_for_what_is_fetched(harness: Harness) -> None:
    await harness.server.end()
    harness.server.fetch_gate.clear()
    await harness.time.advance(1)
    harness.delivered.clear()
    await harness.server.say(Connected(), LIVE)
    assert harness.delivered == []
    assert not harness.connection.synced
    harness.server.fetch_gate.set()
    await settle()
    assert harness.delivered == [FETCHED, Connected(), LIVE]
    assert harness.connection.synced


async def test_a_gap_is_delivered_as_stream_lost(harness: Harness) -> None:
    await harness.server.say(LIVE)
    await harness.server.end(ConnectionLost("reset"))
    assert harness.delivered[-1] == StreamLost()
    assert harness.state() is ConnectionState.RECONNECTING
    assert "reset" in harness.reason()


async def test_a_normal_end_is_a_loss_too(harness: Harness) -> None:
    await harness.server.end()
    assert (harness.state(), harness.reason()) == (ConnectionState.RECONNECTING, "the server ended the event stream")


async def test_every_reconnect_fetches_again(harness: Harness) -> None:
    await harness.server.end()
    await harness.time.advance(1)
    assert (harness.server.opened, harness.server.fetches) == (2, 2)


async def test_attempts_back_off(harness: Harness) -> None:
    harness.server.refuse = ConnectFailed("connection refused")
    await harness.server.end()
    await harness.time.advance(120)
    tries_at = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5]
    assert harness.server.opened == 1 + len(tries_at)
    assert harness.state() is ConnectionState.RECONNECTING


@pytest.mark.parametrize("failure", [ConnectFailed("connection refused"), ConnectionLost("reset")], ids=str)
async def test_while_watched_a_failed_connection_is_retried_within_a_second(
    harness: Harness, failure: NetError
) -> None:
    harness.connection.focused = True
    harness.server.refuse = failure
    await harness.server.end()
    await harness.time.advance(300)
    opened = harness.server.opened
    await harness.time.advance(1)
    assert harness.server.opened > opened


async def test_a_server_that_responds_before_a_reset_gets_the_backoff(harness: Harness) -> None:
    harness.connection.focused = True
    harness.server.refuse, harness.server.answers = ConnectionLost("reset"), True
    await harness.server.end()
    await harness.time.advance(60)
    assert harness.server.opened <= 8


async def test_user_input_counts_as_watching_for_half_a_minute(harness: Harness) -> None:
    harness.server.refuse = ConnectFailed("connection refused")
    await harness.server.end()
    harness.connection.on_user_input()
    await harness.time.advance(29)
    assert harness.server.opened > 29 / event_connection.FOCUSED_RETRY / 1.1
    await harness.time.advance(31)
    opened = harness.server.opened
    await harness.time.advance(60)
    assert harness.server.opened <= opened + 3


class AlwaysOver(Slice):
    """Every event takes the time of a slice."""

    @property
    def over(self) -> bool:
        return True


@pytest.mark.real_time
async def test_a_flood_of_events_waits_for_the_echo_of_a_key(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_connection, "Slice", AlwaysOver)
    await harness.server.end()
    await harness.time.advance(1)
    harness.delivered.clear()
    harness.connection.on_user_input()
    began = time.perf_counter()
    await harness.server.say(*[LIVE] * 3)
    await wait_until(lambda: harness.delivered.count(LIVE) == 3)
    assert time.perf_counter() - began > ECHO * 0.9


async def test_the_short_interval_ends_and_never_applies_to_a_responding_server(harness: Harness) -> None:
    harness.connection.focused = True
    harness.server.refuse = ConnectFailed("connection refused")
    await harness.server.end()
    await harness.time.advance(700)
    opened = harness.server.opened
    await harness.time.advance(60)
    assert harness.server.opened <= opened + 3

    harness.server.refuse = None
    harness.connection.retry_now()
    await harness.server.say(Connected(), LIVE)
    harness.server.refuse = HttpStatusError(502)
    await harness.server.end()
    opened = harness.server.opened
    await harness.time.advance(60)
    assert harness.server.opened <= opened + 7


async def test_a_server_that_closes_after_connected_gets_the_backoff(harness: Harness) -> None:
    for _ in range(60):
        await harness.server.say(Connected())
        await harness.server.end()
        await harness.time.advance(1)
    assert harness.server.opened <= 7


async def test_an_event_resets_the_backoff(harness: Harness) -> None:
    for _ in range(5):
        await harness.server.end()
        await harness.time.advance(31)
    await harness.server.say(Connected(), Heartbeat())
    await harness.server.end(ConnectionLost("reset"))
    opened = harness.server.opened
    await harness.time.advance(0.6)
    assert harness.server.opened == opened + 1


async def test_a_failed_fetch_reconnects_with_backoff(harness: Harness) -> None:
    harness.server.fetch_fails = ConnectFailed("no answer")
    await harness.server.end()
    for _ in range(60):
        await harness.time.advance(1)
        await harness.server.say(Connected(), Heartbeat())
    assert harness.server.opened <= 8
    assert FETCHED not in harness.delivered[1:]


@pytest.mark.parametrize("status", [401, 403, 404, 301])
async def test_permanent_errors_stop_until_a_manual_retry(harness: Harness, status: int) -> None:
    harness.server.refuse = HttpStatusError(status)
    await harness.server.end()
    await harness.time.advance(3600)
    assert harness.state() is ConnectionState.STOPPED
    assert harness.server.opened == 2
    harness.server.refuse = None
    harness.connection.retry_now()
    await settle()
    await harness.server.say(Connected())
    assert harness.state() is ConnectionState.LIVE


async def test_a_stop_resets_the_attempt_count(harness: Harness) -> None:
    harness.server.refuse = ConnectFailed("connection refused")
    await harness.server.end()
    await harness.time.advance(120)
    harness.server.refuse = HttpStatusError(401)
    await harness.time.advance(60)
    assert harness.state() is ConnectionState.STOPPED
    harness.server.refuse = ConnectFailed("connection refused")
    harness.connection.retry_now()
    await settle()
    seen = harness.health.view(harness.time.mono())
    assert (seen.attempt, seen.retry_in) == (1, 0.5)


async def test_retry_now_does_not_wait_for_the_countdown(harness: Harness) -> None:
    harness.server.refuse = ConnectFailed("connection refused")
    await harness.server.end()
    await harness.time.advance(40)
    opened = harness.server.opened
    harness.connection.retry_now()
    await settle()
    assert harness.server.opened == opened + 1


class TestRestart:
    """A requested reconnect happens in any state."""

    async def test_an_open_stream_is_reopened(self, harness: Harness) -> None:
        await harness.server.say(Connected(), LIVE)
        harness.delivered.clear()
        opened = harness.server.opened
        harness.connection.restart()
        await settle()
        assert harness.server.opened == opened + 1
        assert harness.delivered == [StreamLost(), FETCHED]
        await harness.server.say(Connected())
        assert harness.state() is ConnectionState.LIVE

    async def test_a_hanging_attempt_is_aborted(self, harness: Harness) -> None:
        harness.server.fetch_gate.clear()
        await harness.server.end(ConnectionLost("reset"))
        await harness.time.advance(5)
        fetches, opened = harness.server.fetches, harness.server.opened
        harness.connection.restart()
        await settle()
        assert (harness.server.fetches, harness.server.opened) == (fetches + 1, opened + 1)
        harness.server.fetch_gate.set()
        await settle()
        assert harness.connection.synced

    async def test_a_pause_and_a_stop_end(self, harness: Harness) -> None:
        for refusal in (ConnectFailed("connection refused"), HttpStatusError(401)):
            harness.server.refuse = refusal
            harness.connection.restart()
            await settle()
            opened = harness.server.opened
            harness.connection.restart()
            await settle()
            assert harness.server.opened == opened + 1
        assert harness.state() is ConnectionState.STOPPED

    async def test_run_can_still_be_cancelled(self) -> None:
        harness = Harness()
        running = asyncio.create_task(harness.connection.run())
        await settle()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_retry_after_is_honoured(harness: Harness) -> None:
    harness.server.refuse = HttpStatusError(429, retry_after=20)
    await harness.server.end()
    await harness.time.advance(19)
    opened = harness.server.opened
    await harness.time.advance(2)
    assert harness.server.opened == opened + 1


async def test_silence_beyond_three_intervals_ends_the_stream(harness: Harness) -> None:
    for _ in range(4):
        await harness.server.say(Heartbeat())
        await harness.time.advance(5)
    await harness.time.advance(9)
    assert harness.state() is ConnectionState.QUIET
    await harness.time.advance(4)
    assert harness.server.opened == 2


async def test_a_blocked_event_loop_does_not_end_the_stream(harness: Harness) -> None:
    for _ in range(4):
        await harness.server.say(Heartbeat())
        await harness.time.advance(1)
    harness.time.jump(12)
    await harness.time.advance(0)
    await harness.server.say(Heartbeat())
    await harness.time.advance(3)
    assert harness.server.opened == 1


@pytest.mark.parametrize("wall_clock_moves", [3600, 6, -6, -3600])
async def test_it_reconnects_after_a_sleep_or_a_wall_clock_set_back(harness: Harness, wall_clock_moves: float) -> None:
    await harness.server.say(Connected())
    harness.time.suspend(wall_clock_moves)
    await harness.time.advance(1)
    assert harness.server.opened == 2


async def test_a_refetch_is_delivered_in_order_with_live_events(harness: Harness) -> None:
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        return [SessionDeleted("mine")]

    await harness.server.say(Connected())
    harness.delivered.clear()
    fetching = asyncio.create_task(harness.connection.refetch(fetch))
    await settle()
    await harness.server.say(LIVE)
    assert harness.delivered == []
    gate.set()
    await fetching
    assert harness.delivered == [SessionDeleted("mine"), LIVE]


async def test_delivering_fetched_events_yields_to_the_event_loop(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch() -> Sequence[Event]:
        return [FETCHED] * 3

    monkeypatch.setattr(event_connection, "Slice", AlwaysOver)
    harness.delivered.clear()
    fetching = asyncio.create_task(harness.connection.refetch(fetch))
    counts = set()
    while not fetching.done():
        counts.add(len(harness.delivered))
        await asyncio.sleep(0)
    assert counts == {0, 1, 2, 3}


async def test_a_failed_refetch_delivers_the_live_events(harness: Harness) -> None:
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        raise ConnectFailed("no answer")

    await harness.server.say(Connected())
    harness.delivered.clear()
    fetching = asyncio.create_task(harness.connection.refetch(fetch))
    await settle()
    await harness.server.say(LIVE)
    gate.set()
    with pytest.raises(ConnectFailed):
        await fetching
    assert harness.delivered == [LIVE]


async def test_live_events_wait_for_all_overlapping_fetches(harness: Harness) -> None:
    gates = asyncio.Event(), asyncio.Event()

    async def fetch(number: int) -> Sequence[Event]:
        await gates[number].wait()
        return [SessionDeleted(f"fetch {number}")]

    await harness.server.say(Connected())
    harness.delivered.clear()
    fetching = [asyncio.create_task(harness.connection.refetch(partial(fetch, number))) for number in (0, 1)]
    await settle()
    await harness.server.say(LIVE)
    gates[0].set()
    await settle()
    assert harness.delivered == [SessionDeleted("fetch 0")]
    gates[1].set()
    await asyncio.gather(*fetching)
    assert harness.delivered == [SessionDeleted("fetch 0"), SessionDeleted("fetch 1"), LIVE]


async def test_one_check_of_a_silent_stream_is_not_enough(harness: Harness) -> None:
    for _ in range(4):
        await harness.server.say(Heartbeat())
        await harness.time.advance(1)
    for _ in range(2):
        await harness.time.advance(10)  # the last check sees eleven seconds of silence, the one before it ten
        assert harness.server.opened == 1
        await harness.server.say(LIVE)
        await harness.time.advance(1)
    await harness.time.advance(11)
    assert harness.server.opened == 1
    assert harness.state() is ConnectionState.RECONNECTING


async def test_too_many_waiting_events_reopen_the_stream(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_connection, "WAITING_EVENTS", 3)
    await harness.server.end()
    harness.server.fetch_gate.clear()
    await harness.time.advance(1)
    await harness.server.say(LIVE, LIVE, LIVE)
    assert harness.state() is ConnectionState.LIVE
    await harness.server.say(LIVE)
    assert (harness.state(), harness.reason()) == (ConnectionState.RECONNECTING, BacklogOverflow().message)


async def test_waiting_events_of_too_many_bytes_reopen_the_stream(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_connection, "WAITING_BYTES", 1_000)
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        return []

    await harness.server.say(Connected())
    fetching = asyncio.create_task(harness.connection.refetch(fetch))
    await settle()
    harness.connection._on_bytes(1_001)
    assert harness.state() is ConnectionState.LIVE
    await harness.server.say(LIVE)
    assert (harness.state(), harness.reason()) == (ConnectionState.RECONNECTING, BacklogOverflow().message)
    gate.set()
    await fetching


async def test_a_flood_during_a_refetch_ends_the_stream_only(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_connection, "WAITING_EVENTS", 3)
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        return []

    await harness.server.say(Connected())
    fetching = asyncio.create_task(harness.connection.refetch(fetch))
    await settle()
    await harness.server.say(LIVE, LIVE, LIVE, LIVE)
    assert (harness.state(), harness.reason()) == (ConnectionState.RECONNECTING, BacklogOverflow().message)
    gate.set()
    await fetching
    assert harness.delivered[-4:] == [LIVE, LIVE, LIVE, StreamLost()]


async def test_retry_now_while_live_has_no_later_effect(harness: Harness) -> None:
    harness.connection.retry_now()
    harness.server.refuse = HttpStatusError(401)
    await harness.server.end()
    await harness.time.advance(3600)
    assert (harness.state(), harness.server.opened) == (ConnectionState.STOPPED, 2)


async def test_each_loss_is_delivered_even_without_a_fetch(harness: Harness) -> None:
    """Events before a failed fetch may miss text, too."""
    await harness.server.end()
    harness.server.fetch_gate.clear()
    await harness.time.advance(1)
    await harness.server.say(Connected(), LIVE)
    harness.server.fetch_fails = ConnectionLost("reset")
    harness.server.fetch_gate.set()
    await settle()
    assert harness.delivered[-2:] == [LIVE, StreamLost()]


async def test_the_end_of_a_fetch_is_reported(harness: Harness) -> None:
    await harness.server.end()
    harness.server.fetch_gate.clear()
    await harness.time.advance(1)
    assert harness.synced[-1] is False
    harness.server.fetch_gate.set()
    await settle()
    assert harness.synced[-1] is True


async def test_a_working_stream_resets_the_attempt_count(harness: Harness) -> None:
    harness.server.refuse = ConnectFailed("connection refused")
    await harness.server.end()
    await harness.time.advance(10)
    harness.server.refuse = None
    harness.connection.retry_now()
    await settle()
    assert harness.health.view(harness.time.mono()).attempt > 2
    await harness.server.say(Connected())
    assert harness.health.view(harness.time.mono()).attempt > 2
    await harness.server.say(Heartbeat())
    assert harness.health.view(harness.time.mono()).attempt == 0


async def test_heartbeats_are_not_counted_as_events(harness: Harness) -> None:
    await harness.server.say(Connected(), Heartbeat(), LIVE, Heartbeat(), LIVE)
    assert harness.connection.events == 2


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (StreamEnded(), "the server ended the event stream", "Nothing to do: it is reopened."),
        (
            EventStreamStalled(40.0),
            "the server answers, but its event stream delivers nothing (40 s)",
            "A proxy may buffer it: switch response buffering off for text/event-stream. Run holdfast doctor.",
        ),
        (SystemSlept(), "this computer was suspended", "Nothing to do: the connection is reopened."),
        (Restarted(), "a new connection was requested", "Nothing to do: it is opened."),
        (
            BacklogOverflow(),
            "events arrived faster than they could be read",
            "Nothing to do: the connection is reopened.",
        ),
    ],
)
def test_the_end_of_a_stream_has_a_reason_and_a_hint(error: NetError, message: str, hint: str) -> None:
    assert (error.message, error.hint) == (message, hint)
