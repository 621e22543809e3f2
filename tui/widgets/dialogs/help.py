"""The keys, for the part that has the focus and for everywhere."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from tui.config.keymap import KEYS, with_keys
from tui.widgets.base.static_text import MUTED, StaticText
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.status.footer import Keys

EVERYWHERE: Keys = (
    ("{help}", "this page"),
    ("{sessions}", "sessions"),
    ("{inbox}", "inbox: who waits for you, in any session"),
    ("{fold}", "fold or unfold the question"),
    ("{retry}", "try the line again now"),
    ("{plan}", "the agent's whole plan, or one line of it"),
    ("{copy_code}", "copy the code in sight; again, the block above"),
    ("{release}", "let waiting prompts go on that are held"),
    ("{search}", "search the transcript"),
    ("Esc Esc", "abort the turn, within 3 seconds"),
    ("^Z", "to the shell; fg comes back"),
    ("^P", "all by name: Undo, Redo, Model, Theme, …"),
    ("{leave} ^C", "quit; asks first while a turn runs"),
)


TALL = 36
"""Rows of a screen on which all of it can stand with room between."""
COLUMN = 12
"""Cells of the keys."""


class Help(Dialog[None]):
    """Two lists; any of the usual keys closes it."""

    DEFAULT_CSS: ClassVar[str] = """
    Help > .dialog > .keys { dock: bottom; margin: 0; padding-top: 1; }
    Help.-short > .dialog { padding: 0 2; }
    Help.-short > .dialog .title { margin-bottom: 0; }
    """
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]  # noqa: RUF012 (Textual's own is not a ClassVar)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,q", "dismiss", "close", show=False),
        Binding(KEYS["help"], "dismiss", "close", show=False, id="help"),
    ]

    def __init__(self, part: str, keys: Keys, server: str = "") -> None:
        """`server`: who is there, and where; "" while that is not known."""
        super().__init__(id="help")
        self._part, self._keys, self._server = part, keys, server

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            with VerticalScroll():
                if self._server:
                    yield StaticText(Content.styled(f"{self._server}\n", MUTED))
                yield StaticText(Content.styled(f"In {self._part}", "bold"), classes="title")
                yield StaticText(_list(self._keys))
                yield StaticText(Content.styled("\nEverywhere", "bold"), classes="title")
                yield StaticText(_list(EVERYWHERE))
            yield StaticText(Content.assemble(("Esc", "bold"), (" close", MUTED)), classes="keys")


def _list(keys: Keys) -> Content:
    rows = ((f"  {with_keys(key):<{COLUMN}}", what) for key, what in keys)
    return Content("\n").join(
        Content.assemble((name, "bold $primary"), (what, "$foreground 80%")) for name, what in rows
    )
