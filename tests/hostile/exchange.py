"""One request and its answer on a raw socket, byte by byte: what is sent need not be HTTP."""

import asyncio
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LARGEST: Final = (1 << 30) + (64 << 20)
"""Bytes that one answer may have."""
LONGEST: Final = 60.0
"""Seconds that one answer may take."""


class Spent(Exception):
    """An answer has reached its limit."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asked; names of headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """Sends the answer to `request`. Every call raises OSError once the client has gone, Spent at the limits."""

    def __init__(self, request: Request, writer: asyncio.StreamWriter, family: str) -> None:
        self.request = request
        self.writer = writer
        self.family = family
        self._sent = 0
        self._began = time.monotonic()

    @property
    def is_stream(self) -> bool:
        """Whether an event stream was asked for."""
        return self.request.headers.get("accept") == "text/event-stream"

    @property
    def content_type(self) -> str:
        """The type that was asked for."""
        return "text/event-stream" if self.is_stream else "application/json"

    async def send(self, data: bytes) -> None:
        """These bytes, as they are."""
        self._sent += len(data)
        if self._sent > LARGEST or time.monotonic() - self._began > LONGEST:
            raise Spent
        if self.writer.transport.is_closing():
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def pause(self, seconds: float) -> None:
        """Wait between two pieces; nothing is sent."""
        if time.monotonic() - self._began > LONGEST:
            raise Spent
        await asyncio.sleep(seconds)

    async def head(
        self, content_type: str, *, length: int | None, status: str = "200 OK", headers: Mapping[str, str] = {}
    ) -> None:
        """Status line and headers; without a `length` the body follows in chunks."""
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
        """A whole answer with its length."""
        await self.head(content_type or "application/json", length=len(body), status=status, headers=headers)
        for at in range(0, len(body), 1 << 20):
            await self.send(body[at : at + (1 << 20)])

    def reset(self) -> None:
        """Break the connection off with a RST."""
        found = self.writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
