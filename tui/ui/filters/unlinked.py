"""The screen without links that a terminal opens, for those that show the sequence instead of obeying it."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter


class NoLinksFilter(LineFilter):
    """Takes the address out of every style; the words keep their line."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment._replace(style=segment.style.update_link(None)) if segment.style and segment.style.link else segment
            for segment in segments
        ]
