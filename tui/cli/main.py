"""The `holdfast` command: parses flags, loads settings and runs the app or a subcommand."""

import errno
import gc
import logging
import math
import os
import re
import shlex
import sys
import time
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click
import msgspec
from platformdirs import user_state_path

from tui.backends import FAMILIES, TOKEN, USERS
from tui.cli.demo import DemoServer
from tui.client.client import Client
from tui.config.settings import DEFAULT_URL, Settings, SettingsError, load_settings
from tui.core.sanitize import sanitize, single_line
from tui.net.credentials import BasicAuth, BearerAuth, Credentials, is_token
from tui.net.errors import CertificateError
from tui.net.url import BadAddress, is_exposed, is_loopback
from tui.storage.chosen_theme import ChosenTheme
from tui.storage.journal import Journal

if TYPE_CHECKING:
    from tui.net.http_client import Http


CANNOT_BE_SAID = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)

LIBRARY_VARIABLES = {
    "TEXTUAL_ANIMATIONS": ("none", "basic", "full"),
    "TEXTUAL_COLOR_SYSTEM": ("auto", "standard", "256", "truecolor"),
}
"""Textual's environment variables for users, and their valid values."""


class SubcommandGroup(click.Command):
    """A command with subcommands: the first argument selects one, else the command itself runs."""

    others: ClassVar[dict[str, click.Command]] = {}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        other = self.others.get(args[0]) if args else None
        if other is None:
            return super().make_context(info_name, args, parent, **extra)
        return other.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def main(self, *args: Any, **options: Any) -> Any:
        """Report write errors of standard output, the only source of `CANNOT_BE_SAID` errors here; exits with 1."""
        try:
            return super().main(*args, **options)
        except OSError as error:
            if error.errno not in CANNOT_BE_SAID:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # so that flushing its buffer at exit does not fail
            click.echo(f"Error: standard output cannot be written: {error.strerror}", err=True)
            sys.exit(1)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, other.get_short_help_str(90)) for name, other in self.others.items()])


COMMAND_AT_MOST = 2_000
"""Maximum characters of the printed resume command."""
HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
CA_FILE = click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CA certificate to trust, in addition to the system's.",
)
FAMILY = click.option(
    "--family",
    type=click.Choice([family.name for family in FAMILIES]),
    help="The kind of server; auto-detected by default.",
)


SESSION_ID = re.compile(r"[\w.:-]{1,200}")
"""The format of session ids of all supported servers; other values could form a URL path."""


