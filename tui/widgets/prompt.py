"""Where the person writes. What was not sent comes back here; nothing typed is ever dropped."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from textual import events
from textual.message import Message

from tui.widgets.editor import Editor
from tui.widgets.key_hints import Keys

RECALLED_AT_MOST = 200


class Prompt(Editor):
    """The box at the bottom, with the prompts of this run behind it (Up and Down)."""

    KEYS: ClassVar[Keys] = (
        ("Enter", "send"),
        ("^J", "newline"),
        ("↑", "earlier prompts, from the first line"),
        ("PgUp PgDn", "scroll the transcript"),
        ("Tab", "to the question, then to the transcript"),
        ("Esc Esc", "abort the turn"),
    )

    @dataclass
    class ScrollWanted(Message):
        """The transcript is to be moved, though the prompt has the keys."""

        where: Literal["up", "down", "end"]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(placeholder="what is to be done?", id=id)
        self._sent: list[str] = []
        self._at = 0
        self._draft = ""

    def remember(self, text: str) -> None:
        """Keep a prompt that was sent, to be recalled."""
        if text not in self._sent[-1:]:
            self._sent.append(text)
            del self._sent[:-RECALLED_AT_MOST]
        self._at = len(self._sent)

    def give_back(self, text: str) -> None:
        """Put back a prompt that was not sent, behind what is being written."""
        if self.text.strip() == text.strip():
            return
        self.text = f"{self.text.rstrip()}\n\n{text}" if self.text.strip() else text
        self.move_cursor(self.document.end)

    def on_key(self, event: events.Key) -> None:
        match event.key:
            case "pageup":
                self.post_message(self.ScrollWanted("up"))
            case "pagedown":
                self.post_message(self.ScrollWanted("down"))
            case "ctrl+end":
                self.post_message(self.ScrollWanted("end"))
            case "end" if not self.text:
                self.post_message(self.ScrollWanted("end"))
            case "up" if self.cursor_location[0] == 0 and self._at > 0:
                self._recall(self._at - 1)
            case "down" if self.cursor_location[0] == self.document.line_count - 1 and self._at < len(self._sent):
                self._recall(self._at + 1)
            case _:
                return
        event.stop()
        event.prevent_default()

    def _recall(self, at: int) -> None:
        if self._at == len(self._sent):
            self._draft = self.text
        self._at = at
        self.text = self._draft if at == len(self._sent) else self._sent[at]
        self.move_cursor(self.document.end)
