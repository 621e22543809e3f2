"""Dialog with a single-line text field."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input

from tui.widgets.base.static_text import StaticText
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.status.footer import Keys, hints_of


class TextInputDialog(Dialog[str | None]):
    """Dismissed with the text; None if it is unchanged or empty, or the dialog was cancelled."""

    KEYS_OF: ClassVar[tuple[str, Keys]] = (
        "this dialog",
        (
            ("Enter", "take these words"),
            ("Esc", "leave it as it was"),
        ),
    )
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "leave it", show=False)]

    def __init__(self, title: str, words: str, verb: str) -> None:
        super().__init__()
        self._title, self._words, self._verb = title, words, verb

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield StaticText(Content.styled(self._title, "bold"), classes="title")
            yield Input(self._words, compact=True)
            keys = (("Enter", self._verb, "screen.take"), ("Esc", "leave it", "screen.dismiss"))
            yield StaticText(hints_of(keys), classes="keys")

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def action_take(self) -> None:
        words = self.query_one(Input).value.strip()
        self.dismiss(words if words and words != self._words else None)
