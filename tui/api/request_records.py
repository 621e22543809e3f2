"""The questions and permissions of one turn and how each ended, for the result of a job; limited in memory."""

from typing import Any

import msgspec

from tui.api.values import RequestRecord
from tui.core.memory_size import weight

MAX_CLOSED = 5_000
"""Closed requests that are kept..."""
CLOSED_BYTES = 16 << 20
"""...and bytes of them; the oldest are dropped."""
LARGE = 64 << 10
"""Bytes of a closed request from which on it is cut..."""
CUT_TO = 4_000
"""...to so many characters of each text..."""
CUT_TO_ITEMS = 100
"""...and so many items of each list."""


class RequestRecords:
    """Open requests are kept whole: the client limits them. `dropped`: how many closed ones are not kept.

    `denied`: whether one of them all was denied.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, RequestRecord] = {}
        """In order of appearance; read only."""
        self.dropped = 0
        self.denied = False
        self._sizes: dict[str, int] = {}
        self._total = 0

    def put(self, record: RequestRecord) -> None:
        """Add a request, or how it ended."""
        id = record.request.id
        self._total -= self._sizes.pop(id, 0)
        if record.state == "open":
            self.by_id[id] = record
            return
        self.denied = self.denied or record.state == "denied"
        size = weight(record)
        if size >= LARGE:
            record = _cut(record)
            size = weight(record)
        self.by_id[id] = record
        self._sizes[id] = size
        self._total += size
        while len(self._sizes) > MAX_CLOSED or self._total > CLOSED_BYTES:
            oldest = next(iter(self._sizes))
            self._total -= self._sizes.pop(oldest)
            del self.by_id[oldest]
            self.dropped += 1


def _cut(value: Any) -> Any:
    """The value with the beginnings of its texts and lists."""
    if isinstance(value, str) and len(value) > CUT_TO:
        return f"{value[:CUT_TO]}… {len(value) - CUT_TO:,} more characters"
    if isinstance(value, tuple):
        return tuple(map(_cut, value[:CUT_TO_ITEMS]))
    if isinstance(value, msgspec.Struct):
        return type(value)(**{name: _cut(getattr(value, name)) for name in value.__struct_fields__})
    return value
