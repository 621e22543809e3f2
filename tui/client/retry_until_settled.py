"""The retry loop for what a person decided and the server must get: answers and aborts share it."""

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
    """Repeat `step` until it returns; what it returns.

    `failed` hears of each failure after which it is repeated; `pause` waits so many seconds, or less. Raises the
    `NetError` after which trying again is useless until a person has changed something.
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
