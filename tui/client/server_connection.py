"""The connection to the server: finds the server's family, keeps the event stream open, knows the server's clock."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from tui.backends.base import Backend, ServerInfo
from tui.client.event_handler import EventHandler
from tui.client.ports import Emit, Spawn
from tui.core.changes import ConnectionChanged, Notice
from tui.core.connection_status import ConnectionMonitor, ConnectionState, ConnectionStatus
from tui.core.events import Event
from tui.net.clocks import Clocks
from tui.net.errors import NetError, ReadTimeout
from tui.net.event_connection import EventConnection, EventStreamStalled, Feed


class NotConnected(NetError):
    """A request was made before the first connection."""

    def __init__(self) -> None:
        super().__init__("not connected yet", "Wait for the connection, or retry it now.")


class ServerConnection(EventConnection):
    """Connects and reconnects from `start` on. `detect` finds the server's family, at the first connection."""

    def __init__(
        self,
        detect: Callable[[], Awaitable[tuple[Backend, ServerInfo]]],
        *,
        emit: Emit,
        spawn: Spawn,
        clocks: Clocks,
    ) -> None:
        super().__init__(ConnectionMonitor(), clocks)
        self._detect = detect
        self._emit = emit
        self._spawn = spawn
        self._backend: Backend | None = None
        self._task: asyncio.Task[None] | None = None
        self.closed = False
        """Whether the client closes: from then on nothing counts as synchronized."""
        self.info: ServerInfo | None = None
        """The server's data of the last handshake."""
        self.up = asyncio.Event()
        """Set while the event stream is open and the store is synchronized."""

    def start(self, handler: EventHandler) -> None:
        self._handler = handler
        self._run()

    def stop(self) -> None:
        """Count as not synchronized from now on, because the client closes."""
        self.closed, self.synced = True, False

    async def close(self) -> None:
        if self._backend is not None:
            await self._backend.close()

    @property
    def known_backend(self) -> Backend | None:
        """The server's backend; None before the first connection."""
        return self._backend

    def backend(self) -> Backend:
        """The server's backend. Raises `NotConnected` before the first connection."""
        if self._backend is None:
            raise NotConnected
        return self._backend

    def status(self) -> ConnectionStatus:
        return self.health.view(self._clocks.mono())

    def server_now(self) -> float:
        """The server's time in epoch seconds; the local time while the clock skew is unknown."""
        skew = self.info.clock_skew if self.info is not None else None
        return self._clocks.wall() + (skew or 0.0)

    def restart(self) -> None:
        """Reconnect at once, whatever the status."""
        self._run_again()
        super().restart()

    def retry_now(self) -> None:
        """Retry a lost connection at once, also after *stopped*."""
        self._run_again()
        super().retry_now()

    async def pause(self, seconds: float) -> None:
        """Wait `seconds` or until the client reconnects; while the connection is stopped, until it reconnects."""
        sleeping = asyncio.ensure_future(self._clocks.sleep(seconds))
        waking = asyncio.create_task(self.up.wait())
        waits = {sleeping} if self.up.is_set() else {sleeping, waking}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if self.status().state is ConnectionState.STOPPED:
                await self.up.wait()
        finally:
            sleeping.cancel()
            waking.cancel()

    async def fetch_all(self) -> Sequence[Event]:
        return await self._handler.fetch_all()

    def apply(self, event: Event) -> None:
        self._handler.apply(event)

    @asynccontextmanager
    async def subscribe(self, on_bytes: Callable[[int], None]) -> AsyncIterator[Feed]:
        if self._backend is None:
            self._backend, server = await self._detect()
        else:
            server = await self._backend.handshake()
        self._on_handshake(self._backend, server)
        async with AsyncExitStack() as stack:
            try:
                feed = await stack.enter_async_context(self._backend.subscribe(on_bytes))
            except ReadTimeout as error:
                try:
                    await self._backend.ping()
                except NetError:
                    raise error from None
                raise EventStreamStalled(error.seconds) from error
            yield feed

    def _on_handshake(self, backend: Backend, server: ServerInfo) -> None:
        """Store the server's data, and report a changed version."""
        before, self.info = self.info, server
        self._handler.on_handshake(backend)
        if before is not None and before.version != server.version:
            self._emit(Notice(f"The server is now {server.version} (was {before.version})."))
        self.health.answered(server.round_trip)

    def _run(self) -> None:
        self._task = self._spawn(self.run())
        self._task.add_done_callback(self._on_exit)

    def _run_again(self) -> None:
        if self._task is not None and self._task.done():
            self._run()

    def _on_exit(self, task: "asyncio.Task[None]") -> None:
        """Report the end of the connection's task as an internal error, unless it was cancelled by `close`."""
        if not task.cancelled():
            what = f"Holdfast itself failed ({type(task.exception()).__name__})"
            self.health.stopped(self._clocks.mono(), what, "F5 retries. If it happens again, restart Holdfast.")
            self.on_change()

    def on_change(self) -> None:
        if not self.synced:
            self.up.clear()
            self._handler.on_unsynced()
        elif not self.up.is_set():
            self.up.set()
            self._handler.on_synced()
        self._emit(ConnectionChanged())
