"""The link over a stream that the test plays, on a clock that only the test moves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.fake_time import FakeTime, settle
from tui.core.backoff import Backoff
from tui.core.connection_status import ConnectionMonitor, ConnectionState
from tui.core.events import Connected, Event, Heartbeat, SessionDeleted, StreamLost
from tui.net import event_connection
from tui.net.errors import ConnectFailed, ConnectionLost, HttpStatusError, NetError
from tui.net.event_connection import BacklogOverflow, EventConnection, Feed

LIVE = SessionDeleted("live")
FETCHED = SessionDeleted("fetched")


class Server:
    """What the other end does: `refuse` at the opening, or play what the test puts in."""

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


class Line:
    """A link, all that it stands on, and what it delivered."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.health = ConnectionMonitor()
        self.server = Server(self.health)
        self.delivered: list[Event] = []
        self.synced: list[bool] = []
        self.link = EventConnection(
            subscribe=self.server.subscribe,
            fetch=self.server.fetch,
            deliver=self.delivered.append,
            changed=lambda: self.synced.append(self.link.synced),
            health=self.health,
            backoff=Backoff(lambda: 0.5),
            clock=self.time.mono,
            wall=self.time.wall,
            sleep=self.time.sleep,
        )

    def state(self) -> ConnectionState:
        return self.health.view(self.time.mono()).state

    def reason(self) -> str:
        return self.health.view(self.time.mono()).reason


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    line = Line()
    running = asyncio.create_task(line.link.run())
    await settle()
    yield line
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_the_first_byte_makes_it_live(line: Line) -> None:
    assert line.state() is ConnectionState.CONNECTING
    await line.server.say(Connected())
    assert line.state() is ConnectionState.LIVE


async def test_live_events_wait_for_what_is_fetched(line: Line) -> None:
    await line.server.end()
    line.server.fetch_gate.clear()
    await line.time.advance(1)
    line.delivered.clear()
    await line.server.say(Connected(), LIVE)
    assert line.delivered == []
    assert not line.link.synced
    line.server.fetch_gate.set()
    await settle()
    assert line.delivered == [FETCHED, Connected(), LIVE]
    assert line.link.synced


async def test_a_gap_is_told(line: Line) -> None:
    await line.server.say(LIVE)
    await line.server.end(ConnectionLost("reset"))
    assert line.delivered[-1] == StreamLost()
    assert line.state() is ConnectionState.RECONNECTING
    assert "reset" in line.reason()


async def test_an_orderly_end_is_a_loss_too(line: Line) -> None:
    await line.server.end()
    assert (line.state(), line.reason()) == (ConnectionState.RECONNECTING, "the server ended the event stream")


async def test_every_reconnection_fetches_again(line: Line) -> None:
    await line.server.end()
    await line.time.advance(1)
    assert (line.server.opened, line.server.fetches) == (2, 2)


async def test_tries_back_off(line: Line) -> None:
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    await line.time.advance(120)
    tries_at = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 61.5, 91.5]
    assert line.server.opened == 1 + len(tries_at)
    assert line.state() is ConnectionState.RECONNECTING


async def test_while_somebody_looks_a_server_that_is_there_again_is_found_within_a_second(line: Line) -> None:
    line.link.focused = True
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    await line.time.advance(300)
    opened = line.server.opened
    await line.time.advance(1)
    assert line.server.opened > opened


async def test_so_is_one_behind_a_tunnel_that_takes_connections_and_resets_them(line: Line) -> None:
    line.link.focused = True
    line.server.refuse = ConnectionLost("reset")
    await line.server.end()
    await line.time.advance(300)
    opened = line.server.opened
    await line.time.advance(1)
    assert line.server.opened > opened


async def test_but_not_one_that_answers_before_it_resets_the_event_stream(line: Line) -> None:
    line.link.focused = True
    line.server.refuse, line.server.answers = ConnectionLost("reset"), True
    await line.server.end()
    await line.time.advance(60)
    assert line.server.opened <= 8


async def test_a_person_at_the_keys_is_known_to_look_for_half_a_minute(line: Line) -> None:
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    line.link.on_user_input()
    await line.time.advance(29)
    assert line.server.opened > 29 / event_connection.FOCUSED_RETRY / 1.1
    await line.time.advance(31)
    opened = line.server.opened
    await line.time.advance(60)
    assert line.server.opened <= opened + 3


async def test_but_not_for_ever_and_no_server_that_answers_is_asked_so_often(line: Line) -> None:
    line.link.focused = True
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    await line.time.advance(700)
    opened = line.server.opened
    await line.time.advance(60)
    assert line.server.opened <= opened + 3

    line.server.refuse = None
    line.link.retry_now()
    await line.server.say(Connected(), LIVE)
    line.server.refuse = HttpStatusError(502)
    await line.server.end()
    opened = line.server.opened
    await line.time.advance(60)
    assert line.server.opened <= opened + 7


