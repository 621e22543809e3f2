"""The `holdfast` command: parses flags, loads settings and runs the app or a subcommand."""

import asyncio
import errno
import gc
import logging
import os
import re
import shlex
import sys
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click
import msgspec
from click.core import ParameterSource
from platformdirs import user_state_path

from tui.backends.families import USERS
from tui.cli.completion_values import session_ids
from tui.cli.demo import DemoServer
from tui.cli.options import CA_FILE, DIRECTORY, FAMILY, HELP, SESSION_ID
from tui.client.client import Client
from tui.config.http_factory import credentials, open_transport
from tui.config.settings import DEFAULT_URL, Settings, SettingsError, load_settings
from tui.core.sanitize import sanitize, single_line
from tui.net.url import is_exposed
from tui.storage.chosen_theme import ChosenTheme
from tui.storage.journal import Journal

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

SURROGATE = re.compile("[\ud800-\udfff]")
"""What Python makes of a byte of the command line that is not UTF-8."""
UNWRITABLE_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

LIBRARY_VARIABLES = {
    "TEXTUAL_ANIMATIONS": ("none", "basic", "full"),
    "TEXTUAL_COLOR_SYSTEM": ("auto", "standard", "256", "truecolor"),
}
"""Textual's environment variables for users, and their valid values."""


class SubcommandGroup(click.Command):
    """A command with subcommands: the first argument selects one, else the command itself runs.

    The module of a subcommand is imported only when it is selected: each has its own cost.
    """

    others: ClassVar[Mapping[str, tuple[str, str]]] = {
        "run": ("tui.cli.run", "Send one prompt and wait until its turn ends."),
        "wait": ("tui.cli.wait", "Wait until the turn of a prompt that was sent before ends."),
        "pending": ("tui.cli.pending", "List the requests that wait for an answer."),
        "answer": ("tui.cli.answer", "Answer a question or permission."),
        "watch": ("tui.cli.watch", "Watch servers: print events, or run a program for each."),
        "status": ("tui.cli.status", "Print the connection's health, active sessions and what needs your answer."),
        "doctor": ("tui.cli.doctor", "Check every step of the connection to the server."),
        "completion": ("tui.cli.completion", "Print the completion script for bash, zsh or fish."),
        "config": ("tui.cli.config_command", "Print the paths, the settings and where they come from."),
    }
    """By name: the module, whose `command` it is, and its short help."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if not args or args[0] not in self.others:
            return super().make_context(info_name, args, parent, **extra)
        other: click.Command = import_module(self.others[args[0]][0]).command
        return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        refuse_invalid_utf8(ctx)
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        """Report write errors of standard output, the only source of `UNWRITABLE_ERRNOS` errors here; exits with 1."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            if error.errno not in UNWRITABLE_ERRNOS:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that flushing its buffer at exit does not fail
            click.echo(f"Error: standard output cannot be written: {error.strerror}", err=True)
            sys.exit(1)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in self.others.items()])


def refuse_invalid_utf8(ctx: click.Context) -> None:
    """Raise `UsageError` for an argument that cannot be sent or saved. Paths may have any bytes."""
    for parameter in ctx.command.params:
        value = ctx.params.get(parameter.name or "")
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and SURROGATE.search(text):
                raise click.UsageError(f"{parameter.get_error_hint(ctx)} is not UTF-8", ctx)


