"""Help dialog: the keys of the focused part and the global keys."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from tui.config.key_lookup import Keys, help_lines, hints
from tui.config.keymap import EVERYWHERE, PARTS, Scope
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, HEADING, MUTED, SOFT, StaticText
from tui.widgets.dialogs.dialog import LOW, Dialog
from tui.widgets.status.footer import DialogKeys

TALL = 36
"""Minimum screen rows for the spacious layout."""
COLUMN = 12
"""Width in cells of the key column."""


class Help(Dialog[None]):
    """Lists the keys; Esc and the help key close it. Other keys only scroll: typed text must not close it halfway."""

    DEFAULT_CSS: ClassVar[str] = """
    Help > .dialog > .keys { dock: bottom; margin: 0; padding-top: 1; }
    Help.-short > .dialog { padding: 0 2; }
    Help.-short > .dialog .title { margin-bottom: 0; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW, "-short"), (TALL, "-tall")]  # noqa: RUF012 (Textual's own is not a ClassVar)

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.HELP)

    PART = "the help"

    def __init__(self, part: str, server: str = "") -> None:
        """`part`: one of `PARTS`. `server`: name and address of the server; "" while unknown."""
        super().__init__(id="help")
        self._part, self._server = part, server

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            with VerticalScroll():
                if self._server:
                    yield StaticText(Content.styled(f"{self._server}\n", MUTED))
                yield StaticText(Content.styled(f"In {self._part}", BOLD), classes="title")
                yield StaticText(_list(help_lines(*PARTS[self._part])))
                yield StaticText(Content.styled("\nEverywhere", BOLD), classes="title")
                yield StaticText(_list(help_lines(*EVERYWHERE)))
            yield DialogKeys(hints(Scope.HELP, "dismiss"))


def _list(keys: Keys) -> Content:
    rows = ((f"  {hint.label:<{COLUMN}}", hint.what) for hint in keys)
    return Content("\n").join(Content.assemble((name, HEADING), (what, SOFT)) for name, what in rows)
