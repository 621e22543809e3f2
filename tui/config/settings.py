"""Loads `Settings` from file, environment and flags. Flags override the environment, which overrides the file.

The file is `settings.toml` in the platform's configuration folder. Secrets come from the environment or the file,
never from a flag: flags are visible to all users of the machine. The fields of its tables are in `display` (the screen,
keys and notifications) and `core.diagnosis` (patience).
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

from tui.backends.families import FAMILIES
from tui.config.display import DEFAULT_LOOK, DEFAULT_NOTIFY, DisplaySettings, NotifySettings
from tui.config.key_lookup import KEYS, find_conflict, first_invalid
from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.sanitize import single_line
from tui.net.local_file import read_small
from tui.net.url import BadAddress, normalise_url

DEFAULT_URL = "http://127.0.0.1:4096"
"""The default address of `opencode serve`."""
MAX_FILE_BYTES = 64 * 1024
"""Maximum bytes of the settings file."""
MAX_DOTS = 32
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

CAN_BE = "valid: f1 to f24, ctrl+ and alt+ combinations such as ctrl+o"
"""The valid keys of an action, for error messages."""

FILE_NAME = "settings.toml"

T = TypeVar("T", bound=msgspec.Struct)


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


class ResolvedSettings(msgspec.Struct, frozen=True):
    """`settings` without the invalid ones, which `errors` name, one line each.

    `sources`: where a value comes from, by the setting's name in the file such as `notify.when`: `settings.toml`,
    an environment variable, or an option of the command. A default has no entry.
    """

    settings: Settings
    sources: Mapping[str, str]
    errors: tuple[str, ...]


class FileSettings(msgspec.Struct, frozen=True):
    """The valid settings of the file at `path`; `names`: all that it sets; `errors`: a message for each other one."""

    path: Path
    values: dict[str, object] = {}
    names: set[str] = set()
    errors: list[str] = []

    def error(self, message: str) -> None:
        self.errors.append(f"{self.path}: {message}")


def settings_file() -> Path:
    """The path of the settings file."""
    return user_config_path("holdfast") / FILE_NAME


def read_file(path: Path) -> FileSettings:
    """The file's settings and all its errors; empty if there is no file."""
    file = FileSettings(path)
    try:
        values = _parse(path)
    except SettingsError as error:
        file.errors.append(str(error))
        return file
    look = {key: values.pop(key) for key in DisplaySettings.__struct_fields__ if key in values}
    if look:
        file.values["look"] = _look(file, look)
    for name, shape in TABLES.items():
        if name in values:
            file.values[name] = _table(file, name, values.pop(name), shape)
    for key, value in values.items():
        if key not in FILE_KEYS:
            there_are = ", ".join((*FILE_KEYS, "theme", "ascii", "links", "[keys]", *(f"[{name}]" for name in TABLES)))
            file.error(f"{single_line(key)!r} is not a setting; known: {there_are}")
        elif not isinstance(value, str):
            file.error(f"{key} must be text in quotes, not {_called(value)}")
        else:
            file.values[key] = value
            file.names.add(key)
    return file


def _parse(path: Path) -> dict[str, object]:
    """The content of the file. Raises `SettingsError`."""
    try:
        text = read_small(path, MAX_FILE_BYTES).decode()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} cannot be read: it is not UTF-8") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MAX_DOTS and not line.lstrip().startswith("#"):
            raise SettingsError(f"{path} cannot be read: line {number} has more than {MAX_DOTS} dots")
    import tomllib  # deferred: most users have no file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {single_line(str(error), 200)}") from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is not TOML: a number or nesting is too large") from error


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


def _look(file: FileSettings, values: object) -> DisplaySettings:
    look = _table(file, "", values, DisplaySettings)
    keys = {}
    for action, typed in look.keys.items():
        if action not in KEYS:
            file.error(f"[keys] unknown action {single_line(action)!r}; known actions: {', '.join(KEYS)}")
        elif (wrong := first_invalid(typed)) is not None:
            file.error(f"[keys] {single_line(wrong)!r} cannot be the key of {action}; {CAN_BE}")
        else:
            keys[action] = typed
    shared = find_conflict(keys)
    if shared is not None:
        key, one, other = shared
        file.error(f"[keys] {single_line(key)!r} is the key of both {one} and {other}; choose another for {one}")
        keys = {}
    file.names.discard("keys")
    file.names.update(f"keys.{action}" for action in keys)
    return msgspec.structs.replace(look, keys=keys)


