"""A total time limit for subcommands, since timeouts per response do not limit the sum."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tui.net.errors import NetError

TOTAL = 30.0
"""Total seconds that a command waits for the server's responses."""

T = TypeVar("T")


class NotInTime(NetError):
    """The server did not answer all requests within the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the server did not respond to every request within {seconds:g} s",
            "Try again; if it repeats, restart the server, or look for a proxy that delays its responses.",
        )


async def within(seconds: float, work: Awaitable[T]) -> T:
    """The result of `work`. Raises `NotInTime` if it takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise NotInTime(seconds) from error
