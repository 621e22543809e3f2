"""Shapes, codes and error bodies as captured from opencode 1.18.33; MiMo Code's where the profile says so."""

import asyncio
from typing import Any

import httpx
import pytest

from server_stub.domain.profiles import MIMO, MIMO_CANCEL, OPENCODE_PADDED, Profile
from server_stub.http.held_response import INTERVAL_VARIABLE
from tests.server_stub.conftest import Stub
from tests.waiting import wait_until

Json = dict[str, Any]


async def test_the_answer_is_the_last_assistant_message_with_its_parts(stub: Stub) -> None:
    session = await stub.session()
    response = await stub.prompt(session, "hello", messageID="msg_mine")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert answer["info"]["parentID"] == "msg_mine"
    assert set(answer["info"]) == {
        *("id", "parentID", "role", "mode", "agent", "path", "cost", "tokens", "modelID", "providerID", "time"),
        *("finish", "sessionID"),
    }
    assert [part["type"] for part in answer["parts"]] == ["step-start", "text", "step-finish"]
    assert all({"id", "sessionID", "messageID"} <= set(part) for part in answer["parts"])
    stored = (await stub.http.get(f"/session/{session}/message")).json()
    assert [message["info"]["role"] for message in stored] == ["user", "assistant"]
    assert stored[1] == answer


async def test_a_prompt_without_reply_is_stored_only(stub: Stub) -> None:
    session = await stub.session()
    response = await stub.prompt(session, "hello", noReply=True)
    assert response.json()["info"]["role"] == "user"
    assert len((await stub.http.get(f"/session/{session}/message")).json()) == 1


MALFORMED: list[tuple[bytes, int, str]] = [
    (b"{}", 400, 'Missing key\n  at ["parts"]'),
    (b"[1]", 400, "Expected object, got [1]"),
    (b"", 400, "Expected object, got undefined"),
    (b'{"parts":3}', 400, 'Expected array, got 3\n  at ["parts"]'),
    (
        b'{"parts":[],"messageID":"bad"}',
        400,
        'Expected a string starting with "msg", got "bad"\n  at ["messageID"]',
    ),
    (
        b'{"parts":[{"id":"xx","type":"text","text":""}]}',
        400,
        'Expected a string starting with "prt", got "xx"\n  at ["parts"][0]["id"]',
    ),
    (b'{"parts":[{"type":"text"}]}', 400, 'Missing key\n  at ["parts"][0]["text"]'),
]


@pytest.mark.parametrize(("body", "status", "message"), MALFORMED)
async def test_malformed_prompts(stub: Stub, body: bytes, status: int, message: str) -> None:
    session = await stub.session()
    response = await stub.http.post(f"/session/{session}/message", content=body)
    assert response.status_code == status
    assert response.json() == {"name": "BadRequest", "data": {"message": message, "kind": "Payload"}}
    assert (await stub.http.get(f"/session/{session}/message")).json() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"a',
        b'{"parts":[],"agent":"unknown-agent"}',
        b'{"parts":[],"model":{"providerID":"x","modelID":"y"}}',
    ],
)
async def test_unhandled_requests_get_opencodes_500(stub: Stub, body: bytes) -> None:
    session = await stub.session()
    response = await stub.http.post(f"/session/{session}/message", content=body)
    assert response.status_code == 500
    assert response.json()["name"] == "UnknownError"
    assert response.json()["data"]["ref"].startswith("err_")


async def test_prompt_async_answers_at_once_and_reports_errors_by_events(stub: Stub) -> None:
    session = await stub.session()
    url = f"/session/{session}/prompt_async"
    response = await stub.http.post(url, json={"parts": [{"type": "text", "text": "ASK1"}]})
    assert (response.status_code, response.content) == (204, b"")
    assert (await stub.question())["sessionID"] == session
    unknown = await stub.http.post(url, json={"parts": [], "agent": "unknown-agent"})
    assert unknown.status_code == 204
    assert (await stub.http.post(url, json={})).status_code == 400


