"""One request and its response on a raw socket, byte by byte: the output need not be HTTP."""

import asyncio
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LARGEST: Final = (1 << 30) + (64 << 20)
"""Maximum bytes of one response."""
LONGEST: Final = 60.0
"""Maximum seconds of one response."""


class Spent(Exception):
    """A response has reached its limit."""


@dataclass(frozen=True, slots=True)
class Request:
    """The client's request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """Sends the response to `request`.

    Every call raises OSError once the client has disconnected, Spent at the limits.
    """

    def __init__(self, request: Request, writer: asyncio.StreamWriter, family: str) -> None:
        self.request = request
        self.writer = writer
        self.family = family
        self._sent = 0
        self._began = time.monotonic()

    @property
    def is_stream(self) -> bool:
        """Whether an event stream was requested."""
        return self.request.headers.get("accept") == "text/event-stream"

    @property
    def content_type(self) -> str:
        """The requested content type."""
        return "text/event-stream" if self.is_stream else "application/json"

    async def send(self, data: bytes) -> None:
        """Send these bytes unchanged."""
        self._sent += len(data)
        if self._sent > LARGEST or time.monotonic() - self._began > LONGEST:
            raise Spent
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def pause(self, seconds: float) -> None:
        """Wait between two pieces without sending."""
        if time.monotonic() - self._began > LONGEST:
            raise Spent
        await asyncio.sleep(seconds)

    async def head(
        self, content_type: str, *, length: int | None, status: str = "200 OK", headers: Mapping[str, str] = {}
    ) -> None:
        """Send status line and headers; without a `length` the body follows in chunks."""
        size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        await self.send(
            f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{size}\r\n{more}\r\n".encode("utf-8", "replace")
        )

    async def chunk(self, data: bytes) -> None:
        """One chunk of a body without a length."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def respond(
        self, body: bytes, *, status: str = "200 OK", headers: Mapping[str, str] = {}, content_type: str = ""
    ) -> None:
        """Send a complete response with its length."""
        await self.head(content_type or "application/json", length=len(body), status=status, headers=headers)
        for at in range(0, len(body), 1 << 20):
            await self.send(body[at : at + (1 << 20)])

    def reset(self) -> None:
        """Reset the connection (RST)."""
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
