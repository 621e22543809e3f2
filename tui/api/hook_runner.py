"""Runs a program for each alert: its JSON on standard input, a few variables, no shell.

Limited in number, time and output. A failure is reported and never stops anything.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Sequence

import msgspec

from tui.api.alerts import Alert
from tui.api.values import ConnectionEvent, EndEvent, ReplyEvent, RequestEvent
from tui.core.memory_size import weight
from tui.core.sanitize import single_line

log = logging.getLogger(__name__)

AT_ONCE = 4
"""How many programs run at the same time."""
WAITING = 100
"""How many alerts wait for a program to end; further ones are skipped."""
WAITING_BYTES = 8 << 20
"""Bytes of alerts from which on further ones are skipped."""
SECONDS = 30.0
"""Seconds until a program is killed, with all that it started."""
PIPE_TIMEOUT = 1.0
"""Seconds that a program which ended leaves for its pipes: what it started may hold them open."""
MAX_ERROR_BYTES = 2_000
"""Bytes of a program's standard error that are kept, for the report of a failure. Standard output is discarded."""


class HookRunner:
    """Runs `command`, the program and its arguments. `on_failure` is called with one line for each failure."""

    def __init__(self, command: Sequence[str], *, on_failure: Callable[[str], None], seconds: float = SECONDS) -> None:
        self._command = list(command)
        self._on_failure = on_failure
        self._seconds = seconds
        self._alerts: asyncio.Queue[Alert] = asyncio.Queue(WAITING)
        self._bytes = 0
        """About the bytes of what waits and of what programs are given."""
        self._workers: list[asyncio.Task[None]] = []

    def submit(self, alert: Alert) -> None:
        """Run the program for an alert, as soon as fewer than `AT_ONCE` run."""
        if len(self._workers) < AT_ONCE:
            self._workers.append(asyncio.create_task(self._work()))
        if self._alerts.full() or self._bytes > WAITING_BYTES:
            self._failed(f"alert queue full ({self._alerts.qsize()}), alert skipped: {alert.summary}")
            return
        self._bytes += weight(alert)
        self._alerts.put_nowait(alert)

    async def close(self) -> None:
        """Kill what runs; what waits is not run."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def idle(self) -> None:
        """Wait until all alerts so far were handled."""
        await self._alerts.join()

    async def _work(self) -> None:
        while True:
            alert = await self._alerts.get()
            try:
                await self._run(alert)
            finally:
                self._bytes -= weight(alert)
                self._alerts.task_done()

    async def _run(self, alert: Alert) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=os.environ | variables(alert),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            self._failed(f"cannot be started: {error}")
            return
        errors = bytearray()
        pipes = [
            asyncio.create_task(_feed(process, msgspec.json.encode(alert))),
            asyncio.create_task(_read(process, errors)),
        ]
        try:
            async with asyncio.timeout(self._seconds):
                code = await process.wait()
                await asyncio.wait(pipes, timeout=PIPE_TIMEOUT)
        except TimeoutError:
            self._failed(f"did not end within {self._seconds:g} s and was killed")
        else:
            if code != 0:
                ended = f"exited with {code}" if code > 0 else f"was ended by signal {-code}"
                error_text = single_line(errors.decode(errors="replace"))
                self._failed(f"{ended}{f': {error_text}' if error_text else ''}")
        finally:
            if process.returncode is None:
                _kill_group(process.pid)
                await process.wait()
            for pipe in pipes:
                pipe.cancel()
            await asyncio.gather(*pipes, return_exceptions=True)

    def _failed(self, reason: str) -> None:
        words = single_line(f"{self._command[0]} {reason}")
        log.info("%s", words)
        self._on_failure(words)


def variables(alert: Alert) -> dict[str, str]:
    """The variables that describe an alert to its program. The settings of the same names then hold for it, too."""
    session, request, state = "", "", ""
    match alert.event:
        case RequestEvent(request=asked):
            session, request, state = asked.session, asked.id, "open"
        case ReplyEvent(record=record):
            session, request, state = record.request.session, record.request.id, record.state
        case EndEvent(result=result):
            session, state = result.session, result.outcome
        case ConnectionEvent(state=connection):
            state = connection
    values = {
        "HOLDFAST_EVENT": alert.event.__struct_config__.tag,
        "HOLDFAST_STATE": state,
        "HOLDFAST_SUMMARY": alert.summary,
        "HOLDFAST_SESSION": session,
        "HOLDFAST_REQUEST": request,
        "HOLDFAST_URL": alert.server,
    }
    return {name: single_line(str(value)) for name, value in values.items()}


async def _feed(process: asyncio.subprocess.Process, body: bytes) -> None:
    """Write the standard input; a program may not read it."""
    assert process.stdin is not None
    try:
        process.stdin.write(body + b"\n")
        await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        log.debug("standard input was not read")


async def _read(process: asyncio.subprocess.Process, errors: bytearray) -> None:
    """Read the standard error to its end, and keep its beginning."""
    assert process.stderr is not None
    while data := await process.stderr.read(65536):
        errors += data[: MAX_ERROR_BYTES - len(errors)]


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("process group %s has ended", leader)
