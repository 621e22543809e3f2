"""Confirmation dialog before an action that cannot be undone."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content

from tui.config.keymap import hints
from tui.config.keys import Scope
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, StaticText
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.focus.focus_transfer import has_messages
from tui.widgets.status.footer import hint_line


class Confirm(Dialog[bool]):
    """Enter confirms, Esc cancels. Any letter cancels and is passed to the screen below."""

    PART = "the confirmation"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.CONFIRM)

    def __init__(self, title: str, text: str, yes: str, no: str = "cancel") -> None:
        super().__init__()
        self._title, self._text, self._yes, self._no = title, text, yes, no
        self._words: list[events.Key] = []

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield StaticText(Content.styled(self._title, BOLD), classes="title")
            yield StaticText(self._text)
            yes, no = hints(Scope.CONFIRM, "answer(True)", "answer(False)")
            keys = hint_line((yes._replace(what=self._yes), no._replace(what=self._no)))
            yield StaticText(keys, classes="keys")

    def on_paste(self, event: events.Paste) -> None:
        """Cancel and pass the paste to the screen below."""
        super().on_paste(event)
        event.prevent_default()  # Textual would call the base class's handler too
        self.dismiss(False)

    def on_key(self, event: events.Key) -> None:
        """Cancel if the user types text, which was meant for the screen below."""
        if self._words or (event.is_printable and event.key not in self.active_bindings):
            event.stop()
            event.prevent_default()
            if not self._words:
                self.call_later(self._leave)
            if event.is_printable:
                self._words.append(events.Key(event.key, event.character))

    def _leave(self) -> None:
        """Dismiss and forward the typed keys, after all keys queued here are read, to keep their order."""
        if has_messages(self):
            self.call_later(self._leave)
            return
        self.dismiss(False)
        below = self.app.focused or self.app.screen
        for key in self._words:
            below._forward_event(key)

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
