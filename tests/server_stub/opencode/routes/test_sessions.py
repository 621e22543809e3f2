"""Shapes, codes and orders as captured from opencode 1.18.33."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from server_stub.domain.agent import Agent
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.state import ServerState
from server_stub.opencode.routes import sessions
from tests.server_stub.conftest import InstantClock, Stub, run_loop

Json = dict[str, Any]


async def titles(stub: Stub, **query: str) -> list[str]:
    listed = (await stub.http.get("/session", params=query)).json()
    return [info["title"] for info in listed]


class TestLists:
    @pytest.fixture(autouse=True)
    async def sessions(self, stub: Stub, clock: InstantClock) -> None:
        clock.moment += 1000
        await stub.session(title="one")
        clock.moment += 1000
        two = await stub.session(title="two")
        clock.moment += 1000
        await stub.session(title="child of two", parentID=two)
        clock.moment += 1000
        await stub.http.post("/session", json={"title": "away"}, headers={"x-opencode-directory": "/away"})

    async def test_newest_first_across_directories(self, stub: Stub) -> None:
        assert await titles(stub) == ["away", "child of two", "two", "one"]

    async def test_a_change_moves_a_session_to_the_top(self, stub: Stub, clock: InstantClock) -> None:
        clock.moment += 1000
        first = next(info["id"] for info in (await stub.http.get("/session")).json() if info["title"] == "one")
        await stub.prompt(first, "hello", noReply=True)
        assert (await titles(stub))[0] == "one"

    async def test_filters(self, stub: Stub, clock: InstantClock) -> None:
        assert await titles(stub, limit="1") == ["away"]
        assert await titles(stub, roots="true") == ["away", "two", "one"]
        assert await titles(stub, search="TWO") == ["child of two", "two"]
        assert await titles(stub, directory="/away") == ["away"]
        assert await titles(stub, path="away") == ["away"]
        assert await titles(stub, start=str(clock.now() - 1000)) == ["away", "child of two"]

    async def test_invalid_numbers_are_ignored(self, stub: Stub) -> None:
        assert len(await titles(stub, limit="bad", start="bad")) == 4

    async def test_the_default_limit_is_100(self, stub: Stub) -> None:
        for _ in range(100):
            stub.server.create_session("/many")
        assert len(await titles(stub)) == 100
        assert len(await titles(stub, limit="1000")) == 104


async def test_a_session_is_created_read_renamed_and_deleted(stub: Stub) -> None:
    made = (await stub.http.post("/session")).json()
    url = f"/session/{made['id']}"
    assert (await stub.http.get(url)).json() == made
    renamed = (await stub.http.patch(url, json={"title": "Renamed"})).json()
    assert renamed == {**made, "title": "Renamed"}
    archived = (await stub.http.patch(url, json={"time": {"archived": 7}})).json()
    assert archived["time"]["archived"] == 7
    assert (await stub.http.delete(url)).json() is True
    gone = await stub.http.get(url)
    assert gone.status_code == 404
    assert gone.json() == {"name": "NotFoundError", "data": {"message": f"Session not found: {made['id']}"}}
    assert (await stub.http.delete(url)).status_code == 404


@pytest.mark.parametrize("body", [b'{"title":3}', b'{"title":null}', b'{"parentID":"bad"}', b"[1]", b"null", b'{"a'])
async def test_invalid_sessions_are_refused(stub: Stub, body: bytes) -> None:
    refused = await stub.http.post("/session", content=body)
    assert (refused.status_code, refused.json()) == (400, {"_tag": "BadRequest"})


@pytest.mark.parametrize("body", [b'{"messageID":3}', b'{"messageID":"bad"}', b"[1]", b"null", b'{"a'])
async def test_invalid_forks_are_refused(stub: Stub, body: bytes) -> None:
    refused = await stub.http.post(f"/session/{await stub.session()}/fork", content=body)
    assert (refused.status_code, refused.json()) == (400, {"_tag": "BadRequest"})


async def test_a_title_is_text_or_null(stub: Stub) -> None:
    refused = await stub.http.patch(f"/session/{await stub.session()}", json={"title": 3})
    assert refused.status_code == 400
    assert refused.json()["data"]["message"] == 'Expected string | null, got 3\n  at ["title"]'


@pytest.mark.parametrize("path", ["", "/message", "/children", "/todo"])
async def test_an_unknown_session_is_not_found(stub: Stub, path: str) -> None:
    assert (await stub.http.get(f"/session/ses_none{path}")).status_code == 404
    assert (await stub.http.get("/session/ses_none/diff")).json() == []
    assert (await stub.http.get(f"/session/none{path}")).status_code == 500


async def test_a_session_deleted_in_mid_turn_stays_busy_until_aborted(stub: Stub) -> None:
    session = await stub.session()
    turn = asyncio.ensure_future(stub.prompt(session, "CHILD"))
    question = await stub.question()
    [child] = (await stub.http.get(f"/session/{session}/children")).json()
    assert child["parentID"] == session
    assert (await stub.http.delete(f"/session/{session}")).json() is True
    assert (await stub.http.get("/session")).json() == []
    await stub.http.post(f"/question/{question['id']}/reply", json={"answers": [["SQLite"]]})
    await run_loop(100)
    assert not turn.done()
    assert set((await stub.http.get("/session/status")).json()) == {session, child["id"]}
    assert (await stub.http.post(f"/session/{session}/abort")).json() is True
    assert (await turn).status_code == 500
    assert (await stub.http.get("/session/status")).json() == {}


async def test_the_clients_of_a_deleted_session_are_removed(server: ServerState, agent: Agent) -> None:
    clients = ClientRegistry(lambda: "client_1")
    session = server.create_session(server.directory)
    child = server.create_session(server.directory, parent_id=session.id)
    for one in (session, child):
        clients.attach(one.id)
    app = Starlette(routes=sessions.routes(server, agent, clients))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:4096") as http:
        await http.delete(f"/session/{session.id}")
    for one in (session, child):
        assert clients.client_activity(one.id).attachments == {}


async def test_a_turn_leaves_title_todos_and_diff(stub: Stub) -> None:
    session = await stub.session()
    await stub.prompt(session, "TODO")
    await stub.prompt(session, "TOOLS")
    todos = (await stub.http.get(f"/session/{session}/todo")).json()
    assert {tuple(sorted(todo)) for todo in todos} == {("content", "priority", "status")}
    [change] = (await stub.http.get(f"/session/{session}/diff")).json()
    assert set(change) == {"file", "patch", "additions", "deletions", "status"}
    info = (await stub.http.get(f"/session/{session}")).json()
    assert info["summary"] == {"additions": 1, "deletions": 1, "files": 1}


async def test_a_fork_copies_the_messages_before_a_message(stub: Stub) -> None:
    session = await stub.session(title="origin")
    await stub.prompt(session, "one")
    await stub.prompt(session, "two", messageID="msg_two")
    fork = (await stub.http.post(f"/session/{session}/fork", json={"messageID": "msg_two"})).json()
    assert fork["title"] == "origin (fork #1)"
    assert len((await stub.http.get(f"/session/{fork['id']}/message")).json()) == 2


async def test_summarize_returns_true(stub: Stub) -> None:
    session = await stub.session()
    body = {"providerID": "holdfast", "modelID": "scripted"}
    assert (await stub.http.post(f"/session/{session}/summarize", json=body)).json() is True
    prompt, answer = (await stub.http.get(f"/session/{session}/message")).json()
    assert prompt["parts"][0]["type"] == "compaction"
    assert prompt["info"]["agent"] == "build"
    assert answer["info"]["finish"] == "stop"
    assert answer["info"]["summary"] is True
    assert answer["info"]["agent"] == answer["info"]["mode"] == "compaction"


@pytest.mark.parametrize(
    ("route", "body", "missing"),
    [
        ("summarize", {"providerID": "holdfast"}, "modelID"),
        ("summarize", {"modelID": "scripted"}, "providerID"),
        ("shell", {"command": "ls"}, "agent"),
        ("shell", {"agent": "build"}, "command"),
    ],
)
async def test_required_fields(stub: Stub, route: str, body: Json, missing: str) -> None:
    refused = await stub.http.post(f"/session/{await stub.session()}/{route}", json=body)
    assert refused.status_code == 400
    assert refused.json()["data"]["message"] == f'Missing key\n  at ["{missing}"]'


async def test_revert_and_unrevert(stub: Stub) -> None:
    session = await stub.session()
    await stub.prompt(session, "one", messageID="msg_one")
    url = f"/session/{session}"
    reverted = (await stub.http.post(f"{url}/revert", json={"messageID": "msg_one"})).json()
    assert reverted["revert"] == {"messageID": "msg_one"}
    assert len((await stub.http.get(f"{url}/message")).json()) == 2
    assert "revert" not in (await stub.http.post(f"{url}/unrevert")).json()
    unknown = await stub.http.post(f"{url}/revert", json={"messageID": "msg_no"})
    assert (unknown.status_code, "revert" in unknown.json()) == (200, False)
    answer = (await stub.http.get(f"{url}/message")).json()[1]["info"]["id"]
    of_answer = (await stub.http.post(f"{url}/revert", json={"messageID": answer})).json()
    assert of_answer["revert"] == {"messageID": "msg_one"}
    assert (await stub.http.post(f"{url}/revert", json={"messageID": "no"})).status_code == 400


@pytest.mark.parametrize(
    ("route", "body"),
    [("shell", {"agent": "build", "command": "ls"}), ("revert", {"messageID": "msg_1"}), ("unrevert", None)],
)
async def test_a_busy_session_refuses(stub: Stub, route: str, body: Json | None) -> None:
    session = await stub.session()
    turn = asyncio.ensure_future(stub.prompt(session, "ASK1", messageID="msg_1"))
    await stub.question()
    refused = await stub.http.post(f"/session/{session}/{route}", json=body or {})
    assert refused.status_code == 409
    assert refused.json() == {
        "_tag": "SessionBusyError",
        "sessionID": session,
        "message": f"Session is busy: {session}",
    }
    await stub.http.post(f"/session/{session}/abort")
    await turn


async def test_a_shell_returns_only_its_tool_call(stub: Stub) -> None:
    session = await stub.session()
    shell = (await stub.http.post(f"/session/{session}/shell", json={"agent": "build", "command": "ls"})).json()
    assert [part["tool"] for part in shell["parts"]] == ["bash"]
    assert "finish" not in shell["info"]
    assert "completed" in shell["info"]["time"]
