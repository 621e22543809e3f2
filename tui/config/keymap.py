"""The keys that a person can choose, and what the screen calls them. Nothing else names one of them by itself.

The choice is made once, when the client starts (`set_keymap`): all that is drawn afterwards has the person's own keys.
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
"""What can have another key (`[keys]` of the file), and the key that it has."""

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
"""What cannot have another key, so that its key is nobody else's. Terminals send Tab as ^I, and Enter as ^M."""

_MODIFIERS = r"(?:(?:ctrl|alt|shift|super|hyper|meta)\+)*"
_TYPES_NOTHING = re.compile(
    rf"{_MODIFIERS}f(?:[1-9]|1\d|2[0-4])|{_MODIFIERS}(?:ctrl|alt|super|hyper|meta)\+(?:shift\+)?[a-z0-9_]+"
)

NAMED = {"Enter": "enter", "Tab": "tab", "⇧Tab": "shift+tab", "Esc": "escape", "Space": "space", "End": "end"}
"""What hints call keys that nobody chooses, and what Textual calls them."""

_taken = dict(KEYS)


def set_keymap(keys: Mapping[str, str]) -> None:
    """Some actions have these keys from now on, as Textual names keys; all others have their own."""
    _taken.clear()
    _taken.update(KEYS | dict(keys))


def first_invalid(keys: str) -> str | None:
    """The first of an action's keys that is none, or would not be typed any more; None: it can have them all."""
    return next((name for name in map(str.strip, keys.split(",")) if not _TYPES_NOTHING.fullmatch(name)), None)


def find_conflict(chosen: Mapping[str, str]) -> tuple[str, str, str] | None:
    """A key that two things would have, the action that was given it, and what else has it; None: all differ."""
    owners = dict(FIXED)
    for action, keys in sorted((KEYS | dict(chosen)).items(), key=lambda item: item[0] in chosen):
        for name in keys.split(","):
            other = owners.setdefault(name.strip(), action)
            if other != action:
                return name.strip(), action, other
    return None


def key(action: str) -> str:
    """The key of an action, as the screen names it: `F2`, `^G`."""
    return label(_taken[action])


def with_keys(words: str) -> str:
    """`words`, in which `{action}` stands for the key of that action."""
    return words.format_map({action: key(action) for action in _taken}) if "{" in words else words


def label(name: str) -> str:
    """A key that Textual calls `name`, as the screen names it."""
    first = name.partition(",")[0]
    if first.startswith("ctrl+") and len(first) == len("ctrl+") + 1:
        return f"^{first[-1].upper()}"
    return first.upper() if first[:1] == "f" and first[1:].isdecimal() else first.replace("+", "-").capitalize()


def keys_in_hint(hint: str) -> tuple[str, ...]:
    """The keys that a hint names, as Textual names them; () where it leaves a choice, as `↑ ↓` does."""
    names = tuple(_pressed(word) for word in hint.split())
    return names if all(names) and len(set(names)) == 1 else ()


def _pressed(word: str) -> str:
    if word.startswith("{"):
        return _taken[word.strip("{}")].partition(",")[0]
    if word.startswith("^") and len(word) == 2:
        return f"ctrl+{word[1].lower()}"
    return NAMED.get(word, word if len(word) == 1 and word.isascii() else "")
