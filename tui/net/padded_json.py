"""Parses white space for minutes or hours, followed by one JSON value.

Some servers hold a turn's response open by sending white space until the result is ready, which JSON allows before a
value. The parser is fed bytes and does no I/O; its memory grows with the value only, not with the padding, and the
value is parsed once, when it is complete.

A bare number cannot show that it is complete; the objects that servers send can. A truncated body is told from one
that is not JSON by where the parser stopped.
"""

import json
import re
from typing import Final

from tui.net.errors import Empty, InvalidBody, NotJson, TooLarge, TrailingBytes, Truncated, forget_document
from tui.net.json_input import JSON, first_value, loads

LIMIT: Final = 58 << 20
"""Limit in bytes of the value."""

_PADDING: Final = b" \t\n\r"  # RFC 8259, section 2
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_EXCERPT: Final = 120

_UNFINISHED: Final = re.compile(r'"(?:[^"\\]++|\\.)*+\\?|[\w.+\\-]{0,8}', re.DOTALL)
"""The rest of a truncated document, from where the parser stopped: a string, a number or a word."""


class PaddedJson:
    """One padded response. `padding_bytes` and `received` count bytes; `started`: the value itself has begun."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.padding_bytes = 0
        self.received = 0
        self.started = False
        self._limit = limit
        self._value = bytearray()
        self._too_large = False

    def feed(self, data: bytes) -> None:
        """Add the next bytes. Raises TooLarge if the value is too large, dropping `data`."""
        self.received += len(data)
        if not self.started:
            # No value begins with a byte of the mark, so each of its bytes can be stripped, even if it is split.
            value = data.lstrip(_PADDING + _BYTE_ORDER_MARK)
            lead = data[: len(data) - len(value)]
            self.padding_bytes += len(lead) - sum(map(lead.count, _BYTE_ORDER_MARK))
            data = value
        if len(self._value) + len(data) > self._limit:
            self._too_large = True
            raise TooLarge(self._limit)
        self._value += data
        self.started = bool(self._value)

    def close(self) -> JSON:
        """The value, after the last bytes.

        Raises Empty, Truncated, TrailingBytes, NotJson, or TooLarge again if `feed` has.
        """
        if self._too_large:
            raise TooLarge(self._limit)
        if not self._value:
            raise Empty(self.padding_bytes)
        try:
            return loads(self._value)
        except NotJson as error:
            wrong: InvalidBody | TooLarge = self._what_is_wrong_with(self._value.decode("utf-8", "replace"), error)
        except TooLarge as error:
            wrong = error
        forget_document(wrong)
        self._value.clear()
        raise wrong

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
