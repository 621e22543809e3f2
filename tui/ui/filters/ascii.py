"""Line filter for terminals and screen readers limited to ASCII. The width of each character is kept."""

import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

GLYPHS = str.maketrans(
    "●○◐◌↻■·✓✗›‹▌▸▾└─│┃━┼├┤┌┐┘…“”‘’–—−×↑↓←→↩•▁▂▃▄▅▆▇█☐☑",
    "*oo.~#.vx><|+-`-||-++++++.\"\"''---x^v<><*__..--=#ox",
)


class AsciiFilter(LineFilter):
    """Replaces glyphs by similar ASCII characters, removes accents, and replaces everything else by `?`."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.control or segment.text.isascii() else segment._replace(text=plain(segment.text))
            for segment in segments
        ]


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Return `text` in ASCII, with the same width."""
    text = text.translate(GLYPHS)
    return text if text.isascii() else "".join(_likeness(character) for character in text)


def _likeness(character: str) -> str:
    if character.isascii():
        return character
    bare = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    width = cell_len(character)
    return bare if len(bare) == width else "?" * width
