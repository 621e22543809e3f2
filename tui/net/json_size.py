"""Estimates the memory that a JSON document takes when parsed, before parsing: 3 bytes can become a list of 72."""

import re
from collections.abc import Iterator
from typing import Final

SURELY_SMALL: Final = 256 << 10
"""Size in bytes below which a document is not checked: it takes less than MOST in any case."""
MOST: Final = 40 << 20
"""Limit in bytes of a document and its value together."""
MOST_OF_TEXT: Final = 122 << 20
"""The limit if nearly all of it is text."""

# Bytes of each in CPython, including its slot in the container; measured on 3.11. A string counts by its length.
_OBJECT, _LIST, _ITEM = 200, 72, 64
_SHARE_OF_TEXT: Final = 16
"""Nearly all is text if the rest times this factor is less than the text."""

_TEXT: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_TEXT_BYTES: Final = re.compile(_TEXT.pattern.encode(), re.DOTALL)
# With one of these characters, Python stores the whole string with 4 or 2 bytes per character.
_FOUR_BYTES: Final = tuple(bytes([lead]) for lead in range(0xF0, 0xF5))
_FOUR_BYTES_ESCAPED: Final = re.compile(rb"\\u[dD][89abAB]")
_TWO_BYTES_ESCAPED: Final = re.compile(rb"\\u(?!00)")
_LATIN_1: Final = bytes(range(0xC4))
_SLICE: Final = 1 << 20


def too_much(document: str | bytes | bytearray) -> int | None:
    """The bytes, at least, that the document and its value take, if that is too much; else None."""
    if len(document) <= SURELY_SMALL:
        return None
    width = _width(document)
    text = len(document) * (2 if width == 1 else 2 + width)  # the parser copies a string to widen it
    if text > MOST_OF_TEXT:
        return text
    most = max(MOST - text, len(document) // _SHARE_OF_TEXT)
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
    if isinstance(document, str):
        objects, lists, items = (document.count(sign, start, end) for sign in "{[,")
    else:
        objects, lists, items = (document.count(sign, start, end) for sign in (b"{", b"[", b","))
    return objects * _OBJECT + lists * _LIST + items * _ITEM


def _width(document: str | bytes | bytearray) -> int:
    """Bytes per character, at most."""
    if isinstance(document, str):
        return 1 if document.isascii() else 4
    escaped = b"\\u" in document
    if any(lead in document for lead in _FOUR_BYTES) or (escaped and _FOUR_BYTES_ESCAPED.search(document)):
        return 4
    if escaped and _TWO_BYTES_ESCAPED.search(document):
        return 2
    slices = (document[at : at + _SLICE] for at in range(0, len(document), _SLICE))
    return 2 if any(one.translate(None, _LATIN_1) for one in slices) else 1