@click.command(cls=SubcommandGroup, context_settings=HELP)
@click.argument("url", required=False)
@click.option("--demo", is_flag=True, help="Start the bundled stub server and connect to it.")
@click.option("--session", metavar="ID", help="Open this session.")
@click.option("--continue", "resume", is_flag=True, help="Open the session that was used last.")
@click.option("--directory", metavar="DIR", help="The project folder on the server.")
@FAMILY
@click.option("--log", type=click.Path(dir_okay=False, path_type=Path), help="Write a log to this file.")
@CA_FILE
@click.version_option(package_name="holdfast-tui", prog_name="holdfast")
def main(
    url: str | None,
    demo: bool,
    session: str | None,
    resume: bool,
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
    if demo and url:
        raise click.UsageError("--demo starts its own server: omit the URL")
    if url is not None and url.isalpha() and url != "localhost":
        there_are = " and ".join(SubcommandGroup.others)
        raise click.UsageError(
            f"no command {url!r} (there are {there_are}); before an address write http:// or https://"
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
        sys.exit(run(settings))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def run(settings: Settings) -> int:
    """Run the app until the user quits; returns the exit status. Raises `SettingsError`."""
    if not has_terminal():
        raise SettingsError(
            "Holdfast needs a terminal, and this is not a TTY. "
            "Without one, `holdfast status` shows what needs your answer, and `holdfast doctor` what is wrong."
        )
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


def run_app(settings: Settings) -> int:
    """Run the app with one client; returns the exit status. Raises `SettingsError`."""
    drop_library_variables(os.environ)
    gc.disable()  # imported modules are never freed
    from tui.ui.app import HoldfastApp  # Textual is slow to import: after flags and their errors

    gc.enable()

    open_http, users = open_transport(settings)
    state = None if settings.demo else user_state_path("holdfast")
    journal = Journal(state, settings.url, wall=time.time)
    theme = ChosenTheme(state, settings.look.theme)
    client = Client(
        settings.url,
        open_http,
        users=users,
        directory=settings.directory,
        family=settings.family,
        journal=journal,
        patience=settings.patience,
    )
    app = HoldfastApp(
        client,
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
        click.echo(f"A part of the screen failed: {error}. --log FILE keeps the details.", err=True)
    if app.open_session is not None and not settings.demo:
        command = session_command(settings, app.open_session)
        if command == single_line(command, COMMAND_AT_MOST):  # else it cannot be copied safely
            click.echo(f"To resume: {command}")
    return app.return_code or 0


def session_command(settings: Settings, session_id: str) -> str:
    """The shell command that opens the session again, quoted."""
    words = ["holdfast", "--session", session_id]
    if settings.directory is not None:
        words += ["--directory", settings.directory]
    if settings.family is not None:
        words += ["--family", settings.family]
    if settings.ca_file is not None:
        words += ["--ca-file", str(settings.ca_file)]
    if settings.url != DEFAULT_URL:
        words.append(settings.url)
    return shlex.join(words)


def open_transport(settings: Settings) -> "tuple[Callable[[str], Http], Sequence[str]]":
    """The factory of HTTP clients, and the users to try. Raises `SettingsError` for an invalid proxy or CA."""

    def open_http(user: str) -> "Http":
        from tui.net.http_client import Http  # httpx is slow to import too: after the first paint

        return Http(settings.url, credentials=credentials(user, settings.password), ca_file=settings.ca_file)

    if settings.ca_file is not None or not is_loopback(settings.url):
        try:
            open_http("")  # report an invalid proxy or CA at once
        except (BadAddress, CertificateError) as error:
            raise SettingsError(str(error)) from error
    if settings.user is not None:
        return open_http, (settings.user,)
    known = (settings.server_user, *USERS) if settings.server_user is not None else USERS
    return open_http, known if settings.password is not None else known[:1]


@click.command(context_settings=HELP)
@click.argument("url", required=False)
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--directory", metavar="DIR", help="The project folder on the server.")
@FAMILY
@CA_FILE
def status(url: str | None, as_json: bool, directory: str | None, family: str | None, ca_file: Path | None) -> None:
    """Print the connection's health, active sessions and what needs your answer.

    Exits with 0; with 3 when something needs your answer; with 4 when the server cannot be reached or refuses.
    """
    from tui.cli import status

    sys.exit(status.run(*_asked(url, directory, family, ca_file), as_json=as_json, say=click.echo))


def _number(ctx: click.Context, param: click.Parameter, value: float) -> float:
    if math.isnan(value):
        raise click.BadParameter("nan is not a number of seconds")
    return value


@click.command(context_settings=HELP)
@click.argument("url", required=False)
@click.option(
    "--seconds",
    type=click.FloatRange(0, 86_400),
    callback=_number,
    default=30.0,
    show_default="30",
    help="How long to watch the event stream.",
)
@click.option("--directory", metavar="DIR", help="The project folder on the server.")
@FAMILY
@CA_FILE
def doctor(url: str | None, seconds: float, directory: str | None, family: str | None, ca_file: Path | None) -> None:
    """Check everything between this machine and the server; report what is wrong and how to fix it.

    Exits with 0 when all is well; with 1 when something is wrong; with 4 when the server cannot be reached.
    """
    from tui.cli import doctor as examination

    sys.exit(examination.run(*_asked(url, directory, family, ca_file), seconds=seconds, say=click.echo))


SubcommandGroup.others.update(status=status, doctor=doctor)


def _asked(
    url: str | None, directory: str | None, family: str | None, ca_file: Path | None
) -> "tuple[Settings, Callable[[str], Http], Sequence[str]]":
    """The settings, the HTTP client factory and the users of a subcommand. Raises `ClickException`."""
    try:
        settings = load_settings({"url": url, "directory": directory, "family": family, "ca_file": ca_file})
        if is_exposed(settings.url, settings.password is not None):
            raise SettingsError(f"{settings.url} is plain http on another machine: the password is not sent there.")
        for warning in settings.warnings:
            click.echo(sanitize(warning), err=True)
        return settings, *open_transport(settings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def credentials(user: str, password: str | None) -> Credentials | None:
    """The credentials for `user`: Bearer for the token user with a valid token, else Basic; None without a password."""
    if password is None:
        return None
    if user == TOKEN and is_token(password):
        return BearerAuth(password)
    return BasicAuth(user, password)


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
