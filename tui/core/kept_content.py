"""Bounds the memory that the contents of one transcript take: what is oldest is cut, and says so.

All of it is at the server, and read again where the session is opened again.
"""

import sys

from msgspec.structs import replace

from tui.core.model import FilePart, NotePart, Part, ReasoningPart, TextPart, ToolPart

KEPT = 32 << 20
"""Bytes of the large parts of one transcript, those that still grow not counted."""
LARGE = 16 << 10
"""Bytes of a part from which on it is large..."""
CUT_TO = 4_000
"""...and characters of each of its texts that stay once it is cut."""
GROWING_KEPT = 8_000_000
"""Characters of a text that grows; more are not kept before the server sends the whole. 1,000,000 are shown."""


class KeptContent:
    """The large parts of a transcript, in the order in which they came."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str], int] = {}
        self._total = 0

    def put(self, part: Part) -> None:
        """Count a part, or its new state."""
        self.drop(part.message_id, part.id)
        size = sum(map(sys.getsizeof, _texts(part)))
        if size >= LARGE:
            self._sizes[part.message_id, part.id] = size
            self._total += size

    def drop(self, message_id: str, part_id: str) -> None:
        """Count a part no more."""
        self._total -= self._sizes.pop((message_id, part_id), 0)

    def take_oldest(self) -> tuple[str, str] | None:
        """The message and the id of a part that is to be cut; None where there is room. It is counted no more."""
        if self._total <= KEPT or len(self._sizes) < 2:
            return None
        oldest = next(iter(self._sizes))
        self.drop(*oldest)
        return oldest


def cut(part: Part) -> Part:
    """The part with the beginnings of its texts."""
    match part:
        case ToolPart():
            given = {name: _cut(value) if isinstance(value, str) else value for name, value in part.input.items()}
            return replace(part, input=given, output=_cut(part.output), diff=_cut(part.diff), error=_cut(part.error))
        case TextPart() if part.state == "done":
            text = _cut(part.text)
            return replace(part, text=text, gaps=tuple(gap for gap in part.gaps if gap < CUT_TO))
        case ReasoningPart() if part.state == "done":
            return replace(part, text=_cut(part.text))
        case TextPart() | ReasoningPart() | FilePart() | NotePart():
            return part


def _cut(text: str) -> str:
    more = len(text) - CUT_TO
    if more <= 0:
        return text
    return f"{text[:CUT_TO]}\n\n… {more:,} more characters are not kept in memory: open the session again to read them"


def _texts(part: Part) -> tuple[str, ...]:
    match part:
        case ToolPart():
            given = (value for value in part.input.values() if isinstance(value, str))
            return part.output, part.diff, part.error, *given
        case TextPart(text=text) | ReasoningPart(text=text) | NotePart(text=text):
            return (text,)
        case FilePart():
            return ()
