"""`holdfast pending`: lists the requests that wait for an answer, on one server or several."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from tui.api.connection import connection_for
from tui.api.errors import CannotConnect
from tui.api.values import VERSION, Event, NoticeEvent, PendingRequest
from tui.cli.exit_codes import ExitCode
from tui.cli.options import HELP, exit_with, server_of, server_options
from tui.cli.printing import Printer, answer_command, request_lines, unreadable_requests
from tui.config.settings import Settings

if TYPE_CHECKING:
    from tui.net.http_client import Http


UNREADABLE_LIST = "Requests may be open that are not listed. Answer in another client."
"""The hint for a list that cannot be read."""


class ListedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An open request. `age`: seconds since it was asked; None if the server does not report it."""

    server: str
    age: float | None
    request: PendingRequest


class ListedServer(msgspec.Struct, frozen=True, kw_only=True):
    """A server. `error`: why it or a list of it cannot be read, `hint`: what to do.

    `not_listed`: further open requests. `unreadable`: open requests that could not be decoded.
    """

    url: str
    error: str = ""
    hint: str = ""
    not_listed: int = 0
    unreadable: int = 0


class PendingList(msgspec.Struct, frozen=True, kw_only=True):
    """The open requests of all servers, in the order of the servers, oldest first."""

    v: int = VERSION
    requests: tuple[ListedRequest, ...] = ()
    servers: tuple[ListedServer, ...] = ()


Target = tuple[Settings, "Callable[[str], Http]", Sequence[str]]


async def list_pending(targets: Sequence[Target], on_event: Callable[[Event], None]) -> PendingList:
    """Connect to all servers at once, and list what is open."""
    found = await asyncio.gather(*(_pending_of(*target, on_event) for target in targets))
    return PendingList(
        requests=tuple(one for requests, _ in found for one in requests), servers=tuple(server for _, server in found)
    )


async def _pending_of(
    settings: Settings,
    open_http: "Callable[[str], Http]",
    users: Sequence[str],
    on_event: Callable[[Event], None],
) -> tuple[list[ListedRequest], ListedServer]:
    try:
        async with connection_for(settings, open_http, users, on_event=on_event) as connection:
            now, requests = connection.client.server_now(), await connection.pending()
            unlisted = connection.unlisted
    except CannotConnect as error:
        return [], ListedServer(url=settings.url, error=error.message, hint=error.hint)
    listed = [
        ListedRequest(
            server=settings.url, age=max(0.0, now - one.asked) if one.asked is not None else None, request=one
        )
        for one in requests
    ]
    problem = f"cannot read its list of {unlisted.problem}" if unlisted.problem else ""
    return listed, ListedServer(
        url=settings.url,
        error=problem,
        hint=UNREADABLE_LIST if problem else "",
        not_listed=unlisted.not_listed,
        unreadable=unlisted.unreadable,
    )


def exit_code(found: PendingList) -> ExitCode:
    """3 if there is a request; else 4 if a server or a list of it cannot be read, so that it may have some."""
    if found.requests or any(one.not_listed or one.unreadable for one in found.servers):
        return ExitCode.WAITING
    return ExitCode.CANNOT_CONNECT if any(one.error for one in found.servers) else ExitCode.FINISHED


@click.command(context_settings=HELP)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@server_options
def command(
    urls: tuple[str, ...], as_json: bool, directory: str | None, family: str | None, ca_file: Path | None
) -> None:
    """List the requests that wait for an answer, on one server or several.

    Exits with 0 if there is none; with 3 if there are some; with 4 if there is none, but a server cannot be reached or
    one of its lists cannot be read.
    """
    targets = [server_of(url, directory, family, ca_file) for url in dict.fromkeys(urls) or (None,)]
    errors = Printer(lambda text: click.echo(text, err=True, nl=False))

    def show(event: Event) -> None:
        if isinstance(event, NoticeEvent):
            errors.event(event)

    async def work() -> ExitCode:
        found = await list_pending(targets, show)
        if as_json:
            click.echo(msgspec.json.encode(found))
        else:
            _print(found, errors)
        return exit_code(found)

    exit_with(work())


def _print(found: PendingList, errors: Printer) -> None:
    out = Printer(lambda text: click.echo(text, nl=False))
    for one in found.requests:
        for line in request_lines(one.request, age=one.age):
            out.line(line)
        out.line(f"  answer with: {answer_command(one.request, one.server)}")
    for server in found.servers:
        if server.not_listed:
            requests = "request is" if server.not_listed == 1 else "requests are"
            out.line(f"{server.not_listed} more {requests} open at {server.url}")
        if server.unreadable:
            out.line(f"{server.url}: {unreadable_requests(server.unreadable)}")
        if server.error:
            errors.line(f"Error: {server.url}: {server.error}")
            errors.line(server.hint)