async def test_one_message_or_404(stub: Stub) -> None:
    session = await stub.session()
    await stub.prompt(session, "hello", messageID="msg_mine")
    found = await stub.http.get(f"/session/{session}/message/msg_mine")
    assert found.json()["info"]["id"] == "msg_mine"
    missing = await stub.http.get(f"/session/{session}/message/msg_nope")
    assert missing.status_code == 404
    assert missing.json() == {"name": "NotFoundError", "data": {"message": "Message not found: msg_nope"}}


class TestPages:
    @pytest.fixture
    async def session(self, stub: Stub) -> str:
        session = await stub.session()
        for number in range(4):
            await stub.prompt(session, "hello", messageID=f"msg_{number}", noReply=True)
        return session

    async def ids(self, stub: Stub, url: str) -> tuple[list[str], httpx.Response]:
        response = await stub.http.get(url)
        return [message["info"]["id"] for message in response.json()], response

    async def test_without_a_limit_all_oldest_first(self, stub: Stub, session: str) -> None:
        ids, response = await self.ids(stub, f"/session/{session}/message")
        assert ids == ["msg_0", "msg_1", "msg_2", "msg_3"]
        assert "x-next-cursor" not in response.headers

    async def test_a_limit_returns_the_newest_and_a_next_cursor(self, stub: Stub, session: str) -> None:
        ids, response = await self.ids(stub, f"/session/{session}/message?limit=3")
        assert ids == ["msg_1", "msg_2", "msg_3"]
        cursor = response.headers["x-next-cursor"]
        assert response.headers["access-control-expose-headers"] == "Link, X-Next-Cursor"
        assert response.links["next"]["url"].endswith(f"limit=3&before={cursor}")
        ids, last = await self.ids(stub, response.links["next"]["url"])
        assert ids == ["msg_0"]
        assert "x-next-cursor" not in last.headers
        assert "link" not in last.headers

    async def test_a_limit_above_the_count_has_no_next_page(self, stub: Stub, session: str) -> None:
        ids, response = await self.ids(stub, f"/session/{session}/message?limit=4")
        assert len(ids) == 4
        assert "link" not in response.headers

    @pytest.mark.parametrize("limit", ["0", ""])
    async def test_zero_and_empty_limits_return_all(self, stub: Stub, session: str, limit: str) -> None:
        ids, response = await self.ids(stub, f"/session/{session}/message?limit={limit}")
        assert ids == ["msg_0", "msg_1", "msg_2", "msg_3"]
        assert "x-next-cursor" not in response.headers
        assert "link" not in response.headers

    @pytest.mark.parametrize(
        ("limit", "message"),
        [
            ("bad", "Expected an integer, got NaN"),
            ("1.5", "Expected an integer, got 1.5"),
            ("-1", "Expected a value greater than or equal to 0, got -1"),
        ],
    )
    async def test_invalid_limits_are_refused(self, stub: Stub, session: str, limit: str, message: str) -> None:
        bad = await stub.http.get(f"/session/{session}/message?limit={limit}")
        assert bad.status_code == 400
        assert bad.json()["data"] == {"message": f'{message}\n  at ["limit"]', "kind": "Query"}

    async def test_a_cursor_needs_a_limit_and_must_be_valid(self, stub: Stub, session: str) -> None:
        _, response = await self.ids(stub, f"/session/{session}/message?limit=3")
        cursor = response.headers["x-next-cursor"]
        for query in ("limit=3&before=zzz", f"before={cursor}"):
            bad = await stub.http.get(f"/session/{session}/message?{query}")
            assert (bad.status_code, bad.json()) == (400, {"_tag": "BadRequest"})


async def test_messages_of_a_busy_session_are_not_removed(stub: Stub) -> None:
    session = await stub.session()
    await stub.prompt(session, "hello", messageID="msg_1")
    turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
    await stub.question()
    busy = await stub.http.delete(f"/session/{session}/message/msg_1")
    assert busy.status_code == 409
    assert busy.json()["_tag"] == "SessionBusyError"
    assert (await stub.http.post(f"/session/{session}/abort")).json() is True
    await turn
    assert (await stub.http.delete(f"/session/{session}/message/msg_1")).json() is True
    assert (await stub.http.get(f"/session/{session}/message/msg_1")).status_code == 404


