"""A damaged item affects only itself, and is reported: in every family, on every path."""

import logging
from typing import Any

import msgspec
import pytest
from starlette.responses import Response

from tests.backends.daemon import LIST, answer_chunk, daemon, echo, ended, listed, loaded
from tests.backends.opencode_server import after_handshake
from tests.backends.recording import recording
from tui.backends.decoding import TODOS_KEPT, catalog_item, decode_items
from tui.backends.decoding import todos as decode_todos
from tui.backends.qwen.backend import QwenServe
from tui.core.model import Busy, CatalogItem, NotePart, Retrying, TextPart
from tui.core.transcript import Transcript

PLAIN = recording("think").answers["messages"]


def number(value: Any) -> int:
    return msgspec.convert(value, int)


def test_other_items_are_decoded_and_the_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert decode_items([1, "x", 2], number, "a number") == (1, 2)
    assert "a number cannot be read" in caplog.text


async def test_a_damaged_message_has_a_placeholder() -> None:
    first, *rest = PLAIN
    damaged = {"info": {**first["info"], "id": "msg_odd", "sessionID": 3}, "parts": []}
    async with after_handshake({"GET /session/ses_1/message": [first, damaged, *rest]}) as (_, backend):
        page = (await backend.messages("ses_1")).messages
    assert [full.message.id for full in page] == [first["info"]["id"], "msg_odd", rest[0]["info"]["id"]]
    created = [full.message.created for full in page]
    assert created == sorted(created)
    [note] = page[1].parts
    assert isinstance(note, NotePart)
    assert note.text.startswith("a message cannot be shown: the server sent Expected `str`")


@pytest.mark.parametrize("odd", [3, None, {}, {"info": None}, {"info": {"id": "m", "time": {"created": "soon"}}}])
async def test_a_page_with_any_damaged_message_is_read(odd: Any) -> None:
    async with after_handshake({"GET /session/ses_1/message": [odd, *PLAIN]}) as (_, backend):
        page = (await backend.messages("ses_1")).messages
    assert len(page) == len(PLAIN) + 1
    assert isinstance(page[0].parts[0], NotePart)


async def test_a_damaged_part_has_a_placeholder() -> None:
    *before, last = PLAIN
    damaged = {**last, "parts": [{"type": "text", "id": "prt_odd", "text": ["no"]}, *last["parts"]]}
    async with after_handshake({"GET /session/ses_1/message": [*before, damaged]}) as (_, backend):
        page = (await backend.messages("ses_1")).messages
    assert page[-1].parts[0].id == "prt_odd"
    assert isinstance(page[-1].parts[0], NotePart)
    assert any(isinstance(part, TextPart) for part in page[-1].parts)


async def test_a_damaged_session_or_request_does_not_hide_the_others() -> None:
    session = {"id": "ses_1", "title": "one"}
    question = recording("ask").answers["questions"][0]
    answers = {
        "GET /experimental/session": [{"id": 3}, session],
        "GET /question": [{"odd": 1}, question],
        "GET /permission": [],
        "GET /session/status": {},
    }
    async with after_handshake(answers) as (_, backend):
        assert [one.id for one in await backend.sessions()] == ["ses_1"]
        assert [one.id for one in (await backend.resync([])).requests] == [question["id"]]


async def test_a_damaged_status_counts_as_busy() -> None:
    statuses = {
        "ses_1": None,
        "ses_2": {"type": "retry", "attempt": 1, "message": None},
        "ses_3": {"type": "busy"},
        "ses_4": {"type": "idle"},
    }
    answers = {"GET /question": [None], "GET /permission": [7], "GET /session/status": statuses}
    async with after_handshake(answers) as (_, backend):
        found = await backend.resync([])
    assert found.statuses == {"ses_1": Busy(), "ses_2": Retrying(0, "", None), "ses_3": Busy()}
    assert found.unreadable == 2


BUSY = {"ses_1": {"type": "busy"}}
ASKED = {"id": "que_1", "sessionID": "ses_1", "questions": [{"question": "Which?", "header": "DB", "options": []}]}


NO_JSON = Response("{", media_type="application/json")


@pytest.mark.parametrize(
    ("path", "odd", "requests"),
    [
        ("/session/status", [7], ["que_1"]),
        ("/session/status", NO_JSON, ["que_1"]),
        ("/question", {"odd": 1}, []),
        ("/question", NO_JSON, []),
        ("/permission", "words", ["que_1"]),
    ],
)
async def test_an_unreadable_list_affects_only_itself(path: str, odd: Any, requests: list[str]) -> None:
    answers = {"GET /question": [ASKED], "GET /permission": [], "GET /session/status": BUSY}
    async with after_handshake({**answers, f"GET {path}": odd}) as (_, backend):
        found = await backend.resync([])
    assert (found.statuses, [one.id for one in found.requests]) == ({"ses_1": Busy()}, requests)
    assert found.problem
    assert found.directories == frozenset()


