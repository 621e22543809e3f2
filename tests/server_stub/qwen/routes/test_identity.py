"""The bodies and status codes below were recorded from `qwen serve` 0.24.4."""

import re
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.profiles import DEFAULT_PROFILE
from server_stub.domain.state import BUSY, ServerState, Session
from server_stub.qwen.daemon import new_client_id
from server_stub.qwen.routes import identity

CLIENT_ID = "X-Qwen-Client-Id"
JSON_TYPE = {"Content-Type": "application/json"}
MALFORMED = {
    "error": "`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer",
    "code": "invalid_client_id",
}


class StandingClock:
    """A clock that only a test advances; epoch ms."""

    def __init__(self) -> None:
        self.milliseconds = 1_795_167_307_520

    def now(self) -> int:
        return self.milliseconds

    def after(self, seconds: float) -> int:
        raise AssertionError("nothing here looks ahead")

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here may wait")

    def ticks(self, rate: float) -> AsyncGenerator[None, None]:
        raise AssertionError("nothing here may wait")


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def server(clock: StandingClock) -> ServerState:
    return ServerState(DEFAULT_PROFILE, clock, "/project")


@pytest.fixture
def session(server: ServerState) -> Session:
    return server.create_session("/project")


@pytest.fixture
def clients() -> ClientRegistry:
    return ClientRegistry(new_client_id)


@pytest.fixture
async def http(server: ServerState, clients: ClientRegistry) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=identity.routes(server, clients))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://stub") as client:
        yield client


async def resumed(http: httpx.AsyncClient, session: Session, **headers: str) -> str:
    response = await http.post(f"/session/{session.id}/resume", json={}, headers=headers)
    client_id: str = response.json()["clientId"]
    return client_id


async def test_capabilities_offer_the_heartbeat_with_an_identity(http: httpx.AsyncClient) -> None:
    capabilities = (await http.get("/capabilities")).json()
    assert {"client_identity", "client_heartbeat"} <= set(capabilities["features"])
    assert (capabilities["v"], capabilities["workspaceCwd"]) == (1, "/project")


async def test_capabilities_list_only_implemented_features(http: httpx.AsyncClient) -> None:
    features = (await http.get("/capabilities")).json()["features"]
    assert not {"session_prompt", "session_events", "session_load", "session_close"} & set(features)