async def test_abort_is_always_true(stub: Stub) -> None:
    session = await stub.session()
    for identifier in (session, "ses_none"):
        response = await stub.http.post(f"/session/{identifier}/abort")
        assert (response.status_code, response.json()) == (200, True)


async def test_a_dropped_post_leaves_the_turn_running(stub_on_a_socket: Stub) -> None:
    stub = stub_on_a_socket
    session = await stub.session()
    turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
    question = await stub.question()
    turn.cancel()
    await asyncio.wait({turn})
    assert (await stub.http.get("/session/status")).json() == {session: {"type": "busy"}}
    await stub.http.post(f"/question/{question['id']}/reply", json={"answers": [["SQLite"]]})
    await wait_until(lambda: stub.server.statuses(stub.server.directory) == {})


class OnASocket:
    """Tests of a profile that pads its held responses."""

    served: Profile

    @pytest.fixture
    def stub(self, stub_on_a_socket: Stub) -> Stub:
        return stub_on_a_socket

    @pytest.fixture
    def profile(self, monkeypatch: pytest.MonkeyPatch) -> object:
        monkeypatch.setenv(INTERVAL_VARIABLE, "20")
        return self.served


class TestPaddedOpencode(OnASocket):
    served = OPENCODE_PADDED

    async def test_padding_precedes_the_json_and_parses_with_it(self, stub: Stub) -> None:
        session = await stub.session()
        body = {"parts": [{"type": "text", "text": "ASK1"}]}
        async with stub.http.stream("POST", f"/session/{session}/message", json=body) as response:
            assert response.status_code == 200
            chunks = response.aiter_raw()
            padding = b"".join([await anext(chunks) for _ in range(3)])
            question = await stub.question()
            await stub.http.post(f"/question/{question['id']}/reply", json={"answers": [["SQLite"]]})
            rest = b"".join([chunk async for chunk in chunks])
        assert set(padding) == set(b"\n")
        assert rest.rstrip() == rest
        assert (padding + rest).count(b"\n") == len(padding + rest) - len((padding + rest).lstrip())
        assert httpx.Response(200, content=padding + rest).json()["info"]["finish"] == "stop"

    async def test_a_model_error_is_a_message(self, stub: Stub) -> None:
        response = await stub.prompt(await stub.session(), "FAIL 401")
        assert response.json()["info"]["error"]["name"] == "APIError"

    async def test_a_failing_prompt_sends_only_whitespace(self, stub: Stub) -> None:
        model = {"providerID": "x", "modelID": "y"}
        response = await stub.prompt(await stub.session(), "hello", model=model)
        assert response.status_code == 200
        assert response.content.strip() == b""


