"""A note of the client in the transcript, such as the end of a turn. Further lines are indented."""

from textual.content import Content

from tui.widgets.base.static_text import bounded
from tui.widgets.text.blocks import Paragraph
from tui.widgets.text.lines_view import LinesView

MARGIN = 3
GLYPH = "  "
"""Prefix of further lines, as wide as the glyph and the blank after it."""


class NoteLine(LinesView):
    """Text that begins with a glyph. `turn`: the prompt of the turn whose end it shows."""

    def __init__(self, words: Content, *, classes: str, turn: str = "") -> None:
        super().__init__([_hanging(words)], margin=MARGIN, classes=classes)
        self.turn = turn
        self.words = words

    def show(self, words: Content) -> None:
        self.words = words
        self.replace_from(0, [_hanging(words)])


def _hanging(words: Content) -> Paragraph:
    return Paragraph(bounded(words), rest=GLYPH)
