"""Dialog with a single-line text field."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui.config.key_lookup import hints
from tui.config.keymap import Scope
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, StaticText
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.status.footer import DialogKeys


class TextInputDialog(Dialog[str | None]):
    """Dismissed with the text; None if it is unchanged or empty, or the dialog was cancelled."""

    PART = "the text field"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.TEXT_INPUT)

    def __init__(self, title: str, words: str, verb: str) -> None:
        super().__init__()
        self._title, self._words, self._verb = title, words, verb

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield StaticText(Content.styled(self._title, BOLD), classes="title")
            yield Input(self._words, compact=True)
            confirm, cancel = hints(Scope.TEXT_INPUT, "submit", "dismiss")
            yield DialogKeys((confirm._replace(what=self._verb), cancel))

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def action_submit(self) -> None:
        words = self.query_one(Input).value.strip()
        self.dismiss(words if words and words != self._words else None)
