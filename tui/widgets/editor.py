"""A box for words of one's own: Enter is done, Ctrl-J is a new line. Pasted text of any length stays as it is."""

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class Editor(TextArea):
    """A text area that ends with Enter."""

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        editor: "Editor"
        text: str

        @property
        def control(self) -> "Editor":
            return self.editor

    def __init__(self, text: str = "", *, placeholder: str = "", id: str | None = None) -> None:
        super().__init__(
            text, id=id, soft_wrap=True, show_line_numbers=False, compact=True, placeholder=placeholder,
            highlight_cursor_line=False,
        )  # fmt: skip

        self.cursor_blink = False

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
