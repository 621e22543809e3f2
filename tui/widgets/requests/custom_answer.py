"""A form with a text field that opens on demand. No queued key is lost when it opens or closes.

Keys reach a widget's queue before it is known which of them opens or closes the field. So focus moves only when the
source's queue is empty; until then the source forwards its keys.
"""

from typing import Protocol

from textual import events
from textual.containers import VerticalScroll
from textual.widget import Widget

from tui.widgets.base.guarded import Guarded
from tui.widgets.focus.focus_transfer import has_messages
from tui.widgets.focus.key_delivery import send
from tui.widgets.prompt.editor import Editor


class KeyOwner(Protocol):
    """Owner of the form; decides where keys go."""

    @property
    def gives_keys_away(self) -> bool:
        """Whether keys that reach the form belong to the target of a focus transfer."""

    def hand_on(self, event: events.Key | events.Paste) -> None:
        """Forward an event to that target, or to the prompt."""

    @property
    def may_write(self) -> bool:
        """Whether the form accepts text: not just after it appeared, nor after it was answered."""

    def guards(self, event: events.Key) -> bool:
        """Whether the form must ignore this key."""


class Field(Editor):
    """The text field. The form handles Enter, and every key while the field closes.

    While the form closes, keys are forwarded like those of the form.
    """

    def on_key(self, event: events.Key) -> None:
        form = self.parent
        if not isinstance(form, CustomAnswerForm):
            return
        leads_on = form.keeper.gives_keys_away
        if self.display and event.key != "enter" and not leads_on:
            return
        event.stop()
        event.prevent_default()
        if leads_on:
            form.keeper.hand_on(event)
        elif self.display:
            form.words_ready(self.text)
        else:
            send(form, event)


class CustomAnswerForm(VerticalScroll, Guarded, can_focus=True):
    """Opens and closes `editor`. Subclasses handle its text in `words_ready`."""

    def __init__(self, editor: Field, keeper: KeyOwner) -> None:
        super().__init__()
        self.editor, self.keeper = editor, keeper
        self._moves = False

    def words_ready(self, words: str) -> None:
        """Handle Enter in the field."""
        raise NotImplementedError

    def open_words(self) -> None:
        """Open the field and move the focus to it."""
        self.editor.display = True
        self.editor.move_cursor(self.editor.document.end)
        self._move_focus(self, self.editor)

    def close_words(self) -> None:
        """Close the field and move the focus to the form."""
        self.editor.display = False
        self._move_focus(self.editor if self.editor.has_focus else self, self)

    def draw_cursor(self) -> None:
        """Redraw the cursor after a focus change: it is shown only while the form has the focus."""
        raise NotImplementedError

    def on_mount(self) -> None:
        for widget in (self, self.editor):
            self.watch(widget, "has_focus", self.draw_cursor, init=False)

    @property
    def has_keys(self) -> bool:
        """Whether keys are meant for the form itself."""
        return self.has_focus if self.editor.display else self.has_focus or self.editor.has_focus

    @property
    def takes_text(self) -> bool:
        """Whether the form has only the field, so that typing opens it."""
        return False

    def on_paste(self, event: events.Paste) -> None:
        """Insert the paste if the form accepts text, else forward it."""
        event.stop()
        opens = self._moves and self.editor.display
        if self.keeper.may_write and (opens or self.takes_text):
            if not opens:
                self.open_words()
            self.editor.insert(event.text)
        else:
            self.keeper.hand_on(event)

    def wrote(self, event: events.Key) -> bool:
        """Open the field if the key is its first character; return whether it did."""
        if not (self.takes_text and self.has_keys and not self.editor.display and self.keeper.may_write):
            return False
        if not event.is_printable or event.key == "space":
            return False
        self.open_words()
        return self.took(event)

    async def acted(self, event: events.Key) -> bool:
        """Run the key's binding at once and return whether it has one. Textual would handle queued keys first."""
        bound = self._bindings.key_to_bindings.get(event.key) if self.has_keys else None
        if bound:
            await self.run_action(bound[0].action)
        return bool(bound)

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

    def took(self, event: events.Key) -> bool:
        """Handle a key for the field while it opens; return whether it was one."""
        if not (self._moves and self.editor.display):
            return False
        if event.key == "enter":
            self.words_ready(self.editor.text)
        elif event.key == "ctrl+j":
            self.editor.insert("\n")
        elif event.key == "backspace":
            self.editor.action_delete_left()
        elif event.is_printable and event.character:
            self.editor.insert(event.character)
        else:
            return False
        return True

    def _move_focus(self, giver: Widget, taker: Widget) -> None:
        self._moves = True
        giver.call_later(self._hand_over, giver, taker)

    def _hand_over(self, giver: Widget, taker: Widget) -> None:
        if not self.is_attached or taker is not (self.editor if self.editor.display else self):
            return  # another focus move started meanwhile
        if has_messages(giver):
            giver.call_later(self._hand_over, giver, taker)
            return
        self._moves = False
        self.screen.set_focus(taker)
        if taker is self.editor:
            self.editor.scroll_visible(animate=False)
