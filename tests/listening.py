"""An ASGI application on a real socket of the test's own event loop, there and gone within milliseconds.

It is uvicorn's protocol without uvicorn's server, which takes a tenth of a second to start and to end.
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

from tests.waiting import PATIENCE


@dataclass(slots=True)
class Listening:
    port: int
    state: ServerState

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Drop every connection, as a server that dies does."""
        for connection in list(self.state.connections):
            connection.transport.abort()


@asynccontextmanager
async def listening(app: ASGIApp, *, port: int = 0, date: float | None = None) -> AsyncIterator[Listening]:
    """Serve `app` on 127.0.0.1; `date` is what its clock says, in epoch seconds (None: the truth, once)."""
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
            await asyncio.wait(state.tasks, timeout=PATIENCE)
