"""Loads `Settings` from file, environment and flags. Flags override the environment, which overrides the file.

The file is `settings.toml` in the platform's configuration folder. Secrets come from the environment or the file,
never from a flag: flags are visible to all users of the machine.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

import msgspec
from platformdirs import user_config_path

from tui.backends import FAMILIES
from tui.config.display import DEFAULT_LOOK, DEFAULT_NOTIFY, DisplaySettings, NotifySettings
from tui.config.keymap import KEYS, find_conflict, first_invalid
from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.sanitize import single_line
from tui.net.local_file import read_small
from tui.net.url import BadAddress, normalise_url

DEFAULT_URL = "http://127.0.0.1:4096"
"""The default address of `opencode serve`."""
FILE_AT_MOST = 64 * 1024
"""Maximum bytes of the settings file."""
DOTS_AT_MOST = 32
"""Maximum dots in one line of the file: `tomllib` takes quadratic time in the parts of a dotted key."""
FILE_KEYS = ("url", "user", "password", "directory", "family", "ca_file")
"""The top-level text settings, in addition to the fields of `DisplaySettings` and the tables."""
TABLES: Mapping[str, type[msgspec.Struct]] = {"patience": StallTimeouts, "notify": NotifySettings}

AT = re.compile(r".* - at `\$\.(.+)`$")
WRONG_TYPE = re.compile(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`")
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
NO_CHOICE = re.compile(r"Invalid enum value (.*) - at ")
"""msgspec's error messages for a table."""
TYPES = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "array": "a list",
    "dict": "a table",
    "object": "a table",
}
"""User-facing names of the types of Python and msgspec."""

CAN_BE = "there are f1 to f24, and any with ctrl+ or alt+, as ctrl+o"
"""The valid keys of an action, for error messages."""

T = TypeVar("T")


class SettingsError(Exception):
    """An invalid setting; the message names the setting, its value and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one run.

    `user` is the Basic-auth user, None for the family's default; `server_user` the user name from the
    servers' own environment variables, which is tried first; `family` is None for auto-detection.
    """

    url: str = DEFAULT_URL
    user: str | None = None
    server_user: str | None = None
    password: str | None = field(default=None, repr=False)
    directory: str | None = None
    family: str | None = None
    session: str | None = None
    resume: bool = False
    demo: bool = False
    log: Path | None = None
    ca_file: Path | None = None
    patience: StallTimeouts = DEFAULT_TIMEOUTS
    look: DisplaySettings = DEFAULT_LOOK
    notify: NotifySettings = DEFAULT_NOTIFY
    warnings: tuple[str, ...] = ()


def settings_file() -> Path:
    """The path of the settings file."""
    return user_config_path("holdfast") / "settings.toml"


def read_file(path: Path) -> dict[str, object]:
    """The file's settings; empty if there is no file. Raises `SettingsError`."""
    try:
        text = read_small(path, FILE_AT_MOST).decode()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} cannot be read: it is not UTF-8") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > DOTS_AT_MOST and not line.lstrip().startswith("#"):
            raise SettingsError(f"{path} cannot be read: line {number} has more than {DOTS_AT_MOST} dots")
    import tomllib  # deferred: most users have no file

    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {single_line(str(error), 200)}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: a number or nesting is too large") from error
    tables: dict[str, object] = {}
    look = {key: values.pop(key) for key in DisplaySettings.__struct_fields__ if key in values}
    if look:
        tables["look"] = _look(path, look)
    for name, shape in TABLES.items():
        if name in values:
            tables[name] = _table(path, name, values.pop(name), shape)
    for key, value in values.items():
        if key not in FILE_KEYS:
            there_are = ", ".join((*FILE_KEYS, "theme", "ascii", "links", "[keys]", *(f"[{name}]" for name in TABLES)))
            raise SettingsError(f"{path}: {single_line(key)!r} is not a setting; known: {there_are}")
        if not isinstance(value, str):
            raise SettingsError(f"{path}: {key} must be text in quotes, not {_called(value)}")
    return values | tables


def readable_by_others(path: Path) -> tuple[str, ...]:
    """A warning if the file, which contains a password, is readable by other users; else ()."""
    try:
        if not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            return ()
    except OSError:
        return ()
    return (f"Others on this machine can read the password in {path}.\nchmod 600 {path}",)


