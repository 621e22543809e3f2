"""A box for words of one's own: Enter is done, Ctrl-J is a new line. Pasted text of any length stays as it is."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from tui.core.sanitize import sanitize
from tui.widgets.base.guarded import Guarded


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

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            text, id=id, soft_wrap=True, show_line_numbers=False, compact=True, placeholder=placeholder,
            highlight_cursor_line=False,
        )  # fmt: skip

        self.cursor_blink = False

    def load_text(self, text: str) -> None:
        """As Textual's; `text` may come from a file that another program wrote."""
        super().load_text(sanitize(text))

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
