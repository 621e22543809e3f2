"""`holdfast status`: prints the status of a server once, for status bars and scripts.

It changes nothing on the server and needs no terminal.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import msgspec

from tui.backends.base import Backend, ServerInfo
from tui.backends.detect import detect_backend
from tui.backends.families import NAMES
from tui.cli import time_limit
from tui.cli.options import HELP, URL, printer_for, server_options, settings_for
from tui.cli.printing import unreadable_requests
from tui.cli.time_limit import within
from tui.client.stale_requests import StaleRequestFilter
from tui.config.settings import Settings
from tui.core.model import Idle, PermissionRequest, Request, Retrying, Session, SessionStatus
from tui.core.sanitize import single_line
from tui.core.store import Store
from tui.net.errors import NetError
from tui.net.http_client import Http

ALL_WELL, REQUEST_OPEN, CANNOT_CONNECT = 0, 3, 4
"""The command's exit statuses."""
VERSION = 40
"""Maximum characters of a server's version."""


class SessionSummary(msgspec.Struct, frozen=True):
    """One session that is not idle. `state` is one of: needs your answer, running, provider retry."""

    id: str
    title: str
    directory: str
    state: str


class RequestSummary(msgspec.Struct, frozen=True):
    """One open request. `kind` is question or permission; `what` is its first question, or the action."""

    id: str
    session_id: str
    kind: str
    what: str


class StatusReport(msgspec.Struct, frozen=True):
    """The status of a server.

    `round_trip` in milliseconds. `idle` counts the sessions that are not listed; 0 if there is an `error`, which says
    why a list of the server could not be read. `unreadable`: open requests that could not be decoded.
    """

    address: str
    family: str
    version: str
    round_trip: float
    sessions: tuple[SessionSummary, ...]
    requests: tuple[RequestSummary, ...]
    idle: int
    unreadable: int = 0
    error: str = ""

    @property
    def exit_status(self) -> int:
        if self.requests or self.unreadable:
            return REQUEST_OPEN
        return CANNOT_CONNECT if self.error else ALL_WELL


async def look(address: str, backend: Backend, server: ServerInfo) -> StatusReport:
    """Fetch all sessions, their statuses and the open requests. Raises `NetError`."""
    sessions = await backend.sessions()
    places = sorted({session.directory for session in sessions} - {""})
    found = await backend.resync(places)
    store = Store()
    store.apply(await StaleRequestFilter(store).without_stale(backend, found))
    requests = list(store.requests.values())
    busy = [one for one in sessions if not isinstance(found.statuses.get(one.id, Idle()), Idle)]
    asking = {one.session_id for one in requests}
    asking |= {one.parent_id for one in sessions if one.parent_id is not None and one.id in asking}
    return StatusReport(
        address=address,
        family=backend.traits.family,
        version=server.version,
        round_trip=round(server.round_trip * 1000, 1),
        sessions=tuple(_session(one, found.statuses[one.id], asks=one.id in asking) for one in busy),
        requests=tuple(_request(one) for one in requests),
        idle=0 if found.problem else len(sessions) - len(busy),
        unreadable=found.unreadable,
        error=f"cannot read its list of {found.problem}" if found.problem else "",
    )


def run(
    settings: Settings,
    open_http: Callable[[str], Http],
    users: Sequence[str],
    *,
    as_json: bool,
    say: Callable[[str], None],
) -> int:
    """Fetch and print the status once; returns the exit status."""
    try:
        report = asyncio.run(within(time_limit.TOTAL, _look(settings, open_http, users)))
    except NetError as error:
        if as_json:
            trouble = {"address": settings.url, "error": error.message, "remedy": error.hint}
            click.echo(msgspec.json.encode(trouble))
        else:
            say(f"■ {single_line(error.message)}\n  {single_line(error.hint)}")
        return CANNOT_CONNECT
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        say("\n".join(lines(report)))
    return report.exit_status


async def _look(settings: Settings, open_http: Callable[[str], Http], users: Sequence[str]) -> StatusReport:
    backend, server = await detect_backend(open_http, users=users, directory=settings.directory, family=settings.family)
    try:
        return await look(settings.url, backend, server)
    finally:
        await backend.close()


def lines(report: StatusReport) -> list[str]:
    """The report as lines of text."""
    name = NAMES.get(report.family, report.family)
    head = f"● live  {name} {single_line(report.version, VERSION)}  {report.round_trip:g} ms  {report.address}"
    rows = [f"{_glyph(one.state)} {one.state:<15}  {single_line(one.title or one.id)}" for one in report.sessions]
    asks = [f"  ? {one.kind}: {single_line(one.what)}" for one in report.requests]
    idle = f"○ {report.idle} idle" if report.idle else ""
    unreadable = f"  ? {unreadable_requests(report.unreadable)}" if report.unreadable else ""
    error = f"■ {single_line(report.error)}" if report.error else ""
    return [head, *rows, *asks, *(line for line in (unreadable, error, idle) if line)]


def _session(session: Session, status: SessionStatus, *, asks: bool) -> SessionSummary:
    """The summary of a session. `asks`: it or one of its children has an open request."""
    state = "provider retry" if isinstance(status, Retrying) else "running"
    if asks:
        state = "needs your answer"
    return SessionSummary(session.id, session.title, session.directory, state)


def _request(request: Request) -> RequestSummary:
    if isinstance(request, PermissionRequest):
        what = f"{request.action} {' '.join(request.patterns)}".strip()
        return RequestSummary(request.id, request.session_id, "permission", what)
    first = request.questions[0].text if request.questions else ""
    return RequestSummary(request.id, request.session_id, "question", first)


def _glyph(state: str) -> str:
    return {"needs your answer": "?", "provider retry": "↻"}.get(state, "●")


@click.command(context_settings=HELP)
@URL
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@server_options
def command(url: str | None, as_json: bool, directory: str | None, family: str | None, ca_file: Path | None) -> None:
    """Print the connection's health, active sessions and what needs your answer.

    Exits with 0; with 3 when something needs your answer; with 4 when the server cannot be reached, refuses, or a list
    of it cannot be read.
    """
    settings, open_http, users = settings_for(url, directory, family, ca_file)
    sys.exit(run(settings, open_http, users, as_json=as_json, say=click.echo if as_json else printer_for(settings)))
