"""The last line: the keys of the moment. Each can be clicked."""

from typing import TypeAlias

from textual.content import Content
from textual.style import Style

from tui.config.keymap import key, keys_in_hint, with_keys
from tui.widgets.base.static_text import MUTED, StaticText

Keys: TypeAlias = tuple[tuple[str, str], ...]
"""Keys and what they do, the most needed first."""

Hints: TypeAlias = tuple[tuple[str, str, str], ...]
"""Keys, what they do, and the action that a click on them runs."""


def everywhere(waiting: int) -> Hints:
    """The keys that work everywhere, those that a narrow screen can spare first. `waiting`: open requests."""
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


def hints(keys: Keys, width: int, waiting: int = 0) -> Content:
    """As many of `keys` as fit before those that work everywhere, of which the last always stays."""
    needed = sum(len(with_keys(name)) + len(what) + 3 for name, what in keys)
    common = everywhere(waiting)
    kept = 2 if waiting else 1
    while len(common) > kept and needed + hints_of(common).cell_length >= width:
        common = common[1:]
    last = hints_of(common)
    return Content.assemble(" ", fitting(keys, width - last.cell_length - 1), last)


def fitting(keys: Keys, width: int) -> Content:
    """As many of `keys` as fit into so many cells, with a gap behind each. A click presses what names one key."""
    words = Content("")
    for name, what in keys:
        hint = Content.assemble((with_keys(name), "bold"), (f" {what}", MUTED))
        if words.cell_length + hint.cell_length + 2 > width:
            break
        if pressed := keys_in_hint(name):
            action = f"app.press({', '.join(map(repr, pressed))})"
            hint = hint.stylize(Style.from_meta({"@click": action}))
        words += Content.assemble(hint, "  ")
    return words


class HintBar(StaticText):
    """Shows the keys of the part that has the focus."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._of: tuple[Keys, int, int] | None = None
        """What is shown: keys, width, open requests; None: something else."""

    def show_keys(self, keys: Keys, waiting: int = 0) -> None:
        """`waiting`: how many requests are open, in all sessions."""
        width = self.size.width or 80
        if self._of != (keys, width, waiting):  # asked each second
            self._of = keys, width, waiting
            self.show(hints(keys, width, waiting), layout=False)

    def show_only_help(self) -> None:
        self._of = None
        self.show(Content.assemble(" ", hints_of(everywhere(0)[-1:])), layout=False)
