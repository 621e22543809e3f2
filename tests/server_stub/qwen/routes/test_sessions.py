"""The bodies and status codes below were recorded from `qwen serve` 0.24.4."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.server_stub.conftest import InstantClock, Stub
from tests.server_stub.qwen.routes.qwen_client import CLIENT_ID, QwenClient, new_client, on_qwen, updates

Json = dict[str, Any]

MALFORMED = {
    "error": "`X-Qwen-Client-Id` must be a non-empty token of 128 characters or fewer",
    "code": "invalid_client_id",
}
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
GIVEN = "11111111-1111-4111-8111-111111111111"

pytestmark = on_qwen


async def listed(stub: Stub, query: str = "") -> Json:
    found: Json = (await stub.http.get(f"/workspaces/{quote(stub.server.directory, safe='')}/sessions{query}")).json()
    return found


def unknown(session_id: str) -> Json:
    error = f'No session with id "{session_id}"'
    return {"error": error, "code": "session_not_found", "sessionId": session_id}


# ids and directories


async def test_session_ids_are_case_insensitive(stub: Stub, client: QwenClient) -> None:
    status = await stub.http.get(f"/session/{client.session_id.upper()}/status")
    assert status.json()["sessionId"] == client.session_id

    given = GIVEN.replace("1111-1", "abcd-1")
    made = await stub.http.post("/session", json={"sessionScope": "thread", "sessionId": given.upper()})
    assert made.json()["sessionId"] == given


async def test_the_daemons_own_directory_is_listed_too(stub: Stub, client: QwenClient) -> None:
    folder = quote(stub.server.directory, safe="")
    assert (await stub.http.get(f"/workspace/{folder}/sessions")).json() == await listed(stub)
    refused = await stub.http.get("/workspace/%2Fnope/sessions")
    assert (refused.status_code, refused.json()) == (
        400,
        {
            "error": f'Workspace mismatch: daemon is bound to "{stub.server.directory}"',
            "code": "workspace_mismatch",
            "boundWorkspace": stub.server.directory,
            "requestedWorkspace": "/nope",
        },
    )


async def test_an_invalid_cursor_is_refused(stub: Stub) -> None:
    error = 'Invalid cursor: "x" is not a valid numeric cursor'
    assert await listed(stub, "?cursor=x") == {"error": error, "code": "invalid_cursor"}


# create


async def test_thread_scope_creates_a_separate_session(stub: Stub) -> None:
    made = (await stub.http.post("/session", json={"sessionScope": "thread"})).json()
    assert re.fullmatch(UUID, made.pop("sessionId"))
    assert re.fullmatch(f"client_{UUID}", made.pop("clientId"))
    assert made == {
        "workspaceCwd": stub.server.directory,
        "attached": False,
        "createdAt": "2026-11-18T11:06:40.000Z",
    }


async def test_the_default_scope_shares_a_session(stub: Stub) -> None:
    first = (await stub.http.post("/session", json={})).json()
    thread = await new_client(stub.http)
    second = (await stub.http.post("/session", json={"sessionScope": "single"})).json()
    again = (await stub.http.post("/session", json={}, headers={CLIENT_ID: first["clientId"]})).json()
    assert first["sessionId"] == second["sessionId"] == again["sessionId"] != thread.session_id
    assert (first["attached"], second["attached"], second["hasActivePrompt"]) == (False, True, False)
    assert first["clientId"] == again["clientId"] != second["clientId"]


async def test_a_given_id_must_be_unused(stub: Stub) -> None:
    assert (await new_client(stub.http, sessionId=GIVEN)).session_id == GIVEN
    refused = await stub.http.post("/session", json={"sessionId": GIVEN})
    assert refused.status_code == 409
    assert refused.json() == {
        "error": f'Session "{GIVEN}" already exists or is being created.',
        "code": "session_id_conflict",
        "sessionId": GIVEN,
        "conflict": "live",
        "liveWorkspaceCwd": stub.server.directory,
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"sessionScope": "x"}, "invalid_session_scope"),
        ({"approvalMode": "x"}, "invalid_approval_mode"),
        ({"sessionId": "x"}, "invalid_session_id"),
        ({"cwd": "/nope"}, "workspace_mismatch"),
        ({"cwd": "nope"}, None),
    ],
)
async def test_invalid_session_requests_are_refused(stub: Stub, body: Json, code: str | None) -> None:
    refused = await stub.http.post("/session", json=body)
    assert (refused.status_code, refused.json().get("code")) == (400, code)
    assert (await listed(stub))["sessions"] == []


async def test_a_given_mode_is_published(stub: Stub) -> None:
    client = await new_client(stub.http, approvalMode="yolo")
    mode = await client.until("approval_mode_changed")
    assert mode["originatorClientId"] == client.client_id
    expected = {"sessionId": client.session_id, "previous": "default", "next": "yolo", "persisted": False}
    assert mode["data"] == expected


async def test_the_number_of_live_sessions_is_limited(stub: Stub) -> None:
    for _ in range(32):
        await new_client(stub.http)
    refused = await stub.http.post("/session", json={"sessionScope": "thread"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["code"] == "session_limit_exceeded"


@pytest.mark.parametrize("path", ["/session", "/session/x/load", "/session/x/prompt", "/session/x/permission/y"])
async def test_invalid_json_is_refused(stub: Stub, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    refused = await stub.http.post(path, content=b"{x", headers=headers)
    assert (refused.status_code, refused.json()) == (400, {"error": "Invalid JSON in request body"})


# lists


async def test_a_session_is_listed_before_its_first_prompt(stub: Stub) -> None:
    client = await new_client(stub.http)
    [session] = (await listed(stub))["sessions"]
    assert session.pop("createdAt")
    assert session == {
        "sessionId": client.session_id,
        "workspaceCwd": stub.server.directory,
        "clientCount": 1,
        "hasActivePrompt": False,
        "activeWorkState": "idle",
        "hasRunningBackgroundTasks": False,
        "isWaitingForPermission": False,
        "isWaitingForUserQuestion": False,
        "pendingInteractionCount": 0,
        "hasTurnError": False,
        "pendingInteractions": [],
        "isArchived": False,
    }


async def test_a_workspace_is_known_by_its_id_too(stub: Stub) -> None:
    await new_client(stub.http)
    [workspace] = (await stub.http.get("/capabilities")).json()["workspaces"]
    assert (await stub.http.get(f"/workspaces/{workspace['id']}/sessions")).json() == await listed(stub)


@pytest.mark.parametrize("name", ["nope", "%2Fnope"])
async def test_another_workspace_is_refused(stub: Stub, name: str) -> None:
    refused = await stub.http.get(f"/workspaces/{name}/sessions")
    assert (refused.status_code, refused.json()["code"]) == (400, "workspace_mismatch")


async def test_a_closed_session_is_listed_by_its_first_prompt(stub: Stub) -> None:
    client = await new_client(stub.http)
    await client.run_prompt("PLAIN, please")
    await client.delete()
    [session] = (await listed(stub))["sessions"]
    assert session.pop("createdAt") <= session.pop("updatedAt")
    assert session == {
        "sessionId": client.session_id,
        "workspaceCwd": stub.server.directory,
        "displayName": "PLAIN, please",
        "clientCount": 0,
        "hasActivePrompt": False,
        "isArchived": False,
    }


async def test_stored_sessions_are_paged(stub: Stub) -> None:
    ids: list[str] = []
    for _ in range(3):
        client = await new_client(stub.http)
        await client.run_prompt("PLAIN")
        await client.delete()
        ids.insert(0, client.session_id)
    first = await listed(stub, "?size=2")
    assert [session["sessionId"] for session in first["sessions"]] == ids[:2]
    second = await listed(stub, f"?size=2&cursor={first['nextCursor']}")
    assert [session["sessionId"] for session in second["sessions"]] == ids[2:]
    assert "nextCursor" not in second


async def test_a_failed_turn_is_listed_until_the_next(stub: Stub) -> None:
    client = await new_client(stub.http)
    await client.prompt("FAIL 401")
    await client.until("turn_error")
    status = (await client.get("status")).json()
    assert status["hasTurnError"] is True
    assert status["turnError"] == {"message": "401 Unauthorized", "code": "-32603"}
    await client.run_prompt("PLAIN")
    assert (await client.get("status")).json()["hasTurnError"] is False


# load and resume


async def test_load_returns_the_history_and_a_cursor(stub: Stub) -> None:
    client = await new_client(stub.http)
    ended = await client.run_prompt("PLAIN")
    loaded = await client.load()
    assert [event["type"] for event in loaded["compactedReplay"]][-1] == "turn_complete"
    assert (loaded["attached"], loaded["clientId"], loaded["state"]) == (True, client.client_id, {})
    assert (loaded["lastEventId"], loaded["liveJournal"]) == (ended["id"], [])
    [terminal] = loaded["promptTerminals"]
    assert terminal.pop("at")
    prompt_id = ended["promptId"]
    expected = {"v": 1, "promptId": prompt_id, "terminal": "completed", "stopReason": "end_turn"}
    assert terminal == expected


async def test_resume_returns_no_history(stub: Stub) -> None:
    client = await new_client(stub.http)
    await client.run_prompt("PLAIN")
    loaded = await client.load()
    resumed = (await client.post("resume")).json()
    for past in ("compactedReplay", "liveJournal", "promptTerminals"):
        del loaded[past]
    assert resumed == loaded


async def test_an_unknown_client_gets_a_new_id(stub: Stub) -> None:
    client = await new_client(stub.http)
    for action in ("load", "resume"):
        mine = QwenClient(stub.http, client.session_id, "client_mine")
        assert (await mine.post(action)).json()["clientId"] not in ("client_mine", client.client_id)


async def test_a_closed_session_is_loaded_from_disk(stub: Stub) -> None:
    client = await new_client(stub.http)
    old = await client.run_prompt("THINK")
    epoch = (await client.load())["eventEpoch"]
    await client.delete()
    loaded = await client.load()
    assert (loaded["attached"], loaded["hasActivePrompt"]) == (False, False)
    assert loaded["eventEpoch"] != epoch
    assert loaded["clientId"] != client.client_id
    assert loaded["state"]["modes"]["currentModeId"] == "default"
    assert loaded["promptTerminals"][0]["promptId"] == old["promptId"]
    replayed = [(event["id"], event["data"]["update"]) for event in loaded["compactedReplay"]]
    assert [number for number, _ in replayed] == [1, 2, 3, 4]
    assert [update["sessionUpdate"] for _, update in replayed] == [
        "user_message_chunk",
        "agent_thought_chunk",
        "agent_message_chunk",
        "agent_message_chunk",
    ]
    assert replayed[0][1]["_meta"]["promptId"] == old["promptId"]
    assert replayed[1][1]["content"]["text"].startswith("thought0 thought1")
    assert "usage" in replayed[3][1]["_meta"]
    assert loaded["lastEventId"] == 4


async def test_a_session_activated_by_resume_has_no_history(stub: Stub) -> None:
    client = await new_client(stub.http)
    await client.run_prompt("PLAIN")
    await client.delete()
    resumed = (await client.post("resume")).json()
    assert (resumed["attached"], resumed["lastEventId"]) == (False, 0)
    assert updates(await client.events(), "user_message_chunk") == []


async def test_closing_a_session_without_a_prompt_removes_it(stub: Stub) -> None:
    client = await new_client(stub.http)
    assert (await client.delete()).status_code == 204
    assert (await listed(stub))["sessions"] == []
    refused = await client.post("load")
    assert (refused.status_code, refused.json()) == (404, unknown(client.session_id))


# unknown sessions and clients


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "status"),
        ("POST", "load"),
        ("POST", "resume"),
        ("POST", "cancel"),
        ("POST", "heartbeat"),
        ("DELETE", ""),
        ("GET", "events"),
        ("GET", "turns/x"),
        ("GET", "pending-prompts"),
        ("DELETE", "pending-prompts/x"),
    ],
)
async def test_an_unknown_session(stub: Stub, method: str, path: str) -> None:
    refused = await stub.http.request(method, f"/session/nope/{path}".rstrip("/"))
    assert (refused.status_code, refused.json()) == (404, unknown("nope"))


@pytest.mark.parametrize("client_id", ["bad id!", "a" * 129])
@pytest.mark.parametrize("action", ["load", "resume", "detach", "cancel", "heartbeat"])
async def test_a_malformed_id_is_refused_everywhere(stub: Stub, action: str, client_id: str) -> None:
    for session_id in ((await new_client(stub.http)).session_id, "nope"):
        refused = await QwenClient(stub.http, session_id, client_id).post(action)
        assert (refused.status_code, refused.json()) == (400, MALFORMED)


# heartbeats


async def test_a_heartbeat_is_recorded(stub: Stub, clock: InstantClock) -> None:
    client = await new_client(stub.http)
    clock.moment += 5000
    beat = await client.post("heartbeat")
    assert beat.status_code == 200
    seen = {"sessionId": client.session_id, "lastSeenAt": clock.now()}
    assert beat.json() == {**seen, "clientId": client.client_id}
    anonymous = await stub.http.post(f"{client.base}/heartbeat")
    assert anonymous.json() == seen


async def test_an_unregistered_heartbeat_updates_nothing(stub: Stub) -> None:
    client = await new_client(stub.http)
    refused = await QwenClient(stub.http, client.session_id, "client_nope").post("heartbeat")
    assert refused.status_code == 400
    assert refused.json() == {
        "error": f'Client id "client_nope" is not registered for session {client.session_id}',
        "code": "invalid_client_id",
        "sessionId": client.session_id,
        "clientId": "client_nope",
    }
    [session] = (await stub.http.get("/daemon/status?detail=full")).json()["full"]["sessions"]
    assert "lastSeenAt" not in session


# detach


async def test_the_last_detach_closes_the_session(stub: Stub) -> None:
    client = await new_client(stub.http)
    other = (await stub.http.post(f"{client.base}/load", json={})).json()["clientId"]
    assert (await client.post("detach")).status_code == 204
    assert (await client.get("status")).json()["clientCount"] == 1
    for stranger in ("client_nope", client.client_id):
        assert (await QwenClient(stub.http, client.session_id, stranger).post("detach")).status_code == 204
    assert (await client.get("status")).status_code == 200
    await QwenClient(stub.http, client.session_id, other).post("detach")
    assert (await client.get("status")).status_code == 404


async def test_a_running_prompt_keeps_a_session_without_clients(stub: Stub) -> None:
    client = await new_client(stub.http)
    await client.prompt("ASK1")
    asked = await client.asked()
    await client.post("detach")
    assert (await client.get("status")).json()["hasActivePrompt"] is True
    response = await stub.http.post(
        f"{client.base}/permission/{asked['requestId']}", json={"outcome": {"outcome": "cancelled"}}
    )
    assert response.status_code == 200


async def test_detaching_from_an_unknown_session_succeeds(stub: Stub) -> None:
    assert (await stub.http.post("/session/nope/detach")).status_code == 204
