"""Periodic requests, on a clock controlled by the test."""

import asyncio
from typing import cast

from tests.fake_ports import FakeServer, fake_ports
from tests.fake_time import FakeTime
from tui.backends.base import Traits
from tui.client.polling import HEARTBEAT_INTERVAL, MISSED_HEARTBEATS, Poller
from tui.client.resync import Resync
from tui.core.changes import Change, Notice
from tui.core.connection_status import ConnectionMonitor
from tui.core.diagnosis import ResponsivenessTracker
from tui.core.store import Store
from tui.net.errors import HttpStatusError, ReadTimeout

LIMIT = 8.0


class Hanging:
    """A backend that answers the heartbeats of only one session."""

    traits = Traits("qwen", client_heartbeat=True)

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.beats: list[float] = []

    async def send_heartbeat(self, session_id: str) -> None:
        if session_id != "ses_7":
            await self._time.sleep(LIMIT)
            raise ReadTimeout(LIMIT)
        self.beats.append(self._time.mono())


class Refusing:
    """A backend that refuses heartbeats while `refuses`."""

    traits = Traits("qwen", client_heartbeat=True)
    refuses = True

    async def send_heartbeat(self, session_id: str) -> None:
        if self.refuses:
            raise HttpStatusError(503)


class Answering:
    """A backend and a resync that count what the poller asks for."""

    traits = Traits("opencode")

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.takes = 0.0
        """Seconds until a ping is answered."""
        self.pings = self.checks = self.retries = 0

    async def ping(self) -> float:
        self.pings += 1
        if self.takes:
            await self._time.sleep(self.takes)
        return 0.01

    async def check_missed_changes(self) -> None:
        self.checks += 1

    async def failed(self) -> None:
        self.retries += 1


async def test_periodic_requests_stop_in_an_outage_and_resume_after_it() -> None:
    time = FakeTime()
    server = Answering(time)
    connection = FakeServer(server, time)
    ports = fake_ports(connection, time)
    poller = Poller(Store(), ConnectionMonitor(), cast(Resync, server), ResponsivenessTracker(), ports)
    running = [asyncio.create_task(one) for one in poller.tasks()]
    await time.advance(60)
    assert (server.pings, server.checks, server.retries) == (6, 2, 6)
    connection.up.clear()  # while each waits for its next time
    await time.advance(600)
    assert (server.pings, server.checks, server.retries) == (6, 2, 6)
    connection.up.set()
    await time.advance(60)
    assert (server.pings, server.checks, server.retries) == (12, 4, 12)
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_checks_that_are_asked_for_during_a_check_make_one_more() -> None:
    time = FakeTime()
    server = Answering(time)
    server.takes = 5.0
    ports = fake_ports(FakeServer(server, time), time)
    poller = Poller(Store(), ConnectionMonitor(), cast(Resync, server), ResponsivenessTracker(), ports)
    asked = [asyncio.create_task(poller.check_now()) for _ in range(50)]
    await time.advance(1.0)
    assert (server.pings, server.checks) == (1, 0)
    await time.advance(100.0)
    assert (server.pings, server.checks, server.retries) == (2, 2, 2)
    await asyncio.gather(*asked)
    last = asyncio.create_task(poller.check_now())
    await time.advance(100.0)
    assert last.done()
    assert server.checks == 3


def start_heartbeats(poller: Poller) -> "asyncio.Task[None]":
    *others, beat = poller.tasks()
    for other in others:
        other.close()
    return asyncio.create_task(beat)


async def test_sessions_whose_heartbeats_hang_do_not_delay_those_of_others() -> None:
    time, store = FakeTime(), Store()
    for number in range(8):
        store.open_transcript(f"ses_{number}")
    hanging = Hanging(time)
    server = FakeServer(hanging, time)
    no_resync = cast(Resync, None)
    poller = Poller(store, ConnectionMonitor(), no_resync, ResponsivenessTracker(), fake_ports(server, time))
    receiving_heartbeats = start_heartbeats(poller)
    began = time.mono()
    await time.advance(2.5 * HEARTBEAT_INTERVAL + LIMIT)
    receiving_heartbeats.cancel()
    assert [at - began for at in hanging.beats] == [0.0, HEARTBEAT_INTERVAL + LIMIT, 2 * (HEARTBEAT_INTERVAL + LIMIT)]
    await asyncio.gather(receiving_heartbeats, return_exceptions=True)


async def test_refused_heartbeats_are_reported_once_after_several_in_a_row() -> None:
    time, store, refusing = FakeTime(), Store(), Refusing()
    store.open_transcript("ses_1")
    changes: list[Change] = []
    ports = fake_ports(FakeServer(refusing, time), time, emit=changes.append)
    poller = Poller(store, ConnectionMonitor(), cast(Resync, None), ResponsivenessTracker(), ports)
    receiving_heartbeats = start_heartbeats(poller)
    await time.advance((MISSED_HEARTBEATS - 2) * HEARTBEAT_INTERVAL)
    refusing.refuses = False
    await time.advance(HEARTBEAT_INTERVAL)
    refusing.refuses = True
    await time.advance((MISSED_HEARTBEATS - 1) * HEARTBEAT_INTERVAL)
    assert changes == []
    await time.advance(5 * HEARTBEAT_INTERVAL)
    receiving_heartbeats.cancel()
    [notice] = changes
    assert isinstance(notice, Notice)
    assert notice.text.startswith("The server rejects client heartbeats: ")
    await asyncio.gather(receiving_heartbeats, return_exceptions=True)
