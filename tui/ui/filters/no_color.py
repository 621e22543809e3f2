"""The screen without colours (NO_COLOR): no code for one leaves, and what a colour set apart still stands apart.

A ground of its own (a cursor's row, a selection) becomes reverse, what is fainter than words becomes dim. States
need neither: each has its word.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.filter import LineFilter

GROUNDS = ("background", "surface", "panel", "panel-darken-1")
"""The theme's colours on which words stand that are not set apart."""
SAME_GROUND = 5
"""What a ground may differ by in red, green and blue (of 255), and be the same: one shines through another."""
GREY = 40
"""How far red, green and blue (of 255) of a colour without a meaning lie apart at most."""
FAINT = 0.65
"""Of the brightness that lies between the theme's words and its ground: less is faint."""

Rgb = tuple[int, int, int]


class NoColorFilter(LineFilter):
    """`variables` gives the theme's, by their names. It takes the place of Textual's own, which leave greys."""

    def __init__(self, variables: Callable[[], Mapping[str, str]]) -> None:
        super().__init__()
        self._variables = variables

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        variables = self._variables()
        grounds = _grounds(tuple(variables.get(name, "") for name in GROUNDS))
        words = _colour(variables.get("foreground", ""))
        return [
            segment if segment.style is None else segment._replace(style=_bare(segment.style, grounds, words))
            for segment in segments
        ]


@lru_cache(maxsize=4096)
def _bare(style: Style, grounds: tuple[Rgb, ...], words: Rgb) -> Style:
    ground, colour = _triplet(style.bgcolor), _triplet(style.color)
    bare = style.without_color
    if ground is not None and _lighter(ground, grounds[0], words) and not any(_near(ground, g) for g in grounds):
        return bare + Style(reverse=not style.reverse)
    if colour is not None and max(colour) - min(colour) < GREY:
        here = ground or grounds[0]
        if abs(_brightness(colour) - _brightness(here)) < FAINT * abs(_brightness(words) - _brightness(here)):
            return bare + Style(dim=True)
    return bare


def _triplet(colour: RichColor | None) -> Rgb | None:
    """None is the terminal's own, or one that the terminal chooses."""
    if colour is None or colour.triplet is None:
        return None
    red, green, blue = colour.triplet
    return red, green, blue


@lru_cache(maxsize=16)
def _grounds(names: tuple[str, ...]) -> tuple[Rgb, ...]:
    return tuple(_colour(name) for name in names)


@lru_cache(maxsize=64)
def _colour(name: str) -> Rgb:
    try:
        return Color.parse(name).rgb
    except ColorParseError:  # a theme may leave a colour to the terminal
        return (0, 0, 0)


def _near(one: Rgb, other: Rgb) -> bool:
    return all(abs(a - b) <= SAME_GROUND for a, b in zip(one, other, strict=True))


def _lighter(ground: Rgb, usual: Rgb, words: Rgb) -> bool:
    """Whether a ground comes nearer to the words than the usual one: nothing is set apart by less light."""
    return abs(_brightness(words) - _brightness(ground)) < abs(_brightness(words) - _brightness(usual))


def _brightness(colour: Rgb) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
