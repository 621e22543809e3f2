"""A total time limit for the commands without a screen: a server can make each single answer take for ever."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tui.net.errors import NetError

TOTAL = 30.0
"""Seconds that a command waits for the server's answers, all of them together."""

T = TypeVar("T")


class NotInTime(NetError):
    """The server has not answered everything within the limit."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"the server has not answered everything within {seconds:g} s",
            "Try again; if it repeats, restart the server, or look for a proxy that delays its answers.",
        )


async def within(seconds: float, work: Awaitable[T]) -> T:
    """What `work` gives. Raises `NotInTime` where that takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError as error:
        raise NotInTime(seconds) from error
