"""One option of a form: number, mark, label and description."""

from dataclasses import dataclass

import msgspec
from textual import events
from textual.content import Content
from textual.message import Message

from tui.widgets.base.static_text import BOLD, MUTED
from tui.widgets.text.blocks import Paragraph
from tui.widgets.text.lines_view import LinesView

NARROW = 60
"""Screen width in cells below which the description is shown under the label."""
MAX_LABEL_CELLS = 28
"""Maximum width in cells of the label column."""


class Choice(msgspec.Struct, frozen=True):
    """Content of a row. `mark` is `[x]`, `( )` or ""."""

    label: str
    about: str = ""
    mark: str = ""
    chosen: bool = False


def label_column(labels: list[str]) -> int:
    """Return the width in cells of the column of `labels`."""
    widths = [Content(label).cell_length for label in labels]
    return min(MAX_LABEL_CELLS, max(widths, default=0))


class OptionRow(LinesView):
    """Widget of one option; a click posts its row."""

    @dataclass
    class Clicked(Message):
        row: int

    def __init__(self, row: int) -> None:
        super().__init__(classes="choice")
        self.row = row

    def show_choice(self, choice: Choice, column: int, *, cursor: bool, marked: bool = True) -> None:
        """Update the row. `cursor`: it is at the cursor; `marked`: the form has the focus, so the cursor is shown."""
        number = str(self.row + 1) if self.row < 9 else " "
        mark = f"{choice.mark} " if choice.mark else ""
        first = f" {'›' if cursor and marked else ' '} {number} {mark}"
        label = Content.styled(choice.label, BOLD if choice.chosen or (cursor and marked) else "")
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
