"""A GET without a response is sent again on another connection; the first response counts."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeAlias

from tui.net.errors import ConnectionLost, ReadTimeout, ResponseTooSlow
from tui.net.response import Response

log = logging.getLogger(__name__)

Call: TypeAlias = Coroutine[Any, Any, Response]

FIRST_TRY: Final = 2.5
"""Seconds until a GET is retried: just after its start opencode accepts connections and never responds."""
ROUND_TRIPS: Final = 1.5
"""Factor on the quickest recent response: a first attempt may take this long on a slow connection."""
MAX_ROUND_TRIPS: Final = 8

_NO_ANSWER: Final = (ReadTimeout, ConnectionLost, ResponseTooSlow)
"""Errors that a retry may avoid."""


class Hedging:
    """Decides by the recent round trips how long to wait before the second attempt."""

    def __init__(self) -> None:
        self._round_trips: deque[float] = deque(maxlen=MAX_ROUND_TRIPS)

    def answered(self, seconds: float) -> None:
        """Record after which time a response began."""
        self._round_trips.append(seconds)

    async def get(
        self, path: str, first: Callable[[float, asyncio.Event], Call], again: Callable[[float], Call], seconds: float
    ) -> Response:
        """Send a GET, and a second one if no response begins: on a slow connection the first may still respond.

        `first` makes an attempt that waits so many seconds for a connection and sets the event when its response
        begins; `again` makes one that times out after so many seconds.
        """
        wait = min(FIRST_TRY, seconds / 2)
        if self._round_trips:
            wait = max(wait, min(ROUND_TRIPS * min(self._round_trips), seconds))
        began = asyncio.Event()
        beginning = asyncio.create_task(began.wait())
        tries = [asyncio.create_task(first(wait, began))]
        try:
            await asyncio.wait((tries[0], beginning), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if not tries[0].done() and not began.is_set() and wait < seconds:
                log.info("GET %s is retried: no response within %g s", path, wait)
                tries.append(asyncio.create_task(again(seconds - wait)))
            return await _first_answer(tries)
        except _NO_ANSWER as error:
            if len(tries) > 1:
                raise
            log.info("GET %s is retried: %s", path, error.message)
            return await again(seconds)
        finally:
            for task in (beginning, *tries):
                task.cancel()
            await asyncio.gather(beginning, *tries, return_exceptions=True)


async def _first_answer(tries: Sequence[asyncio.Task[Response]]) -> Response:
    """The first response; if there is none, raises the last error."""
    waiting = set(tries)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            if not isinstance(one.exception(), _NO_ANSWER):
                return one.result()
    return tries[-1].result()
