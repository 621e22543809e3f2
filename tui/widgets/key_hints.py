"""The last line: the keys of the moment. Each can be clicked."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from textual.content import Content
from textual.style import Style

from tui.look import KEYS, shown
from tui.widgets.plain import MUTED, Plain

Keys: TypeAlias = tuple[tuple[str, str], ...]
"""Keys and what they do, the most needed first."""

Hints: TypeAlias = tuple[tuple[str, str, str], ...]
"""Keys, what they do, and the action that a click on them runs."""


def everywhere(waiting: int, names: Mapping[str, str] = MappingProxyType({})) -> Hints:
    """The keys that work everywhere, those that a narrow screen can spare first.

    `waiting`: open requests. `names`: an action → the key that the person gave it.
    """

    def key(action: str) -> str:
        return shown(names.get(action, KEYS[action]))

    inbox = (key("inbox"), f"inbox ({waiting})" if waiting else "inbox", "app.inbox")
    others = ((key("sessions"), "sessions", "app.sessions"), ("^P", "everything", "app.command_palette"))
    last = (key("help"), "help", "app.help")
    return (*others, inbox, last) if waiting else (inbox, *others, last)


def hints_of(keys: Hints) -> Content:
    """Keys, what they do, and the action that a click on them runs."""
    return Content("  ").join(
        Content.assemble((key, "bold"), (f" {what}", MUTED)).stylize(Style.from_meta({"@click": action}))
        for key, what, action in keys
    )


def hints(keys: Keys, width: int, waiting: int = 0, names: Mapping[str, str] = MappingProxyType({})) -> Content:
    """As many of `keys` as fit before those that work everywhere, of which the last always stays."""
    needed = sum(len(key) + len(what) + 3 for key, what in keys)
    common = everywhere(waiting, names)
    kept = 2 if waiting else 1
    while len(common) > kept and needed + hints_of(common).cell_length >= width:
        common = common[1:]
    last = hints_of(common)
    words = Content(" ")
    for key, what in keys:
        more = Content.assemble((key, "bold"), (f" {what}", MUTED), "  ")
        if words.cell_length + more.cell_length + last.cell_length > width:
            break
        words += more
    return words + last


class KeyHints(Plain):
    """Shows the keys of the part that has the focus. `names`: an action → the key that the person gave it."""

    names: Mapping[str, str] = MappingProxyType({})
    _given: tuple[Keys, int, int] | None = None

    def show_keys(self, keys: Keys, waiting: int = 0) -> None:
        """`waiting`: how many requests are open, in all sessions."""
        width = self.size.width or 80
        if self._given != (keys, width, waiting):  # asked for every second, and nearly always the same
            self._given = keys, width, waiting
            self.show(hints(keys, width, waiting, self.names), layout=False)
