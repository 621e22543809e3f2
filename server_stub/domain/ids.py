"""Identifiers: a prefix, hex digits of time and base62 characters, in two forms.

Short, as in opencode: 12 hex digits of (ms · 4096 + a counter) mod 2^48 and 14 characters. Long, as in MiMo Code
since August 2026: `g`, the same number in 16 digits and 9 characters. Ids of one prefix and form sort by age, and
every long id above every short one. Session ids hold the complement and sort newest first; a long one has no `g`
and one character more.
"""

import secrets
from typing import Literal

from server_stub.domain.clock import Clock

Prefix = Literal["evt", "msg", "prt", "que", "per", "ses"]
Form = Literal["short", "long"]

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS: dict[Form, int] = {"short": 48, "long": 64}
_LENGTH = 26
"""Characters after the prefix."""


class Ids:
    """Generates ids that increase within one millisecond too."""

    def __init__(self, clock: Clock, form: Form = "short") -> None:
        self._clock = clock
        self._bits = _BITS[form]
        self._mark = "g" if form == "long" else ""
        self._last = 0

    def new(self, prefix: Prefix) -> str:
        mask = (1 << self._bits) - 1
        self._last = max(self._clock.now() * 4096, self._last) + 1
        time, mark = self._last & mask, self._mark
        if prefix == "ses":
            time, mark = time ^ mask, ""
        head = f"{mark}{time:0{self._bits // 4}x}"
        random = "".join(secrets.choice(_BASE62) for _ in range(_LENGTH - len(head)))
        return f"{prefix}_{head}{random}"
