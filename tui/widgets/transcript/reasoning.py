"""Reasoning of the model, collapsed to one line."""

from textual.content import Content

from tui.core.model import ReasoningPart
from tui.core.sanitize import single_line
from tui.widgets.base.static_text import ASIDE, MUTED
from tui.widgets.text.blocks import Paragraph, TextBlock, paragraphs
from tui.widgets.transcript.foldable import MAX_SHOWN, Foldable, Headline, first_lines, more_line


class ReasoningView(Foldable):
    """Widget of one reasoning part."""

    def __init__(self, part: ReasoningPart) -> None:
        super().__init__()
        self.part = part

    def on_mount(self) -> None:
        self.show()

    def show_part(self, part: ReasoningPart) -> None:
        self.part = part
        self.show()

    def headline(self) -> Headline:
        lines = self.part.text.strip().split("\n")
        about = lines[-1] if self.part.state == "streaming" else lines[0]
        return Headline("thought", single_line(about).strip("*# "), Content.styled(_state(self.part), MUTED))

    def detail(self) -> list[TextBlock]:
        return detail_of(self.part, self._limit)

    @property
    def is_cut(self) -> bool:
        return bool(first_lines(self.part.text.strip(), self._limit)[1])


def detail_of(part: ReasoningPart, limit: int = MAX_SHOWN) -> list[TextBlock]:
    """Return the detail of the expanded line, at most `limit` lines."""
    beginning, more = first_lines(part.text.strip(), limit)
    pieces: list[TextBlock] = [*paragraphs(beginning, ASIDE)]
    return [*pieces, Paragraph(more_line(more))] if more else pieces


def _state(part: ReasoningPart) -> str:
    match part.state:
        case "streaming":
            return "… thinking"
        case "partial":
            return "… may be incomplete"
        case "broken":
            return "↻ interrupted"
        case "done":
            return ""
