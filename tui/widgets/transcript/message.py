"""Widget of one message: its parts in order, followed by the error or the end of its turn.

A view that is not attached only stores its state, as it cannot mount children. `show` draws the stored state once it is
attached.
"""

from dataclasses import dataclass

from textual.containers import Vertical
from textual.content import Content
from textual.message import Message as TextualMessage
from textual.widget import Widget

from tui.core.model import (
    FilePart,
    Message,
    NotePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolPart,
)
from tui.core.sanitize import excerpt, single_line
from tui.widgets.base.static_text import BOLD, ERROR, MUTED, PRIMARY, WARNING, SkipsCoveredBackground
from tui.widgets.text.blocks import Paragraph, TextBlock, paragraphs
from tui.widgets.text.lines_view import LinesView
from tui.widgets.text.markdown_view import MAX_SHOWN, MarkdownView, omitted_text
from tui.widgets.text.note_line import NoteLine
from tui.widgets.transcript.earlier_parts import EarlierParts
from tui.widgets.transcript.foldable import MARGIN, USER_LABEL, Foldable
from tui.widgets.transcript.reasoning import ReasoningView
from tui.widgets.transcript.tool_call import ToolCall

PARTS_SHOWN = 100
"""Newest parts of a message that have a widget at first, and parts added by each request for more."""
PORTION = 25
"""Parts that get a widget in one step; keys are handled between steps."""
SLACK = 50
"""Extra parts allowed before the earliest are unmounted: each unmount costs a layout."""


def agent_label(agent: str) -> Content:
    name = Content(f" {single_line(agent, MARGIN) or 'agent'}").truncate(MARGIN - 3)
    return Content.assemble((" ▌", PRIMARY), name.stylize(BOLD))


