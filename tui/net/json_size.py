"""Estimates the memory that a JSON document takes when parsed, before parsing: 3 bytes can become a list of 72."""

import re
from collections.abc import Iterator
from typing import Final

UNCHECKED_SIZE: Final = 256 << 10
"""Size in bytes below which a document is not checked: it takes less than MAX_BYTES in any case."""
MAX_BYTES: Final = 40 << 20
"""Limit in bytes of a document and its value together."""
MAX_TEXT_BYTES: Final = 122 << 20
"""The limit if nearly all of it is text."""

# Bytes of each in CPython, including its slot in the container; measured on 3.11. A string counts by its length.
_OBJECT, _LIST, _ITEM = 200, 72, 64
_SHARE_OF_TEXT: Final = 16
"""Nearly all is text if the rest times this factor is less than the text."""

_TEXT: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TEXT_BYTES: Final = re.compile(_TEXT.pattern.encode(), re.DOTALL)
# With one of these, Python stores the whole string with 4 or 2 bytes per character; likewise in UTF-8.
_FOUR_BYTES_ESCAPED: Final = re.compile(rb"\\u[dD][89abAB]")
_TWO_BYTES_ESCAPED: Final = re.compile(rb"\\u(?!00)")
_LATIN_1: Final = bytes(range(0xC4))
_UP_TO_THREE_BYTES: Final = bytes(range(0xF0))
_ESCAPE: Final = 6
"""Bytes of an escaped character."""
_SLICE: Final = 1 << 20


def too_much(document: str | bytes | bytearray) -> int | None:
    """The bytes, at least, that the document and its value take, if that is too much; else None."""
    if len(document) <= UNCHECKED_SIZE:
        return None
    width = _width(document)
    text = len(document) * (2 if width == 1 else 2 + width)  # the parser copies a string to widen it
    if text > MAX_TEXT_BYTES:
        return text
    most = max(MAX_BYTES - text, len(document) // _SHARE_OF_TEXT)
    if _structure(document, 0, len(document)) <= most:  # counts inside strings too, which is enough for nearly all
        return None
    found = 0
    for start, end in _outside_of_texts(document):
        found += _structure(document, start, end)
        if found > most:
            return text + found
    return None


def _outside_of_texts(document: str | bytes | bytearray) -> Iterator[tuple[int, int]]:
    at = 0
    texts = _TEXT.finditer(document) if isinstance(document, str) else _TEXT_BYTES.finditer(document)
    for text in texts:
        yield at, text.start()
        at = text.end()
    yield at, len(document)


def _structure(document: str | bytes | bytearray, start: int, end: int) -> int:
    text = isinstance(document, str)
    found = 0
    for at in range(start, end, _SLICE):
        until = min(end, at + _SLICE)
        for sign, taken in (("{", _OBJECT), ("[", _LIST), (",", _ITEM)):
            found += taken * document.count(sign if text else sign.encode(), at, until)  # type: ignore[arg-type]
    return found


def has_escape(pattern: re.Pattern[bytes], document: bytes | bytearray) -> bool:
    """Whether the pattern of an escaped character is in the document.

    One search of a large document would hold up all other threads.
    """
    starts = range(0, len(document), _SLICE)
    return any(pattern.search(document, at, at + _SLICE + _ESCAPE - 1) is not None for at in starts)


def _width(document: str | bytes | bytearray) -> int:
    """Bytes per character, at most."""
    if isinstance(document, str):
        return 1 if document.isascii() else 4
    width = 1
    for at in range(0, len(document), _SLICE):
        piece = document[at : at + _SLICE + _ESCAPE - 1]
        beyond = piece.translate(None, _LATIN_1)
        escaped = b"\\u" in piece
        if beyond.translate(None, _UP_TO_THREE_BYTES) or (escaped and _FOUR_BYTES_ESCAPED.search(piece)):
            return 4
        if beyond or (escaped and _TWO_BYTES_ESCAPED.search(piece)):
            width = 2
    return width
