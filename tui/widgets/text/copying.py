"""Text of a selection, without the margin and without the line breaks added by wrapping."""

import re

import msgspec
from textual.selection import Selection

from tui.widgets.text.blocks import Code, Paragraph, TextBlock

HARD = re.compile(r"[ \t]*\n")
MAX_COPIED = 1_000_000
"""Maximum characters sent to the terminal's clipboard; terminals reject more, or block meanwhile."""
BLANKS = re.compile(r"[ \t]*")


def not_copied(text: str) -> str:
    """Return why the text is too long for the clipboard; "" if it is not."""
    if len(text) <= MAX_COPIED:
        return ""
    return f"{len(text):,} characters are too many for the terminal's clipboard: at most {MAX_COPIED:,} are copied."


class Row(msgspec.Struct, frozen=True):
    """One drawn line. `indent`: characters before its text; `separator`: the separator before the next line."""

    words: str
    indent: int = 0
    separator: str = "\n"


def rows_of(piece: TextBlock, width: int) -> list[Row]:
    """Return one row for each of `piece.lines(width)`."""
    match piece:
        case Paragraph(words=words, first=first, rest=rest):
            lines = [line.plain for line in piece.wrapped(width)]
            joints = _joints(words.plain, lines)
            return [
                Row(f"{first}{line}", 0, separator) if row == 0 else Row(line, len(rest), separator)
                for row, (line, separator) in enumerate(zip(lines, joints, strict=True))
            ]
        case Code():
            return [
                Row(part.plain, piece.indent + 1, "\n" if part is parts[-1] else "")
                for parts in piece.folded(width)
                for part in parts
            ]
        case _:
            return [Row(line.plain.rstrip()) for line in piece.lines(width)]


def _joints(words: str, lines: list[str]) -> list[str]:
    """Return the separator that followed each wrapped line in `words`."""
    joints, at = [], 0
    for line in lines:
        text = line.rstrip()
        found = words.find(text, at)
        at = max(at, found) + len(text) if found >= 0 else at
        hard = HARD.match(words, at)
        blanks = hard or BLANKS.match(words, at)
        joints.append("\n" if hard or found < 0 or blanks is None else blanks[0])
        at = blanks.end() if blanks is not None else at
    return [*joints[:-1], "\n"] if joints else []


def selected(rows: list[Row], selection: Selection, margin: int = 0) -> str:
    """Return the selected text of drawn rows that start after a margin."""
    first, last = 0, len(rows) - 1
    start_x, end_x = 0, None
    if selection.start is not None:
        start_x, first = selection.start
    if selection.end is not None:
        end_x, last = selection.end
    copied = []
    for y, row in list(enumerate(rows))[first : last + 1]:
        before = margin + row.indent
        begin = max(0, start_x - before) if y == first else 0
        end = None if end_x is None or y != last else max(0, end_x - before)
        copied.append(row.words[begin:end])
        if y < last:
            copied.append(row.separator)
    return "".join(copied)
