"""Line filter for NO_COLOR: removes all colours but keeps what they distinguish.

A distinct background (cursor row, selection) becomes reverse, and text fainter than the foreground becomes dim. States
need neither: each is also shown as a word.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color, ColorParseError
from textual.filter import LineFilter

BACKGROUNDS = ("background", "surface", "panel", "panel-darken-1")
"""Theme colours of ordinary backgrounds."""
BACKGROUND_TOLERANCE = 5
"""Maximum difference in red, green and blue (of 255) between equal backgrounds, as they may be blended."""
GREY = 40
"""Maximum spread of red, green and blue (of 255) in a colour that counts as grey."""
FAINT = 0.65
"""Fraction of the brightness difference between foreground and background below which text is faint."""

Rgb = tuple[int, int, int]


class NoColorFilter(LineFilter):
    """Replaces Textual's own filter, which leaves greys. `variables` returns the theme's variables by name."""

    def __init__(self, variables: Callable[[], Mapping[str, str]]) -> None:
        super().__init__()
        self._variables = variables

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        variables = self._variables()
        grounds = _grounds(tuple(variables.get(name, "") for name in BACKGROUNDS))
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
    """Return the RGB values; None for the terminal's default or palette colours."""
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
    return all(abs(a - b) <= BACKGROUND_TOLERANCE for a, b in zip(one, other, strict=True))


def _lighter(ground: Rgb, usual: Rgb, words: Rgb) -> bool:
    """Whether a background is closer in brightness to the foreground than the usual one, and so stands out."""
    return abs(_brightness(words) - _brightness(ground)) < abs(_brightness(words) - _brightness(usual))


def _brightness(colour: Rgb) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue
