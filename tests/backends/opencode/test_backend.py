"""The routes of opencode: requests sent, and responses translated."""

import re
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.backends.opencode_server import (
    GREETED,
    HEADER,
    MISSING,
    PROMPT,
    Watcher,
    after_handshake,
    server,
    streamed,
)
from tests.backends.recording import recording
from tests.backends.scripted import PAGE, RecordedRequest, scripted
from tui.backends.base import PromptLookup
from tui.backends.opencode.backend import OpenCode
from tui.backends.opencode.message_ids import CLOCK_LAG
from tui.backends.opencode.messages import full_message
from tui.backends.opencode.requests import question
from tui.core import events as e
from tui.core.model import Busy, Prompt, Session, Todo
from tui.net.errors import Empty, HttpStatusError, InvalidBody, NetError, NotJson, SchemaMismatch, UnexpectedContentType
from tui.net.http_client import PARSED_AT_ONCE
from tui.net.json_input import JSON
from tui.net.padded_json import PaddedJson


async def events_of(backend: OpenCode) -> tuple[list[e.Event], int]:
    """All events of a stream that ends, and the number of bytes reported."""
    heard: list[int] = []
    async with backend.subscribe(heard.append) as feed:
        return [event async for event in feed.events()], sum(heard)


async def test_handshake_returns_version_round_trip_and_features() -> None:
    async with server({**GREETED, "GET /capabilities": {"features": ["client_heartbeat", 3]}}) as (_, backend):
        info = await backend.handshake()
        assert info.version == "1.18.33"
        assert set(info.features) == {"client_heartbeat"}
        assert 0 < info.round_trip < 3
        assert info.clock_skew is not None
        assert abs(info.clock_skew) < 2
        assert backend.traits.client_heartbeat


async def test_a_web_page_instead_of_capabilities_means_no_features() -> None:
    async with server(GREETED) as (_, backend):
        assert (await backend.handshake()).features == frozenset()
        assert not backend.traits.client_heartbeat


UNHEALTHY = "it does not report that it is healthy"


@pytest.mark.parametrize(
    ("health", "problem"),
    [({"healthy": False}, UNHEALTHY), ({"healthy": "yes"}, UNHEALTHY), ({}, UNHEALTHY), ([], ""), (None, "")],
)
async def test_handshake_refuses_a_server_that_is_not_healthy(health: object, problem: str) -> None:
    async with server({**GREETED, "GET /global/health": health}) as (_, backend):
        with pytest.raises(SchemaMismatch, match=f"/global/health returned an unknown format: {problem}"):
            await backend.handshake()


async def test_a_ping_is_one_request() -> None:
    async with server(GREETED) as (script, backend):
        assert 0 < await backend.ping() < 3
        assert script.calls == ["GET /global/health"]


async def test_ids_have_the_servers_form_and_increase() -> None:
    async with server({}) as (_, backend):
        before = int((time.time() - CLOCK_LAG) * 1000)
        prompts = [backend.new_prompt("ses_1", "x") for _ in range(50)]
        after = int((time.time() - CLOCK_LAG) * 1000)
    ids = [prompt.message_id for prompt in prompts]
    assert all(re.fullmatch(r"msg_[0-9a-f]{12}[0-9A-Za-z]{14}", one) for one in ids)
    assert all(re.fullmatch(r"prt_[0-9a-f]{12}[0-9A-Za-z]{14}", prompt.part_id) for prompt in prompts)
    assert ids == sorted(ids)
    assert len(set(ids)) == 50
    stamps = [int(one[4:16], 16) for one in ids]
    assert all(before * 4096 % 2**48 <= stamp <= (after * 4096 + 4095) % 2**48 for stamp in stamps)


@pytest.mark.parametrize("ahead", [-86_400, 3600])
async def test_ids_follow_the_servers_clock(ahead: float) -> None:
    there = time.time() + ahead
    async with scripted(GREETED, date=there) as (_, http):
        backend = OpenCode(http)
        info = await backend.handshake()
        stamp = int(backend.new_prompt("ses_1", "x").message_id[4:16], 16)
    assert info.clock_skew == pytest.approx(ahead, abs=5)
    assert stamp / 4096 == pytest.approx(there * 1000 % 2**36, abs=5000)


async def test_the_event_stream_is_the_global_one() -> None:
    frames = 'data: {"payload":{"type":"server.connected","properties":{}}}\n\n: hello\n\n'
    async with server({"GET /global/event": streamed(frames)}) as (script, backend):
        assert await events_of(backend) == ([e.Connected()], len(frames))
        assert HEADER not in script.last("GET /global/event").headers


