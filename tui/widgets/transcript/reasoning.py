"""What the model thought before it spoke: one line until somebody wants to read it."""

from textual.content import Content

from tui.core.model import ReasoningPart
from tui.widgets.base.static_text import MUTED
from tui.widgets.text.blocks import Paragraph, Piece
from tui.widgets.transcript.foldable import Fold, Headline


class Thought(Fold):
    """One piece of reasoning."""

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
        return Headline("thought", about[:200].strip("*# "), Content.styled(_state(self.part), MUTED))

    def detail(self) -> list[Piece]:
        return detail_of(self.part)


def detail_of(part: ReasoningPart) -> list[Piece]:
    """What stands under the line once it is unfolded."""
    return [
        Paragraph(Content.styled(paragraph, f"italic {MUTED}"), gap=1)
        for paragraph in part.text.strip().split("\n\n")
    ]


def _state(part: ReasoningPart) -> str:
    match part.state:
        case "streaming":
            return "… thinking"
        case "partial":
            return "… may be incomplete"
        case "broken":
            return "↻ broken off"
        case "done":
            return ""
