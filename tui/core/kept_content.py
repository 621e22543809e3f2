"""Bounds the memory that one transcript takes: what is oldest is cut, and says so.

All of it is at the server, and read again where the session is opened again.
"""

from itertools import islice
from typing import Literal

from msgspec.structs import replace

from tui.core.memory_size import TOO_MANY, weight
from tui.core.model import FilePart, FullMessage, Message, NotePart, Part, ReasoningPart, TextPart, ToolPart

MAX_CONTENT_BYTES = 32 << 20
"""Bytes of all messages and parts of one transcript."""
ROOM = 1 << 20
"""Bytes for which room is made at once where whole parts are dropped."""
PART_KEPT = 16 << 20
"""Bytes of one part from which on its texts are cut at once, also those of the newest..."""
PART_CUT_TO = 4_000_000
"""...to so many characters: 1,000,000 are shown."""
LARGE = 16 << 10
"""Bytes of a part from which on it is large..."""
CUT_TO = 4_000
"""...and characters of each of its texts that stay once it is cut."""
CUT_TO_VALUES = 100
"""Values of a call's input that stay."""
MAX_GROWING = 8_000_000
"""Characters of a text that grows; more are not kept before the server sends the whole. 1,000,000 are shown."""
NOT_KEPT = "… not kept in memory: open the session again to read it"

Key = tuple[str, str]
"""The ids of a message and of a part; of the message itself the second is ""."""


class KeptContent:
    """What the messages and parts of a transcript weigh; the large ones in the order in which they came."""

    def __init__(self) -> None:
        self._weights: dict[Key, int] = {}
        self._large: dict[Key, None] = {}
        self._total = 0

    @property
    def is_full(self) -> bool:
        """Whether there is more than may be kept."""
        return self._total > MAX_CONTENT_BYTES

    @property
    def has_room(self) -> bool:
        """Whether enough was dropped: not for each new part again."""
        return self._total <= MAX_CONTENT_BYTES - ROOM

    def put_message(self, message: Message) -> None:
        """Count a message, or its new state."""
        self._count((message.id, ""), weight(message))

    def put(self, part: Part, *, may_be_cut: bool) -> Part:
        """Count a part, or its new state; returns what is to be kept of it: less where it has too many values."""
        size = weight(part)
        if size > PART_KEPT:
            part = fitting(part)
            size = weight(part)
        key = part.message_id, part.id
        self._count(key, size)
        if may_be_cut and size >= LARGE:
            self._large[key] = None
        return part

    def _count(self, key: Key, size: int) -> None:
        self.drop(*key)
        self._weights[key] = size
        self._total += size

    def grow(self, message_id: str, part_id: str, by: int) -> None:
        """Count so many more bytes of a part whose text grows."""
        key = message_id, part_id
        self._weights[key] = size = self._weights.get(key, 0) + by
        self._total += by
        if size >= LARGE:
            self._large.setdefault(key)

    def drop(self, message_id: str, part_id: str = "") -> None:
        """Count a part no more, or a message."""
        key = message_id, part_id
        self._total -= self._weights.pop(key, 0)
        self._large.pop(key, None)

    def take_oldest_large(self) -> Key | None:
        """The message and the id of a part that is to be cut; None where no other than the newest can be."""
        if len(self._large) < 2:
            return None
        oldest = next(iter(self._large))
        self.drop(*oldest)
        return oldest


def fitting(part: Part) -> Part:
    """What is kept at most of a part, however new it is."""
    for to in (PART_CUT_TO, CUT_TO):
        if weight(part) > PART_KEPT:
            part = cut(part, to)
    return part


def cut(part: Part, to: int = CUT_TO) -> Part:
    """The part with the beginnings of its texts; of one that grows no more is kept before the server sends it."""
    match part:
        case ToolPart():
            given = {_cut(name, to): _cut_value(value, to) for name, value in islice(part.input.items(), CUT_TO_VALUES)}
            if len(part.input) > CUT_TO_VALUES:
                given["…"] = f"{len(part.input) - CUT_TO_VALUES:,} more values are not kept in memory"
            words = {name: _cut(getattr(part, name), to) for name in ("title", "output", "diff", "error")}
            answers = part.answers if weight(part.answers) < LARGE else ((NOT_KEPT,),)
            return replace(part, input=given, answers=answers, **words)
        case TextPart():
            text = _cut(part.text, to)
            return replace(part, text=text, gaps=tuple(gap for gap in part.gaps if gap < to), state=_whole(part, to))
        case ReasoningPart():
            return replace(part, text=_cut(part.text, to), state=_whole(part, to))
        case NotePart():
            return replace(part, text=_cut(part.text, to))
        case FilePart():
            return replace(part, name=_cut(part.name, to), mime=_cut(part.mime, to))


def cut_large(full: FullMessage) -> FullMessage:
    """The message with its large parts cut."""
    return replace(full, parts=tuple(cut(part) if weight(part) >= LARGE else part for part in full.parts))


def _whole(part: TextPart | ReasoningPart, to: int) -> Literal["done", "streaming", "partial", "broken"]:
    return part.state if len(part.text) <= to else "done"


def _cut(text: str, to: int) -> str:
    more = len(text) - to
    if more <= 0:
        return text
    hint = ": open the session again to read them" if to == CUT_TO else ""
    return f"{text[:to]}\n\n… {more:,} more characters are not kept in memory{hint}"


def _cut_value(value: object, to: int) -> object:
    if isinstance(value, str):
        return _cut(value, to)
    size = weight(value)
    if size < LARGE:
        return value
    return "… too many values to keep in memory" if size == TOO_MANY else NOT_KEPT
