"""Identifiers in opencode's form: a prefix, 12 hex digits of time and 14 base62 characters.

The time is (ms · 4096 + a counter) mod 2^48, so ids of one prefix sort by age; session ids hold its
complement and sort newest first.
"""

import secrets
from typing import Literal

from server_stub.clock import Clock

Prefix = Literal["evt", "msg", "prt", "que", "per", "ses"]

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_MASK = (1 << 48) - 1


class Ids:
    """Mints ids that rise within one millisecond too."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def new(self, prefix: Prefix) -> str:
        self._last = max(self._clock.now() * 4096, self._last) + 1
        time = self._last & _MASK
        if prefix == "ses":
            time ^= _MASK
        random = "".join(secrets.choice(_BASE62) for _ in range(14))
        return f"{prefix}_{time:012x}{random}"
