"""Multi-line text field: Enter submits, Ctrl-J inserts a newline. Pasted text is inserted unchanged, or refused."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult

from tui.config.key_lookup import action_of
from tui.config.keymap import Scope
from tui.core.sanitize import sanitize
from tui.widgets.base.guarded import Guarded
from tui.widgets.prompt.text_limit import MAX_CHARACTERS, MAX_LINE_CHARACTERS, MAX_LINES, fits, longest_line


class Editor(TextArea, Guarded):
    """A text area in which Enter submits."""

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        editor: "Editor"
        text: str

        @property
        def control(self) -> "Editor":
            return self.editor

    @dataclass
    class Cut(Message):
        """This text was cut to the clipboard."""

        text: str

    @dataclass
    class Refused(Message):
        """Text of this many characters was refused, as the field would exceed its limits."""

        characters: int

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            text, id=id, soft_wrap=True, show_line_numbers=False, compact=True, placeholder=placeholder,
            highlight_cursor_line=False,
        )  # fmt: skip

        self.cursor_blink = False

    def keep_long(self, text: str) -> bool:
        """Save a text that is too long for the field elsewhere; return False on failure."""
        return False

    def load_text(self, text: str) -> None:
        """Load `text`, which may be of any length, as it may come from a file of another program."""
        if not fits(text) and self.keep_long(text):
            text = ""
        super().load_text(sanitize(text))

    def edit(self, edit: Edit) -> EditResult:
        """Edit as Textual does, unless the text would exceed the limits."""
        if edit.text and not self._takes(edit):
            self.post_message(self.Refused(len(edit.text)))
            return EditResult(self.selection.end, "")
        return super().edit(edit)

    def _takes(self, edit: Edit) -> bool:
        (first, before), (last, behind) = edit.top, edit.bottom
        line = before + longest_line(edit.text) + len(self.document.get_line(last)) - behind
        lines = self.document.line_count + edit.text.count("\n") - (last - first)
        removed = 0 if edit.top == edit.bottom else len(self.document.get_text_range(edit.top, edit.bottom))
        characters = len(self.document.text) + len(edit.text) - removed
        return line <= MAX_LINE_CHARACTERS and lines <= MAX_LINES and characters <= MAX_CHARACTERS

    def action_cut(self) -> None:
        """Cut the selection, else the line. If there is nothing to cut, the clipboard is unchanged."""
        before = self.text
        if before:
            super().action_cut()
        if self.text != before:
            self.post_message(self.Cut(self.app.clipboard))

    def on_paste(self, event: events.Paste) -> None:
        """Stop the event: the text area inserts it, the ancestors must not."""
        event.stop()

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            self.post_message(self.Submitted(self, self.text))
        elif action_of(Scope.EDITOR, event.key) == "newline":
            self.insert("\n")
        else:
            return
        event.stop()
        event.prevent_default()
