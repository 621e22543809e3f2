"""An ASGI application on a real socket, and a client that reads raw bytes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from tests.waiting import MAX_WAIT, wait_until


@dataclass(frozen=True, slots=True)
class Served:
    port: int
    server: uvicorn.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[Served]:
    """Serve `app` with uvicorn on a free port of 127.0.0.1."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # for the reason in `server_stub.__main__`
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    await wait_until(lambda: server.started, what="uvicorn to listen")
    try:
        yield Served(listener.getsockname()[1], server)
    finally:
        server.should_exit = True
        await task


class Wire:
    """One connection, as raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self, method: str, path: str, body: bytes = b"", *, connection: str = "close") -> None:
        length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}Connection: {connection}\r\n\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()

    async def read_until(self, ending: bytes, *, within: float = MAX_WAIT) -> bytes:
        """All bytes up to and including `ending`."""
        return await asyncio.wait_for(self._reader.readuntil(ending), within)

    async def read_all(self, *, within: float = MAX_WAIT) -> bytes:
        """All bytes up to the end of the connection; raises ConnectionResetError if it is reset."""
        return await asyncio.wait_for(self._reader.read(), within)

    async def silent_for(self, seconds: float) -> bool:
        """Whether neither a byte nor EOF arrives meanwhile."""
        try:
            await asyncio.wait_for(self._reader.read(1), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass  # the test broke it
