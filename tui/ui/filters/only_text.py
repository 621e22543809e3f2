"""Line filter that lets only text reach the terminal.

Text is sanitized on input (`tui.core.sanitize`). This filter covers other sources, such as a Markdown character
reference, a damaged file or a bug.
"""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from tui.core.sanitize import MAX_COMBINING, in_cells


class OnlyText(LineFilter):
    """Removes control characters and line separators. The width of lines is unchanged."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        for segment in segments:
            if _may_hold_more(segment.text):
                return [_only_text(one) if _may_hold_more(one.text) else one for one in segments]
        return segments


def _may_hold_more(text: str) -> bool:
    return not text.isprintable() or (len(text) > MAX_COMBINING and not text.isascii())


def _only_text(segment: Segment) -> Segment:
    if segment.control:
        return segment
    cells = segment.cell_length
    text = in_cells(segment.text, cells)
    return segment._replace(text=text + " " * (cells - cell_len(text)))
