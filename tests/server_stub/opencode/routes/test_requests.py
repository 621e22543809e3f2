"""Bodies and codes as captured from opencode 1.18.33."""

import asyncio
from typing import Any

import pytest

from tests.server_stub.conftest import Stub
from tests.waiting import wait_until

Json = dict[str, Any]


async def test_a_question_is_listed_and_answered(stub: Stub) -> None:
    session = await stub.session()
    turn = asyncio.ensure_future(stub.prompt(session, "ASK"))
    await stub.question()
    [asked] = (await stub.http.get("/question")).json()
    assert set(asked) == {"id", "sessionID", "questions", "tool"}
    assert set(asked["tool"]) == {"messageID", "callID"}
    assert [set(one) for one in asked["questions"]] == [{"question", "header", "options", "multiple"}] * 2
    url = f"/question/{asked['id']}/reply"
    reply = await stub.http.post(url, json={"answers": [["Postgres"], ["auth", "free text"]]})
    assert (reply.status_code, reply.json()) == (200, True)
    parts = (await turn).json()["parts"]
    assert '"Which features?"="auth, free text"' in next(part["text"] for part in parts if part["type"] == "text")
    assert (await stub.http.get("/question")).json() == []
    again = await stub.http.post(url, json={"answers": []})
    assert again.status_code == 404
    assert again.json()["_tag"] == "QuestionNotFoundError"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"answers": None}, 'Expected array, got null\n  at ["answers"]'),
        ({"answers": 3}, 'Expected array, got 3\n  at ["answers"]'),
        ({"answers": ["a"]}, 'Expected QuestionAnswer, got "a"\n  at ["answers"][0]'),
        ({"answers": [[1]]}, 'Expected string, got 1\n  at ["answers"][0][0]'),
        ({}, 'Missing key\n  at ["answers"]'),
        ([1], "Expected object, got [1]"),
    ],
)
async def test_an_invalid_answer_leaves_the_question_open(stub: Stub, body: object, message: str) -> None:
    turn = asyncio.ensure_future(stub.prompt(await stub.session(), "ASK1"))
    question = await stub.question()
    refused = await stub.http.post(f"/question/{question['id']}/reply", json=body)
    assert refused.status_code == 400
    assert refused.json() == {"name": "BadRequest", "data": {"message": message, "kind": "Payload"}}
    assert (await stub.http.get("/question")).json() == [question]
    await stub.http.post(f"/question/{question['id']}/reject")
    await turn


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "tag"),
    [
        ("POST", "/question/que_none/reply", {"answers": []}, 404, "QuestionNotFoundError"),
        ("POST", "/question/que_none/reject", None, 404, "QuestionNotFoundError"),
        ("POST", "/permission/per_none/reply", {"reply": "once"}, 404, "PermissionNotFoundError"),
        ("POST", "/session/ses_x/permissions/per_none", {"response": "once"}, 404, "NotFoundError"),
        ("POST", "/question/zzz/reply", {"answers": []}, 400, "Params"),
        ("POST", "/permission/zzz/reply", {"reply": "once"}, 400, "Params"),
    ],
)
async def test_unknown_requests_are_not_found(
    stub: Stub, method: str, path: str, body: object, status: int, tag: str
) -> None:
    response = await stub.http.request(method, path, json=body)
    assert response.status_code == status
    answer = response.json()
    assert tag in (answer.get("_tag"), answer.get("name"), answer.get("data", {}).get("kind"))


async def test_a_permission_is_listed_and_answered(stub: Stub) -> None:
    session = await stub.session()
    turn = asyncio.ensure_future(stub.prompt(session, "SHELL x"))
    await wait_until(lambda: stub.server.requests.permissions(stub.server.directory))
    [asked] = (await stub.http.get("/permission")).json()
    assert {**asked, "id": "", "tool": {}} == {
        "id": "",
        "sessionID": session,
        "permission": "bash",
        "patterns": ["touch x"],
        "metadata": {"command": "touch x"},
        "always": ["touch *"],
        "tool": {},
    }
    wrong = await stub.http.post(f"/permission/{asked['id']}/reply", json={"reply": "zzz"})
    assert wrong.json()["data"]["message"] == 'Expected "once" | "always" | "reject", got "zzz"\n  at ["reply"]'
    reply = await stub.http.post(f"/permission/{asked['id']}/reply", json={"reply": "reject", "message": "another"})
    assert (reply.status_code, reply.json()) == (200, True)
    text = next(part["text"] for part in (await turn).json()["parts"] if part["type"] == "text")
    assert text.endswith("with the following feedback: another")


