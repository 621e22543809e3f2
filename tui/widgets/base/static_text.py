"""Static text: server text without markup, redrawn only when it changes.

Outside the transcript's body, text is cut to what fits on a screen before it is laid out.
"""

from rich.segment import Segment
from textual.content import Content
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.style import Style
from textual.widget import Widget
from textual.widgets import Static

from tui.core.sanitize import CHARACTERS_A_CELL
from tui.widgets.base.guarded import Guarded

# The styles of all text, in the variables of the theme; the stylesheets use the same variables.
PLAIN = "$foreground"
SOFT = "$foreground 80%"
MUTED = "$foreground 55%"
FAINT = "$foreground 35%"
ASIDE = f"italic {MUTED}"
BOLD = "bold"
PRIMARY = "$primary"
HEADING = "bold $primary"
ACCENT = "$accent"
QUESTION = "bold $accent"
SUCCESS = "$success"
WARNING = "$warning"
ALARM = "bold $warning"
ERROR = "$error"
ITALIC = "italic"
STRIKE = "strike"
INLINE_CODE = "$text-secondary"
CODE = "$text"
CODE_GROUND = "on $surface"
FOUND = "on $accent 30%"
FOUND_HERE = "bold on $accent 60%"
"""Of search matches, and of the current match."""

MAX_LINES = 200
MAX_CHARACTERS = 8_000
"""Limits of a text outside the transcript's body: more than fits on a screen."""
GAP = 2
"""Minimum blank cells between the two sides of a line."""
ONE_ROW = str.maketrans("\n\r\t\v\f", "     ")
AS_LAST_KNOWN = " · as last known"
"""Suffix of server data shown while the connection is down."""


class StaticText(Static, Guarded):
    """A `Static` that parses no markup and redraws only on a change."""

    def __init__(self, content: Content | str = "", *, id: str | None = None, classes: str | None = None) -> None:
        self._shown = bounded(as_content(content))
        super().__init__(self._shown, markup=False, id=id, classes=classes)

    @property
    def text(self) -> str:
        return self._shown.plain

    def show(self, content: Content | str, *, layout: bool = True) -> None:
        """Show `content`. Pass `layout=False` if the stylesheet fixes the height."""
        fresh = bounded(as_content(content))
        if not fresh.is_same(self._shown):
            self._shown = fresh
            self.update(fresh, layout=layout)


class SkipsCoveredBackground(Guarded):
    """Does not draw the background behind its children: that would take a quarter of a frame.

    Its border is drawn. A change of `virtual_size` requests no second layout or repaint: the layout that caused it does
    both. Name this class after the container in a class's bases: Textual takes stylesheet and bindings from the first
    base only.
    """

    virtual_size = Reactive(Size(0, 0), layout=False, repaint=False)

    def render_lines(self, crop: Region) -> list[Strip]:
        blank = _filtered(self, Strip.blank(crop.width, self.visual_style.rich_style))
        top, bottom = self.gutter.top, self.outer_size.height - self.gutter.bottom
        return [
            blank if top <= y < bottom else Widget.render_lines(self, Region(crop.x, y, crop.width, 1))[0]
            for y in crop.line_range
        ]


def strip_of(widget: Widget, line: Content, y: int) -> Strip:
    """Return line `y` of a widget in its styles and width; `line` is already wrapped and aligned.

    Textual's own implementation computes these again, which takes most of the time of a line.
    """
    style = widget.visual_style
    selection = widget.text_selection
    if selection is not None and (span := selection.get_span(y)) is not None:
        start, end = span
        selected = Style.from_styles(widget.screen.get_component_styles("screen--selection"))
        line = line.stylize(selected, start, len(line) if end == -1 else end)
    segments, x = [], 0
    for text, look in line.render(style, end=""):
        segments.append(Segment(text, look.rich_style_with_offset(x, y)))
        x += len(text)
    return _filtered(widget, Strip(segments, line.cell_length).adjust_cell_length(widget.size.width, style.rich_style))


def _filtered(widget: Widget, strip: Strip) -> Strip:
    background = widget.background_colors[1]  # Textual blends it from all ancestors at each access
    for line_filter in widget.get_line_filters():
        strip = strip.apply_filter(line_filter, background)
    return strip


def as_content(content: Content | str) -> Content:
    return Content(content) if isinstance(content, str) else content


def bounded(content: Content) -> Content:
    """Return `content` cut to the maximum size, with tabs expanded."""
    text = content.plain
    if len(text) > MAX_CHARACTERS:
        content = Content.assemble(content[: MAX_CHARACTERS - 1], "…")
    if text.count("\n", 0, MAX_CHARACTERS) >= MAX_LINES:
        content = Content("\n").join([*content.split("\n")[: MAX_LINES - 1], Content("…")])
    return content.expand_tabs(4) if "\t" in content.plain else content


def one_row(content: Content, cells: int) -> Content:
    """Return `content` as one line, cut to the maximum characters of `cells` cells."""
    most = cells * CHARACTERS_A_CELL
    if len(content.plain) > most:
        content = content[:most]
    text = content.plain.translate(ONE_ROW)
    return content if text == content.plain else Content(text, list(content.spans))


def spread(left: Content, right: Content, width: int) -> Content:
    """Return one line of `width` cells: `left` at the start, `right` at the end; `left` is shortened first."""
    left, right = one_row(left, width), one_row(right, width)
    room = max(0, width - right.cell_length - GAP)
    if left.cell_length > room:
        left = left.truncate(room, ellipsis=True)
    blank = max(GAP, width - left.cell_length - right.cell_length)
    return Content.assemble(left, " " * blank, right).truncate(max(1, width), ellipsis=True)
