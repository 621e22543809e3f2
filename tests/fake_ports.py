"""The ports of the client's parts: a server without a network, and a clock that only the test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from tests.fake_time import FakeTime
from tui.backends.base import Backend
from tui.client.ports import Apply, Emit, Ports, Spawn
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.events import Event
from tui.net.clocks import Clocks


def ignore(item: object) -> None:
    """An `Emit` or `Apply` that does nothing."""


def clocks(time: FakeTime) -> Clocks:
    return Clocks(time.mono, time.wall, time.sleep, lambda: 0.5)


class FakeServer:
    """Connected and synchronized, until the test changes that; `backend` is as much of one as the test needs."""

    def __init__(self, backend: object, time: FakeTime, apply: Apply = ignore) -> None:
        self._backend = backend
        self._time = time
        self._apply = apply
        self.synced = True
        self.events = 0
        self.closed = False
        self.up = asyncio.Event()
        self.up.set()

    def backend(self) -> Backend:
        return cast(Backend, self._backend)

    def status(self) -> ConnectionStatus:
        return ConnectionStatus(ConnectionState.LIVE)

    def server_now(self) -> float:
        return self._time.wall()

    async def refetch(self, fetch: Callable[[], Awaitable[Sequence[Event]]]) -> None:
        for event in await fetch():
            self._apply(event)

    async def pause(self, seconds: float) -> None:
        await self._time.sleep(seconds)


def fake_ports(
    server: FakeServer,
    time: FakeTime,
    *,
    emit: Emit = ignore,
    apply: Apply = ignore,
    spawn: Spawn = asyncio.create_task,
) -> Ports:
    return Ports(server, emit, apply, spawn, clocks(time))
