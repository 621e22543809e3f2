"""Periodic requests to the server while the connection is up.

They are a ping for the round trip, a check for missed events, retries of failed fetches, and client heartbeats where
the server requires them. A failure here does not change the state of the connection or of a turn.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from tui.client.ports import Ports
from tui.client.resync import Resync
from tui.core.changes import ConnectionChanged, Notice
from tui.core.connection_status import ConnectionMonitor
from tui.core.diagnosis import ResponsivenessTracker
from tui.core.store import Store
from tui.net.errors import NetError

log = logging.getLogger(__name__)

PING_INTERVAL = 10.0
HEARTBEAT_INTERVAL = 30.0
"""Seconds between two client heartbeats: what qwen's own web client uses."""
MISSED_HEARTBEATS = 3
"""Consecutive failed client heartbeats before a warning: the limit of qwen's own web client."""
RELOAD_INTERVAL = 10.0
"""Seconds between two retries of failed session fetches."""
CHECK_INTERVAL = 30.0
"""Seconds between two checks for missed events: a stream may carry heartbeats and nothing else."""


class Poller:
    """Runs the periodic requests. `responsiveness` gets the results of the checks for missed events."""

    def __init__(
        self,
        store: Store,
        health: ConnectionMonitor,
        resync: Resync,
        responsiveness: ResponsivenessTracker,
        ports: Ports,
    ) -> None:
        self._store = store
        self._health = health
        self._resync = resync
        self._responsiveness = responsiveness
        self._server = ports.server
        self._emit = ports.emit
        self._clocks = ports.clocks
        self._checking = self._check_again = False

    def tasks(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """The endless coroutines to run during the client's lifetime."""
        return self._ping(), self._check(), self._load_again(), self._send_heartbeats()

    async def check_now(self) -> None:
        """Ping, check for missed changes and retry failed fetches at once, because this process was suspended.

        During a check, any number of further calls makes one more check after it: live events wait for each.
        """
        self._check_again = True
        if self._checking:
            return
        self._checking = True
        try:
            while self._check_again:
                self._check_again = False
                await self._verify()
        finally:
            self._checking = False

    async def _verify(self) -> None:
        try:
            self._health.answered(await self._server.backend().ping())
            await self._resync.check_missed_changes()
            await self._resync.failed()
        except NetError as error:
            log.info("verify: %s", error.message)
        self._emit(ConnectionChanged())

    async def _ping(self) -> None:
        while True:
            await self._server.up.wait()
            await self._clocks.sleep(PING_INTERVAL)
            if not self._server.up.is_set():
                continue  # reconnecting is the event connection's job
            try:
                self._health.answered(await self._server.backend().ping())
            except NetError as error:
                log.info("ping: %s", error.message)
            else:
                self._emit(ConnectionChanged())

    async def _check(self) -> None:
        while True:
            await self._server.up.wait()
            await self._clocks.sleep(CHECK_INTERVAL)
            if not self._server.up.is_set():
                continue
            before, heard = self._store.version, self._server.events
            try:
                await self._resync.check_missed_changes()
            except NetError as error:
                log.info("check: %s", error.message)
            else:
                missed = self._store.version != before and self._server.events == heard
                self._responsiveness.record_poll(self._clocks.mono(), missed_events=missed)

    async def _load_again(self) -> None:
        """Retry the failed fetches of open sessions periodically."""
        while True:
            await self._server.up.wait()
            await self._clocks.sleep(RELOAD_INTERVAL)
            if self._server.up.is_set():
                await self.load_failed()

    async def load_failed(self) -> None:
        """Retry the failed session fetches once; logs a failure."""
        try:
            await self._resync.failed()
        except NetError as error:
            log.info("load again: %s", error.message)

    async def _send_heartbeats(self) -> None:
        missed = 0
        while True:
            await self._server.up.wait()
            if self._server.backend().traits.client_heartbeat:
                why = await self._send_all_heartbeats()
                missed = 0 if why is None else missed + 1
                if why is not None and missed == MISSED_HEARTBEATS:
                    self._emit(Notice(f"The server rejects client heartbeats: {why.message}.", "warning"))
            await self._clocks.sleep(HEARTBEAT_INTERVAL)

    async def _send_all_heartbeats(self) -> NetError | None:
        """Send one heartbeat in each open session, concurrently; returns the first error or None."""
        async with asyncio.TaskGroup() as together:
            beats = [together.create_task(self._send_heartbeat(one)) for one in self._store.open_sessions()]
        return next((missed for beat in beats if (missed := beat.result()) is not None), None)

    async def _send_heartbeat(self, session_id: str) -> NetError | None:
        try:
            await self._server.backend().send_heartbeat(session_id)
        except NetError as error:
            log.info("client heartbeat: %s", error.message)
            return error
        return None
