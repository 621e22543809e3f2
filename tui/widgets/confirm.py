"""A question of our own before something that cannot be taken back."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content

from tui.widgets.dialog import Dialog
from tui.widgets.key_hints import hints_of
from tui.widgets.plain import Plain


class Confirm(Dialog[bool]):
    """Enter or y does it; Esc and n do not, nor any other letter, which goes where it was meant to go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y", "answer(True)", "yes", show=False),
        Binding("escape,n", "answer(False)", "no", show=False),
    ]

    def __init__(self, title: str, text: str, yes: str, no: str = "stay") -> None:
        super().__init__()
        self._title, self._text, self._yes, self._no = title, text, yes, no

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Plain(Content.styled(self._title, "bold"), classes="title")
            yield Plain(self._text)
            keys = (("Enter", self._yes, "screen.answer(True)"), ("Esc", self._no, "screen.answer(False)"))
            yield Plain(hints_of(keys), classes="keys")

    def on_key(self, event: events.Key) -> None:
        """Whoever goes on writing did not mean to be asked."""
        if event.is_printable and event.key not in self.active_bindings:
            event.stop()
            self.dismiss(False)
            self.app.post_message(events.Key(event.key, event.character))

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
