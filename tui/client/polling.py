"""Periodic requests to the server while the connection is up.

They are a ping for the round trip, a check for missed events, retries of failed fetches, and client heartbeats where
the server requires them. A failure here does not change the state of the connection or of a turn.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from tui.backends.base import Backend
from tui.client.resync import Resync
from tui.core.changes import Change, ConnectionChanged, Notice
from tui.core.connection_status import ConnectionMonitor
from tui.core.store import Store
from tui.net.errors import NetError

log = logging.getLogger(__name__)

PING_EVERY = 10.0
BEAT_EVERY = 30.0
"""Seconds between two client heartbeats: what qwen's own web client uses."""
BEATS_MISSED = 3
"""Consecutive failed client heartbeats before a warning: the limit of qwen's own web client."""
LOAD_AGAIN_EVERY = 10.0
"""Seconds between two retries of failed session fetches."""
CHECK_EVERY = 30.0
"""Seconds between two checks for missed events: a stream may carry heartbeats and nothing else."""


class Poller:
    """Runs the periodic requests. `line_up` is set while the connection is up; `backend` is valid then.

    `heard` returns the number of events received; `asked` is called after each check, with whether it found a
    change that no event had reported.
    """

    def __init__(
        self,
        store: Store,
        health: ConnectionMonitor,
        resync: Resync,
        *,
        backend: Callable[[], Backend],
        line_up: asyncio.Event,
        notify: Callable[[Change], None],
        heard: Callable[[], int],
        asked: Callable[[bool], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._store = store
        self._health = health
        self._resync = resync
        self._backend = backend
        self._line_up = line_up
        self._notify = notify
        self._heard = heard
        self._asked = asked
        self._sleep = sleep

    def tasks(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """The endless coroutines to run during the client's lifetime."""
        return self._ping(), self._check(), self._load_again(), self._beat()

    async def check_now(self) -> None:
        """Ping and check for missed changes at once, because this process was suspended."""
        try:
            self._health.answered(await self._backend().ping())
            await self._resync.check_missed_changes()
        except NetError as error:
            log.info("verify: %s", error.message)
        self._notify(ConnectionChanged())

    async def _ping(self) -> None:
        while True:
            await self._line_up.wait()
            await self._sleep(PING_EVERY)
            if not self._line_up.is_set():
                continue  # reconnecting is the event connection's job
            try:
                self._health.answered(await self._backend().ping())
            except NetError as error:
                log.info("ping: %s", error.message)
            else:
                self._notify(ConnectionChanged())

    async def _check(self) -> None:
        while True:
            await self._line_up.wait()
            await self._sleep(CHECK_EVERY)
            if not self._line_up.is_set():
                continue
            before, heard = self._store.version, self._heard()
            try:
                await self._resync.check_missed_changes()
            except NetError as error:
                log.info("check: %s", error.message)
            else:
                self._asked(self._store.version != before and self._heard() == heard)

    async def _load_again(self) -> None:
        """Retry the failed fetches of open sessions periodically."""
        while True:
            await self._line_up.wait()
            await self._sleep(LOAD_AGAIN_EVERY)
            if self._line_up.is_set():
                await self.load_failed()

    async def load_failed(self) -> None:
        """Retry the failed session fetches once; logs a failure."""
        try:
            await self._resync.failed()
        except NetError as error:
            log.info("load again: %s", error.message)

    async def _beat(self) -> None:
        missed = 0
        while True:
            await self._line_up.wait()
            if self._backend().traits.client_heartbeat:
                why = await self._beat_in_all()
                missed = 0 if why is None else missed + 1
                if why is not None and missed == BEATS_MISSED:
                    self._notify(Notice(f"The server does not take our heartbeats: {why.message}.", "warning"))
            await self._sleep(BEAT_EVERY)

    async def _beat_in_all(self) -> NetError | None:
        """Send one heartbeat in each open session, concurrently; returns the first error or None."""
        async with asyncio.TaskGroup() as together:
            beats = [together.create_task(self._beat_in(one)) for one in self._store.open_sessions()]
        return next((missed for beat in beats if (missed := beat.result()) is not None), None)

    async def _beat_in(self, session_id: str) -> NetError | None:
        try:
            await self._backend().heartbeat(session_id)
        except NetError as error:
            log.info("client heartbeat: %s", error.message)
            return error
        return None
