"""`holdfast watch`: stays, and prints each alert of one server or several; with --exec runs a program for each."""

import asyncio
import shlex
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec

from tui.api.alerts import Alert
from tui.api.connection import client_for
from tui.api.errors import CannotConnect
from tui.api.hook_runner import HookRunner
from tui.api.values import RequestEvent
from tui.api.watch import watch
from tui.cli.exit_codes import ExitCode
from tui.cli.options import HELP, exit_with, server_of, server_options
from tui.cli.pending import Target
from tui.cli.printing import Printer
from tui.cli.turn_command import discard_stdout

errors = Printer(lambda text: click.echo(text, err=True, nl=False))


@click.command(context_settings=HELP)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option(
    "--exec",
    "program",
    metavar="CMD",
    help="Run this for each event, without a shell: JSON on standard input, and HOLDFAST_* variables.",
)
@server_options
def command(
    urls: tuple[str, ...],
    as_json: bool,
    program: str | None,
    directory: str | None,
    family: str | None,
    ca_file: Path | None,
) -> None:
    """Watch one or several servers: print events, or run a program for each.

    One event when a request opens or closes, when a turn ends, and when the connection is lost or back. It reconnects
    by itself and runs until Ctrl-C or SIGTERM. A server that is
    not running is waited for. Exits with 4 if none is an agent server, or each requires another password.
    """
    targets = [server_of(url, directory, family, ca_file) for url in dict.fromkeys(urls) or (None,)]
    argv = _argv(program) if program is not None else None
    exit_with(_watch(targets, argv, as_json=as_json))


def _argv(program: str) -> list[str]:
    """The program and its arguments, quoted as for a shell. Raises `UsageError`."""
    try:
        argv = shlex.split(program)
    except ValueError as error:
        raise click.UsageError(f"--exec: {error}") from None
    if not argv:
        raise click.UsageError("--exec names no program")
    return argv


async def _watch(targets: Sequence[Target], argv: Sequence[str] | None, *, as_json: bool) -> ExitCode:
    alerts: asyncio.Queue[Alert] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    hooks = HookRunner(argv, on_failure=lambda reason: errors.line(f"--exec: {reason}")) if argv is not None else None
    watching = asyncio.create_task(_watch_all(targets, alerts.put_nowait))
    showing = asyncio.create_task(_show(alerts, hooks, as_json=as_json, several=len(targets) > 1))
    stopping = asyncio.create_task(_until(stopped))
    try:
        done, _ = await asyncio.wait({watching, showing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()  # raises
        return ExitCode.TERMINATED if stopping in done else ExitCode.CANNOT_CONNECT
    except OSError as error:
        discard_stdout()
        errors.line(f"Error: standard output cannot be written: {error.strerror}")
        return ExitCode.OUTPUT
    finally:
        for task in (watching, showing, stopping):
            task.cancel()
        await asyncio.gather(watching, showing, stopping, return_exceptions=True)
        if hooks is not None:
            await hooks.close()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _watch_all(targets: Sequence[Target], deliver: Callable[[Alert], None]) -> None:
    """Return when every server refused the connection."""
    await asyncio.gather(*(_watch_one(target, deliver) for target in targets))


async def _watch_one(target: Target, deliver: Callable[[Alert], None]) -> None:
    """Watch one server until cancelled, or until it refuses the first connection."""
    settings = target[0]
    try:
        await watch(client_for(*target), deliver, on_notice=lambda notice: errors.line(notice.text))
    except CannotConnect as error:
        errors.line(f"Error: {settings.url}: {error.message}")
        errors.line(error.hint)


async def _show(alerts: "asyncio.Queue[Alert]", hooks: HookRunner | None, *, as_json: bool, several: bool) -> None:
    """Print the alerts and run the program for them. Raises `OSError` if standard output cannot be written."""
    while True:
        alert = await alerts.get()
        if hooks is not None:
            hooks.submit(alert)
        if as_json:
            click.echo(msgspec.json.encode(alert))
            continue
        out = Printer(partial(_write, f"{alert.server}: " if several else ""), url=alert.server)
        if isinstance(alert.event, RequestEvent):
            out.event(alert.event)
        else:
            out.line(alert.summary)


def _write(where: str, line: str) -> None:
    click.echo(f"{where}{line}", nl=False)
