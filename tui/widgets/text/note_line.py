"""A line of our own in the transcript: how a turn ended, what was answered. Further lines hang under its words."""

from textual.content import Content

from tui.widgets.base.static_text import bounded
from tui.widgets.text.blocks import Paragraph
from tui.widgets.text.lines_view import LinesView

MARGIN = 3
GLYPH = "  "
"""What stands before its further lines, as wide as its glyph and the blank behind that."""


class NoteLine(LinesView):
    """Words that begin with a glyph. `turn`: the prompt of the turn whose end they tell."""

    def __init__(self, words: Content, *, classes: str, turn: str = "") -> None:
        super().__init__([_hanging(words)], margin=MARGIN, classes=classes)
        self.turn = turn
        self.words = words

    def show(self, words: Content) -> None:
        self.words = words
        self.replace_from(0, [_hanging(words)])


def _hanging(words: Content) -> Paragraph:
    return Paragraph(bounded(words), rest=GLYPH)
