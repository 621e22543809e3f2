"""Line filter that removes hyperlinks, for terminals that print the sequence instead."""

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter


class NoLinksFilter(LineFilter):
    """Removes the link from every style; the text stays."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment._replace(style=segment.style.update_link(None)) if segment.style and segment.style.link else segment
            for segment in segments
        ]
