"""Adapts the size of pages to the connection: smaller if a response is too large or too slow.

It knows no route: `fetch` is passed in.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

from tui.core.memory_size import weight
from tui.core.model import FullMessage
from tui.net.errors import TooLarge, TooSlow
from tui.net.response import Progress, Response

log = logging.getLogger(__name__)

PAGE_SECONDS: Final = 4.0
"""Maximum seconds of a page: one that would take longer is aborted, and a smaller one requested."""
QUICK: Final = 0.25
"""Share of that time within which a page must arrive for the next one to be larger."""

MAX_PAGES: Final = 32 << 20
"""Bytes of several pages from which on no further one is read."""

OnBytes: TypeAlias = Callable[[int], None]
"""Called with the bytes received so far."""


class Paging:
    """The page size of one server: at least one item, and at most `most`."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._limit = most

    async def ask(
        self, fetch: Callable[[int, Progress], Awaitable[Response]], most: int, on_bytes: OnBytes | None = None
    ) -> Response:
        """A page of up to `most` items. Raises `NetError`; TooLarge for a single item."""
        limit = max(1, min(most, self._limit))
        while True:
            watch = _Watch(limit, on_bytes, self._clock)
            try:
                reply = await fetch(limit, watch.progress)
            except (TooLarge, TooSlow) as error:
                if limit == 1:
                    raise
                log.info("a page of %d is reduced: %s", limit, error.message)
                limit = max(1, min(limit // 2, int(limit * _share(error))))
                self._limit = min(self._limit, limit) if isinstance(error, TooSlow) else self._limit
                continue
            self._learn(limit, watch.seconds)
            return reply

    def _learn(self, limit: int, seconds: float) -> None:
        if seconds > PAGE_SECONDS:
            self._limit = max(1, min(self._limit, int(limit * PAGE_SECONDS / seconds)))
        elif seconds < PAGE_SECONDS * QUICK:
            self._limit = min(self._most, max(self._limit, limit * 4))


class PageBudget:
    """Limits what is read of pages that are wanted one after the other: by its size, and to new cursors."""

    def __init__(self) -> None:
        self._bytes = 0
        self._cursors: set[str] = set()

    def allows(self, cursor: str | None, read: Iterable[object]) -> bool:
        """Whether the page at `cursor` may be read after the one with the items `read`."""
        self._bytes += sum(map(weight, read))
        if not cursor or cursor in self._cursors or self._bytes >= MAX_PAGES:
            return False
        self._cursors.add(cursor)
        return True


def contents(messages: Iterable[FullMessage]) -> Iterable[object]:
    """The messages and their parts one by one, as a `PageBudget` counts them."""
    for full in messages:
        yield full.message
        yield from full.parts


class _Watch:
    """Watches the progress of one page, from its first byte on."""

    def __init__(self, limit: int, on_bytes: OnBytes | None, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._on_bytes = on_bytes
        self._clock = clock
        self._began: float | None = None

    @property
    def seconds(self) -> float:
        return 0.0 if self._began is None else self._clock() - self._began

    def progress(self, received: int, size: int | None) -> None:
        if self._began is None:
            self._began = self._clock()
        if self._on_bytes is not None:
            self._on_bytes(received)
        seconds = self.seconds
        if self._limit > 1 and seconds > PAGE_SECONDS / 4:
            left = PAGE_SECONDS if size is None else (size - received) * seconds / received
            if seconds + left > 2 * PAGE_SECONDS or (size is None and seconds > PAGE_SECONDS):
                raise TooSlow(received, seconds, size)


def _share(error: TooLarge | TooSlow) -> float:
    """The share of the requested items to request next."""
    if isinstance(error, TooLarge):
        return 0.5 * error.limit / error.size if error.size else 0.125
    return PAGE_SECONDS * error.received / error.seconds / error.size if error.size else 0.25