def subcommands(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Completes the first argument."""
    from click.shell_completion import CompletionItem

    if any(ctx.get_parameter_source(one.name or "") is ParameterSource.COMMANDLINE for one in ctx.command.params):
        return []
    found = SubcommandGroup.others.items()
    return [CompletionItem(name, help=text) for name, (_, text) in found if name.startswith(incomplete)]


MAX_COMMAND_CHARACTERS = 2_000
"""Maximum characters of the printed resume command."""


@click.command(cls=SubcommandGroup, context_settings=HELP)
@click.argument("url", required=False, shell_complete=subcommands)
@click.option("--demo", is_flag=True, help="Start the bundled stub server and connect to it.")
@click.option("--session", metavar="ID", help="Open this session.", shell_complete=session_ids)
@click.option("--continue", "resume", is_flag=True, help="Open the session that was used last.")
@click.option("--plain", is_flag=True, help="Plain lines, no full screen: for screen readers, TERM=dumb and logs.")
@DIRECTORY
@FAMILY
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Write a log to this file.")
@CA_FILE
@click.version_option(package_name="holdfast-tui", prog_name="holdfast")
def main(
    url: str | None,
    demo: bool,
    session: str | None,
    resume: bool,
    plain: bool,
    directory: str | None,
    family: str | None,
    log: Path | None,
    ca_file: Path | None,
) -> None:
    """A terminal client for agent servers whose turns last minutes to hours.

    URL is the server's address (default: HOLDFAST_URL, or http://127.0.0.1:4096, where `opencode serve` listens).
    The password, or token, comes from HOLDFAST_PASSWORD, OPENCODE_SERVER_PASSWORD,
    MIMOCODE_SERVER_PASSWORD or QWEN_SERVER_TOKEN.
    """
    unused: dict[str, object] = {
        "the URL": url,
        "--session": session,
        "--continue": resume,
        "--directory": directory,
        "--family": family,
        "--ca-file": ca_file,
    }
    if demo and any(unused.values()):
        given = next(name for name, value in unused.items() if value)
        raise click.UsageError(f"--demo starts its own server: omit {given}")
    if url is not None and url.isalpha() and url != "localhost":
        *most, last = SubcommandGroup.others
        there_are = f"{', '.join(most)} and {last}"
        raise click.UsageError(
            f"no command {url!r} (commands: {there_are}); before an address write http:// or https://"
        )
    if session and resume:
        raise click.UsageError("--session and --continue both name a session: use only one")
    if session is not None and not SESSION_ID.fullmatch(session):
        raise click.UsageError(f"{session!r} is not a session id")
    flags = {
        "url": url,
        "demo": demo or None,
        "session": session,
        "resume": resume or None,
        "directory": directory,
        "family": family,
        "log": log,
        "ca_file": ca_file,
    }
    try:
        settings = load_settings(flags)
        configure_logging(settings.log, settings)
        sys.exit(run(settings, plain=plain))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def run(settings: Settings, *, plain: bool = False) -> int:
    """Run the app, or the `plain` client, until the user quits; returns the exit status. Raises `SettingsError`."""
    if has_terminal() and not plain and os.environ.get("TERM", "dumb") == "dumb":
        click.echo("This terminal cannot draw a screen (TERM=dumb): plain lines, as with --plain.")
        plain = True
    if not has_terminal() and not plain:
        raise SettingsError(
            "Holdfast needs a terminal, and this is not a TTY. Without one, `holdfast run` sends a prompt, "
            "`holdfast status` shows what needs your answer, `holdfast doctor` what is wrong, and `holdfast --plain` "
            "reads and writes lines."
        )
    run_app = run_plain if plain else run_screen
    if settings.demo:
        with DemoServer() as address:
            return run_app(replace(settings, url=address, password=None, directory=None, family=None))
    if is_exposed(settings.url, settings.password is not None):
        click.confirm(
            f"{settings.url} is plain http on another machine: anyone on the network can read the password. Continue?",
            abort=True,
        )
    return run_app(settings)


def has_terminal() -> bool:
    """Whether standard input and standard error are terminals: Textual draws on standard error."""
    return os.isatty(0) and os.isatty(2)


def drop_library_variables(environ: MutableMapping[str, str]) -> None:
    """Remove Textual's environment variables, except valid values of `LIBRARY_VARIABLES`.

    Most are for Textual's developers; an unknown value or an unwritable log file would cause a traceback.
    """
    for name in [name for name in environ if name.startswith("TEXTUAL_")]:
        if name not in LIBRARY_VARIABLES or environ[name] not in LIBRARY_VARIABLES[name]:
            del environ[name]


def run_plain(settings: Settings) -> int:
    """Run the plain client; returns the exit status. Raises `SettingsError`."""
    from tui.cli.line_reader import LineReader
    from tui.cli.plain import PlainApp

    for warning in settings.warnings:
        click.echo(sanitize(warning))

    async def work() -> int:
        client = client_of(settings)
        app = PlainApp(client, LineReader(), write_lines, session=settings.session, resume=settings.resume)
        try:
            code = await app.run()
        finally:
            await client.close()
        if app.session is not None and not settings.demo:
            say_how_to_resume(session_command(settings, app.session, plain=True))
        return code

    return asyncio.run(work())


def write_lines(text: str) -> None:
    """Write to standard output at once. Raises `OSError`."""
    click.echo(text, nl=False)


def client_of(settings: Settings) -> Client:
    """The client of one server, with its journal. Raises `SettingsError`."""
    open_http, users = open_transport(settings)
    return Client(
        settings.url,
        open_http,
        users=users,
        directory=settings.directory,
        family=settings.family,
        journal=Journal(state_of(settings), settings.url, wall=time.time),
        patience=settings.patience,
    )


def state_of(settings: Settings) -> Path | None:
    """The folder of the journal; None: nothing is kept of a demo."""
    return None if settings.demo else user_state_path("holdfast")


def run_screen(settings: Settings) -> int:
    """Run the app with one client; returns the exit status. Raises `SettingsError`."""
    drop_library_variables(os.environ)
    gc.disable()  # imported modules are never freed
    from tui.ui.app import HoldfastApp  # Textual is slow to import: after flags and their errors

    gc.enable()

    theme = ChosenTheme(state_of(settings), settings.look.theme)
    app = HoldfastApp(
        client_of(settings),
        session=settings.session,
        resume=settings.resume,
        demo=settings.demo,
        look=msgspec.structs.replace(settings.look, theme=theme.name),
        notify=settings.notify,
        warnings=settings.warnings,
        keep_theme=theme.keep,
    )
    gc.freeze()  # a scan of the imported modules would block the screen for up to 50 ms
    gc.set_threshold(10_000, 10, 10)  # fewer collections: each delays a fast stream by 25 to 50 ms
    app.run()
    for error in app.boundary.errors:
        click.echo(f"A part of the screen failed: {error}. --log FILE records the details.", err=True)
    if app.open_session is not None and not settings.demo:
        say_how_to_resume(session_command(settings, app.open_session))
    return app.return_code or 0


def say_how_to_resume(command: str) -> None:
    """Print the command, unless it cannot be copied safely."""
    if command == single_line(command, MAX_COMMAND_CHARACTERS):
        click.echo(f"To resume: {command}")


def session_command(settings: Settings, session_id: str, *, plain: bool = False) -> str:
    """The shell command that opens the session again, quoted."""
    words = ["holdfast", *(["--plain"] if plain else []), "--session", session_id]
    if settings.directory is not None:
        words += ["--directory", settings.directory]
    if settings.family is not None:
        words += ["--family", settings.family]
    if settings.ca_file is not None:
        words += ["--ca-file", str(settings.ca_file)]
    if settings.url != DEFAULT_URL:
        words.append(settings.url)
    return shlex.join(words)


def configure_logging(path: Path | None, settings: Settings) -> None:
    """Log to `path` with mode 0600; None: no log, since standard error is the screen. Raises `SettingsError`."""
    if path is None:
        logging.getLogger().addHandler(logging.NullHandler())
        return
    try:
        os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))
    except OSError as error:
        raise SettingsError(f"--log {path} cannot be written: {error.strerror}") from error
    from tui.cli.log_file import LogFile

    users = [user for user in (settings.user, settings.server_user, *USERS) if user is not None]
    sent_as = [credentials(user, settings.password) for user in users]
    secrets = [secret for one in sent_as if one is not None for secret in one.secrets()]
    logging.basicConfig(level=logging.INFO, handlers=[LogFile(path, secrets=secrets)])
