"""The bodies and status codes below were recorded from `qwen serve` 0.24.4."""

from typing import Any

import httpx
import pytest

from server_stub.app import PASSWORD_VARIABLE, create_app
from server_stub.domain.profiles import QWEN, Profile
from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import new_client

Json = dict[str, Any]


@pytest.fixture
def profile() -> Profile:
    return QWEN


async def test_health(stub: Stub) -> None:
    response = await stub.http.get("/health")
    assert response.json() == {"status": "ok"}
    assert response.headers["content-type"] == "application/json; charset=utf-8"


async def test_capabilities(stub: Stub) -> None:
    response = (await stub.http.get("/capabilities")).json()
    wanted = {"client_identity", "client_heartbeat", "session_load", "session_turn_status", "non_blocking_prompt"}
    assert wanted <= set(response["features"])
    assert (response["v"], response["qwenCodeVersion"], response["mode"]) == (1, "0.24.4", "http-bridge")
    assert response["limits"]["maxPendingPromptsPerSession"] == 5
    [workspace] = response["workspaces"]
    assert (workspace["cwd"], workspace["primary"]) == (response["workspaceCwd"], True)


@pytest.mark.parametrize(("method", "path"), [("GET", "/nope"), ("PUT", "/session"), ("GET", "/session/x/todo")])
async def test_an_unknown_route_returns_a_page(stub: Stub, method: str, path: str) -> None:
    response = await stub.http.request(method, path)
    assert response.status_code == 404
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert f"<pre>Cannot {method} {path}</pre>" in response.text


async def test_opencodes_routes_are_unknown(stub: Stub) -> None:
    for path in ("/global/health", "/event", "/session/status", "/question", "/doc"):
        assert (await stub.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("header", "value", "refused"),
    [
        ("Host", "evil.example", "Invalid Host header"),
        ("Origin", "http://evil.example", "Request denied by CORS policy"),
        ("Origin", "http://127.0.0.1:1234", "Request denied by CORS policy"),
    ],
)
async def test_other_hosts_and_origins_are_refused(stub: Stub, header: str, value: str, refused: str) -> None:
    response = await stub.http.get("/health", headers={header: value})
    assert (response.status_code, response.json()) == (403, {"error": refused})


async def test_the_servers_own_origin_is_accepted(stub: Stub) -> None:
    own = {"Origin": "http://127.0.0.1:4096"}
    assert (await stub.http.get("/health", headers=own)).status_code == 200


async def test_all_routes_but_health_need_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "sesame")
    transport = httpx.ASGITransport(create_app(QWEN))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4096") as http:
        assert (await http.get("/health")).status_code == 200
        for path in ("/capabilities", "/nope"):
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic sesame"}):
                refused = await http.get(path, headers=headers)
                assert (refused.status_code, refused.json()) == (401, {"error": "Unauthorized"})
        assert (await http.get("/capabilities", headers={"Authorization": "bearer sesame"})).status_code == 200


async def test_the_full_status_lists_each_live_session(stub: Stub) -> None:
    client = await new_client(stub.http)
    await client.post("heartbeat")
    await client.run_prompt("PLAIN")
    status = (await stub.http.get("/daemon/status?detail=full")).json()
    [session] = status["full"]["sessions"]
    assert session.pop("lastSeenAt") >= stub.server.clock.now() - 10_000
    assert session.pop("createdAt")
    assert session.pop("lastEventId") == (await client.load())["lastEventId"]
    assert session == {
        "sessionId": client.session_id,
        "workspaceCwd": stub.server.directory,
        "clientCount": 1,
        "subscriberCount": 0,
        "attachCount": 0,
        "pendingPromptCount": 0,
        "pendingPermissionCount": 0,
        "hasActivePrompt": False,
        "hasRunningBackgroundTasks": False,
        "currentModelId": "scripted",
        "currentApprovalMode": "default",
    }
    assert status["runtime"]["sessions"]["active"] == 1


async def test_the_summary_lists_no_sessions(stub: Stub) -> None:
    assert "full" not in (await stub.http.get("/daemon/status")).json()
    refused = await stub.http.get("/daemon/status?detail=x")
    expected = {"error": "detail must be one of: summary, full", "code": "invalid_detail"}
    assert (refused.status_code, refused.json()) == (400, expected)
