"""A form that can open a field for words of one's own. No key of a burst is lost on the way into it or out of it.

Keys come to a widget's queue before it is known which of them opens or closes the field. So the focus moves only
once the queue of the one that gives it away is empty; until then that one hands its keys on.
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
    """What holds the form, and knows whose the keys are."""

    @property
    def gives_keys_away(self) -> bool:
        """Whether keys that still come to the form are for whoever gets them just now."""

    def hand_on(self, event: events.Key | events.Paste) -> None:
        """To that one, or to the prompt."""

    @property
    def may_write(self) -> bool:
        """Whether text that comes to the form is for it: not just after it appeared, nor after it was answered."""

    def guards(self, event: events.Key) -> bool:
        """Whether the form must not act on this key."""


class Field(Editor):
    """The field. Enter is the form's at once; while the field closes, so is every key.

    While the form goes, its keys are handed on like the form's.
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
    """Opens `editor`, and closes it. What its words mean is for the form: `words_ready`."""

    def __init__(self, editor: Field, keeper: KeyOwner) -> None:
        super().__init__()
        self.editor, self.keeper = editor, keeper
        self._moves = False

    def words_ready(self, words: str) -> None:
        """Enter in the field."""
        raise NotImplementedError

    def open_words(self) -> None:
        """Let the person write."""
        self.editor.display = True
        self.editor.move_cursor(self.editor.document.end)
        self._move_focus(self, self.editor)

    def close_words(self) -> None:
        """The form itself has the keys again."""
        self.editor.display = False
        self._move_focus(self.editor if self.editor.has_focus else self, self)

    def draw_cursor(self) -> None:
        """The keys came here, or went: the row that they are for is marked only while they are here."""
        raise NotImplementedError

    def on_mount(self) -> None:
        for widget in (self, self.editor):
            self.watch(widget, "has_focus", self.draw_cursor, init=False)

    @property
    def has_keys(self) -> bool:
        """Whether a key is meant for the form itself."""
        return self.has_focus if self.editor.display else self.has_focus or self.editor.has_focus

    @property
    def takes_text(self) -> bool:
        """Whether there is nothing here but the field, which any text opens."""
        return False

    def on_paste(self, event: events.Paste) -> None:
        """Only the field takes words."""
        event.stop()
        opens = self._moves and self.editor.display
        if self.keeper.may_write and (opens or self.takes_text):
            if not opens:
                self.open_words()
            self.editor.insert(event.text)
        else:
            self.keeper.hand_on(event)

    def wrote(self, event: events.Key) -> bool:
        """Whether the key opened the field, as its first character."""
        if not (self.takes_text and self.has_keys and not self.editor.display and self.keeper.may_write):
            return False
        if not event.is_printable or event.key == "space":
            return False
        self.open_words()
        return self.took(event)

    async def acted(self, event: events.Key) -> bool:
        """Whether the key is bound here; it is done at once. Textual would look at the keys behind it first."""
        bound = self._bindings.key_to_bindings.get(event.key) if self.has_keys else None
        if bound:
            await self.run_action(bound[0].action)
        return bool(bound)

    def show_row(self, row: Widget) -> None:
        """Bring a row into sight, with all that stands above it where there is room for both."""
        if row.virtual_region.bottom <= self.size.height:
            self.scroll_home(animate=False)
        else:
            row.scroll_visible(animate=False)

    def brought(self, row: Widget) -> bool:
        """Whether a row had to be brought into sight: nobody answers with what cannot be seen."""
        top, bottom = row.virtual_region.y - self.scroll_y, row.virtual_region.bottom - self.scroll_y
        if top >= 0 and min(bottom, top + 1) <= self.size.height:
            return False
        row.scroll_visible(animate=False)
        return True

    def took(self, event: events.Key) -> bool:
        """Whether the key was meant for the field, which opens just now."""
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
            return  # another move began meanwhile
        if has_messages(giver):
            giver.call_later(self._hand_over, giver, taker)
            return
        self._moves = False
        self.screen.set_focus(taker)
        if taker is self.editor:
            self.editor.scroll_visible(animate=False)
