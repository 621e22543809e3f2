"""Options that several commands share, and the settings that they give."""

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from tui.backends.families import FAMILIES
from tui.cli.exit_codes import ExitCode
from tui.config.http_factory import open_transport
from tui.config.settings import Settings, SettingsError, load_settings
from tui.core.sanitize import sanitize
from tui.net.url import is_exposed

if TYPE_CHECKING:
    from tui.net.http_client import Http

F = TypeVar("F", bound=Callable[..., Any])

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
CA_FILE = click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CA certificate to trust, in addition to the system's.",
)
DIRECTORY = click.option("--directory", metavar="DIR", help="The project folder on the server.")
FAMILY = click.option(
    "--family",
    type=click.Choice([family.name for family in FAMILIES]),
    help="The kind of server; auto-detected by default.",
)
URL = click.argument("url", required=False)

SESSION_ID = re.compile(r"[\w.:-]{1,200}")
"""The format of session ids of all supported servers; other values could form a URL path."""


def server_options(command: F) -> F:
    """The options that name a server: --directory, --family, --ca-file."""
    return DIRECTORY(FAMILY(CA_FILE(command)))


def settings_for(
    url: str | None, directory: str | None, family: str | None, ca_file: Path | None
) -> "tuple[Settings, Callable[[str], Http], Sequence[str]]":
    """As `target_of`, with its warnings printed. Raises `ClickException`."""
    try:
        settings, open_http, users = target_of(url, directory, family, ca_file)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    for warning in settings.warnings:
        click.echo(sanitize(warning), err=True)
    return settings, open_http, users


def target_of(
    url: str | None, directory: str | None, family: str | None, ca_file: Path | None
) -> "tuple[Settings, Callable[[str], Http], Sequence[str]]":
    """The settings, the HTTP client factory and the users of a subcommand. Raises `SettingsError`."""
    settings = load_settings({"url": url, "directory": directory, "family": family, "ca_file": ca_file})
    if is_exposed(settings.url, settings.password is not None):
        raise SettingsError(f"{settings.url} is plain http on another machine: the password is not sent there.")
    return settings, *open_transport(settings)


def printer_for(settings: Settings) -> Callable[[str], None]:
    """Prints a line of text, with the `ascii` setting in ASCII only."""
    if not settings.look.ascii:
        return click.echo
    from tui.ui.filters.ascii import plain  # imports Textual

    return lambda text: click.echo(plain(text))


class InvalidSetting(click.ClickException):
    """A setting is invalid: exits with the code for usage errors."""

    exit_code = int(ExitCode.USAGE)


def server_of(
    url: str | None, directory: str | None, family: str | None, ca_file: Path | None
) -> "tuple[Settings, Callable[[str], Http], Sequence[str]]":
    """As `settings_for`; an invalid setting exits with the code for usage errors."""
    try:
        return settings_for(url, directory, family, ca_file)
    except click.ClickException as error:
        raise InvalidSetting(error.message) from None


def exit_with(work: Coroutine[Any, Any, ExitCode]) -> NoReturn:
    """Exit with the code that `work` returns; Ctrl-C cancels it."""
    try:
        sys.exit(asyncio.run(work))
    except KeyboardInterrupt:
        sys.exit(ExitCode.CTRL_C)
