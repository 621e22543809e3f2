"""Bytes that are white space for minutes or hours, and then one JSON value.

Some servers hold a turn open by writing white space until its result is there, which JSON allows before a value.
The parser is pushed its bytes and does no I/O; its memory does not grow with the padding, only with the value,
and the value is parsed once, when all of it has come.

A number alone cannot show that it is whole; the objects that servers answer with can, and a body that is cut off
is told from one that is no JSON by what stands where the parser stopped.
"""

import json
import re
from typing import Final

from tui.net.errors import Empty, NotJson, TooLarge, TrailingBytes, Truncated
from tui.net.json_input import JSON, first_value, loads

LIMIT: Final = 58 << 20
"""Bytes of one value."""

_PADDING: Final = b" \t\n\r"  # RFC 8259, section 2
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_EXCERPT: Final = 120

_UNFINISHED: Final = re.compile(r'"(?:[^"\\]++|\\.)*+\\?|[\w.+\\-]{0,8}', re.DOTALL)
"""What is left of a document that is cut off, from where the parser stopped: a string, or a number or word."""


class PaddedJson:
    """One padded answer. `pads` and `received` count bytes, `started` says that the value itself has begun."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.pads = 0
        self.received = 0
        self._limit = limit
        self._value = bytearray()
        self._too_large = False

    @property
    def started(self) -> bool:
        return bool(self._value)

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises TooLarge as soon as the value is, and then keeps nothing of `data`."""
        self.received += len(data)
        if not self._value:
            # No value begins with a byte of the mark, so it may be split anywhere, and be dropped byte by byte.
            value = data.lstrip(_PADDING + _BYTE_ORDER_MARK)
            lead = data[: len(data) - len(value)]
            self.pads += len(lead) - sum(map(lead.count, _BYTE_ORDER_MARK))
            data = value
        if len(self._value) + len(data) > self._limit:
            self._too_large = True
            raise TooLarge(self._limit)
        self._value += data

    def close(self) -> JSON:
        """The value, now that no more bytes will come.

        Raises Empty, Truncated, TrailingBytes, NotJson, or TooLarge again if `feed` has.
        """
        if self._too_large:
            raise TooLarge(self._limit)
        if not self._value:
            raise Empty(self.pads)
        try:
            return loads(self._value)
        except NotJson as error:
            raise self._what_is_wrong_with(self._value.decode("utf-8", "replace"), error) from error

    def _what_is_wrong_with(self, text: str, error: NotJson) -> NotJson | TrailingBytes | Truncated:
        try:
            _, end = first_value(text)
        except json.JSONDecodeError as broken:
            rest = text[broken.pos :].rstrip(_PADDING.decode())
            cut_off = (broken.pos or text[0] == '"') and _UNFINISHED.fullmatch(rest)
            return Truncated(self.received) if cut_off else error
        except RecursionError:
            return error
        rest = text[end:].lstrip(_PADDING.decode())
        return TrailingBytes(rest[:_EXCERPT]) if rest else error
