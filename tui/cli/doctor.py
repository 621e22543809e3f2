"""`holdfast doctor`: checks the path to an agent server and reports each result with a verdict and a hint.

It watches the event stream for some time and sends only cheap requests. To test whether events arrive it creates a
session and deletes it afterwards. It starts no model, so it cannot check the padding of a held POST, and reports
that as unknown.
"""

import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click

from tui.backends.base import Backend, ServerInfo, SessionEditing
from tui.backends.detect import detect_backend
from tui.backends.families import NAMES
from tui.cli import time_limit
from tui.cli.finding import CheckResult
from tui.cli.heartbeat_monitor import HeartbeatMonitor
from tui.cli.options import HELP, URL, printer_for, server_options, settings_for
from tui.cli.time_limit import NotInTime, within
from tui.config.settings import Settings
from tui.core.model import Idle, Session
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    HttpStatusError,
    NetError,
    ProtocolError,
    ReadTimeout,
)
from tui.net.http_client import Http

SKEWED = 5.0
"""Clock skew in seconds above which it is reported."""
CANNOT_CONNECT = 4
"""The exit status if the server cannot be reached."""


def not_greeted(error: NetError) -> list[CheckResult]:
    """The results of a failed handshake."""
    if isinstance(error, ConnectFailed | CertificateError | ConnectionLost | ReadTimeout | ProtocolError):
        return [CheckResult("reachable", "bad", error.message, error.hint)]
    about = "password" if isinstance(error, HttpStatusError) and error.status == 401 else "server"
    return [CheckResult("reachable", "good", "it answers"), CheckResult(about, "bad", error.message, error.hint)]


def greeted(backend: Backend, server: ServerInfo) -> list[CheckResult]:
    """The results of a successful handshake."""
    skew = server.clock_skew
    if skew is None:
        clock = CheckResult("clock", "unknown", "the server does not send its time")
    elif abs(skew) > SKEWED:
        clock = CheckResult(
            "clock",
            "bad",
            f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this machine",
            "Set both clocks by the network (NTP): the order of messages depends on them.",
        )
    else:
        clock = CheckResult("clock", "good", "equal to this machine's within a second or two")
    return [
        CheckResult("reachable", "good", f"answers in {server.round_trip * 1000:.0f} ms"),
        CheckResult("family", "good", f"{NAMES.get(backend.traits.family, backend.traits.family)} {server.version}"),
        CheckResult("password", "good", "accepted, or not required"),
        clock,
    ]


PADDING = CheckResult(
    "held prompt",
    "unknown",
    "padded or silent: visible only while a prompt's request is open",
    "Send one and watch the line above the prompt: it counts the heartbeats.",
)
NOT_HELD = CheckResult("held prompt", "good", "none: this server accepts a prompt at once and sends the rest as events")
NO_STREAM = CheckResult(
    "event stream",
    "unknown",
    "there is one per session, and no session exists",
    "Start a session and run doctor again.",
)
PROBE = "holdfast doctor"
RENAMED = "holdfast doctor: a new title"
"""The second title of the test session; `PROBE` is the first."""
DELETE_TIMEOUT = 10.0
"""Seconds that its deletion may take, also after the command's total time limit."""
EVENT_TIMEOUT = 5.0
"""Seconds within which its event must arrive."""


async def check_sessions(backend: Backend) -> CheckResult:
    """Check that the server answers session requests, not only its health check."""
    try:
        found = await backend.resync([])
    except NetError as error:
        return CheckResult("sessions", "bad", f"no response: {error.message}", "The server is stuck: restart it.")
    busy = sum(not isinstance(status, Idle) for status in found.statuses.values())
    asked = len(found.requests)
    requests = f"{asked or 'no'} open request{'s' if asked > 1 else ''}"
    return CheckResult("sessions", "good", f"answered: {busy} running, {requests}")


async def delivered(backend: Backend, heartbeats: HeartbeatMonitor, now: Callable[[], float]) -> list[CheckResult]:
    """Create a session, check that the stream reports it, and delete it."""
    if not isinstance(backend, SessionEditing):
        return []
    began = now()
    try:
        session = await create_test_session(backend)
    except NetError as error:
        return [
            CheckResult(
                "events", "unknown", f"no session could be created to test its event: {error.message}", error.hint
            )
        ]
    found = await arrives(heartbeats, session.id, "session was created", "new session", began, now)
    return [found, *await delete_test_session(backend, session)]


async def create_test_session(backend: Backend) -> Session:
    """Create the session that is deleted afterwards. Raises `NetError`, also if the server names an existing one."""
    before = {session.id for session in await backend.sessions()}
    made = await backend.create_session(PROBE)
    if made.id in before or made.title != PROBE:
        raise NetError(
            f"the server answered the creation of a session with another one, “{made.title}”; nothing was deleted",
            "Look for a cache or proxy that answers in the server's place.",
        )
    return made


async def renamed(
    backend: SessionEditing, session: Session, heartbeats: HeartbeatMonitor, now: Callable[[], float]
) -> list[CheckResult]:
    """Rename the test session and check that its stream reports the new title."""
    began = now()
    try:
        await backend.rename(session.id, RENAMED)
    except NetError as error:
        return [CheckResult("events", "unknown", f"the session could not be renamed: {error.message}", error.hint)]
    return [await arrives(heartbeats, RENAMED, "session was renamed", "new title", began, now)]