def _table(file: FileSettings, name: str, value: object, shape: type[T]) -> T:
    """`value` without its invalid fields, which have their defaults. `name`: the table, "" for the top level."""
    table = None
    while table is None:
        try:
            table = msgspec.convert(value, shape)
        except msgspec.ValidationError as error:
            error_text = str(error)
            file.error(_fault(error_text, name, shape))
            found = AT.search(error_text) or UNKNOWN.match(error_text)
            wrong = "" if found is None else found[1].partition("[")[0]
            if not isinstance(value, dict) or wrong not in value:
                return shape()
            value = {key: given for key, given in value.items() if key != wrong}
    fields = set(value) if isinstance(value, dict) else set()
    if isinstance(table, StallTimeouts):
        for wrong in StallTimeouts.__struct_fields__:
            if not getattr(table, wrong) > 0:
                file.error(f"{name}.{wrong} must be greater than 0 (seconds)")
                table = msgspec.structs.replace(table, **{wrong: getattr(DEFAULT_TIMEOUTS, wrong)})
                fields.discard(wrong)
    if isinstance(table, NotifySettings) and table.exec and not table.exec[0].strip():
        file.error(f"{name}.exec must begin with a program")
        table = msgspec.structs.replace(table, exec=())
        fields.discard("exec")
    file.names.update(f"{name}.{key}" if name else key for key in fields)
    return table


def _fault(error_text: str, table: str, shape: type) -> str:
    """The msgspec error `error_text` about a table, as a message in terms of the settings file."""
    place = AT.search(error_text)
    setting = ".".join(filter(None, (table, place[1].removesuffix("[...]") if place else "")))
    if found := WRONG_TYPE.match(error_text):
        expected, got = found.groups()
        return f"{setting} must be {'text in quotes' if expected == 'str' else TYPES[expected]}, not {TYPES[got]}"
    if found := UNKNOWN.match(error_text):
        there_are = ", ".join(getattr(shape, "__struct_fields__", ()))
        return f"{setting}.{single_line(found[1])} is not a setting; known: {there_are}"
    if place and (found := NO_CHOICE.match(error_text)):
        choices = ", ".join(map(repr, get_args(get_type_hints(shape)[place[1]])))
        return f"{setting} must be one of {choices}, not {single_line(found[1])}"
    return f"{setting}: {error_text}"


def load_settings(
    flags: Mapping[str, object], *, environment: Mapping[str, str] = os.environ, path: Path | None = None
) -> Settings:
    """`Settings` from file, environment and `flags`, in which None means not given. Raises `SettingsError`."""
    found = resolve_settings(flags, environment=environment, path=path)
    if found.errors:
        raise SettingsError(found.errors[0])
    return found.settings


def resolve_settings(
    flags: Mapping[str, object], *, environment: Mapping[str, str] = os.environ, path: Path | None = None
) -> ResolvedSettings:
    """As `load_settings`, with the source of each value, and all errors."""
    known = {f.name for f in fields(Settings)}
    file = read_file(settings_file() if path is None else path)
    values, errors = dict(file.values), list(file.errors)
    sources = dict.fromkeys(file.names, FILE_NAME)
    for name, variables in {
        "url": ("HOLDFAST_URL",),
        "user": ("HOLDFAST_USER",),
        "server_user": [family.user_variable for family in FAMILIES if family.user_variable],
        "password": ("HOLDFAST_PASSWORD", *(family.password_variable for family in FAMILIES)),
        "family": ("HOLDFAST_FAMILY",),
    }.items():
        variable = next((v for v in variables if environment.get(v)), None)
        if variable is not None:
            values[name], sources[name] = environment[variable], variable
    if "password" in file.values:
        values["warnings"] = readable_by_others(file.path)
    for name, value in flags.items():
        if value is not None:
            values[name], sources[name] = value, "URL" if name == "url" else f"--{name.replace('_', '-')}"

    def refuse(name: str, message: str) -> None:
        errors.append(message)
        del values[name], sources[name]

    known_families = [family.name for family in FAMILIES]
    if values.get("family") not in (None, *known_families):
        named = single_line(str(values["family"]))
        where = f"{file.path}: " if file.values.get("family") == values["family"] else ""
        refuse("family", f"{where}{named!r} is not a server family; known: {', '.join(known_families)}")
    if isinstance(values.get("ca_file"), str):
        if not str(values["ca_file"]).isprintable():
            refuse("ca_file", f"ca_file {str(values['ca_file'])!r} is no path: it contains control characters")
        else:
            values["ca_file"] = Path(os.path.expanduser(str(values["ca_file"])))
    if "url" in values:
        try:
            values["url"] = normalise_url(str(values["url"]))
        except BadAddress as error:
            refuse("url", str(error))
    assert set(values) <= known
    settings = Settings(**values)  # type: ignore[arg-type]  # all sources provide the declared types
    return ResolvedSettings(settings, sources, tuple(errors))