async def test_a_server_that_ends_right_after_connected_is_not_hammered(line: Line) -> None:
    for _ in range(60):
        await line.server.say(Connected())
        await line.server.end()
        await line.time.advance(1)
    assert line.server.opened <= 7


async def test_an_event_of_worth_resets_the_backoff(line: Line) -> None:
    for _ in range(5):
        await line.server.end()
        await line.time.advance(31)
    await line.server.say(Connected(), Heartbeat())
    await line.server.end(ConnectionLost("reset"))
    opened = line.server.opened
    await line.time.advance(0.6)
    assert line.server.opened == opened + 1


async def test_a_fetch_that_fails_loses_the_line_and_is_not_hammered(line: Line) -> None:
    line.server.fetch_fails = ConnectFailed("no answer")
    await line.server.end()
    for _ in range(60):
        await line.time.advance(1)
        await line.server.say(Connected(), Heartbeat())
    assert line.server.opened <= 8
    assert FETCHED not in line.delivered[1:]


@pytest.mark.parametrize("status", [401, 403, 404, 301])
async def test_what_only_a_person_can_mend_stops_until_they_act(line: Line, status: int) -> None:
    line.server.refuse = HttpStatusError(status)
    await line.server.end()
    await line.time.advance(3600)
    assert line.state() is ConnectionState.STOPPED
    assert line.server.opened == 2
    line.server.refuse = None
    line.link.retry_now()
    await settle()
    await line.server.say(Connected())
    assert line.state() is ConnectionState.LIVE


async def test_after_a_stop_tries_are_counted_anew(line: Line) -> None:
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    await line.time.advance(120)
    line.server.refuse = HttpStatusError(401)
    await line.time.advance(60)
    assert line.state() is ConnectionState.STOPPED
    line.server.refuse = ConnectFailed("connection refused")
    line.link.retry_now()
    await settle()
    seen = line.health.view(line.time.mono())
    assert (seen.attempt, seen.retry_in) == (1, 0.5)


async def test_retry_now_does_not_wait_for_the_countdown(line: Line) -> None:
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    await line.time.advance(40)
    opened = line.server.opened
    line.link.retry_now()
    await settle()
    assert line.server.opened == opened + 1


class TestRestart:
    """A person who asks for a new connection gets one, whatever the one there seems to do."""

    async def test_a_stream_that_is_up_is_opened_anew(self, line: Line) -> None:
        await line.server.say(Connected(), LIVE)
        line.delivered.clear()
        opened = line.server.opened
        line.link.restart()
        await settle()
        assert line.server.opened == opened + 1
        assert line.delivered == [StreamLost(), FETCHED]
        await line.server.say(Connected())
        assert line.state() is ConnectionState.LIVE

    async def test_a_try_that_hangs_is_given_up(self, line: Line) -> None:
        line.server.fetch_gate.clear()
        await line.server.end(ConnectionLost("reset"))
        await line.time.advance(5)
        fetches, opened = line.server.fetches, line.server.opened
        line.link.restart()
        await settle()
        assert (line.server.fetches, line.server.opened) == (fetches + 1, opened + 1)
        line.server.fetch_gate.set()
        await settle()
        assert line.link.synced

    async def test_a_pause_and_a_stop_end(self, line: Line) -> None:
        for refusal in (ConnectFailed("connection refused"), HttpStatusError(401)):
            line.server.refuse = refusal
            line.link.restart()
            await settle()
            opened = line.server.opened
            line.link.restart()
            await settle()
            assert line.server.opened == opened + 1
        assert line.state() is ConnectionState.STOPPED

    async def test_the_link_can_still_be_ended(self) -> None:
        line = Line()
        running = asyncio.create_task(line.link.run())
        await settle()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_retry_after_is_honoured(line: Line) -> None:
    line.server.refuse = HttpStatusError(429, retry_after=20)
    await line.server.end()
    await line.time.advance(19)
    opened = line.server.opened
    await line.time.advance(2)
    assert line.server.opened == opened + 1


async def test_silence_past_three_learned_beats_ends_the_stream(line: Line) -> None:
    for _ in range(4):
        await line.server.say(Heartbeat())
        await line.time.advance(5)
    await line.time.advance(9)
    assert line.state() is ConnectionState.QUIET
    await line.time.advance(4)
    assert line.server.opened == 2


async def test_a_loop_that_stood_still_proves_nothing(line: Line) -> None:
    for _ in range(4):
        await line.server.say(Heartbeat())
        await line.time.advance(1)
    line.time.jump(12)
    await line.time.advance(0)
    await line.server.say(Heartbeat())
    await line.time.advance(3)
    assert line.server.opened == 1


async def test_after_a_sleep_it_reconnects_at_once(line: Line) -> None:
    await line.server.say(Connected())
    line.time.suspend(3600)
    await line.time.advance(1)
    assert line.server.opened == 2


