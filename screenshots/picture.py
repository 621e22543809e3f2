"""A terminal's cells as SVG and PNG: the same cells give the same files, and neither fetches a font."""

import io
import itertools
import re
from collections.abc import Iterable
from pathlib import Path

import resvg_py
from pyte.screens import Char
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

FONT = "DejaVu Sans Mono"

Cells = list[list[Char]]


def with_words(cells: Cells, replacements: Iterable[tuple[str, str]]) -> Cells:
    """The cells with other words, of the same length, in place of what each regular expression finds."""
    lines = []
    for line in cells:
        before = text = "".join(cell.data for cell in line)
        for pattern, words in replacements:
            text = re.sub(pattern, words, text)
        assert len(text) == len(before), f"{before!r} became {text!r}"
        lines.append([cell._replace(data=data) for cell, data in zip(line, text, strict=True)])
    return lines


def svg(cells: Cells, title: str) -> str:
    """A picture of its own: no font and nothing else is fetched from anywhere."""
    console = Console(
        width=len(cells[0]), record=True, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    for line in cells:
        runs = [("".join(cell.data for cell in run), style) for style, run in itertools.groupby(line, key=_style)]
        console.print(Text.assemble(*runs), no_wrap=True, overflow="ignore", crop=False)
    drawn = console.export_svg(title=title, theme=SVG_EXPORT_THEME, unique_id="holdfast")
    drawn = re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)
    return drawn.replace("font-family: Fira Code, monospace", f'font-family: "{FONT}", Menlo, Consolas, monospace')


def save(cells: Cells, title: str, path: Path) -> None:
    """Write the picture beside `path`, once as .svg and once as .png."""
    drawn = svg(cells, title)
    path.with_suffix(".svg").write_text(drawn)
    path.with_suffix(".png").write_bytes(resvg_py.svg_to_bytes(svg_string=drawn, font_family=FONT))


def _style(cell: Char) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        strike=cell.strikethrough,
        reverse=cell.reverse,
    )


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    return f"#{name}" if re.fullmatch("[0-9a-f]{6}", name) else name
