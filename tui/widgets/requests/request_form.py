"""Base class of the forms for questions and permissions: option rows, and a text field that opens on demand."""

from dataclasses import dataclass
from typing import Protocol

from textual import events, on
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget

from tui.widgets.base.guarded import Guarded
from tui.widgets.prompt.editor import Editor
from tui.widgets.requests.request_ui_state import RequestDraft


class KeyOwner(Protocol):
    """Owner of the form; decides where keys go."""

    def has_left(self, form: "RequestForm") -> bool:
        """Whether the form is closed or collapsed: input that still reaches it is for the prompt."""

    def forward(self, event: events.Key | events.Paste) -> None:
        """Forward an event to the prompt."""

    @property
    def may_write(self) -> bool:
        """Whether the form accepts text: not just after it appeared, nor after it was answered."""

    def takes_key(self, event: events.Key) -> bool:
        """Handle a key before the form does; returns whether that is all."""


class AnswerInput(Editor):
    """The text field. Input that still reaches it after its form was closed is forwarded."""

    def on_key(self, event: events.Key) -> None:
        self._forward(event)

    def on_paste(self, event: events.Paste) -> None:
        self._forward(event)

    def _forward(self, event: events.Key | events.Paste) -> None:
        form = self.parent
        if isinstance(form, RequestForm) and form.key_owner.has_left(form):
            event.stop()
            event.prevent_default()
            form.key_owner.forward(event)


class RequestForm(VerticalScroll, Guarded, can_focus=True):
    """Opens and closes `editor`. Subclasses handle its text in `words_ready`."""

    @dataclass
    class Changed(Message):
        """The draft changed."""

        draft: RequestDraft

    @dataclass
    class Hint(Message):
        """A hint for the user."""

        text: str

    def __init__(self, editor: AnswerInput, key_owner: KeyOwner) -> None:
        super().__init__()
        self.editor, self.key_owner = editor, key_owner

    def words_ready(self, words: str) -> None:
        """Handle Enter in the field."""
        raise NotImplementedError

    @on(Editor.Submitted)
    def _submitted(self, event: Editor.Submitted) -> None:
        event.stop()
        self.words_ready(event.text)

    def open_words(self) -> None:
        """Open the field and move the focus to it."""
        self.editor.display = True
        self.editor.move_cursor(self.editor.document.end)
        self.screen.set_focus(self.editor)
        self.editor.scroll_visible(animate=False)

    def close_words(self) -> None:
        """Close the field and move the focus to the form."""
        self.screen.set_focus(self)
        self.editor.display = False

    def draw_cursor(self) -> None:
        """Redraw the cursor after a focus change: it is shown only while the form has the focus."""
        raise NotImplementedError

    def on_mount(self) -> None:
        for widget in (self, self.editor):
            self.watch(widget, "has_focus", self.draw_cursor, init=False)

    @property
    def takes_text(self) -> bool:
        """Whether the form has only the field, so that typing opens it."""
        return False

    def on_paste(self, event: events.Paste) -> None:
        """Insert the paste if the form accepts text, else forward it."""
        event.stop()
        if self.takes_text and self.key_owner.may_write:
            self.open_words()
            self.editor.insert(event.text)
        else:
            self.key_owner.forward(event)

    def wrote(self, event: events.Key) -> bool:
        """Open the field if the key is its first character; return whether it did."""
        if not (self.takes_text and self.screen.focused is self and self.key_owner.may_write):
            return False
        if not event.is_printable or event.character is None or event.key == "space":
            return False
        self.open_words()
        self.editor.insert(event.character)
        return True

    def show_row(self, row: Widget) -> None:
        """Scroll a row into view, with everything above it if both fit."""
        if row.virtual_region.bottom <= self.size.height:
            self.scroll_home(animate=False)
        else:
            row.scroll_visible(animate=False)

    def brought(self, row: Widget) -> bool:
        """Scroll a hidden row into view and return True: the user must see a row before choosing it."""
        top, bottom = row.virtual_region.y - self.scroll_y, row.virtual_region.bottom - self.scroll_y
        if top >= 0 and min(bottom, top + 1) <= self.size.height:
            return False
        row.scroll_visible(animate=False)
        return True
