"""What `tui.config.keymap` says, with the keys that the person chose: names on the screen, hints, lookups, conflicts.

The choice is made once, when the client starts (`set_keymap`): all that is drawn afterwards shows it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, zip_longest
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from tui.config.keymap import EVERYWHERE, TABLE, Key, Scope

KEYS = {row.action: row.keys for row in TABLE if row.rebindable}
"""The actions that can have another key (`[keys]` of the settings file), and their default keys."""

SENT_AS = {"ctrl+h": "backspace", "ctrl+i": "tab", "ctrl+m": "enter"}
"""Keys that a terminal sends as another key: they never arrive."""

RESERVED = {
    name: row.action.partition("(")[0].replace("_", " ")
    for row in reversed(TABLE)
    if row.scope in (*EVERYWHERE, Scope.PROMPT, Scope.EDITOR) and not row.rebindable
    for name in row.keys.split(",")
}
"""Keys that no action can be given, and what they do."""

_MODIFIERS = r"(?:(?:ctrl|alt|shift|super|hyper|meta)\+)*"
_TYPES_NOTHING = re.compile(
    rf"{_MODIFIERS}f(?:[1-9]|1\d|2[0-4])|{_MODIFIERS}(?:ctrl|alt|super|hyper|meta)\+(?:shift\+)?[a-z0-9_]+"
)
_LABELS = {
    "escape": "Esc", "shift+tab": "⇧Tab", "up": "↑", "down": "↓", "left": "←", "right": "→",
    "pageup": "PgUp", "pagedown": "PgDn", "ctrl+end": "^End",
}  # fmt: skip

_current = dict(KEYS)


class Hint(NamedTuple):
    """How a key is shown, what it does, and what a click on it presses (nothing where several keys are meant)."""

    label: str
    what: str
    pressed: tuple[str, ...] = ()


Keys: TypeAlias = tuple[Hint, ...]
"""The most needed first."""


def set_keymap(keys: Mapping[str, str]) -> None:
    """Give some actions these keys, as Textual names keys; all others have their default keys."""
    _current.clear()
    _current.update(KEYS | dict(keys))


def first_invalid(keys: str) -> str | None:
    """The first of an action's keys that is not a key, or that types a character; None: all can be used."""
    return next((name for name in map(str.strip, keys.split(",")) if not _TYPES_NOTHING.fullmatch(name)), None)


def find_conflict(chosen: Mapping[str, str]) -> tuple[str, str, str] | None:
    """A key that two actions would have, the action that was given it, and what else has it; None: all differ."""
    owners = dict(RESERVED)
    for action, keys in sorted((KEYS | dict(chosen)).items(), key=lambda item: item[0] in chosen):
        for name in map(str.strip, keys.split(",")):
            other = owners.setdefault(SENT_AS.get(name, name), action)
            if other != action:
                return name, action, other
    return None


def key(action: str) -> str:
    """The key of an action that can have another, as the screen shows it: `F2`, `^G`."""
    return label(_current[action].partition(",")[0])


def label(name: str) -> str:
    """A key that Textual calls `name`, as the screen shows it."""
    if " " in name:  # one after the other
        return " ".join(map(label, name.split()))
    if name in _LABELS or len(name) == 1:
        return _LABELS.get(name, name)
    if name.startswith("ctrl+") and len(name) == len("ctrl+") + 1:
        return f"^{name[-1].upper()}"
    return name.upper() if name[0] == "f" and name[1:].isdecimal() else name.replace("+", "-").capitalize()


def rebindable_action(row: Key) -> str:
    """The action whose key a row has, where that can be another; else ""."""
    return row.keys.strip("{}") if row.keys.startswith("{") else row.action if row.rebindable else ""


def names_of(row: Key) -> list[str]:
    """The keys of a row as Textual names them, the preferred one first."""
    chosen = rebindable_action(row)
    keys = _current[chosen] if chosen else row.keys
    return [name.strip() for name in keys.split(",")] if keys else []


def action_of(scope: Scope, name: str) -> str:
    """What the key that Textual calls `name` does in a scope; "" for none."""
    return next((row.action for row in TABLE if row.scope is scope and name in names_of(row)), "")


def hints(scope: Scope, *actions: str) -> Keys:
    """The footer's words for these actions; neighbours with the same words share a hint."""
    rows = {row.action: row for row in reversed(TABLE) if row.scope is scope and row.footer}
    return tuple(_joined((rows[action], rows[action].footer, names_of(rows[action])[:1]) for action in actions))


def help_lines(*scopes: Scope) -> Keys:
    """All keys of these scopes, with the help's words."""
    rows = (row for row in TABLE if row.scope in scopes and row.help)
    return tuple(_joined((row, row.help, names_of(row)) for row in rows))


def _joined(rows: Iterable[tuple[Key, str, list[str]]]) -> Iterator[Hint]:
    for what, group in groupby(rows, key=itemgetter(1)):
        names = [(row, keys) for row, _, keys in group]
        shown = [[row.shown] if row.shown else [label(key) for key in keys] for row, keys in names]
        one = names[0][1] if len(names) == 1 else []
        yield Hint(" ".join(filter(None, chain(*zip_longest(*shown)))), what, tuple(one[0].split()) if one else ())


def commands() -> Iterator[tuple[str, str, str]]:
    """Of each command of the palette: the name, the description with its key, and the action."""
    for row in TABLE:
        if row.command is not None:
            name, about = row.command
            shown = label(names_of(row)[0]) if row.keys else row.shown
            yield name, f"{about} ({shown})" if shown else about, row.action
