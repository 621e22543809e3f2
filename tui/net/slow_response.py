"""Limits on responses that arrive too slowly to complete anything.

httpcore's read timeout applies to each receive, so that a byte per second extends it for ever: within the headers,
within the head of a chunk, in any number of `102 Processing`. Here each wait, for the headers of a response or for
the next piece of its body, has a limit as a whole, measured at the socket.

A wait without a limit in seconds is one for a turn. It may last for hours, and MiMo Code sends the first half of
its headers at once, the rest with the first byte of the body. Only many small pieces that complete nothing end it.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import httpcore

from tui.net.errors import ProtocolError, ResponseTooSlow
from tui.net.response import MIN_RATE

PIECES: Final = 100
"""Receives that a wait without a limit may take if they bring less than MIN_RATE bytes per second: the largest
accepted header takes fewer packets."""
INTERIM: Final = 10_000
"""Limit of interim responses (1xx) to one request: one every ten seconds, for more than a day."""

_BLOCK_END: Final = b"\r\n\r\n"


class Wait:
    """One wait for a part of the response to `request` ("GET /path"). Raises ResponseTooSlow, and ProtocolError for too
    many interim responses.
    """

    def __init__(self, request: str) -> None:
        self._request = request
        self._clock = asyncio.get_running_loop().time  # that of the limit of each receive
        self.begin()

    def begin(self) -> None:
        """Restart the wait, after something was sent."""
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
        """The rest of a limit of `seconds` for the whole wait, for the next receive."""
        if seconds is None or not self._received:
            return seconds
        if (left := seconds - self.elapsed) <= 0:
            raise self.trickled()
        return left

    def received(self, data: bytes) -> None:
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
            raise ProtocolError(f"more than {INTERIM:,} interim responses")
        if self._pieces > PIECES and self._piece_bytes < MIN_RATE * self.elapsed:
            raise self.trickled()

    def trickled(self) -> ResponseTooSlow:
        return ResponseTooSlow(self._request, self._received, self.elapsed)

    def timed_out(self) -> ResponseTooSlow | None:
        """The error for a timed-out receive; None if nothing was received at all."""
        return self.trickled() if self._received else None


_wait: ContextVar[Wait | None] = ContextVar("wait", default=None)


@contextmanager
def waiting(request: str) -> Iterator[None]:
    """Count what this task receives within the block as one wait."""
    token = _wait.set(Wait(request))
    try:
        yield
    finally:
        _wait.reset(token)


class WatchedNetwork(httpcore.AsyncNetworkBackend):
    """Wraps a network backend and watches every wait on its connections."""

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
        wait.received(data)
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
