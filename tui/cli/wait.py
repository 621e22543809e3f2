"""`holdfast wait`: takes up the turn of a prompt that was sent before, with the output and exit codes of `run`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tui.api.connection import Connection
from tui.api.request_policy import OnRequest
from tui.api.running_turn import RunningTurn
from tui.api.values import Event
from tui.cli.completion_values import session_ids
from tui.cli.options import HELP, SESSION_ID, URL, server_of, server_options
from tui.cli.turn_command import TurnCommand
from tui.cli.turn_options import turn_options, turn_options_of


@click.command(context_settings=HELP)
@click.argument("session", metavar="ID", shell_complete=session_ids)
@URL
@click.option("--prompt", metavar="ID", help="A prompt of the session; by default its newest one.")
@turn_options
@server_options
def command(
    session: str,
    url: str | None,
    prompt: str | None,
    directory: str | None,
    family: str | None,
    ca_file: Path | None,
    **shared: Any,
) -> None:
    """Wait until the turn of a prompt that was sent before ends, and print its answer.

    ID is the session id. Output and exit codes are those of run: an ended turn is printed at once.
    """
    for one in (session, prompt):
        if one is not None and not SESSION_ID.fullmatch(one):
            raise click.UsageError(f"{one!r} is not an id")
    options = turn_options_of(**shared)
    settings, open_http, users = server_of(url, directory, family, ca_file)

    async def start(connection: Connection, on_request: OnRequest, on_event: Callable[[Event], None]) -> RunningTurn:
        return await connection.take_up(session, prompt, on_request=on_request, on_event=on_event)

    sys.exit(asyncio.run(TurnCommand(settings, open_http, users, options).run(start)))