async def test_a_fetch_of_its_own_keeps_its_place_between_the_live_events(line: Line) -> None:
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        return [SessionDeleted("mine")]

    await line.server.say(Connected())
    line.delivered.clear()
    fetching = asyncio.create_task(line.link.refetch(fetch))
    await settle()
    await line.server.say(LIVE)
    assert line.delivered == []
    gate.set()
    await fetching
    assert line.delivered == [SessionDeleted("mine"), LIVE]


async def test_a_fetch_that_fails_lets_the_live_events_through(line: Line) -> None:
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        raise ConnectFailed("no answer")

    await line.server.say(Connected())
    line.delivered.clear()
    fetching = asyncio.create_task(line.link.refetch(fetch))
    await settle()
    await line.server.say(LIVE)
    gate.set()
    with pytest.raises(ConnectFailed):
        await fetching
    assert line.delivered == [LIVE]


async def test_live_events_wait_for_all_fetches_that_overlap(line: Line) -> None:
    gates = asyncio.Event(), asyncio.Event()

    async def fetch(number: int) -> Sequence[Event]:
        await gates[number].wait()
        return [SessionDeleted(f"fetch {number}")]

    await line.server.say(Connected())
    line.delivered.clear()
    fetching = [asyncio.create_task(line.link.refetch(lambda number=number: fetch(number))) for number in (0, 1)]  # type: ignore[misc]
    await settle()
    await line.server.say(LIVE)
    gates[0].set()
    await settle()
    assert line.delivered == [SessionDeleted("fetch 0")]
    gates[1].set()
    await asyncio.gather(*fetching)
    assert line.delivered == [SessionDeleted("fetch 0"), SessionDeleted("fetch 1"), LIVE]


async def test_one_look_at_a_silent_stream_is_not_enough(line: Line) -> None:
    for _ in range(4):
        await line.server.say(Heartbeat())
        await line.time.advance(1)
    for _ in range(2):
        await line.time.advance(10)  # the last look sees eleven seconds of silence, the one before it ten
        assert line.server.opened == 1
        await line.server.say(LIVE)
        await line.time.advance(1)
    await line.time.advance(11)
    assert line.server.opened == 1
    assert line.state() is ConnectionState.RECONNECTING


async def test_more_than_can_wait_begins_the_stream_anew(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_connection, "WAITING_EVENTS", 3)
    await line.server.end()
    line.server.fetch_gate.clear()
    await line.time.advance(1)
    await line.server.say(LIVE, LIVE, LIVE)
    assert line.state() is ConnectionState.LIVE
    await line.server.say(LIVE)
    assert (line.state(), line.reason()) == (ConnectionState.RECONNECTING, BacklogOverflow().message)


async def test_a_flood_behind_somebody_else_s_fetch_ends_the_stream_and_not_the_link(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_connection, "WAITING_EVENTS", 3)
    gate = asyncio.Event()

    async def fetch() -> Sequence[Event]:
        await gate.wait()
        return []

    await line.server.say(Connected())
    fetching = asyncio.create_task(line.link.refetch(fetch))
    await settle()
    await line.server.say(LIVE, LIVE, LIVE, LIVE)
    assert (line.state(), line.reason()) == (ConnectionState.RECONNECTING, BacklogOverflow().message)
    gate.set()
    await fetching
    assert line.delivered[-4:] == [LIVE, LIVE, LIVE, StreamLost()]


async def test_what_a_person_asked_for_while_all_was_well_does_not_count_later(line: Line) -> None:
    line.link.retry_now()
    line.server.refuse = HttpStatusError(401)
    await line.server.end()
    await line.time.advance(3600)
    assert (line.state(), line.server.opened) == (ConnectionState.STOPPED, 2)


async def test_each_loss_is_told_though_nothing_was_fetched(line: Line) -> None:
    """What came before a fetch that failed may miss words too."""
    await line.server.end()
    line.server.fetch_gate.clear()
    await line.time.advance(1)
    await line.server.say(Connected(), LIVE)
    line.server.fetch_fails = ConnectionLost("reset")
    line.server.fetch_gate.set()
    await settle()
    assert line.delivered[-2:] == [LIVE, StreamLost()]


async def test_the_end_of_a_fetch_is_told(line: Line) -> None:
    await line.server.end()
    line.server.fetch_gate.clear()
    await line.time.advance(1)
    assert line.synced[-1] is False
    line.server.fetch_gate.set()
    await settle()
    assert line.synced[-1] is True


async def test_tries_that_led_to_a_working_stream_no_longer_count(line: Line) -> None:
    line.server.refuse = ConnectFailed("connection refused")
    await line.server.end()
    await line.time.advance(10)
    line.server.refuse = None
    line.link.retry_now()
    await settle()
    assert line.health.view(line.time.mono()).attempt > 2
    await line.server.say(Connected())
    assert line.health.view(line.time.mono()).attempt > 2
    await line.server.say(Heartbeat())
    assert line.health.view(line.time.mono()).attempt == 0


async def test_events_are_counted_that_carry_more_than_a_beat(line: Line) -> None:
    await line.server.say(Connected(), Heartbeat(), LIVE, Heartbeat(), LIVE)
    assert line.link.events == 2