async def test_resume_issues_a_client_id(http: httpx.AsyncClient, session: Session) -> None:
    response = await http.post(f"/session/{session.id}/resume", json={})
    assert response.status_code == 200
    body = response.json()
    assert re.fullmatch(r"client_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body.pop("clientId"))
    assert body.pop("eventEpoch")
    assert body == {
        "sessionId": session.id,
        "workspaceCwd": "/project",
        "attached": True,
        "createdAt": "2026-11-20T09:35:07.520Z",
        "state": {},
        "hasActivePrompt": False,
        "lastEventId": 0,
    }


async def test_resume_reports_a_running_turn(http: httpx.AsyncClient, server: ServerState, session: Session) -> None:
    server.set_status(session, BUSY)
    assert (await http.post(f"/session/{session.id}/resume")).json()["hasActivePrompt"] is True


async def test_resume_keeps_a_known_id_and_replaces_an_unknown_one(http: httpx.AsyncClient, session: Session) -> None:
    mine = await resumed(http, session)
    assert await resumed(http, session, **{CLIENT_ID: mine}) == mine
    assert await resumed(http, session, **{CLIENT_ID: "client_nope"}) not in (mine, "client_nope")


@pytest.mark.parametrize("action", ["resume", "heartbeat", "detach"])
async def test_a_malformed_id_is_refused_on_every_route(http: httpx.AsyncClient, session: Session, action: str) -> None:
    for session_id in (session.id, "ses_nope"):
        for malformed in ("bad id!", "a" * 129):
            response = await http.post(f"/session/{session_id}/{action}", headers={CLIENT_ID: malformed})
            assert (response.status_code, response.json()) == (400, MALFORMED)


@pytest.mark.parametrize("action", ["resume", "heartbeat"])
async def test_an_unknown_session(http: httpx.AsyncClient, action: str) -> None:
    response = await http.post(f"/session/ses_nope/{action}")
    assert response.status_code == 404
    assert response.json() == {
        "error": 'No session with id "ses_nope"',
        "code": "session_not_found",
        "sessionId": "ses_nope",
    }


@pytest.mark.parametrize("action", ["resume", "heartbeat", "detach"])
@pytest.mark.parametrize("body", ["x", "3", '{"a":'])
async def test_invalid_json_is_refused(http: httpx.AsyncClient, session: Session, action: str, body: str) -> None:
    response = await http.post(f"/session/{session.id}/{action}", content=body, headers=JSON_TYPE)
    assert (response.status_code, response.json()) == (400, {"error": "Invalid JSON in request body"})


async def test_a_body_of_another_media_type_is_ignored(http: httpx.AsyncClient, session: Session) -> None:
    response = await http.post(f"/session/{session.id}/resume", content="x")
    assert response.status_code == 200


async def test_a_heartbeat_with_a_client_id(
    http: httpx.AsyncClient, clients: ClientRegistry, session: Session, clock: StandingClock
) -> None:
    mine = await resumed(http, session)
    clock.milliseconds += 30_000
    response = await http.post(f"/session/{session.id}/heartbeat", headers={CLIENT_ID: mine})
    assert response.status_code == 200
    assert response.json() == {"sessionId": session.id, "clientId": mine, "lastSeenAt": clock.milliseconds}
    assert clients.client_activity(session.id).last_seen_at == clock.milliseconds


@pytest.mark.parametrize("headers", [{}, {CLIENT_ID: ""}])
async def test_an_anonymous_heartbeat(
    http: httpx.AsyncClient, session: Session, clock: StandingClock, headers: dict[str, str]
) -> None:
    response = await http.post(f"/session/{session.id}/heartbeat", headers=headers)
    assert response.status_code == 200
    assert response.json() == {"sessionId": session.id, "lastSeenAt": clock.milliseconds}


@pytest.mark.parametrize("stranger", ["client_nope", "bad id!"])
async def test_a_refused_heartbeat_updates_nothing(
    http: httpx.AsyncClient, clients: ClientRegistry, session: Session, clock: StandingClock, stranger: str
) -> None:
    await http.post(f"/session/{session.id}/heartbeat")
    before = clients.client_activity(session.id)
    clock.milliseconds += 30_000
    response = await http.post(f"/session/{session.id}/heartbeat", headers={CLIENT_ID: stranger})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_client_id")
    assert clients.client_activity(session.id) == before


async def test_an_unregistered_heartbeat_error_names_client_and_session(
    http: httpx.AsyncClient, session: Session
) -> None:
    response = await http.post(f"/session/{session.id}/heartbeat", headers={CLIENT_ID: "client_nope"})
    assert response.json() == {
        "error": f'Client id "client_nope" is not registered for session {session.id}',
        "code": "invalid_client_id",
        "sessionId": session.id,
        "clientId": "client_nope",
    }


async def test_the_last_detach_ends_the_registration(http: httpx.AsyncClient, session: Session) -> None:
    mine = await resumed(http, session)
    await resumed(http, session, **{CLIENT_ID: mine})
    for status_of_beat in (200, 400):
        detached = await http.post(f"/session/{session.id}/detach", headers={CLIENT_ID: mine})
        assert (detached.status_code, detached.content) == (204, b"")
        beat = await http.post(f"/session/{session.id}/heartbeat", headers={CLIENT_ID: mine})
        assert beat.status_code == status_of_beat


@pytest.mark.parametrize("headers", [{}, {CLIENT_ID: "client_nope"}])
async def test_detaching_an_unknown_client_succeeds(
    http: httpx.AsyncClient, clients: ClientRegistry, session: Session, headers: dict[str, str]
) -> None:
    await resumed(http, session)
    for session_id in (session.id, "ses_nope"):
        response = await http.post(f"/session/{session_id}/detach", headers=headers)
        assert response.status_code == 204
    assert len(clients.client_activity(session.id).attachments) == 1