async def test_with_a_directory_the_event_stream_is_the_directorys() -> None:
    frames = 'data: {"id":"evt_1","type":"session.idle","properties":{"sessionID":"ses_1"}}\n\n'
    async with server({"GET /event": streamed(frames)}, "/srv/ä b") as (script, backend):
        events, _ = await events_of(backend)
        assert [type(event) for event in events] == [e.StatusChanged]
        assert script.last("GET /event").headers[HEADER] == "/srv/%C3%A4%20b"


async def test_an_unreadable_event_is_skipped() -> None:
    unknown = '{"type":"sync","properties":{}}'
    frames = [
        unknown,
        '{"type":"session.updated","properties":{}}',
        '{"type":"server.heartbeat","properties":{}}',
        "[]",
    ]
    stream = streamed(*(f"data: {frame}\n\n" for frame in frames))
    async with server({"GET /global/event": stream}) as (_, backend):
        assert (await events_of(backend))[0] == [e.Heartbeat()]


async def test_a_damaged_event_ends_the_stream() -> None:
    async with server({"GET /global/event": streamed('data: {"type":\n\n')}) as (_, backend):
        with pytest.raises(NotJson):
            await events_of(backend)


async def test_a_web_page_is_not_an_event_stream() -> None:
    async with server({}) as (_, backend):
        with pytest.raises(UnexpectedContentType):
            await events_of(backend)


ASK, SHELL = recording("ask"), recording("shell")


def opened(answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "GET /question": answers.get("questions", []),
        "GET /permission": answers.get("permissions", []),
        "GET /session/status": answers["status"],
    }


async def test_a_resync_fetches_statuses_after_requests() -> None:
    """A request of a session that is idle afterwards is stale; the other order would lose questions."""
    async with after_handshake(opened(ASK.answers)) as (script, backend):
        resynced = await backend.resync([])
        assert script.calls == ["GET /question", "GET /permission", "GET /session/status"]
        assert resynced == e.Resynced(
            {ASK.session_id: Busy()}, (question(ASK.answers["questions"][0]),), frozenset({"/srv/project"})
        )


def headers_of(asked: Sequence[RecordedRequest]) -> list[str | None]:
    return [one.headers.get(HEADER) for one in asked if one.call == "GET /question"]


async def test_the_directory_header_is_sent_only_if_needed() -> None:
    async with after_handshake(opened(SHELL.answers)) as (script, backend):
        resynced = await backend.resync(["/srv/project", "/other", "/other"])
        assert headers_of(script.asked) == [None, "/other"]
        assert resynced.directories == frozenset({"/srv/project", "/other"})
    async with after_handshake(opened(SHELL.answers), "/mine") as (script, backend):
        await backend.resync(["/srv/project"])
        assert headers_of(script.asked) == ["/mine", "/srv/project"]


SESSION = {"id": "ses_1", "title": "one", "directory": "/srv/project", "time": {"created": 1000, "updated": 2000}}


KNOWN = Session("ses_1", "one", "/srv/project", 1.0, 2.0)


async def test_sessions_of_all_projects_are_listed_if_supported() -> None:
    async with after_handshake({"GET /experimental/session": [SESSION]}) as (script, backend):
        assert await backend.sessions(search="on e") == (KNOWN,)
        assert script.last("GET /experimental/session").query == {
            "limit": "100",
            "roots": "true",
            "search": "on e",
        }


async def test_the_next_page_of_sessions_follows_the_cursor() -> None:
    answer = JSONResponse([SESSION], headers={"x-next-cursor": "17"})
    async with after_handshake({"GET /experimental/session": answer}) as (script, backend):
        page = await backend.sessions()
        assert page.cursor == "17"
        await backend.sessions(cursor=page.cursor)
        assert script.asked[-1].query == {"limit": "100", "roots": "true", "cursor": "17"}


async def test_a_list_without_a_cursor_is_fetched_again_with_a_higher_limit() -> None:
    async with after_handshake({"GET /session": [SESSION, SESSION]}, directory="/srv/other") as (script, backend):
        page = await backend.sessions(limit=2)
        assert page.cursor is not None
        assert (await backend.sessions(cursor=page.cursor)).cursor is None
        assert script.asked[-1].query == {"limit": "4", "roots": "true"}


@pytest.mark.parametrize("unknown", [PAGE, MISSING])
async def test_an_older_server_lists_the_sessions_of_one_project(unknown: Response) -> None:
    answers = {"GET /experimental/session": unknown, "GET /session": [SESSION]}
    async with after_handshake(answers) as (script, backend):
        assert await backend.sessions() == (KNOWN,)
        assert await backend.sessions() == (KNOWN,)
        assert script.calls.count("GET /experimental/session") == 1


async def test_a_named_directory_is_the_only_one_listed() -> None:
    async with after_handshake({"GET /session": [SESSION]}, directory="/srv/other") as (script, backend):
        assert await backend.sessions() == (KNOWN,)
        assert script.calls == ["GET /session"]