class TestMimo(OnASocket):
    """As measured on 0.1.15."""

    served = MIMO

    async def test_a_second_prompt_while_busy_is_refused(self, stub: Stub) -> None:
        session = await stub.session()
        turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
        await stub.question()
        refused = await stub.prompt(session, "hello")
        assert refused.status_code == 409
        assert refused.json() == {"name": "UnknownError", "data": {"message": f"Session {session} is busy"}}
        await stub.http.post(f"/session/{session}/abort")
        aborted = (await turn).json()
        assert aborted["info"]["error"]["name"] == "MessageAbortedError"
        assert (await stub.prompt(session, "hello")).json()["info"]["finish"] == "stop"

    async def test_a_command_and_prompt_async_are_accepted_while_busy(self, stub: Stub) -> None:
        session = await stub.session()
        turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
        question = await stub.question()
        named = {"command": "init", "arguments": ""}
        command = asyncio.ensure_future(stub.http.post(f"/session/{session}/command", json=named))
        await wait_until(lambda: len(stub.server.sessions[session].messages) == 3)
        body = {"parts": [{"type": "text", "text": "next"}]}
        assert (await stub.http.post(f"/session/{session}/prompt_async", json=body)).status_code == 204
        await stub.http.post(f"/question/{question['id']}/reply", json={"answers": [["Postgres"]]})
        newest = list(stub.server.sessions[session].messages.values())[3]
        for held in (turn, command):
            assert (await held).json()["info"]["parentID"] == newest.info["id"]

    async def test_headers_come_with_the_first_space(self, stub: Stub) -> None:
        session = await stub.session()
        body = {"parts": [{"type": "text", "text": "ASK1"}]}
        async with stub.http.stream("POST", f"/session/{session}/message", json=body) as response:
            assert await anext(response.aiter_raw()) == b" "

    async def test_a_disconnect_does_not_end_the_turn(self, stub: Stub) -> None:
        session = await stub.session()
        turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
        question = await stub.question()
        turn.cancel()
        await asyncio.wait({turn})
        assert stub.server.statuses(stub.server.directory) == {session: {"type": "busy"}}
        await stub.http.post(f"/question/{question['id']}/reply", json={"answers": [["Postgres"]]})
        await wait_until(lambda: stub.server.statuses(stub.server.directory) == {})
        last = (await stub.http.get(f"/session/{session}/message")).json()[-1]
        assert last["info"]["finish"] == "stop"

    async def test_a_failed_turn_returns_its_message(self, stub: Stub) -> None:
        response = await stub.prompt(await stub.session(), "FAIL 401")
        assert response.status_code == 200
        assert response.json()["info"]["error"]["name"] == "APIError"

    async def test_a_failing_prompt_has_an_empty_body(self, stub: Stub) -> None:
        model = {"providerID": "x", "modelID": "y"}
        response = await stub.prompt(await stub.session(), "hello", model=model)
        assert (response.status_code, response.content) == (200, b"")

    async def test_a_prompt_with_an_id_below_the_answer_never_runs(self, stub: Stub) -> None:
        session = await stub.session()
        first = (await stub.prompt(session, "one", messageID="msg_0001")).json()
        assert first["info"]["parentID"] == "msg_0001"
        second = (await stub.prompt(session, "two", messageID="msg_0002")).json()
        assert second == first
        third = (await stub.prompt(session, "three")).json()
        assert third["info"]["parentID"] not in ("msg_0001", "msg_0002")
        messages = (await stub.http.get(f"/session/{session}/message")).json()
        assert sorted(one["info"]["role"] for one in messages) == ["assistant"] * 2 + ["user"] * 3

    async def test_a_prompt_with_an_id_above_all_answers_runs_until_a_loop_is_seen(self, stub: Stub) -> None:
        session = await stub.session()
        last = (await stub.prompt(session, "one", messageID="msg_z")).json()
        messages = (await stub.http.get(f"/session/{session}/message")).json()
        prompts = {one["info"]["id"]: one["parts"][0]["text"] for one in messages if one["info"]["role"] == "user"}
        assert prompts["msg_z"] == "one"
        assert prompts[last["info"]["parentID"]].startswith("<system-reminder>\nLOOP DETECTED")
        answered = [one["info"]["parentID"] for one in messages if one["info"]["role"] == "assistant"]
        assert answered == ["msg_z"] * 3 + [last["info"]["parentID"]]


