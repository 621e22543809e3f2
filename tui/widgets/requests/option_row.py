"""One row to choose: a number, a mark, a label and what it means."""

from dataclasses import dataclass

import msgspec
from textual import events
from textual.content import Content
from textual.message import Message

from tui.widgets.base.static_text import MUTED
from tui.widgets.text.blocks import Paragraph
from tui.widgets.text.lines_view import LinesView

NARROW = 60
"""Cells of a screen below which what a label means stands under it."""
LABEL_AT_MOST = 28
"""Cells up to which labels make a column of their own."""


class Choice(msgspec.Struct, frozen=True):
    """What a row shows. `mark` is `[x]`, `( )` or nothing."""

    label: str
    about: str = ""
    mark: str = ""
    chosen: bool = False


def label_column(labels: list[str]) -> int:
    """The width of the column of `labels`, in cells."""
    widths = [Content(label).cell_length for label in labels]
    return min(LABEL_AT_MOST, max(widths, default=0))


class OptionRow(LinesView):
    """One row. A click says which."""

    @dataclass
    class Clicked(Message):
        row: int

    def __init__(self, row: int) -> None:
        super().__init__(classes="choice")
        self.row = row

    def show_choice(self, choice: Choice, column: int, *, cursor: bool, marked: bool = True) -> None:
        """`cursor`: it is the row of the cursor; `marked`: the keys are there, so that it is pointed at."""
        number = str(self.row + 1) if self.row < 9 else " "
        mark = f"{choice.mark} " if choice.mark else ""
        first = f" {'›' if cursor and marked else ' '} {number} {mark}"
        label = Content.styled(choice.label, "bold" if choice.chosen or (cursor and marked) else "")
        narrow = self.app.size.width < NARROW
        blank = "\n" if narrow else " " * max(2, column + 2 - label.cell_length)
        words = Content.assemble(label, (blank + choice.about, MUTED)) if choice.about else label
        self.set_class(cursor, "-cursor")
        self.set_class(choice.chosen, "-chosen")
        indent = len(first) if narrow else len(first) + column + 2
        self.replace_from(0, [Paragraph(words, first, " " * indent, gap=0)])

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self.row))
