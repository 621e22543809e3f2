"""Responses of MiMo Code 0.1.15 that differ from opencode's, as measured."""

import asyncio
from typing import Any

import pytest

from server_stub.domain.profiles import MIMO, Profile
from tests.server_stub.conftest import Stub
from tests.waiting import wait_until

Json = dict[str, Any]
PREFIX = {"origin": "string", "code": "invalid_format", "format": "starts_with"}


@pytest.fixture
def profile() -> Profile:
    return MIMO


async def permission(stub: Stub) -> Json:
    await wait_until(lambda: stub.server.requests.permissions(stub.server.directory))
    return stub.server.requests.permissions(stub.server.directory)[0]


@pytest.mark.parametrize(
    ("method", "path", "body", "data", "error"),
    [
        (
            *("GET", "/session/x", None, {"sessionID": "x"}),
            {**PREFIX, "prefix": "ses", "path": ["sessionID"], "message": 'Invalid string: must start with "ses"'},
        ),
        (
            *("POST", "/question/que_x/reply", {}, {}),
            {
                **{"expected": "array", "code": "invalid_type", "path": ["answers"]},
                "message": "Invalid input: expected array, received undefined",
            },
        ),
        (
            *("POST", "/permission/per_x/reply", {"reply": "z"}, {"reply": "z"}),
            {
                **{"code": "invalid_value", "values": ["once", "always", "reject"], "path": ["reply"]},
                "message": 'Invalid option: expected one of "once"|"always"|"reject"',
            },
        ),
        (
            *("GET", "/find/file", None, {}),
            {
                **{"expected": "string", "code": "invalid_type", "path": ["query"]},
                "message": "Invalid input: expected string, received undefined",
            },
        ),
    ],
)
async def test_a_malformed_request_is_quoted(
    stub: Stub, method: str, path: str, body: object, data: Json, error: Json
) -> None:
    response = await stub.http.request(method, path, json=body)
    assert (response.status_code, response.json()) == (400, {"data": data, "error": [error], "success": False})


async def test_empty_parts_invalid_json_and_unknown_paths(stub: Stub) -> None:
    url = f"/session/{await stub.session()}/message"
    none = await stub.http.post(url, json={"parts": []})
    assert (none.status_code, none.json()["error"][0]["code"]) == (400, "too_small")
    broken = await stub.http.post(url, content=b"{")
    assert (broken.status_code, broken.text) == (400, "Malformed JSON in request body")
    unknown = await stub.http.get("/nowhere")
    assert (unknown.status_code, unknown.json()) == (503, {"error": "Web UI is temporarily unavailable."})
    assert len((await stub.http.get("/doc")).json()["paths"]) == 2


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/question/que_gone/reply", {"answers": [["a"]]}),
        ("/question/que_gone/reject", None),
        ("/permission/per_gone/reply", {"reply": "once"}),
        ("/bash-interactive/gone/reply", {"output": "", "exitCode": 0}),
    ],
)
async def test_a_reply_to_an_unknown_request_is_true(stub: Stub, path: str, body: object) -> None:
    response = await stub.http.post(path, json=body)
    assert (response.status_code, response.json()) == (200, True)


async def test_a_directory_elsewhere_is_denied(stub: Stub) -> None:
    session = await stub.session()
    elsewhere = {"x-mimocode-directory": "/usr"}
    denied = await stub.http.get(f"/session/{session}/message", headers=elsewhere)
    assert (denied.status_code, denied.json()["code"]) == (403, "directory_not_allowed")
    assert (await stub.http.get(f"/session/{session}/message")).status_code == 200
    assert (await stub.http.get("/global/health", headers=elsewhere)).status_code == 200


async def test_renaming_needs_the_revision(stub: Stub) -> None:
    url = f"/session/{await stub.session()}"
    assert (await stub.http.patch(url, json={"title": "x"})).status_code == 400
    renamed = await stub.http.patch(url, json={"title": "x", "expectedRevision": 0})
    assert (renamed.json()["title"], renamed.json()["titleRevision"]) == ("x", 2)
    conflict = await stub.http.patch(url, json={"title": "y", "expectedRevision": 0})
    assert (conflict.status_code, conflict.json()["name"]) == (409, "TitleConflictError")
    assert conflict.json()["data"]["current"]["titleRevision"] == 2


