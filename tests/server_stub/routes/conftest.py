"""The whole application, with scenarios that take no time."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from server_stub.app import create_app
from server_stub.profiles import OPENCODE, Profile
from server_stub.world import World
from tests.server_stub.conftest import InstantClock
from tests.server_stub.routes.qwen_client import Person, arrive
from tests.server_stub.serving import serving
from tests.waiting import wait_until

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stub:
    http: httpx.AsyncClient
    world: World

    async def session(self, **body: object) -> str:
        identifier: str = (await self.http.post("/session", json=body)).json()["id"]
        return identifier

    async def prompt(self, session_id: str, text: str, **more: object) -> httpx.Response:
        body = {"parts": [{"type": "text", "text": text}], **more}
        return await self.http.post(f"/session/{session_id}/message", json=body)

    async def question(self) -> Json:
        """The next one that is asked."""
        await wait_until(lambda: self.world.requests.questions(self.world.directory))
        return self.world.requests.questions(self.world.directory)[0]


@pytest.fixture
def profile() -> Profile:
    return OPENCODE


@pytest.fixture
def app(profile: Profile, clock: InstantClock) -> Starlette:
    return create_app(profile, scenario="plain", clock=clock)


@pytest.fixture
async def stub(app: Starlette) -> AsyncIterator[Stub]:
    """Without a network: a response is seen when it is whole."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4096") as http:
        yield Stub(http, app.state.world)


@pytest.fixture
async def stub_on_a_socket(app: Starlette) -> AsyncIterator[Stub]:
    """For what must be seen as it comes."""
    async with serving(app) as served, httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        yield Stub(http, app.state.world)


@pytest.fixture
async def person(stub: Stub) -> Person:
    """Somebody on a session of their own, where the stub plays `qwen serve`."""
    return await arrive(stub.http)


@pytest.fixture
async def three_turns(person: Person) -> None:
    """Each of two records."""
    for text in ("PLAIN 1", "PLAIN 2", "PLAIN 3"):
        await person.say(text)
