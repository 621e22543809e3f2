"""Confirmation dialog before an action that cannot be undone."""

import math
import time
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

from tui.config.key_lookup import hints
from tui.config.keymap import Scope
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, StaticText
from tui.widgets.dialogs.dialog import Dialog
from tui.widgets.focus.unused_input import UnusedInput
from tui.widgets.status.footer import DialogKeys

TYPING = 0.5
"""Seconds after a letter opened the dialog in which the next letter shows that it began a word."""


class Confirm(Dialog[bool]):
    """Enter confirms, Esc cancels. Any letter cancels and is passed to the screen below."""

    PART = "the confirmation"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.CONFIRM)

    @dataclass
    class Typed(Message):
        """A letter closed the dialog and is for the screen below. `letter`: the one before it, which opened it."""

        key: events.Key
        letter: str

    def __init__(self, title: str, text: str, yes: str, no: str = "cancel", *, letter: str = "") -> None:
        """`letter`: the key that opened the dialog, if it may have been meant as text."""
        super().__init__()
        self._title, self._text, self._yes, self._no = title, text, yes, no
        self._letter, self._opened_at, self._drawn_at = letter, time.monotonic(), math.inf

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield StaticText(Content.styled(self._title, BOLD), classes="title")
            yield StaticText(self._text)
            yes, no = hints(Scope.CONFIRM, "answer(True)", "answer(False)")
            yield DialogKeys((yes._replace(what=self._yes), no._replace(what=self._no)))

    def on_paste(self, event: events.Paste) -> None:
        """Cancel and pass the paste to the screen below."""
        event.stop()
        event.prevent_default()  # Textual would call the base class's handler too
        self.dismiss(False)
        self.app.post_message(UnusedInput(event))

    def on_mount(self) -> None:
        self.call_after_refresh(self._drawn)

    def _drawn(self) -> None:
        self._drawn_at = time.monotonic()

    def on_key(self, event: events.Key) -> None:
        """Cancel if the user types text. Ignore an Enter that was pressed before the dialog was drawn."""
        if event.is_printable and event.key not in self.active_bindings:
            self.dismiss(False)
            typing = event.time - self._opened_at < TYPING
            self.app.post_message(self.Typed(event, self._letter if typing else ""))
        elif event.key != "enter" or event.time >= self._drawn_at:
            return
        event.stop()
        event.prevent_default()

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)
