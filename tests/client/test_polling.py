"""Periodic requests, on a clock controlled by the test."""

import asyncio
from typing import cast

from tests.fake_ports import FakeServer, fake_ports
from tests.fake_time import FakeTime
from tui.backends.base import Traits
from tui.client.polling import HEARTBEAT_INTERVAL, Poller
from tui.client.resync import Resync
from tui.core.connection_status import ConnectionMonitor
from tui.core.diagnosis import ResponsivenessTracker
from tui.core.store import Store
from tui.net.errors import ReadTimeout

LIMIT = 8.0


class Hanging:
    """A backend that answers the heartbeats of only one session."""

    traits = Traits("qwen", client_heartbeat=True)

    def __init__(self, time: FakeTime) -> None:
        self._time = time
        self.beats: list[float] = []

    async def heartbeat(self, session_id: str) -> None:
        if session_id != "ses_7":
            await self._time.sleep(LIMIT)
            raise ReadTimeout(LIMIT)
        self.beats.append(self._time.mono())


async def test_sessions_whose_heartbeats_hang_do_not_delay_those_of_others() -> None:
    time, store = FakeTime(), Store()
    for number in range(8):
        store.open_transcript(f"ses_{number}")
    hanging = Hanging(time)
    server = FakeServer(hanging, time)
    no_resync = cast(Resync, None)
    poller = Poller(store, ConnectionMonitor(), no_resync, ResponsivenessTracker(), fake_ports(server, time))
    *others, beat = poller.tasks()
    for other in others:
        other.close()
    beating = asyncio.create_task(beat)
    began = time.mono()
    await time.advance(2.5 * HEARTBEAT_INTERVAL + LIMIT)
    beating.cancel()
    assert [at - began for at in hanging.beats] == [0.0, HEARTBEAT_INTERVAL + LIMIT, 2 * (HEARTBEAT_INTERVAL + LIMIT)]
    await asyncio.gather(beating, return_exceptions=True)
