"""`holdfast run`: sends one prompt and stays until its turn ends, for scripts and jobs.

The answer is written to standard output and everything else to standard error.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.api.connection import connection_for
from tui.api.errors import CannotConnect, PromptNotSent, RunError
from tui.api.values import Event, TextEvent
from tui.cli.exit_codes import OUTCOME_CODES, ExitCode
from tui.cli.options import HELP, SESSION_ID, URL, server_options, settings_for
from tui.cli.printing import Printer
from tui.config.settings import Settings

if TYPE_CHECKING:
    from tui.net.http_client import Http


@click.command(context_settings=HELP)
@click.argument("prompt", required=False)
@URL
@click.option("--session", metavar="ID", help="Send it to this session, once that is idle.")
@click.option("--continue", "resume", is_flag=True, help="Send it to the session that was used last.")
@click.option("--title", default="", help="The title of the new session.")
@click.option("--agent", help="The agent, by the server's name.")
@click.option("--model", help="The model, as provider/model.")
@server_options
def command(
    prompt: str | None,
    url: str | None,
    session: str | None,
    resume: bool,
    title: str,
    agent: str | None,
    model: str | None,
    directory: str | None,
    family: str | None,
    ca_file: Path | None,
) -> None:
    """Send one prompt and wait until its turn ends.

    PROMPT is the text, or - to read it from standard input.
    """
    if session and resume:
        raise click.UsageError("--session and --continue both name a session: use only one")
    if session is not None and not SESSION_ID.fullmatch(session):
        raise click.UsageError(f"{session!r} is not a session id")
    if prompt is None or not prompt.strip():
        raise click.UsageError("no prompt: give it as an argument, or - to read it from standard input")
    settings, open_http, users = settings_for(url, directory, family, ca_file)
    options = {"session": session, "resume": resume, "title": title, "agent": agent, "model": model}
    sys.exit(asyncio.run(_run(prompt, settings, open_http, users, options)))


async def _run(
    prompt: str,
    settings: Settings,
    open_http: "Callable[[str], Http]",
    users: Sequence[str],
    options: Mapping[str, Any],
) -> ExitCode:
    printer = Printer(lambda text: click.echo(text, err=True, nl=False))

    def show(event: Event) -> None:
        if isinstance(event, TextEvent):
            click.echo(event.text, nl=False)
        printer.event(event)

    try:
        async with connection_for(settings, open_http, users, on_event=show) as connection:
            result = await connection.run(prompt, on_event=show, **options)
    except CannotConnect as error:
        printer.line(f"Error: {error.message}\n{error.hint}")
        return ExitCode.CANNOT_CONNECT
    except PromptNotSent as error:
        printer.line(f"Error: {error.message}\n{error.hint}")
        return ExitCode.NOT_SENT
    except RunError as error:
        printer.line(f"Error: {error.message}\n{error.hint}")
        return ExitCode.USAGE
    return OUTCOME_CODES[result.outcome]
