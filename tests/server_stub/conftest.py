"""A world without a network, whose scenarios take no time; and a held prompt on a real server, with its faults."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from server_stub.agent import Agent
from server_stub.exchange import FaultMiddleware
from server_stub.faults import Faults
from server_stub.profiles import OPENCODE
from server_stub.scenarios import choose
from server_stub.world import Session, World
from tests.server_stub.held import Routes
from tests.server_stub.serving import Served, Wire, serving, wire

START = 1_795_000_000_000
HERE = "/home/someone/project"


@dataclass(slots=True)
class InstantClock:
    """Moves on by as much as anyone sleeps, and lets the event loop turn meanwhile."""

    moment: float = START

    def now(self) -> int:
        return int(self.moment)

    def after(self, seconds: float) -> int:
        return int(self.moment + seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        self.moment += seconds * 1000
        await asyncio.sleep(0)

    async def ticks(self, rate: float) -> AsyncGenerator[None, None]:
        while True:
            await self.sleep(1 / rate)
            yield


@pytest.fixture
def clock() -> InstantClock:
    return InstantClock()


@pytest.fixture
def world(clock: InstantClock) -> World:
    return World(OPENCODE, clock, HERE)


@pytest.fixture
def session(world: World) -> Session:
    return world.create_session(HERE)


@pytest.fixture
def agent(world: World) -> Agent:
    return Agent(world, lambda text: choose(text, "plain"))


@pytest.fixture
async def routes() -> Routes:
    return Routes()


@pytest.fixture
def faults() -> Faults:
    return Faults(lambda flag, on: None)


@pytest.fixture
async def served(routes: Routes, faults: Faults) -> AsyncIterator[Served]:
    app = Starlette(
        routes=[
            Route("/session/{id}/message", routes.prompt, methods=["POST"]),
            Route("/event", routes.events),
            Route("/session/status", routes.status),
            Route("/_stub/faults", routes.status),
        ],
        middleware=[Middleware(FaultMiddleware, faults=faults)],
    )
    async with serving(app) as served:
        faults.connections = served.server.server_state.connections
        yield served


@pytest.fixture
async def line(served: Served) -> AsyncIterator[Wire]:
    async with wire(served.port) as line:
        yield line


async def turns_of_the_loop(count: int) -> None:
    """Let every task that can move do so, this many times; no time passes."""
    for _ in range(count):
        await asyncio.sleep(0)
