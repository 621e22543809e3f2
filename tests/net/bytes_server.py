"""A server that writes the bytes of a test, and a client for it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.waiting import wait_until
from tui.net.http_client import Http

JSON_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
OK = JSON_HEAD + b"content-length: 4\r\n\r\ntrue"
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream; charset=latin-1\r\ntransfer-encoding: chunked\r\n\r\n"
)
EVENTS = {"accept": "text/event-stream"}

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def answer(body: bytes, status: str = "200 OK", *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-type: {kind}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """Plays `plays` in order, one per connection, the last for all others; records what it receives."""

    def __init__(self, *plays: bytes | Play) -> None:
        self._plays = list(plays)
        self.requests: list[bytes] = []
        self.connections = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        respond = self._plays[min(self.connections, len(self._plays) - 1)]
        self.connections += 1
        self.open.add(writer)
        try:
            if not isinstance(respond, bytes):
                await respond(reader, writer)
                return
            while await self.read_request(reader):
                writer.write(respond)
                await writer.drain()
        except ConnectionError:
            pass  # the client has disconnected, as in many tests
        finally:
            self.open.discard(writer)
            writer.close()

    async def read_request(self, reader: asyncio.StreamReader) -> bool:
        """Read one request with its body; False if there is none."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        self.requests.append(head + await reader.readexactly(length))
        return True

    def sending(self, *pieces: bytes, reset: bool = False, hold: bool = False) -> Play:
        """Read a request, write `pieces` one by one, then close, reset, or wait for the client to disconnect."""

        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.read_request(reader)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if hold:
                await reader.read()
            if reset:
                await wait_until(lambda: not writer.transport.get_write_buffer_size())
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()

        return respond

    def respond(self, *plays: bytes | Play) -> None:
        self._plays = list(plays)


@asynccontextmanager
async def client(server: Server, **options: object) -> AsyncIterator[Http]:
    http = Http(server.url, **options)  # type: ignore[arg-type]
    try:
        yield http
    finally:
        await http.close()


async def read(http: Http, *, silence: float | None = None, first_byte: float | None = 2.0) -> bytes:
    async with http.stream("GET", "/event", headers=EVENTS, first_byte=first_byte, silence=silence) as stream:
        return b"".join([piece async for piece in stream.chunks()])
