"""The last line: the keys of the moment. Each can be clicked."""

from typing import TypeAlias

from textual.content import Content
from textual.style import Style

from tui.widgets.plain import MUTED, Plain

Keys: TypeAlias = tuple[tuple[str, str], ...]
"""Keys and what they do, the most needed first."""

EVERYWHERE: tuple[tuple[str, str, str], ...] = (
    ("F2", "sessions", "app.sessions"),
    ("^P", "everything", "app.command_palette"),
    ("F1", "help", "app.help"),
)


def hints_of(keys: tuple[tuple[str, str, str], ...]) -> Content:
    """Keys, what they do, and the action that a click on them runs."""
    return Content("  ").join(
        Content.assemble((key, "bold"), (f" {what}", MUTED)).stylize(Style.from_meta({"@click": action}))
        for key, what, action in keys
    )


def hints(keys: Keys, width: int) -> Content:
    """As many of `keys` as fit before those that work everywhere."""
    needed = sum(len(key) + len(what) + 3 for key, what in keys)
    everywhere = EVERYWHERE
    while len(everywhere) > 1 and needed + hints_of(everywhere).cell_length >= width:
        everywhere = everywhere[1:]
    last = hints_of(everywhere)
    words = Content(" ")
    for key, what in keys:
        more = Content.assemble((key, "bold"), (f" {what}", MUTED), "  ")
        if words.cell_length + more.cell_length + last.cell_length > width:
            break
        words += more
    return words + last


class KeyHints(Plain):
    """Shows the keys of the part that has the focus."""

    def show_keys(self, keys: Keys) -> None:
        self.show(hints(keys, self.size.width or 80), layout=False)