class TestMimoOfAnEarlierGeneration(OnASocket):
    """From its source; never measured."""

    served = MIMO_CANCEL

    async def test_a_second_prompt_while_busy_is_refused(self, stub: Stub) -> None:
        session = await stub.session()
        turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
        await stub.question()
        refused = await stub.prompt(session, "hello")
        assert refused.status_code == 409
        assert refused.json()["name"] == "UnknownError"
        await stub.http.post(f"/session/{session}/abort")
        aborted = (await turn).json()
        assert aborted["info"]["error"]["name"] == "MessageAbortedError"
        assert (await stub.prompt(session, "hello")).json()["info"]["finish"] == "stop"

    async def test_a_command_while_busy_is_refused(self, stub: Stub) -> None:
        session = await stub.session()
        turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
        await stub.question()
        refused = await stub.http.post(f"/session/{session}/command", json={"command": "init", "arguments": ""})
        assert refused.status_code == 409
        assert refused.json()["name"] == "UnknownError"
        await stub.http.post(f"/session/{session}/abort")
        await turn

    async def test_a_command_is_held_and_padded_too(self, stub: Stub) -> None:
        session = await stub.session()
        body = {"command": "init", "arguments": "ASK1"}
        async with stub.http.stream("POST", f"/session/{session}/command", json=body) as response:
            assert await anext(response.aiter_raw()) == b" "
        await wait_until(lambda: stub.server.statuses(stub.server.directory) == {}, what="the leaver's turn to end")

    async def test_a_disconnect_cancels_the_turn(self, stub: Stub) -> None:
        session = await stub.session()
        turn = asyncio.ensure_future(stub.prompt(session, "ASK1"))
        await stub.question()
        turn.cancel()
        await asyncio.wait({turn})
        await wait_until(lambda: stub.server.statuses(stub.server.directory) == {})
        last = (await stub.http.get(f"/session/{session}/message")).json()[-1]
        assert last["info"]["error"]["name"] == "MessageAbortedError"

    async def test_a_failed_turn_sends_whitespace_and_an_event(self, stub: Stub) -> None:
        session = await stub.session()
        response = await stub.prompt(session, "FAIL 401")
        assert response.status_code == 200
        assert response.content.strip() == b""
        last = (await stub.http.get(f"/session/{session}/message")).json()[-1]
        assert last["info"]["error"]["name"] == "APIError"

    async def test_spaces_are_its_padding(self, stub: Stub) -> None:
        session = await stub.session()
        body = {"parts": [{"type": "text", "text": "ASK1"}]}
        async with stub.http.stream("POST", f"/session/{session}/message", json=body) as response:
            assert await anext(response.aiter_raw()) == b" "


async def test_ids_without_their_prefix_are_refused(stub: Stub) -> None:
    session = await stub.session()
    assert (await stub.http.post("/session/none/abort")).status_code == 500
    for method, path, where in (
        ("GET", "message/zzz", '"msg", got "zzz"\n  at ["messageID"]'),
        ("DELETE", "message/zzz", '"msg", got "zzz"\n  at ["messageID"]'),
        ("DELETE", "message/msg_1/part/zzz", '"prt", got "zzz"\n  at ["partID"]'),
    ):
        refused = await stub.http.request(method, f"/session/{session}/{path}")
        assert refused.status_code == 400
        assert refused.json()["data"] == {"message": f"Expected a string starting with {where}", "kind": "Params"}


@pytest.mark.parametrize("path", ["message/msg_none", "message/msg_none/part/prt_none"])
async def test_removing_an_unknown_message_succeeds(stub: Stub, path: str) -> None:
    assert (await stub.http.delete(f"/session/{await stub.session()}/{path}")).json() is True


async def test_a_command_returns_its_answer(stub: Stub) -> None:
    url = f"/session/{await stub.session()}/command"
    answer = (await stub.http.post(url, json={"command": "init", "arguments": "PLAIN"})).json()
    assert answer["info"]["finish"] == "stop"
    assert (await stub.http.post(url, json={"command": "zzz", "arguments": ""})).status_code == 500
    assert (await stub.http.post(url, json={"command": "init"})).status_code == 400


async def test_a_command_accepts_id_agent_and_files(stub: Stub) -> None:
    session = await stub.session()
    file = {"type": "file", "mime": "text/plain", "filename": "a.py", "url": "file:///a.py"}
    body = {"command": "init", "arguments": "PLAIN", "messageID": "msg_ours", "agent": "plan", "parts": [file]}
    answer = (await stub.http.post(f"/session/{session}/command", json=body)).json()
    assert answer["info"]["parentID"] == "msg_ours"
    stored = (await stub.http.get(f"/session/{session}/message/msg_ours")).json()
    assert stored["info"]["agent"] == "plan"
    assert [part["type"] for part in stored["parts"]] == ["text", "file"]
