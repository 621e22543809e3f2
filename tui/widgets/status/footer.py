"""The footer: the keys that work now. Each can be clicked."""

from textual.content import Content
from textual.style import Style
from textual.timer import Timer

from tui.config.key_lookup import Hint, Keys, hints
from tui.config.keymap import Scope
from tui.widgets.base.static_text import BOLD, MUTED, WARNING, StaticText


def everywhere(waiting: int) -> Keys:
    """Return the global keys, least important first. `waiting`: the number of open requests."""
    inbox, *others, last = hints(Scope.APP, "inbox", "sessions", "command_palette", "help")
    return (*others, inbox._replace(what=f"inbox ({waiting})"), last) if waiting else (inbox, *others, last)


def hint_line(keys: Keys) -> Content:
    """Return all of the hints on one line. A click on a hint that names one key presses it."""
    return Content("  ").join(map(_hint, keys))


def footer_line(keys: Keys, width: int, waiting: int = 0) -> Content:
    """Return as many of `keys` as fit beside the global keys. Only whole hints are shown.

    The help is always shown; on a screen too narrow for both, the inbox instead, if something waits there.
    """
    needed = sum(len(hint.label) + len(hint.what) + 3 for hint in keys)
    common = everywhere(waiting)
    kept = 2 if waiting else 1
    while len(common) > kept and needed + hint_line(common).cell_length >= width:
        common = common[1:]
    if hint_line(common).cell_length >= width:
        common = common[:1] if hint_line(common[:1]).cell_length < width else common[1:]
    last = hint_line(common)
    return Content.assemble(" ", fitting(keys, width - last.cell_length - 1), last)


def dialog_line(keys: Keys, width: int) -> Content:
    """Return as many of `keys` as fit into `width` cells, and always the one that closes the dialog, Esc."""
    shown = list(keys)
    while len(shown) > 1 and hint_line(tuple(shown)).cell_length > width:
        shown.remove(next(hint for hint in reversed(shown) if hint.pressed != ("escape",)))
    return hint_line(tuple(shown))


def fitting(keys: Keys, width: int) -> Content:
    """Return as many of `keys` as fit into `width` cells, with a gap after each."""
    words = Content("")
    for hint in map(_hint, keys):
        if words.cell_length + hint.cell_length + 2 > width:
            break
        words += Content.assemble(hint, "  ")
    return words


def _hint(hint: Hint) -> Content:
    words = Content.assemble((hint.label, BOLD), (f" {hint.what}", MUTED))
    if not hint.pressed:
        return words
    return words.stylize(Style.from_meta({"@click": f"app.press({', '.join(map(repr, hint.pressed))})"}))


SAID_SECONDS = 4.0
"""Seconds for which a dialog says that text has no effect."""


class DialogKeys(StaticText):
    """The last line of a dialog: its keys, and after text was typed, that the dialog takes none."""

    DEFAULT_CSS = "DialogKeys { height: auto; }"

    def __init__(self, keys: Keys = ()) -> None:
        super().__init__(hint_line(keys), classes="keys")
        self._listed = keys
        self._said = ""
        self._ends: Timer | None = None

    def show_keys(self, keys: Keys) -> None:
        """Show other keys, and no words that were for the earlier ones."""
        self._said, self._listed = "" if keys != self._listed else self._said, keys
        self._fit()

    def say(self, words: str) -> None:
        """Show `words` before the keys, for some seconds."""
        if self._ends is not None:
            self._ends.stop()
        self._ends = self.set_timer(SAID_SECONDS, self._end)
        self._said = words
        self._fit()

    def _end(self) -> None:
        self._said = ""
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        width = self.size.width or 80
        said = Content.styled(f"{self._said}  ", WARNING) if self._said else Content("")
        escape = tuple(hint for hint in self._listed if hint.pressed == ("escape",))
        keys = dialog_line(escape if self._said else self._listed, width - said.cell_length)
        self.show(Content.assemble(said, keys))


class HintBar(StaticText):
    """Shows the keys of the focused part."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._of: tuple[Keys, int, int] | None = None
        """What is shown: keys, width, open requests; None if something else is."""

    def show_keys(self, keys: Keys, waiting: int = 0) -> None:
        """Show key hints. `waiting`: the number of open requests in all sessions."""
        width = self.size.width or 80
        if self._of != (keys, width, waiting):
            self._of = keys, width, waiting
            self.show(footer_line(keys, width, waiting), layout=False)

    def show_only_help(self) -> None:
        self._of = None
        self.show(Content.assemble(" ", hint_line(everywhere(0)[-1:])), layout=False)