async def test_a_session_is_renamed_copied_and_deleted() -> None:
    answers = {
        "PATCH /session/ses_1": SESSION, "POST /session/ses_1/fork": SESSION, "DELETE /session/ses_1": True
    }  # fmt: skip
    async with after_handshake(answers) as (script, backend):
        assert await backend.rename("ses_1", "other words") == KNOWN
        assert script.last("PATCH /session/ses_1").body == {"title": "other words"}
        assert await backend.fork("ses_1") == KNOWN
        assert script.last("POST /session/ses_1/fork").body == {}
        await backend.delete("ses_1")
        assert script.calls == list(answers)


async def test_sessions() -> None:
    answers = {
        "GET /session": [SESSION],
        "GET /session/ses_1": SESSION,
        "GET /session/ses_1/children": [SESSION],
        "POST /session": SESSION,
    }
    async with server(answers, "/mine") as (script, backend):
        assert await backend.sessions(search="on e") == (KNOWN,)
        assert script.last("GET /session").query == {"limit": "100", "roots": "true", "search": "on e"}
        assert await backend.sessions(limit=5) == (KNOWN,)
        assert script.last("GET /session").query == {"limit": "5", "roots": "true"}
        assert await backend.session("ses_1") == KNOWN
        assert await backend.children("ses_1") == (KNOWN,)
        assert await backend.create_session("one") == KNOWN
        assert script.last("POST /session").body == {"title": "one"}
        assert await backend.create_session() == KNOWN
        assert script.last("POST /session").body == {}
    named = {asked.call: HEADER in asked.headers for asked in script.asked}
    assert named == {
        "GET /session": True,
        "POST /session": True,
        "GET /session/ses_1": False,  # the server knows a session's directory
        "GET /session/ses_1/children": False,
    }


async def test_pages_of_messages_follow_the_cursor() -> None:
    page = JSONResponse(ASK.answers["messages"], headers={"x-next-cursor": "older"})
    async with server({"GET /session/ses_1/message": page}) as (script, backend):
        newest = await backend.messages("ses_1")
        assert script.asked[-1].query == {"limit": "50"}
        assert (newest.cursor, newest.how) == ("older", "newest")
        assert newest.messages == tuple(full_message(item) for item in ASK.answers["messages"])
        script.answers["GET /session/ses_1/message"] = []
        before = await backend.messages("ses_1", limit=10, before="older")
        assert script.asked[-1].query == {"limit": "10", "before": "older"}
        assert before == e.MessagesLoaded("ses_1", (), None, "older")


async def test_todos() -> None:
    todos = [{"content": "write", "status": "pending", "priority": "high"}]
    async with server({"GET /session/ses_1/todo": todos}) as (_, backend):
        assert await backend.todos("ses_1") == (Todo("write", "pending", "high"),)


async def test_an_id_cannot_traverse_the_path() -> None:
    async with server({}) as (script, backend):
        with pytest.raises(NetError):
            await backend.session("../../global/health?")
        assert script.calls == ["GET /session/../../global/health%3F"]  # one segment, as it is sent


def answered(body: str) -> dict[str, Any]:
    return {"POST /session/ses_1/message": Response(body, media_type="application/json")}


async def test_a_prompt_has_client_ids() -> None:
    async with server({"POST /session/ses_1/message": ASK.answers["prompt"]}) as (script, backend):
        full = await backend.post_prompt(PROMPT, Watcher())
        assert full == full_message(ASK.answers["prompt"])
        parts = [{"id": "prt_1", "type": "text", "text": "do it"}]
        assert script.asked[0].body == {"messageID": "msg_1", "parts": parts}
        await backend.post_prompt(Prompt("ses_1", "do it", "msg_1", "prt_1", agent="plan"), Watcher())
        assert script.asked[1].body == {"messageID": "msg_1", "parts": parts, "agent": "plan"}


async def test_a_large_answer_is_parsed_outside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    close = PaddedJson.close

    def noted(self: PaddedJson) -> JSON:
        threads.append(threading.current_thread().name)
        return close(self)

    monkeypatch.setattr(PaddedJson, "close", noted)
    for text in ("x" * PARSED_AT_ONCE, "x"):
        part = {"id": "prt_2", "sessionID": "ses_1", "messageID": "msg_2", "type": "text", "text": text}
        body = {"info": {"id": "msg_2", "sessionID": "ses_1", "role": "assistant"}, "parts": [part]}
        async with server({"POST /session/ses_1/message": body}) as (_, backend):
            full = await backend.post_prompt(PROMPT, Watcher())
        assert full == full_message(body)
    here = threading.current_thread().name
    assert (threads[0] != here, threads[1]) == (True, here)


