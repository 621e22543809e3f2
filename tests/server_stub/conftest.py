"""Fixtures: a server without a network, whose scenarios take no time; a held prompt on a real socket, with faults."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from server_stub.app import create_app
from server_stub.domain.agent import Agent
from server_stub.domain.profiles import OPENCODE, Profile
from server_stub.domain.state import ServerState, Session
from server_stub.faults.fault_middleware import FaultMiddleware
from server_stub.faults.kinds import Faults
from server_stub.scenarios.catalog import choose
from tests.server_stub.held import Routes
from tests.server_stub.qwen.routes.qwen_client import QwenClient, new_client
from tests.server_stub.serving import Served, Wire, serving, wire
from tests.waiting import MAX_WAIT, wait_until

START = 1_795_000_000_000
HERE = "/home/someone/project"


@dataclass(slots=True)
class InstantClock:
    """Advances by the seconds of each sleep, which returns after one pass of the event loop."""

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
def server(clock: InstantClock) -> ServerState:
    return ServerState(OPENCODE, clock, HERE)


@pytest.fixture
def session(server: ServerState) -> Session:
    return server.create_session(HERE)


@pytest.fixture
def agent(server: ServerState) -> Agent:
    return Agent(server, lambda text: choose(text, "plain"))


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
async def connection(served: Served) -> AsyncIterator[Wire]:
    async with wire(served.port) as connection:
        yield connection


async def run_loop(count: int) -> None:
    """Run the event loop this many times, without advancing the clock."""
    for _ in range(count):
        await asyncio.sleep(0)


Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stub:
    http: httpx.AsyncClient
    server: ServerState

    async def session(self, **body: object) -> str:
        identifier: str = (await self.http.post("/session", json=body)).json()["id"]
        return identifier

    async def prompt(self, session_id: str, text: str, **more: object) -> httpx.Response:
        body = {"parts": [{"type": "text", "text": text}], **more}
        return await self.http.post(f"/session/{session_id}/message", json=body)

    async def question(self) -> Json:
        """Wait for the next question."""
        await wait_until(lambda: self.server.requests.questions(self.server.directory))
        return self.server.requests.questions(self.server.directory)[0]


@pytest.fixture
def profile() -> Profile:
    return OPENCODE


@pytest.fixture
def app(profile: Profile, clock: InstantClock) -> Starlette:
    return create_app(profile, scenario="plain", clock=clock)


@pytest.fixture
async def stub(app: Starlette) -> AsyncIterator[Stub]:
    """Without a network: a response arrives when it is complete."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4096") as http:
        yield Stub(http, app.state.server)


@pytest.fixture
async def stub_on_a_socket(app: Starlette) -> AsyncIterator[Stub]:
    """On a socket: a response arrives piece by piece."""
    async with (
        serving(app) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=MAX_WAIT) as http,
    ):
        yield Stub(http, app.state.server)


@pytest.fixture
async def client(stub: Stub) -> QwenClient:
    """A client on a new session of the qwen profile."""
    return await new_client(stub.http)


@pytest.fixture
async def three_turns(client: QwenClient) -> None:
    """Three turns of two records each."""
    for text in ("PLAIN 1", "PLAIN 2", "PLAIN 3"):
        await client.run_prompt(text)
