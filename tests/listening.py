"""An ASGI application on a real socket in the test's event loop, started and stopped within milliseconds.

It uses uvicorn's protocol without uvicorn's server, which takes a tenth of a second to start and to stop.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import formatdate

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from tests.waiting import MAX_WAIT


@dataclass(slots=True)
class Listening:
    port: int
    state: ServerState

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Drop all connections, as a killed server does."""
        for connection in list(self.state.connections):
            connection.transport.abort()


@asynccontextmanager
async def listening(app: ASGIApp, *, port: int = 0, date: float | None = None) -> AsyncIterator[Listening]:
    """Serve `app` on 127.0.0.1; `date` returns its clock in epoch seconds (None: the real time, once)."""
    config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", formatdate(date, usegmt=True).encode())]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: H11Protocol(config=config, server_state=state, app_state={}), "127.0.0.1", port
    )
    found = Listening(server.sockets[0].getsockname()[1], state)
    try:
        yield found
    finally:
        server.close()
        found.cut()
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=MAX_WAIT)
