"""`holdfast run`: sends one prompt and stays until its turn ends, for scripts and jobs."""

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

MAX_KEY_CHARACTERS = 200


@click.command(context_settings=HELP)
@click.argument("prompt", required=False)
@URL
@click.option("--session", metavar="ID", help="Send it to this session, once that is idle.", shell_complete=session_ids)
@click.option("--continue", "resume", is_flag=True, help="Send it to the session that was used last.")
@click.option("--title", default="", help="The title of the new session.")
@click.option("--agent", help="Agent name.")
@click.option("--model", help="Model id, such as provider/model.")
@click.option("--file", "files", multiple=True, metavar="PATH", help="Mention a file on the server; repeatable.")
@click.option("--key", default="", metavar="NAME", help="Idempotency key: send the prompt at most once for NAME.")
@click.option("--detach", is_flag=True, help="Return once the server has the prompt, and print the ids.")
@turn_options
@server_options
def command(
    prompt: str | None,
    url: str | None,
    session: str | None,
    resume: bool,
    title: str,
    agent: str | None,
    model: str | None,
    files: tuple[str, ...],
    key: str,
    detach: bool,
    directory: str | None,
    family: str | None,
    ca_file: Path | None,
    **shared: Any,
) -> None:
    """Send one prompt and wait until its turn ends.

    PROMPT is the text; - or nothing reads it from standard input. The answer is written to standard output, all else
    to standard error. The exit codes are listed in docs/commands.md.
    """
    if session and (resume or title):
        raise click.UsageError("--session names a session: use it without --continue and --title")
    if resume and title:
        raise click.UsageError("--title is for a new session: use it without --continue")
    if session is not None and not SESSION_ID.fullmatch(session):
        raise click.UsageError(f"{session!r} is not a session id")
    if url is None and prompt is not None and prompt.startswith(("http://", "https://")) and not sys.stdin.isatty():
        prompt, url = None, prompt
    if len(key) > MAX_KEY_CHARACTERS or not key.isprintable():
        raise click.UsageError(f"--key must be printable and have at most {MAX_KEY_CHARACTERS} characters")
    options = turn_options_of(detach=detach, **shared)
    settings, open_http, users = server_of(url, directory, family, ca_file)
    text = read_prompt(prompt)

    async def start(connection: Connection, on_request: OnRequest, on_event: Callable[[Event], None]) -> RunningTurn:
        return await connection.start(
            text,
            session=session,
            resume=resume,
            title=title,
            agent=agent,
            model=model,
            files=files,
            key=key,
            on_request=on_request,
            on_event=on_event,
        )

    sys.exit(asyncio.run(TurnCommand(settings, open_http, users, options).run(start)))


def read_prompt(argument: str | None) -> str:
    """The prompt: the argument, or all of standard input. Raises `UsageError` if there is none."""
    if argument is None and sys.stdin.isatty():
        raise click.UsageError("no prompt: give it as an argument, or pipe it into standard input")
    if argument is None or argument == "-":
        try:
            argument = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError as error:
            raise click.UsageError(f"the prompt on standard input is not UTF-8 (byte {error.start})") from None
        except OSError as error:
            raise click.UsageError(f"standard input cannot be read: {error.strerror}") from None
    if not argument.strip():
        raise click.UsageError("the prompt is empty")
    return argument
