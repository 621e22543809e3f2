"""A tool call that waits for leave: what it would do, and four answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message

from tui.core.model import PermissionReply, PermissionRequest
from tui.widgets.choice_row import Choice, ChoiceRow, label_column
from tui.widgets.editor import Editor
from tui.widgets.key_hints import Keys
from tui.widgets.lines import Lines
from tui.widgets.pieces import Code, Paragraph, Piece
from tui.widgets.plain import MUTED
from tui.widgets.tool_call import diff_lines

DETAIL_AT_MOST = 200
"""Lines of a command or a diff that are shown."""


@dataclass(slots=True)
class PermissionDraft:
    """Where the person is with a permission."""

    request: PermissionRequest
    cursor: int = 0
    reason: str = ""

    @classmethod
    def restored(cls, request: PermissionRequest, body: bytes) -> "PermissionDraft":
        """The draft that `keep` gave; an empty one where that cannot be read."""
        try:
            cursor, reason = msgspec.json.decode(body, type=tuple[int, str])
        except msgspec.DecodeError:
            return cls(request)
        return cls(request, max(0, cursor), reason)

    def keep(self) -> bytes:
        """The draft as the journal keeps it."""
        return msgspec.json.encode((self.cursor, self.reason))


class PermissionForm(VerticalScroll, can_focus=True):
    """Shows the call; Enter on a row posts `Ready`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("enter", "confirm", "answer", show=False),
    ]
    REPLIES: ClassVar[tuple[PermissionReply, ...]] = ("once", "always", "reject", "reject")
    WITH_REASON = 3

    @dataclass
    class Ready(Message):
        """The reply is to be sent."""

        draft: PermissionDraft
        reply: PermissionReply
        message: str

    @dataclass
    class Changed(Message):
        """The draft is another than before."""

        draft: PermissionDraft

    def __init__(
        self, draft: PermissionDraft, guard: Callable[[events.Key], bool], *, reject_with_reason: bool = True
    ) -> None:
        super().__init__()
        self._guard = guard
        self.draft = draft
        request = draft.request
        covers = ", ".join(request.always)
        choices = [
            Choice("once", "this call only"),
            Choice("always", f"also later: {covers}" if covers else "also later calls like it"),
            Choice("reject", "the agent may not, and stops"),
            Choice("reject, and say why", "the agent reads it and goes on"),
        ]
        self._choices = choices if reject_with_reason else choices[: self.WITH_REASON]
        draft.cursor = min(draft.cursor, len(self._choices) - 1)
        self._rows = [ChoiceRow(row) for row in range(len(self._choices))]
        self._text = Lines(detail(request), classes="question")
        self._editor = Editor(draft.reason, placeholder="why not, and what instead · Enter rejects")

    def compose(self) -> ComposeResult:
        yield self._text
        yield from self._rows
        yield self._editor

    def on_mount(self) -> None:
        self._editor.display = False
        self.draw()

    @property
    def keys(self) -> Keys:
        if self.screen.focused is self._editor:
            return (("Enter", "reject with these words"), ("Esc", "back"))
        return (("↑↓", "move"), ("Enter", "answer"), ("Esc", "fold"), ("x", "reject"))

    def draw(self) -> None:
        column = label_column([choice.label for choice in self._choices])
        for row, (view, choice) in enumerate(zip(self._rows, self._choices, strict=True)):
            view.show_choice(choice, column, cursor=row == self.draft.cursor)
        self._rows[self.draft.cursor].scroll_visible(animate=False)
        self.post_message(self.Changed(self.draft))

    def action_move(self, rows: int) -> None:
        self.draft.cursor = max(0, min(self.draft.cursor + rows, len(self._rows) - 1))
        self.draw()

    def action_confirm(self) -> None:
        row = self.draft.cursor
        if row == self.WITH_REASON:
            self._editor.display = True
            self._editor.focus()
            self._editor.scroll_visible(animate=False)
        else:
            self.post_message(self.Ready(self.draft, self.REPLIES[row], ""))

    def on_key(self, event: events.Key) -> None:
        if self.has_focus and self._guard(event):
            event.prevent_default()
        elif event.key == "escape" and self._editor.has_focus:
            self._editor.display = False
            self.focus()
        elif event.key.isdecimal() and 0 < int(event.key) <= len(self._rows) and self.has_focus:
            self.draft.cursor = int(event.key) - 1
            self.draw()
        else:
            return
        event.stop()

    @on(Editor.Submitted)
    def _reason_is_ready(self, event: Editor.Submitted) -> None:
        event.stop()
        self.draft.reason = event.text
        self._editor.display = False
        self.focus()
        self.post_message(self.Ready(self.draft, "reject", event.text.strip()))

    @on(Editor.Changed)
    def _reason_changed(self, event: Editor.Changed) -> None:
        event.stop()
        self.draft.reason = self._editor.text
        self.post_message(self.Changed(self.draft))

    @on(ChoiceRow.Clicked)
    def _row_clicked(self, event: ChoiceRow.Clicked) -> None:
        event.stop()
        self.focus()
        self.draft.cursor = event.row
        self.draw()


def detail(request: PermissionRequest) -> list[Piece]:
    """What the call would do: its command or diff, or at least its patterns."""
    wants = Content.assemble(("May it run ", ""), (request.action, "bold"), "?")
    pieces: list[Piece] = [Paragraph(wants, " ", " ", gap=0)]
    text = request.detail or "\n".join(request.patterns)
    if text:
        lines = text.rstrip("\n").expandtabs(4).split("\n")
        is_diff = any(line.startswith("@@") for line in lines)
        shown = tuple(diff_lines(text)) if is_diff else tuple(Content(line) for line in lines)
        more = len(shown) - DETAIL_AT_MOST
        pieces.append(Code(shown[:DETAIL_AT_MOST], rest=" ", gap=0))
        if more > 0:
            pieces.append(Paragraph(Content.styled(f"… {more} more lines", MUTED), " ", " ", gap=0))
    return pieces