async def arrives(
    heartbeats: HeartbeatMonitor, name: str, done: str, what: str, began: float, now: Callable[[], float]
) -> CheckResult:
    """Check that the event for what was `done` arrives within `EVENT_TIMEOUT` seconds."""
    try:
        async with asyncio.timeout(EVENT_TIMEOUT):
            await heartbeats.arrival(name)
    except TimeoutError:
        return CheckResult(
            "events",
            "bad",
            f"a {done}, and within {EVENT_TIMEOUT:.0f} s no event reported it",
            "The stream is open but brings no events: restart the server, or look for a proxy that delays them.",
        )
    return CheckResult("events", "good", f"a {what} was reported within {max(0.1, now() - began):.1f} s")


async def delete_test_session(backend: SessionEditing, made: Session) -> list[CheckResult]:
    """Delete the test session; returns a result only if that fails."""
    try:
        await asyncio.wait_for(backend.delete(made.id), DELETE_TIMEOUT)
    except (NetError, TimeoutError) as error:
        why = error.message if isinstance(error, NetError) else f"not answered within {DELETE_TIMEOUT:g} s"
        found = f"the test session ({made.id}) could not be deleted: {why}"
        return [CheckResult("cleanup", "bad", found, f"Delete the session “{PROBE}” by hand.")]
    return []


async def watch(backend: Backend, seconds: float, now: Callable[[], float] = time.monotonic) -> list[CheckResult]:
    """Watch the event stream for `seconds`, and at least until the test event arrives or times out."""
    try:
        if backend.traits.single_event_stream:
            return await _watch(backend, seconds, now, lambda heartbeats: delivered(backend, heartbeats, now))
        if not isinstance(backend, SessionEditing):
            return [NO_STREAM]
        made = await create_test_session(backend)
        try:
            await backend.messages(made.id, limit=1)
            found = await _watch(backend, seconds, now, lambda heartbeats: renamed(backend, made, heartbeats, now))
        finally:
            left = await delete_test_session(backend, made)
        return found + left
    except NetError as error:
        return [CheckResult("event stream", "bad", error.message, error.hint)]


async def _watch(
    backend: Backend,
    seconds: float,
    now: Callable[[], float],
    probe: Callable[[HeartbeatMonitor], Awaitable[list[CheckResult]]],
) -> list[CheckResult]:
    """Watch the event stream of `backend` while `probe` triggers an event. Raises `NetError`."""
    heartbeats = HeartbeatMonitor(now, backend.traits.heartbeat_interval)
    began = now()
    async with backend.subscribe(heartbeats.on_bytes) as feed:
        reading = asyncio.ensure_future(heartbeats.read(feed))
        try:
            events = await probe(heartbeats)
            await asyncio.wait((reading,), timeout=max(0.0, began + seconds - now()))
            if reading.done():
                await reading
                return [CheckResult("event stream", "bad", "the server ended it", "Check the server's log.")]
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    return [heartbeats.regularity(now() - began), *(events or [heartbeats.delivery()])]


def run(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    *,
    seconds: float,
    say: Callable[[str], None],
) -> int:
    """Run all checks and print each result at once; returns the exit status."""
    findings: list[CheckResult] = []

    def note(found: Sequence[CheckResult]) -> None:
        for finding in found:
            findings.append(finding)
            say(finding.line())

    say(settings.url)
    limit = seconds + time_limit.TOTAL
    try:
        asyncio.run(within(limit, _examine(settings, open_http, users, seconds, say, note)))
    except NotInTime as error:
        note([CheckResult("answers", "bad", error.message, error.hint)])
    if any(one.what == "reachable" and one.verdict == "bad" for one in findings):
        return CANNOT_CONNECT
    return int(any(one.verdict == "bad" for one in findings))


async def _examine(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    seconds: float,
    say: Callable[[str], None],
    note: Callable[[Sequence[CheckResult]], None],
) -> None:
    try:
        backend, server = await detect_backend(
            open_http, users=users, directory=settings.directory, family=settings.family
        )
    except NetError as error:
        note(not_greeted(error))
        return
    try:
        note(greeted(backend, server))
        note([await check_sessions(backend)])
        say(f"… watching the event stream for {seconds:g} s")
        note(await watch(backend, seconds))
        note([PADDING if backend.traits.holds_post else NOT_HELD])
    finally:
        await backend.close()


def _number(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("nan is not a number of seconds")
    return value


@click.command(context_settings=HELP)
@URL
@click.option(
    "--seconds",
    type=click.FloatRange(0, 86_400),
    callback=_number,
    default=30.0,
    show_default="30",
    help="How long to watch the event stream.",
)
@server_options
def command(url: str | None, seconds: float, directory: str | None, family: str | None, ca_file: Path | None) -> None:
    """Check everything between this machine and the server; report what is wrong and how to fix it.

    Exits with 0 if all checks pass; with 1 if one fails; with 4 if the server cannot be reached.
    """
    settings, open_http, users = settings_for(url, directory, family, ca_file)
    sys.exit(run(settings, open_http, users, seconds=seconds, say=printer_for(settings)))
