"""`holdfast config`: prints the paths, each effective setting and where it comes from. Connects to no server."""

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from platformdirs import user_state_path

from tui.api.values import VERSION
from tui.cli.exit_codes import ExitCode
from tui.cli.options import HELP, URL, server_options
from tui.config.key_lookup import KEYS
from tui.config.settings import FILE_KEYS, TABLES, ResolvedSettings, resolve_settings, settings_file
from tui.core.sanitize import sanitize, single_line
from tui.storage.chosen_theme import ChosenTheme
from tui.storage.database import FILE

DEFAULT = "default"
CHOSEN = "chosen in the app"
"""Sources in addition to those of `ResolvedSettings`."""
DOTS = "••••••••"
"""In place of a secret, whatever its length."""


class ListedPath(msgspec.Struct, frozen=True):
    """A file or folder that Holdfast uses. `exists`: whether it is there now."""

    name: str
    path: str
    exists: bool


class ListedSetting(msgspec.Struct, frozen=True):
    """A setting by its name in the file. `value`: None if it is not set; `source`: where it comes from."""

    name: str
    value: Any
    source: str


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """What Holdfast would use. A setting with an error has its default here."""

    v: int = VERSION
    paths: tuple[ListedPath, ...]
    settings: tuple[ListedSetting, ...]
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def configuration(found: ResolvedSettings) -> Configuration:
    """All paths and settings."""
    state = user_state_path("holdfast")
    paths = (("settings", settings_file()), ("state", state), ("journal", state / FILE))
    return Configuration(
        paths=tuple(ListedPath(name, sanitize(str(path)), os.path.exists(path)) for name, path in paths),
        settings=tuple(_listed(found, state)),
        errors=found.errors,
        warnings=found.settings.warnings,
    )


def _listed(found: ResolvedSettings, state: Path) -> Iterator[ListedSetting]:
    settings = found.settings
    values: dict[str, object] = {key: getattr(settings, key) for key in FILE_KEYS}
    sources = dict(found.sources)
    if settings.user is None and settings.server_user is not None:
        values["user"], sources["user"] = settings.server_user, sources["server_user"]
    values["password"] = DOTS if settings.password is not None else None
    values["ca_file"] = None if settings.ca_file is None else sanitize(str(settings.ca_file))
    theme = ChosenTheme(state, settings.look.theme).name
    if theme != settings.look.theme:
        sources["theme"] = CHOSEN
    values |= msgspec.structs.asdict(settings.look) | {"theme": theme}
    del values["keys"]
    values |= {f"keys.{action}": keys for action, keys in (KEYS | settings.look.keys).items()}
    for name in TABLES:
        values |= {f"{name}.{key}": value for key, value in msgspec.structs.asdict(getattr(settings, name)).items()}
    for name, value in values.items():
        yield ListedSetting(name, value, sources.get(name, DEFAULT))


def lines(found: Configuration) -> list[str]:
    """The configuration as lines of text."""
    width = max(map(len, (one.name for one in found.settings))) + 2
    paths = [
        f"{one.name:<{width}}{single_line(one.path)}{'' if one.exists else '  (does not exist)'}" for one in found.paths
    ]
    values = [(one, _text(one.value)) for one in found.settings]
    values_width = min(40, max(len(text) for _, text in values)) + 2
    rows = [f"{one.name:<{width}}{text:<{values_width}}  {one.source}" for one, text in values]
    return [*paths, f"{'log':<{width}}none; --log FILE writes one", "", *rows]


def _text(value: object) -> str:
    """A value as in the settings file, without quotes; "-" if it is not set."""
    match value:
        case None:
            return "-"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:g}"
        case list() | tuple():
            return " ".join(shlex.quote(_text(one)) for one in value) or "-"
        case _:
            return single_line(str(value))


@click.command(context_settings=HELP)
@URL
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@server_options
def command(url: str | None, as_json: bool, directory: str | None, family: str | None, ca_file: Path | None) -> None:
    """Print the paths, each effective setting and where it comes from.

    Precedence: argument or option, environment variable, settings file, default.
    A password is shown as dots. A setting with an error is shown with its default.

    Exits with 0; with 2 when a setting is invalid.
    """
    flags = {"url": url, "directory": directory, "family": family, "ca_file": ca_file}
    found = configuration(resolve_settings(flags))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        click.echo("\n".join(lines(found)))
        for message in (*found.warnings, *(f"Error: {error}" for error in found.errors)):
            click.echo(sanitize(message), err=True)
    sys.exit(ExitCode.USAGE if found.errors else 0)
