"""A box for words of one's own: Enter is done, Ctrl-J is a new line. Pasted text stays as it is, or is refused."""

from collections.abc import Callable
from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea
from textual.widgets.text_area import Edit, EditResult

from tui.core.sanitize import sanitize
from tui.widgets.base.guarded import Guarded
from tui.widgets.prompt.text_limit import CHARACTERS_AT_MOST, LINE_AT_MOST, LINES_AT_MOST, fits, longest_line


class Editor(TextArea, Guarded):
    """A text area that ends with Enter."""

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
        """These words went from here to the clipboard."""

        text: str

    @dataclass
    class Refused(Message):
        """So many characters were not inserted, because there would be too many."""

        characters: int

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            text, id=id, soft_wrap=True, show_line_numbers=False, compact=True, placeholder=placeholder,
            highlight_cursor_line=False,
        )  # fmt: skip

        self.cursor_blink = False
        self.keep_long: Callable[[str], bool] = lambda text: False
        """Keeps a text that is too long for the box somewhere else; false where that cannot be."""

    def load_text(self, text: str) -> None:
        """As Textual's; `text` may come from a file that another program wrote, and be of any length."""
        if not fits(text) and self.keep_long(text):
            text = ""
        super().load_text(sanitize(text))

    def edit(self, edit: Edit) -> EditResult:
        """As Textual's; nothing is changed where the text would become too long."""
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
        return line <= LINE_AT_MOST and lines <= LINES_AT_MOST and characters <= CHARACTERS_AT_MOST

    def action_cut(self) -> None:
        """What is selected, else the line. Where there is nothing, the clipboard keeps what it has."""
        before = self.text
        if before:
            super().action_cut()
        if self.text != before:
            self.post_message(self.Cut(self.app.clipboard))

    def on_paste(self, event: events.Paste) -> None:
        """It is written here, and nowhere above."""
        event.stop()

    def on_key(self, event: events.Key) -> None:
        match event.key:
            case "enter":
                self.post_message(self.Submitted(self, self.text))
            case "ctrl+j" | "shift+enter" | "alt+enter":
                self.insert("\n")
            case _:
                return
        event.stop()
        event.prevent_default()