def _called(value: object) -> str:
    """The user-facing name of a TOML value's type."""
    return TYPES.get(type(value).__name__, "a date")


def _look(path: Path, values: object) -> DisplaySettings:
    look = _table(path, "", values, DisplaySettings)
    for action, keys in look.keys.items():
        if action not in KEYS:
            raise SettingsError(f"{path}: [keys] unknown action {single_line(action)!r}; there are {', '.join(KEYS)}")
        if (typed := first_invalid(keys)) is not None:
            raise SettingsError(f"{path}: [keys] {single_line(typed)!r} cannot be the key of {action}; {CAN_BE}")
    shared = find_conflict(look.keys)
    if shared is not None:
        key, one, other = shared
        raise SettingsError(
            f"{path}: [keys] {single_line(key)!r} is the key of both {one} and {other}; choose another for {one}"
        )
    return look


def _table(path: Path, name: str, value: object, shape: type[T]) -> T:
    try:
        table = msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_fault(str(error), name, shape)}") from error
    if isinstance(table, StallTimeouts):
        for field_name in StallTimeouts.__struct_fields__:
            if not getattr(table, field_name) > 0:
                raise SettingsError(f"{path}: {name}.{field_name} must be greater than 0 (seconds)")
    return table


def _fault(said: str, table: str, shape: type) -> str:
    """The msgspec error `said` about a table, as a message in terms of the settings file."""
    place = AT.search(said)
    setting = ".".join(filter(None, (table, place[1].removesuffix("[...]") if place else "")))
    if found := WRONG_TYPE.match(said):
        expected, got = found.groups()
        return f"{setting} must be {'text in quotes' if expected == 'str' else TYPES[expected]}, not {TYPES[got]}"
    if found := UNKNOWN.match(said):
        there_are = ", ".join(getattr(shape, "__struct_fields__", ()))
        return f"{setting}.{single_line(found[1])} is not a setting; known: {there_are}"
    if place and (found := NO_CHOICE.match(said)):
        choices = ", ".join(map(repr, get_args(get_type_hints(shape)[place[1]])))
        return f"{setting} must be one of {choices}, not {single_line(found[1])}"
    return f"{setting}: {said}"


def load_settings(
    flags: Mapping[str, object], *, environment: Mapping[str, str] = os.environ, path: Path | None = None
) -> Settings:
    """`Settings` from file, environment and `flags`, in which None means not given. Raises `SettingsError`."""
    known = {f.name for f in fields(Settings)}
    from_file = read_file(settings_file() if path is None else path)
    values: dict[str, object] = dict(from_file)
    for name, variables in {
        "url": ("HOLDFAST_URL",),
        "user": ("HOLDFAST_USER",),
        "server_user": [family.user_variable for family in FAMILIES if family.user_variable],
        "password": ("HOLDFAST_PASSWORD", *(family.password_variable for family in FAMILIES)),
        "family": ("HOLDFAST_FAMILY",),
    }.items():
        found = next((environment[v] for v in variables if environment.get(v)), None)
        if found is not None:
            values[name] = found
    if "password" in from_file:
        values["warnings"] = readable_by_others(settings_file() if path is None else path)
    values |= {name: value for name, value in flags.items() if value is not None}
    known_families = [family.name for family in FAMILIES]
    if values.get("family") not in (None, *known_families):
        named = single_line(str(values["family"]))
        where = "" if from_file.get("family") != values["family"] else f"{settings_file() if path is None else path}: "
        raise SettingsError(f"{where}{named!r} is not a server family; known: {', '.join(known_families)}")
    if isinstance(values.get("ca_file"), str):
        if not str(values["ca_file"]).isprintable():
            raise SettingsError(f"ca_file {str(values['ca_file'])!r} is no path: it contains control characters")
        values["ca_file"] = Path(os.path.expanduser(str(values["ca_file"])))
    try:
        values["url"] = normalise_url(str(values.get("url", DEFAULT_URL)))
    except BadAddress as error:
        raise SettingsError(str(error)) from error
    assert set(values) <= known
    return Settings(**values)  # type: ignore[arg-type]  # all sources provide the declared types
