"""What is copied of a drawn piece: its words, without the margin and without the breaks that its width made."""

import re

import msgspec
from textual.selection import Selection

from tui.widgets.text.blocks import Code, Paragraph, TextBlock

HARD = re.compile(r"[ \t]*\n")
COPIED_AT_MOST = 1_000_000
"""Characters that are sent to the terminal's clipboard; terminals take less, or stand still meanwhile."""
BLANKS = re.compile(r"[ \t]*")


def not_copied(text: str) -> str:
    """Why the text is not sent to the clipboard, in words; "" where it is."""
    if len(text) <= COPIED_AT_MOST:
        return ""
    return f"{len(text):,} characters are too many for the terminal's clipboard: at most {COPIED_AT_MOST:,} are copied."


class Row(msgspec.Struct, frozen=True):
    """One drawn line. `indent`: characters before its words; `joint`: what stands between it and the next."""

    words: str
    indent: int = 0
    joint: str = "\n"


def rows_of(piece: TextBlock, width: int) -> list[Row]:
    """One for each of `piece.lines(width)`."""
    match piece:
        case Paragraph(words=words, first=first, rest=rest):
            lines = [line.plain for line in piece.wrapped(width)]
            joints = _joints(words.plain, lines)
            return [
                Row(f"{first}{line}", 0, joint) if row == 0 else Row(line, len(rest), joint)
                for row, (line, joint) in enumerate(zip(lines, joints, strict=True))
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
    """What stood in `words` behind each of the lines into which it was wrapped."""
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
    """What a selection over drawn rows holds, each of which stands behind a margin."""
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
            copied.append(row.joint)
    return "".join(copied)
