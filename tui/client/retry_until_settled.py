"""The retry loop for the user's replies and aborts, which the server must receive."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tui.core.backoff import Backoff
from tui.net.errors import HttpStatusError, NetError

log = logging.getLogger(__name__)

T = TypeVar("T")


async def until_settled(
    step: Callable[[], Awaitable[T]],
    *,
    backoff: Backoff,
    pause: Callable[[float], Awaitable[None]],
    failed: Callable[[NetError], None],
) -> T:
    """Repeat `step` until it succeeds, and return its result.

    `failed` is called with each error that is retried; `pause` waits so many seconds, or less. Raises a permanent
    `NetError`, after which a retry is useless until the user changes something.
    """
    while True:
        try:
            return await step()
        except NetError as error:
            if error.permanent:
                raise
            asked = error.retry_after if isinstance(error, HttpStatusError) else None
            failed(error)
        await pause(backoff.next(at_least=asked or 0.0))
