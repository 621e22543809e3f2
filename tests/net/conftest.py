"""A bytes server on virtual time; every test must leave no connection and no task behind."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.virtual_time import loop_factories
from tests.net.bytes_server import OK, Server, client
from tests.waiting import wait_until
from tui.net.http_client import Http

__all__ = ["pytest_asyncio_loop_factories"]

pytest_asyncio_loop_factories = loop_factories


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(OK)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    await wait_until(lambda: not server.open, what="every connection to be closed by the client")
    listening.close()
    await listening.wait_closed()
    await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, what="every task to end")


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Http]:
    async with client(server) as http:
        yield http
