"""The configurable keys and their labels on the screen. Other modules take all keys and labels from here.

The keymap is set once at the start (`set_keymap`), before anything is drawn.
"""

import re
from collections.abc import Mapping

KEYS = {
    "help": "f1",
    "sessions": "f2",
    "inbox": "f3",
    "fold": "f4",
    "retry": "f5",
    "plan": "f6",
    "copy_code": "f7",
    "release": "f8",
    "search": "ctrl+f",
    "editor": "ctrl+g",
    "agent": "ctrl+t",
    "leave": "ctrl+q",
}
"""The actions with a configurable key (`[keys]` in the settings file), and their default keys."""

FIXED = {
    "enter": "send",
    "tab": "the next part",
    "shift+tab": "the part before",
    "escape": "back",
    "ctrl+c": "copy or quit",
    "ctrl+i": "the next part",
    "ctrl+j": "newline",
    "ctrl+m": "send",
    "ctrl+p": "everything by name",
    "ctrl+r": "earlier prompts",
    "ctrl+s": "send now",
    "ctrl+z": "to the shell",
}
"""The reserved keys and their fixed actions. Terminals send Tab as ^I and Enter as ^M."""

_MODIFIERS = r"(?:(?:ctrl|alt|shift|super|hyper|meta)\+)*"
_TYPES_NOTHING = re.compile(
    rf"{_MODIFIERS}f(?:[1-9]|1\d|2[0-4])|{_MODIFIERS}(?:ctrl|alt|super|hyper|meta)\+(?:shift\+)?[a-z0-9_]+"
)

NAMED = {"Enter": "enter", "Tab": "tab", "⇧Tab": "shift+tab", "Esc": "escape", "Space": "space", "End": "end"}
"""Labels of fixed keys in hints, and Textual's names for them."""

_taken = dict(KEYS)


def set_keymap(keys: Mapping[str, str]) -> None:
    """Set the keys of these actions, in Textual's names; all others get their default keys."""
    _taken.clear()
    _taken.update(KEYS | dict(keys))


def first_invalid(keys: str) -> str | None:
    """The first of an action's keys that is no key or types a character; None if all are valid."""
    return next((name for name in map(str.strip, keys.split(",")) if not _TYPES_NOTHING.fullmatch(name)), None)


def find_conflict(chosen: Mapping[str, str]) -> tuple[str, str, str] | None:
    """A key with two actions, the action it was set for, and the other action; None if all keys differ."""
    owners = dict(FIXED)
    for action, keys in sorted((KEYS | dict(chosen)).items(), key=lambda item: item[0] in chosen):
        for name in keys.split(","):
            other = owners.setdefault(name.strip(), action)
            if other != action:
                return name.strip(), action, other
    return None


def key(action: str) -> str:
    """The label of an action's key: `F2`, `^G`."""
    return label(_taken[action])


def with_keys(words: str) -> str:
    """`words` with each `{action}` replaced by the label of its key."""
    return words.format_map({action: key(action) for action in _taken}) if "{" in words else words


def label(name: str) -> str:
    """The label of the key with the Textual name `name`."""
    first = name.partition(",")[0]
    if first.startswith("ctrl+") and len(first) == len("ctrl+") + 1:
        return f"^{first[-1].upper()}"
    return first.upper() if first[:1] == "f" and first[1:].isdecimal() else first.replace("+", "-").capitalize()


def keys_in_hint(hint: str) -> tuple[str, ...]:
    """The keys of a hint, in Textual's names; () if it names alternatives, as `↑ ↓` does."""
    names = tuple(_pressed(word) for word in hint.split())
    return names if all(names) and len(set(names)) == 1 else ()


def _pressed(word: str) -> str:
    if word.startswith("{"):
        return _taken[word.strip("{}")].partition(",")[0]
    if word.startswith("^") and len(word) == 2:
        return f"ctrl+{word[1].lower()}"
    return NAMED.get(word, word if len(word) == 1 and word.isascii() else "")