async def test_an_unreadable_plan_has_a_placeholder() -> None:
    async with after_handshake({"GET /session/ses_1/todo": {"odd": 1}}) as (_, backend):
        assert [todo.status for todo in await backend.todos("ses_1")] == ["unreadable"]


async def test_a_session_without_a_title_is_read() -> None:
    rows = [{"id": "ses_1", "title": None}, None, {"id": "ses_2", "title": "two", "tokens": {"input": "1e999"}}]
    answers = {
        "GET /experimental/session": rows,
        "GET /session/ses_1": rows[0],
        "GET /session/ses_1/children": rows,
    }
    async with after_handshake(answers) as (_, backend):
        page = await backend.sessions()
        assert [(one.id, one.title, one.tokens) for one in page] == [("ses_1", "", 0), ("ses_2", "two", 0)]
        assert page.unreadable == 1
        assert (await backend.session("ses_1")).title == ""
        assert [one.id for one in await backend.children("ses_1")] == ["ses_1", "ses_2"]


async def test_a_damaged_entry_of_a_plan_has_a_placeholder() -> None:
    todos = [{"content": "one"}, {"content": None}, {"content": "three", "status": "completed"}]
    async with after_handshake({"GET /session/ses_1/todo": todos}) as (_, backend):
        document = [(one.text, one.status) for one in await backend.todos("ses_1")]
    assert document == [("one", "pending"), ("an entry that cannot be shown", "unreadable"), ("three", "completed")]


def test_of_a_long_plan_the_rest_is_counted() -> None:
    todos = [{"content": "x" * 5_000, "status": "pending"}] * 12_345
    plan = decode_todos(todos)
    assert (len(plan), plan[-1].text) == (TODOS_KEPT + 1, "11,845 more entries")
    assert {len(todo.text) for todo in plan[:-1]} == {1_000}


async def test_unreadable_catalog_items_are_counted() -> None:
    providers = [None, {"id": "p", "models": {"m": {"name": "M"}, "n": None}}]
    answers = {
        "GET /agent": [{"name": "build"}, None, {"name": 3}],
        "GET /command": [{"name": "init", "description": None}, {"description": "nameless"}],
        "GET /find/file": ["a.py", None],
        "GET /config/providers": {"providers": providers},
    }
    async with after_handshake(answers) as (_, backend):
        offers = backend.offers
        found = [
            await offers.agents("/p"), await offers.commands("/p"),
            await offers.files("/p", "a"), await offers.models("/p"),
        ]  # fmt: skip
    assert [[one.name for one in rows] for rows in found] == [["build"], ["init"], ["a.py"], ["p/m"]]
    assert [rows.unreadable for rows in found] == [2, 1, 1, 2]


LOAD = "POST /session/s1/load"


async def test_a_replay_is_shown_without_its_damaged_events() -> None:
    odd = {**answer_chunk(2, "x"), "data": {"update": {"sessionUpdate": "tool_call", "toolCallId": 7}}}
    terminals = [{"promptId": 3}, {"promptId": "p1", "terminal": "completed"}]
    document = loaded(echo(1, "hi"), odd, answer_chunk(3, "all of it"), ended(4), last=4, promptTerminals=terminals)
    async with daemon(**{LOAD: document}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        prompt, answer = (await backend.messages("s1")).messages
    assert prompt.message.id == "p1"
    assert isinstance(answer.parts[0], NotePart)
    assert answer.parts[0].text.startswith("a part of this answer cannot be shown")
    assert [part.text for part in answer.parts if isinstance(part, TextPart)] == ["all of it"]


async def test_a_damaged_session_in_the_list_does_not_hide_the_others() -> None:
    damaged = {**listed("s1"), "sessionId": None}
    asks = listed("s2", busy=True, waiting=[{"odd": 1}, {"requestId": "r1", "kind": "permission"}])
    async with daemon(**{LIST: {"sessions": [damaged, asks]}}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        assert [one.id for one in await backend.sessions()] == ["s2"]
        assert [one.id for one in (await backend.resync([])).requests] == ["r1"]


def test_an_entry_of_a_catalog_has_its_name_and_description() -> None:
    assert catalog_item("build", "makes changes") == CatalogItem("build", "makes changes")
    assert catalog_item("plan", None) == CatalogItem("plan", "")
    with pytest.raises(ValueError, match="a name of"):
        catalog_item("n" * 100_000, "")


def test_a_placeholder_can_be_stored() -> None:
    transcript = Transcript()
    transcript.put_part(NotePart("n", "s", "m", "a part cannot be shown"))
    assert [part.id for part in transcript.parts_of("m")] == ["n"]
