"""File, environment and flags → one frozen `Settings`. A flag wins over the environment, and that over the file.

The file is `settings.toml` in the platform's configuration folder. Secrets come from the environment or the file,
never from a flag: flags are seen by everybody on the machine.
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

from tui.backends import FAMILIES, PASSWORDS, SERVER_USERS
from tui.config.display import DEFAULT_LOOK, DEFAULT_NOTIFY, DisplaySettings, NotifySettings
from tui.config.keymap import KEYS, find_conflict, first_invalid
from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.sanitize import single_line
from tui.net.local_file import read_small
from tui.net.url import BadAddress, normalise_url

DEFAULT_URL = "http://127.0.0.1:4096"
"""Where `opencode serve` listens when it is not told otherwise."""
FILE_AT_MOST = 64 * 1024
"""Bytes of the settings file."""
DOTS_AT_MOST = 32
"""Dots in one line of it: the time that `tomllib` takes grows with the square of the parts of a dotted key."""
FILE_KEYS = ("url", "user", "password", "directory", "family", "ca_file")
"""Texts. Beside them stand those of `DisplaySettings`, and the tables."""
TABLES: Mapping[str, type[msgspec.Struct]] = {"patience": StallTimeouts, "notify": NotifySettings}

AT = re.compile(r".* - at `\$\.(.+)`$")
WRONG_TYPE = re.compile(r"Expected `(\w+)(?: \| null)?`, got `(\w+)`")
UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
NO_CHOICE = re.compile(r"Invalid enum value (.*) - at ")
"""How msgspec says what is wrong with a table."""
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
"""What a person calls them: the names of Python and of msgspec."""

CAN_BE = "there are f1 to f24, and any with ctrl+ or alt+, as ctrl+o"
"""Which keys an action can have."""

T = TypeVar("T")


class SettingsError(Exception):
    """A setting cannot be used; the message says which, what came and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a run of the client is told from outside.

    `user` is the Basic-auth user, None for the family's own; `server_user` the one that the environment has for a
    server of the person's own, which is tried first; `family` is None where it is found out by asking.
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
    """Where the settings file is looked for."""
    return user_config_path("holdfast") / "settings.toml"


def read_file(path: Path) -> dict[str, object]:
    """The file's settings; empty when there is none. Raises `SettingsError`."""
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
    import tomllib  # most have no such file

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
    """A warning where a file that holds a password can be read by others than its owner."""
    try:
        if not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            return ()
    except OSError:
        return ()
    return (f"Others on this machine can read the password in {path}.\nchmod 600 {path}",)


def _called(value: object) -> str:
    """What TOML calls a value of this type."""
    return TYPES.get(type(value).__name__, "a date")


def _look(path: Path, values: object) -> DisplaySettings:
    look = _table(path, "", values, DisplaySettings)
    for action, keys in look.keys.items():
        if action not in KEYS:
            raise SettingsError(f"{path}: [keys] {single_line(action)!r} is not an action; known: {', '.join(KEYS)}")
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
    """What msgspec `said` of a table of the file, in the words of this file."""
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
    """One `Settings` from all three sources; `flags` holds those that were given. Raises `SettingsError`."""
    known = {f.name for f in fields(Settings)}
    from_file = read_file(settings_file() if path is None else path)
    values: dict[str, object] = dict(from_file)
    for name, variables in {
        "url": ("HOLDFAST_URL",),
        "user": ("HOLDFAST_USER",),
        "server_user": SERVER_USERS,
        "password": ("HOLDFAST_PASSWORD", *PASSWORDS),
        "family": ("HOLDFAST_FAMILY",),
    }.items():
        found = next((environment[v] for v in variables if environment.get(v)), None)
        if found is not None:
            values[name] = found
    if "password" in from_file:
        values["warnings"] = readable_by_others(settings_file() if path is None else path)
    values |= {name: value for name, value in flags.items() if value is not None}
    if values.get("family") not in (None, *FAMILIES):
        named = single_line(str(values["family"]))
        where = "" if from_file.get("family") != values["family"] else f"{settings_file() if path is None else path}: "
        raise SettingsError(f"{where}{named!r} is not a server family; known: {', '.join(FAMILIES)}")
    if isinstance(values.get("ca_file"), str):
        if not str(values["ca_file"]).isprintable():
            raise SettingsError(f"ca_file {str(values['ca_file'])!r} is no path: it contains control characters")
        values["ca_file"] = Path(os.path.expanduser(str(values["ca_file"])))
    try:
        values["url"] = normalise_url(str(values.get("url", DEFAULT_URL)))
    except BadAddress as error:
        raise SettingsError(str(error)) from error
    assert set(values) <= known
    return Settings(**values)  # type: ignore[arg-type]  # every source above gives each name its own type