class MessageView(Vertical, SkipsCoveredBackground):
    """Draws one message of the store; `show` updates it."""

    DEFAULT_CSS = "MessageView { height: auto; }"

    @dataclass
    class EarlierRequested(TextualMessage):
        """The user asks for parts of the message that have no widget."""

        message_id: str

    def __init__(self, message: Message) -> None:
        super().__init__(classes=message.role)
        self._label = USER_LABEL if message.role == "user" else agent_label(message.agent)
        self._order: list[str] = []
        self._views: dict[str, Widget] = {}
        self._most = PARTS_SHOWN
        self._hidden: dict[str, None] = {}
        """Parts before those of `_order`; they have no widget."""
        self._earlier: EarlierParts | None = None
        self._failure: NoteLine | None = None
        self._alive = True
        self._ends: list[NoteLine] = []
        self._recorded_text: Content | None = None
        self._notes: list[tuple[NoteLine, str | None]] = []
        """Notes whose part has not arrived yet."""
        self.message = message

    def show(self, message: Message, parts: list[Part], *, at_once: bool = False) -> bool:
        """Update the message: new, grown, replaced and removed parts.

        Return whether another call is needed to show all parts. With `at_once`, all are shown in this call.
        """
        self.message = message
        due = max(0, len(parts) - self._most)
        hidden, end = due, len(parts)
        if self.is_attached and not at_once:
            hidden, end = self._portion(parts, due)
        self._hidden = {part.id: None for part in parts[:hidden]}
        self._order = [part.id for part in parts[hidden:end]]
        if not self.is_attached:
            return False
        shown = {part.id: part for part in parts[hidden:end] if _has_words(part)}
        for part_id in [part_id for part_id in self._views if part_id not in shown]:
            self._views.pop(part_id).remove()
        for part in shown.values():
            with self.guard():
                self._show_part(part)
        self._show_earlier()
        self._show_failure()
        self._place_notes()
        self._place_ends()
        return hidden > due or end < len(parts)

    def _portion(self, parts: list[Part], due: int) -> tuple[int, int]:
        """Return the range of the parts from `due` on to show in this step: at most `PORTION` new ones."""
        new = [at for at in range(due, len(parts)) if parts[at].id not in self._views and _has_words(parts[at])]
        if len(new) <= PORTION:
            return due, len(parts)
        first = next((at for at in range(due, len(parts)) if parts[at].id in self._views), len(parts))
        return (new[-PORTION], len(parts)) if new[-PORTION] < first else (due, new[PORTION])

    def show_part(self, part: Part) -> None:
        """Update one part. A new part is appended in order of its first event, even if its text arrives later."""
        if part.id in self._hidden:
            return
        if part.id not in self._order:
            self._order.append(part.id)
        if _has_words(part) and self.is_attached:
            self._show_part(part)
        if len(self._order) > self._most + SLACK:
            self._hide_earliest()

    def show_earlier(self, parts: list[Part], first: str = "") -> bool:
        """Show more of the parts without a widget: from `first` on, or `PARTS_SHOWN` more.

        Return as `show` does. If `first` is given, all parts are shown in this call.
        """
        shown = len(self._order) + PARTS_SHOWN
        if first in self._hidden:
            shown = max(shown, len(parts) - list(self._hidden).index(first))
        self._most = shown
        return self.show(self.message, parts, at_once=bool(first))

    def hides(self, part_id: str) -> bool:
        """Whether the part has no widget because too many parts follow it."""
        return part_id in self._hidden

    def _hide_earliest(self) -> None:
        count = len(self._order) - self._most
        for part_id in self._order[:count]:
            self._hidden[part_id] = None
            view = self._views.pop(part_id, None)
            if view is not None:
                view.remove()
        del self._order[:count]
        self._show_earlier()

    def _show_earlier(self) -> None:
        """Update the line that counts the parts without a widget, above the others."""
        if self._earlier is None and self._hidden:
            self._earlier = EarlierParts(lambda: self.post_message(self.EarlierRequested(self.message.id)))
            self.mount(self._earlier, before=0)
        elif self._earlier is not None and not self._hidden:
            self._earlier.remove()
            self._earlier = None
        if self._earlier is not None:
            self._earlier.show_count(len(self._hidden))

    def show_alive(self, alive: bool) -> None:
        """Set whether a turn works on the message; if not, its tool calls are not running."""
        self._alive = alive
        for view in self._views.values():
            if isinstance(view, ToolCall):
                view.show_alive(alive)

    def view_of(self, part_id: str) -> Widget | None:
        """Return the widget of a part; None if it has none."""
        return self._views.get(part_id)

    def add_note(self, line: NoteLine, part_id: str | None) -> None:
        """Insert a note after a part, or before all parts (None); it waits until the part exists."""
        self._notes.append((line, part_id))
        if self.is_attached:
            self._place_notes()

    def add_end(self, line: NoteLine) -> None:
        """Show how a turn ended, below everything else."""
        self._ends.append(line)
        if self.is_attached:
            self._show_failure()
            self._place_ends()

    def drop_end(self, turn: str) -> None:
        """Remove the end note of a turn that continues, or whose end is replaced."""
        for line in [line for line in self._ends if line.turn == turn]:
            self._ends.remove(line)
            if line.is_attached:
                line.remove()
        if self.is_attached:
            self._show_failure()

    def show_recorded_end(self, words: Content | None) -> None:
        """Show how the turn ended according to the server's record; None removes it."""
        if words == self._recorded_text:
            return
        self.drop_end(self._recorded_turn)
        self._recorded_text = words
        if words is not None:
            self.add_end(NoteLine(words, classes="note", turn=self._recorded_turn))

    @property
    def _recorded_turn(self) -> str:
        return f"{self.message.id}:recorded"

    def _place_ends(self) -> None:
        last = next((self._views[one] for one in reversed(self._order) if one in self._views), None)
        for line in self._ends:
            if not line.is_attached:
                line.set_class(isinstance(last, Foldable), "-next")
                self.mount(line)

    def _place_notes(self) -> None:
        waiting: list[tuple[NoteLine, str | None]] = []
        for line, part_id in self._notes:
            if part_id is not None and part_id in self._hidden:
                self.mount(line, before=next(iter(self._views.values()), self._bottom()))
            elif part_id is not None and part_id in self._order:
                line.set_class(isinstance(self._views.get(part_id), Foldable), "-next")
                self.mount(line, before=self._below(part_id))
            elif part_id is None:
                self.mount(line, before=next(iter(self._views.values()), self._bottom()))
            else:
                waiting.append((line, part_id))
        self._notes = waiting

    def drop_note(self, words: Content) -> None:
        """Remove the note with these words (compared by identity), as too many notes exist."""
        self._notes = [(line, part_id) for line, part_id in self._notes if line.words is not words]
        for line in [one for one in self.children if isinstance(one, NoteLine) and one.words is words]:
            line.remove()

    def drop_part(self, part_id: str) -> None:
        if self._hidden.pop(part_id, self) is None:
            self._show_earlier()
        view = self._views.pop(part_id, None)
        if view is not None:
            view.remove()

    def _show_part(self, part: Part) -> None:
        view = self._views.get(part.id)
        if view is None:
            view = self._views[part.id] = self._view_of(part)
            view.set_class(isinstance(view, Foldable) and self._ends_in_fold(), "-next")
            self.mount(view, before=self._below(part.id))
        match view, part:
            case MarkdownView(), TextPart(state=state):
                view.show_ended(self._ended)
                view.show_text(part.marked, state)
            case ToolCall(), ToolPart():
                view.show_part(part)
            case ReasoningView(), ReasoningPart():
                view.show_part(part)
            case LinesView(), TextPart() | FilePart() | NotePart():
                view.replace_from(0, plain_pieces(part))
            case _:  # the part changed its type
                self.drop_part(part.id)
                self._show_part(part)

    def _below(self, part_id: str) -> Widget | None:
        """Return the widget before which a part's view is mounted; None for the end of the message."""
        later = self._order[self._order.index(part_id) + 1 :]
        return next((self._views[other] for other in later if other in self._views), self._bottom())

    def _bottom(self) -> Widget | None:
        """Return the first widget that shows how the message or its turn ended; None if there is none."""
        return self._failure or self._first_end()

    def _first_end(self) -> Widget | None:
        return next((line for line in self._ends if line.is_attached), None)

    def _ends_in_fold(self) -> bool:
        """Whether the widget above the next one is collapsible: consecutive collapsible lines have no gap."""
        above: Widget = self
        if not self._views or len(self._views) == 1:
            siblings = list(self.parent.children) if self.parent is not None else []
            at = siblings.index(self) if self in siblings else 0
            if at == 0:
                return False
            above = siblings[at - 1]
        return bool(above.children) and isinstance(above.children[-1], Foldable)

    def _view_of(self, part: Part) -> Widget:
        match part:
            case ToolPart():
                return ToolCall(part, alive=self._alive)
            case ReasoningPart():
                return ReasoningView(part)
            case TextPart() if self.message.role == "assistant":
                return MarkdownView(label=self._label, margin=MARGIN)
            case _:
                return LinesView(
                    label=self._label if isinstance(part, TextPart) else None, margin=MARGIN, classes="words"
                )

    @property
    def _ended(self) -> bool:
        """Whether the turn is over, according to the message or to an end note below it."""
        prompt_id = self.message.parent_id or self.message.id
        return self.message.failure is not None or any(line.turn == prompt_id for line in self._ends)

    def _show_failure(self) -> None:
        for view in self._views.values():
            if isinstance(view, MarkdownView):
                view.show_ended(self._ended)
        failure = self.message.failure
        if failure is None:
            return
        if failure.kind == "aborted":
            words = Content.styled("■ aborted", WARNING)
        elif failure.kind == "interrupted":
            words = Content.styled(f"! interrupted: {excerpt(failure.message)}", ERROR)
        else:
            status = f" ({failure.status})" if failure.status else ""
            words = Content.styled(f"✗ failed{status}: {excerpt(failure.message)}", ERROR)
        if self._failure is None:
            self._failure = NoteLine(words, classes="ending")
            self.mount(self._failure, before=self._first_end())
        else:
            self._failure.show(words)
        end_lines = [line for line in self._ends if line.has_class("end")]
        explained = failure.kind == "provider"  # the provider's error is more specific than the end note
        self._failure.display = explained or not end_lines
        for line in end_lines:
            line.display = not explained


def plain_pieces(part: TextPart | FilePart | NotePart) -> list[TextBlock]:
    """Return the blocks of a part that is shown unformatted: the user's text, a file name, a note."""
    match part:
        case TextPart(text=text):
            return prompt_blocks(text)
        case FilePart(name=name):
            return [Paragraph(Content.styled(f"with {single_line(name)}", MUTED))]
        case NotePart(text=text):
            return [Paragraph(Content.styled(f"· {single_line(text)}", MUTED))]


def prompt_blocks(text: str) -> list[TextBlock]:
    """Return the blocks of the user's text, unformatted."""
    pieces: list[TextBlock] = [*paragraphs(text[:MAX_SHOWN].strip("\n").expandtabs(4), gap=0)]
    return [*pieces, omitted_text(len(text) - MAX_SHOWN)] if len(text) > MAX_SHOWN else pieces


def _has_words(part: Part) -> bool:
    match part:
        case TextPart(text=text, synthetic=synthetic, state=state):
            return not synthetic and (bool(text.strip()) or state == "partial")
        case ReasoningPart(text=text):
            return bool(text.strip())
        case _:
            return True