async def test_the_older_route_of_permissions(stub: Stub) -> None:
    session = await stub.session()
    turn = asyncio.ensure_future(stub.prompt(session, "SHELL x"))
    await wait_until(lambda: stub.server.requests.permissions(stub.server.directory))
    [asked] = (await stub.http.get("/permission")).json()
    url = f"/session/{session}/permissions/{asked['id']}"
    assert (await stub.http.post(url, json={"response": "always"})).json() is True
    assert (await turn).json()["info"]["finish"] == "stop"
    assert (await stub.prompt(session, "SHELL y")).json()["info"]["finish"] == "stop"  # asks no more


async def test_requests_are_listed_by_directory(stub: Stub) -> None:
    there = {"x-opencode-directory": "/else where"}
    session = (await stub.http.post("/session", headers=there)).json()["id"]
    turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
    await wait_until(lambda: stub.server.requests.questions("/else where"))
    for path in ("/question", "/session/status"):
        assert (await stub.http.get(path)).json() in ([], {})
        assert (await stub.http.get(path, params={"directory": "/else where"})).json() not in ([], {})
        encoded = {"x-opencode-directory": "/else%20where"}
        assert (await stub.http.get(path, headers=encoded)).json() not in ([], {})
    await stub.http.post(f"/session/{session}/abort")
    await turn


@pytest.mark.parametrize(
    ("text", "kind", "answers", "tag"),
    [
        ("ASK1", "question", {"reply": {"answers": [["SQLite"]]}, "reject": {}}, "QuestionNotFoundError"),
        ("SHELL x", "permission", {"reply": {"reply": "once"}}, "PermissionNotFoundError"),
    ],
)
async def test_a_request_is_found_in_its_own_directory_only(
    stub: Stub, text: str, kind: str, answers: Json, tag: str
) -> None:
    there = {"x-opencode-directory": "/else%20where"}
    session = (await stub.http.post("/session", headers=there)).json()["id"]
    turn = asyncio.ensure_future(stub.prompt(session, text))
    requests = stub.server.requests
    await wait_until(lambda: requests.questions("/else where") or requests.permissions("/else where"))
    [asked] = (await stub.http.get(f"/{kind}", headers=there)).json()
    for verb, body in answers.items():
        missed = await stub.http.post(f"/{kind}/{asked['id']}/{verb}", json=body)
        assert (missed.status_code, missed.json()["_tag"]) == (404, tag)
    assert (await stub.http.get(f"/{kind}", headers=there)).json() == [asked]
    found = await stub.http.post(f"/{kind}/{asked['id']}/reply", json=answers["reply"], headers=there)
    assert (found.status_code, found.json()) == (200, True)
    assert (await turn).json()["info"]["finish"] == "stop"


async def test_the_older_route_uses_the_sessions_directory(stub: Stub) -> None:
    there = {"x-opencode-directory": "/elsewhere"}
    session = (await stub.http.post("/session", headers=there)).json()["id"]
    turn = asyncio.ensure_future(stub.prompt(session, "SHELL x"))
    await wait_until(lambda: stub.server.requests.permissions("/elsewhere"))
    [asked] = stub.server.requests.permissions("/elsewhere")
    here = await stub.session()
    for identifier, status in (("ses_none", 404), ("none", 500), (here, 404), (session, 200)):
        url = f"/session/{identifier}/permissions/{asked['id']}"
        assert (await stub.http.post(url, json={"response": "once"})).status_code == status
    assert (await turn).json()["info"]["finish"] == "stop"