async def test_the_21st_async_prompt_within_a_minute_gets_429(stub: Stub) -> None:
    session = await stub.session()
    body = {"parts": [{"type": "text", "text": "x"}], "noReply": True}
    statuses = [(await stub.http.post(f"/session/{session}/prompt_async", json=body)).status_code for _ in range(20)]
    assert statuses == [204] * 20
    refused = await stub.http.post(f"/session/{session}/prompt_async", json=body)
    assert (refused.status_code, refused.json()) == (429, {"error": "Too many requests"})
    assert int(refused.headers["retry-after"]) <= 60


async def test_an_abort_keeps_the_question_and_removes_the_permission(stub: Stub) -> None:
    asking, running = await stub.session(), await stub.session()
    turns = [
        asyncio.ensure_future(stub.prompt(asking, "ASK1")),
        asyncio.ensure_future(stub.prompt(running, "SHELL x")),
    ]
    question = await stub.question()
    assert (await permission(stub))["metadata"] == {}
    for session in (asking, running):
        await stub.http.post(f"/session/{session}/abort")
    for turn in turns:
        info = (await turn).json()["info"]
        assert info["error"]["name"] == "MessageAbortedError"
        assert "completed" not in info["time"]
    assert (await stub.http.get("/question")).json() == [question]
    assert (await stub.http.get("/permission")).json() == []


async def test_idle_is_published_after_the_message_is_closed(stub: Stub) -> None:
    session = await stub.session()
    with stub.server.bus.subscribe() as events:
        await stub.prompt(session, "FAIL 401")
    kinds = [event.payload["type"] for event in events.events]
    assert kinds.index("session.error") < kinds.index("session.idle")
    assert "message.updated" not in kinds[kinds.index("session.idle") :][:1]
    assert kinds.count("session.idle") == 1
    assert all("id" not in event.payload for event in events.events)


async def test_a_rejected_question_ends_the_turn_without_a_finish(stub: Stub) -> None:
    turn = asyncio.ensure_future(stub.prompt(await stub.session(), "ASK1"))
    await stub.http.post(f"/question/{(await stub.question())['id']}/reject")
    answer = (await turn).json()
    assert "finish" not in answer["info"]
    assert "completed" in answer["info"]["time"]
    assert [part["type"] for part in answer["parts"]] == ["step-start", "text", "tool"]


async def test_a_provider_retry_is_an_event_and_the_status_stays_busy(stub: Stub) -> None:
    with stub.server.bus.subscribe() as events:
        await stub.prompt(await stub.session(), "RETRY 3")
    reported = [event.payload["properties"] for event in events.events]
    retries = [one for one in reported if "nextDelayMs" in one]
    assert [(one["attempt"], one["reason"], one["nextDelayMs"]) for one in retries] == [
        (1, "Overloaded", 3000),
        (2, "Overloaded", 3000),
    ]
    assert {one["status"]["type"] for one in reported if "status" in one} == {"busy", "idle"}


async def test_an_interactive_command_has_its_own_routes(stub: Stub) -> None:
    turn = asyncio.ensure_future(stub.prompt(await stub.session(), "INTERACTIVE name"))
    asked = await permission(stub)
    await stub.http.post(f"/permission/{asked['id']}/reply", json={"reply": "once"})
    await wait_until(stub.server.requests.commands)
    [command] = (await stub.http.get("/bash-interactive")).json()
    assert set(command) == {"id", "command", "cwd", "env", "description"}
    reply = {"output": "typed\n", "exitCode": 0}
    assert (await stub.http.post(f"/bash-interactive/{command['id']}/reply", json=reply)).json() is True
    assert "typed" in (await turn).json()["parts"][1]["text"]
    assert (await stub.http.get("/bash-interactive")).json() == []
