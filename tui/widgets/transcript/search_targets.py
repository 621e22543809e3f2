"""Finds search matches and visible code in a conversation. Reads the client's data; draws nothing."""

import re
from collections.abc import Generator, Iterator, Sequence
from typing import TypeAlias, TypeVar

import msgspec
from textual.containers import VerticalScroll

from tui.core.model import FilePart, NotePart, Part, ReasoningPart, TextPart, ToolPart
from tui.core.sanitize import sanitize
from tui.widgets.text.blocks import Code, Paragraph, TextBlock
from tui.widgets.text.lines_view import LinesView
from tui.widgets.transcript.foldable import first_lines

T = TypeVar("T")

ANY_WIDTH = 10_000
"""Width in cells at which no line wraps."""
SEARCHED_LINES = 5_000
"""Lines of a collapsible text that are searched; more would take too long to lay out."""
MARKS = str.maketrans("", "", "\\*_`~")
"""Markdown characters that may stand inside a word and are not displayed."""


class Match(msgspec.Struct, frozen=True):
    """Match number `match_index` (from 0) of the search text in a part."""

    message_id: str
    part_id: str
    match_index: int


Steps: TypeAlias = Generator[None, None, T]
"""A generator that yields between steps so that other work can run, and returns the result."""


def pattern_of(words: str) -> re.Pattern[str] | None:
    """Return a case-insensitive pattern in which white space matches any white space; None for a blank text."""
    parts = words.split()
    return re.compile(r"\s+".join(map(re.escape, parts)), re.IGNORECASE) if parts else None


def may_hold(part: Part, words: str) -> bool:
    """Whether the part may contain the words. A fast check of its source text."""
    source = "\n".join(_sources(part)).translate(MARKS).casefold()
    return all(word in source for word in words.translate(MARKS).casefold().split())


def head_of(part: Part) -> str:
    """Return the line that stays visible when the part is collapsed."""
    from tui.widgets.transcript import tool_call  # imported after the first frame

    if not isinstance(part, ToolPart):
        return ""
    head = tool_call.headline_of(part)
    return f"{head.name} {head.about}"


def shown_texts(part: Part, role: str) -> Steps[tuple[str, str]]:
    """Return the text of an expanded part: its first line ("" if it has none), and the rest."""
    from tui.widgets.transcript import message, tool_call  # imported after the first frame

    match part:
        case ToolPart():
            return head_of(part), "\n".join(tool_call.texts_of(part, SEARCHED_LINES))
        case ReasoningPart():
            return "", first_lines(part.text.strip(), SEARCHED_LINES)[0]
        case TextPart(synthetic=True):
            return "", ""
        case TextPart() if role == "assistant":
            return "", (yield from _markdown(part.marked))
        case TextPart() | FilePart() | NotePart():
            return "", "\n".join(map(_plain, message.plain_pieces(part)))


def is_searched_whole(part: Part) -> bool:
    """Whether the whole part is searched."""
    texts = [*_sources(part)] if isinstance(part, ToolPart | ReasoningPart) else []
    return not any(first_lines(text, SEARCHED_LINES)[1] for text in texts)


def _markdown(text: str) -> Steps[str]:
    """Return the displayed text of a Markdown source. It is parsed as for display: a long one in steps."""
    from tui.widgets.text.incremental_markdown import IncrementalMarkdown
    from tui.widgets.text.markdown_view import MAX_SHOWN, at_once

    reader, pieces, end = IncrementalMarkdown(), list[TextBlock](), 0
    text = (sanitize(text) if "\r" in text else text)[:MAX_SHOWN]
    while end < len(text):
        end += at_once(text, end)
        for index, new in reader.show(text[:end], "done" if end >= len(text) else "streaming"):
            pieces[index:] = new
        yield
    lines = []
    for piece in pieces:
        lines.append(_plain(piece))
        yield
    return "\n".join(lines)


def _plain(piece: TextBlock) -> str:
    match piece:
        case Code(code=code):  # `lines` would pad each line to the full width
            return "\n".join(line.plain for line in code)
        case Paragraph(words=words, first=first):
            return first + words.plain
        case _:
            return "\n".join(line.plain for line in piece.lines(ANY_WIDTH))


def _sources(part: Part) -> Iterator[str]:
    match part:
        case ToolPart():
            yield from (part.tool, part.title, part.output, part.error, part.diff, str(dict(part.input)))
        case FilePart(name=name):
            yield f"with {name}"
        case TextPart(text=text) | ReasoningPart(text=text) | NotePart(text=text):
            yield text


def code_above(page: VerticalScroll, before: Code | None = None) -> Code | None:
    """Return the lowest visible code block, or the nearest above; with `before`, the block above that one."""
    blocks: Sequence[tuple[int, Code]] = [
        (lines.region.y + row, code) for lines in page.query(LinesView) for row, code in lines.codes()
    ]
    if before is not None:
        at = next((at for at, (_, code) in enumerate(blocks) if code is before), 0)
        return blocks[at - 1][1] if at > 0 else None
    return next((code for y, code in reversed(blocks) if y < page.region.bottom), None)
