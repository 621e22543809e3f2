"""Where words stand in a conversation, and which code is in sight. Reads what the client has; draws nothing."""

import re
from collections.abc import Iterator, Sequence

import msgspec
from textual.containers import VerticalScroll

from tui.core.model import FilePart, NotePart, Part, ReasoningPart, TextPart, ToolPart
from tui.widgets.text.blocks import Code, TextBlock
from tui.widgets.text.lines_view import LinesView

ANY_WIDTH = 10_000
"""Cells at which no line is broken."""
ALL_LINES = 1_000_000
MARKS = str.maketrans("", "", "\\*_`~")
"""What Markdown writes in the middle of words and does not show."""


class Match(msgspec.Struct, frozen=True):
    """The `nth` place at which the words stand in a part, from 0."""

    message_id: str
    part_id: str
    nth: int


def pattern_of(words: str) -> re.Pattern[str] | None:
    """Any white space between the words matches any other: a line break of ours is no obstacle."""
    parts = words.split()
    return re.compile(r"\s+".join(map(re.escape, parts)), re.IGNORECASE) if parts else None


def places_in(parts: Sequence[Part], role: str, words: str) -> list[Match]:
    """All places of one message, folded ones too, in the order in which they are read."""
    pattern = pattern_of(words)
    if pattern is None:
        return []
    bare = words.translate(MARKS).casefold().split()
    found = []
    for part in parts:
        source = "\n".join(_sources(part)).translate(MARKS).casefold()
        if all(word in source for word in bare):
            count = sum(len(pattern.findall(text)) for text in shown_texts(part, role))
            found += [Match(part.message_id, part.id, nth) for nth in range(count)]
    return found


def shown_texts(part: Part, role: str) -> Iterator[str]:
    """What a part shows once it is unfolded: the line that stays first, where there is one."""
    from tui.widgets.text import markdown  # not before the first frame
    from tui.widgets.transcript import message, reasoning, tool_call

    match part:
        case ToolPart():
            head = tool_call.headline_of(part)
            yield f"{head.name} {head.about}"
            yield _text(tool_call.detail_of(part, limit=ALL_LINES))
        case ReasoningPart():
            yield ""
            yield _text(reasoning.detail_of(part, limit=ALL_LINES))
        case TextPart(synthetic=True):
            pass
        case TextPart() if role == "assistant":
            yield _text([piece for block in markdown.read(part.marked) for piece in block.pieces])
        case TextPart() | FilePart() | NotePart():
            yield _text(message.plain_pieces(part))


def _text(pieces: Sequence[TextBlock]) -> str:
    return "\n".join(text for piece in pieces for text in _lines(piece))


def _lines(piece: TextBlock) -> Iterator[str]:
    match piece:
        case Code(code=code):  # drawn, each of them would be filled up to the width
            yield from (line.plain for line in code)
        case _:
            yield from (line.plain for line in piece.lines(ANY_WIDTH))


def _sources(part: Part) -> Iterator[str]:
    match part:
        case ToolPart():
            yield from (part.tool, part.title, part.output, part.error, part.diff, str(dict(part.input)))
        case FilePart(name=name):
            yield f"with {name}"
        case TextPart(text=text) | ReasoningPart(text=text) | NotePart(text=text):
            yield text


def code_above(page: VerticalScroll, before: Code | None = None) -> Code | None:
    """The lowest block of code in sight, else the nearest above; with `before`, the one above that."""
    blocks: Sequence[tuple[int, Code]] = [
        (lines.region.y + row, code) for lines in page.query(LinesView) for row, code in lines.codes()
    ]
    if before is not None:
        at = next((at for at, (_, code) in enumerate(blocks) if code is before), 0)
        return blocks[at - 1][1] if at > 0 else None
    return next((code for y, code in reversed(blocks) if y < page.region.bottom), None)
