"""Form for a permission request: the tool call and four answers."""

from collections.abc import Callable
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from tui.config.key_lookup import Keys, hints
from tui.config.keymap import Scope
from tui.core.answer_draft import PermissionDraft
from tui.core.model import PermissionReply, PermissionRequest
from tui.core.sanitize import single_line
from tui.widgets.base.bindings import bindings
from tui.widgets.base.static_text import BOLD, MUTED
from tui.widgets.prompt.editor import Editor
from tui.widgets.requests.option_row import Choice, OptionRow, label_column
from tui.widgets.requests.request_form import AnswerInput, KeyOwner, RequestForm
from tui.widgets.text.blocks import Code, Paragraph, TextBlock
from tui.widgets.text.highlighting import plain_lines
from tui.widgets.text.lines_view import LinesView
from tui.widgets.transcript.foldable import first_lines
from tui.widgets.transcript.tool_call import diff_lines

MAX_DETAIL_LINES = 200
"""Maximum lines shown of a command or a diff."""
COVERS_SHOWN = 1_000
"""Maximum characters shown of the patterns that "always" covers."""


class PermissionForm(RequestForm):
    """Shows the tool call. Enter on a row calls `ready` with reply and reason, before the next key is handled."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Scope.PERMISSION)
    REPLIES: ClassVar[tuple[PermissionReply, ...]] = ("once", "always", "reject", "reject")
    WITH_REASON = 3

    def __init__(
        self,
        draft: PermissionDraft,
        key_owner: KeyOwner,
        ready: Callable[[PermissionDraft, PermissionReply, str], None],
        *,
        reject_with_reason: bool = True,
    ) -> None:
        super().__init__(AnswerInput(draft.reason, placeholder="Reason for the agent · Enter rejects"), key_owner)
        self._ready = ready
        self.draft = draft
        rows = len(self.REPLIES) if reject_with_reason else self.WITH_REASON
        draft.cursor = min(draft.cursor, rows - 1)
        self._rows = [OptionRow(row) for row in range(rows)]
        self._text = LinesView(detail(draft.request), classes="question")

    def compose(self) -> ComposeResult:
        yield self._text
        yield from self._rows
        yield self.editor

    def on_mount(self) -> None:
        self.editor.display = False
        self.draw()

    def on_resize(self) -> None:
        self.draw()

    @property
    def keys(self) -> Keys:
        if self.screen.focused is self.editor:
            return hints(Scope.CUSTOM_ANSWER, "reject", "back")
        return (
            *hints(Scope.PERMISSION, "move(-1)", "move(1)", "confirm"),
            *hints(Scope.REQUEST, "fold", "reject"),
        )

    def show_request(self, request: PermissionRequest) -> None:
        """Show more details of the request, such as its tool name, without disturbing the user's input."""
        self.draft.request = request
        self._text.replace_from(0, detail(request))
        self.draw()

    @property
    def _choices(self) -> list[Choice]:
        covers = single_line(", ".join(self.draft.request.always), COVERS_SHOWN)
        choices = [
            Choice("once", "this call only"),
            Choice("always", covers or "similar calls"),
            Choice("reject", "deny, and stop the turn"),
            Choice("reject with a reason", "the agent reads it and continues"),
        ]
        return choices[: len(self._rows)]

    def draw_cursor(self) -> None:
        self.draw()

    def draw(self) -> None:
        choices = self._choices
        column = label_column([choice.label for choice in choices])
        for row, (view, choice) in enumerate(zip(self._rows, choices, strict=True)):
            view.show_choice(
                choice, column, cursor=row == self.draft.cursor, marked=self.has_focus or self.editor.has_focus
            )
        self.post_message(self.Changed(self.draft))

    def action_move(self, rows: int) -> None:
        self.draft.cursor = max(0, min(self.draft.cursor + rows, len(self._rows) - 1))
        self.draw()
        self.show_row(self._rows[self.draft.cursor])

    def action_confirm(self) -> None:
        row = self.draft.cursor
        if self.brought(self._rows[row]):
            return
        if row == self.WITH_REASON:
            self.open_words()
        else:
            self._ready(self.draft, self.REPLIES[row], "")

    def on_key(self, event: events.Key) -> None:
        here = self.screen.focused is self
        if here and self.key_owner.takes_key(event):
            event.prevent_default()
        elif event.key == "escape" and self.editor.display:
            self.close_words()
        elif here and event.key.isdecimal() and 0 < int(event.key) <= len(self._rows):
            self._point(int(event.key) - 1)
        else:
            return
        event.stop()

    def _point(self, row: int) -> None:
        """Move the cursor to a row; the row with a reason also opens the field. Nothing is sent."""
        self.draft.cursor = row
        self.draw()
        self.show_row(self._rows[row])
        if row == self.WITH_REASON:
            self.open_words()

    def words_ready(self, words: str) -> None:
        self.draft.reason = words
        if not words.strip():
            self.post_message(self.Hint("Enter a reason, or Esc to reject without one"))
            return
        self.close_words()
        self._ready(self.draft, "reject", words.strip())

    @on(Editor.Changed)
    def _reason_changed(self, event: Editor.Changed) -> None:
        event.stop()
        self.draft.reason = self.editor.text
        self.post_message(self.Changed(self.draft))

    @on(OptionRow.Clicked)
    def _row_clicked(self, event: OptionRow.Clicked) -> None:
        event.stop()
        self.screen.set_focus(self)
        self._point(event.row)


def detail(request: PermissionRequest) -> list[TextBlock]:
    """Return what the call would do: its command or diff, or else its patterns."""
    wants = Content.assemble(("Allow ", ""), (single_line(request.action), BOLD), "?")
    pieces: list[TextBlock] = [Paragraph(wants, " ", " ", gap=0)]
    text = request.detail or "\n".join(request.patterns)
    if text:
        is_diff = text.startswith("@@") or "\n@@" in text
        beginning, more = first_lines(text, MAX_DETAIL_LINES)
        pieces.append(Code(tuple((diff_lines if is_diff else plain_lines)(beginning)), rest=" ", gap=0))
        if more:
            pieces.append(Paragraph(Content.styled(f"… {more}", MUTED), " ", " ", gap=0))
    return pieces
