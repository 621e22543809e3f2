"""Bytes that come one by one and never make anything whole: a limit on how long they are waited for.

httpcore's read limit is one of each receive, so that a byte a second holds it off for ever: within the headers,
before the head of a chunk ends, in any number of `102 Processing`. Here each wait, for the headers of an answer or
for the next piece of its body, has its limit as a whole, and is measured where the bytes leave the socket.

A wait without a limit in seconds is one for a turn. It may last for hours, and MiMo Code sends the first half of
its headers at once, the rest with the first byte of the body. Only many small pieces that complete nothing end it.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore

from tui.net.errors import ProtocolError, Trickled
from tui.net.response import SLOWEST

PIECES: Final = 100
"""Receives that a wait without a limit may take, if they bring less than SLOWEST bytes a second: a whole header of
the greatest size that is taken is fewer packets than that."""
INTERIM: Final = 10_000
"""Interim answers (1xx) to one request: one every ten seconds, for more than a day."""

_BLOCK_END: Final = b"\r\n\r\n"


class Wait:
    """One wait for something of the answer to `request` ("GET /path"). Raises Trickled, and Garbled
    where interim answers never end.
    """

    def __init__(self, request: str) -> None:
        self._request = request
        self._clock = asyncio.get_running_loop().time  # that of the limit of each receive
        self.begin()

    def begin(self) -> None:
        """Something was sent: only now can its answer come."""
        self._began = self._clock()
        self._received = 0
        self._pieces = 0
        self._piece_bytes = 0
        self._blocks = 0
        self._tail = b""

    @property
    def elapsed(self) -> float:
        return self._clock() - self._began

    def left(self, seconds: float | None) -> float | None:
        """Of a limit of `seconds` for the whole wait, what is left for the next receive."""
        if seconds is None or not self._received:
            return seconds
        if (left := seconds - self.elapsed) <= 0:
            raise self.trickled()
        return left

    def came(self, data: bytes) -> None:
        self._received += len(data)
        seen = self._tail + data
        blocks = seen.count(_BLOCK_END)
        self._tail = seen[-3:] if not seen.endswith(_BLOCK_END) else b""
        if blocks:
            self._blocks += blocks
            self._pieces = self._piece_bytes = 0
        else:
            self._pieces += 1
            self._piece_bytes += len(data)
        if self._blocks > INTERIM:
            raise ProtocolError(f"more than {INTERIM:,} interim answers")
        if self._pieces > PIECES and self._piece_bytes < SLOWEST * self.elapsed:
            raise self.trickled()

    def trickled(self) -> Trickled:
        return Trickled(self._request, self._received, self.elapsed)

    def timed_out(self) -> Trickled | None:
        """What a receive in vain means; None where nothing has come at all."""
        return self.trickled() if self._received else None


_wait: ContextVar[Wait | None] = ContextVar("wait", default=None)


@contextmanager
def waiting(request: str) -> Iterator[None]:
    """What is received by this task meanwhile counts as one wait."""
    token = _wait.set(Wait(request))
    try:
        yield
    finally:
        _wait.reset(token)


class WatchedNetwork(httpcore.AsyncNetworkBackend):
    """Another network, on whose connections every wait is watched."""

    def __init__(self, network: httpcore.AsyncNetworkBackend) -> None:
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        return _WatchedStream(stream)

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


class _WatchedStream(httpcore.AsyncNetworkStream):
    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        wait = _wait.get()
        if wait is None:
            return await self._stream.read(max_bytes, timeout)
        try:
            data = await self._stream.read(max_bytes, wait.left(timeout))
        except httpcore.ReadTimeout as error:
            raise wait.timed_out() or error from None
        wait.came(data)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)
        if (wait := _wait.get()) is not None:
            wait.begin()

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.AsyncNetworkStream:
        return _WatchedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