async def test_padding_is_counted_as_it_arrives() -> None:
    async def padded() -> AsyncIterator[str]:
        yield "\n"
        yield "\n"
        yield '{"info": {"id": "msg_2", '
        yield '"sessionID": "ses_1", "role": "assistant"}, "parts": []}'

    from starlette.responses import StreamingResponse

    watcher = Watcher()
    stream = StreamingResponse(padded(), media_type="application/json")
    async with server({"POST /session/ses_1/message": stream}) as (_, backend):
        assert (await backend.post_prompt(PROMPT, watcher)).message.id == "msg_2"
    assert watcher.reports[0] == "headers"
    assert watcher.reports[-1] in (1, 2)  # the last padding may arrive in one piece with the document
    assert watcher.reports[1:] == sorted(watcher.reports[1:], key=int)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", Empty),
        (" \n ", Empty),
        ("{", InvalidBody),
        ("{}{}", InvalidBody),
        ("[]", SchemaMismatch),
        ('{"info":{}}', SchemaMismatch),
    ],
)
async def test_an_invalid_body_of_a_prompt(body: str, error: type[NetError]) -> None:
    async with server(answered(body)) as (_, backend):
        with pytest.raises(error):
            await backend.post_prompt(PROMPT, Watcher())


async def test_a_web_page_is_not_an_answer_to_a_prompt() -> None:
    async with server({}) as (_, backend):
        with pytest.raises(UnexpectedContentType):
            await backend.post_prompt(PROMPT, Watcher())


LOOK = "GET /session/ses_1/message/msg_1"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ({LOOK: {"info": {}}}, PromptLookup(stored=True)),
        ({LOOK: MISSING, "GET /session/ses_1": SESSION}, PromptLookup(stored=False)),
        ({LOOK: MISSING, "GET /session/ses_1": MISSING}, PromptLookup(stored=False, session_gone=True)),
    ],
)
async def test_looking_up_a_prompt(answers: dict[str, Any], found: PromptLookup) -> None:
    async with server(answers) as (_, backend):
        assert await backend.look_up("ses_1", "msg_1") == found


@pytest.mark.parametrize(
    "answers",
    [
        {LOOK: JSONResponse({}, 500)},
        {LOOK: PAGE},
        {LOOK: MISSING, "GET /session/ses_1": JSONResponse({}, 502)},
        {LOOK: MISSING, "GET /session/ses_1": PAGE},
    ],
)
async def test_only_a_404_means_that_something_is_missing(answers: dict[str, Any]) -> None:
    async with server(answers) as (_, backend):
        with pytest.raises(NetError):
            await backend.look_up("ses_1", "msg_1")


async def test_abort() -> None:
    async with server({"POST /session/ses_1/abort": True}) as (script, backend):
        await backend.abort("ses_1")
        assert script.calls == ["POST /session/ses_1/abort"]


QUESTION, REJECT, PERMISSION = (
    "POST /question/que_1/reply",
    "POST /question/que_1/reject",
    "POST /permission/per_1/reply",
)


@pytest.mark.parametrize(("response", "taken"), [(True, True), (False, False), (None, True)])
async def test_replies_name_the_directory_of_their_session(response: bool | None, taken: bool) -> None:
    """Older versions return false for a request that is not open."""
    async with after_handshake({QUESTION: response, REJECT: response, PERMISSION: response}) as (script, backend):
        assert await backend.answer("que_1", (("A", "own"), ()), directory="/other") is taken
        assert await backend.reject("que_1", directory="/other") is taken
        assert await backend.reply("per_1", "reject", "not now", directory="/other") is taken
        assert await backend.reply("per_1", "once", "", directory="/srv/project") is taken
    assert [(asked.call, asked.body, asked.headers.get(HEADER)) for asked in script.asked] == [
        (QUESTION, {"answers": [["A", "own"], []]}, "/other"),
        (REJECT, {}, "/other"),
        (PERMISSION, {"reply": "reject", "message": "not now"}, "/other"),
        (PERMISSION, {"reply": "once"}, None),
    ]


async def test_a_reply_to_an_unknown_request_is_refused() -> None:
    again = ASK.answers["reply_again"]
    async with after_handshake({QUESTION: JSONResponse(again["body"], again["status"])}) as (_, backend):
        with pytest.raises(HttpStatusError) as refused:
            await backend.answer("que_1", (("A",),), directory="")
    assert refused.value.status == 404


@pytest.mark.parametrize("call", ["sessions", "messages", "create_session"])
async def test_an_unknown_schema_is_an_error(call: str) -> None:
    odd = {"odd": 1}
    answers = {
        **{path: odd for path in ("GET /session", "GET /session/ses_1/message", "POST /session")},
    }
    arguments: dict[str, list[Any]] = {"messages": ["ses_1"]}
    async with after_handshake(answers) as (_, backend):
        with pytest.raises(SchemaMismatch, match=r" returned an unknown format: (Expected|Object missing) "):
            await getattr(backend, call)(*arguments.get(call, []))
