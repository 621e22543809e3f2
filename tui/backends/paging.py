"""Pages of a list as large as the connection carries: smaller where an answer is too large or too slow.

It knows no route: how a page is asked for comes in from outside.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from tui.net.errors import TooLarge, TooSlow
from tui.net.response import Progress, Response

log = logging.getLogger(__name__)

PAGE_SECONDS: Final = 4.0
"""Seconds that a page should take at most: one that will take longer is given up, and asked for smaller."""
QUICK: Final = 0.25
"""Share of them within which a page must come for the next one to be larger again."""

OnBytes: TypeAlias = Callable[[int], None]
"""Hears how many bytes of an answer have come so far."""


class Paging:
    """The size of the pages of one server. A page has at least one item, and at most `most`."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._limit = most

    async def ask(
        self, fetch: Callable[[int, Progress], Awaitable[Response]], most: int, on_bytes: OnBytes | None = None
    ) -> Response:
        """A page of up to `most` items. Raises `NetError`; TooLarge where a single item is."""
        limit = max(1, min(most, self._limit))
        while True:
            watch = _Watch(limit, on_bytes, self._clock)
            try:
                reply = await fetch(limit, watch.progress)
            except (TooLarge, TooSlow) as error:
                if limit == 1:
                    raise
                log.info("a page of %d is asked for smaller: %s", limit, error.message)
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


class _Watch:
    """How one page fares, from its first byte on."""

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
    """Of the items that were asked for, how many to ask for next."""
    if isinstance(error, TooLarge):
        return 0.5 * error.limit / error.size if error.size else 0.125
    return PAGE_SECONDS * error.received / error.seconds / error.size if error.size else 0.25
