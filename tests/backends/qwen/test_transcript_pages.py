"""Pages of a transcript before `load`'s replay, from a scripted server."""

from itertools import pairwise
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.backends.daemon import answer_chunk, daemon, echo, ended, loaded
from tests.backends.feeding import after_handshake
from tui.backends.qwen.backend import QwenServe
from tui.backends.qwen.transcript_pages import FROM_THE_END, _turn_before
from tui.core.model import NotePart, TextPart
from tui.net import http_client
from tui.net.errors import SchemaMismatch, TooLarge

LOAD, PAGES = "POST /session/s1/load", "GET /session/s1/transcript"
CUT = {"v": 1, "type": "history_truncated", "data": {"reason": "replay_window_exceeded", "truncatedEvents": 4}}


def bare(kind: str, text: str, at: int, prompt: str = "") -> dict[str, Any]:
    meta = {"promptId": prompt} if prompt else {}
    update = {"sessionUpdate": kind, "content": {"type": "text", "text": text}, "_meta": meta, "timestamp": at}
    return {"v": 1, "type": "session_update", "data": update}


def asked(text: str, at: int, prompt: str) -> dict[str, Any]:
    return bare("user_message_chunk", text, at, prompt)


def answered(text: str, at: int) -> dict[str, Any]:
    return bare("agent_message_chunk", text, at)


class Pages(Response):
    """The transcript, read backward: one page per cursor ("" for the first)."""

    def __init__(self, **pages: Any) -> None:
        super().__init__()
        self._pages = pages
        self.asked: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = Request(scope).query_params
        cursor = query.get("cursor", query.get("direction", query.get("beforeRecordId", "")))
        self.asked.append(cursor)
        await JSONResponse(self._pages[cursor])(scope, receive, send)


NEWEST = loaded(CUT, echo(5, "third", "p3"), answer_chunk(6, "3", "p3"), ended(7, "p3"), last=7)
TORN = {
    "backward": {
        "events": [
            answered("1", 11),
            asked("second", 20, "p2"),
            answered("2", 21),
            asked("third", 30, "p3"),
            answered("3", 31),
        ],
        "nextCursor": "c1",
        "hasMore": True,
    },
    "c1": {"events": [asked("first", 10, "p1")], "nextCursor": "c2", "hasMore": True},
    "c2": {"events": [asked("zeroth", 1, "p0"), answered("0", 2)], "hasMore": False},
}


async def test_pages_begin_with_a_prompt_and_do_not_overlap() -> None:
    pages = Pages(**TORN)
    async with daemon(**{LOAD: NEWEST, PAGES: pages}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        newest = await backend.messages("s1")
        assert newest.cursor == FROM_THE_END
        assert newest.messages[0].message.id == "p3"
        second = await backend.messages("s1", before=newest.cursor)
        assert second.how == "older"
        assert [full.message.id for full in second.messages] == ["p1", "p1:answer", "p2", "p2:answer"]
        assert [p.text for p in second.messages[1].parts if isinstance(p, TextPart)] == ["1"]
        assert second.cursor is not None
        first = await backend.messages("s1", before=second.cursor)
        assert first.cursor is None
        assert [full.message.id for full in first.messages] == ["p0", "p0:answer"]
        assert pages.asked == ["backward", "c1", "c2"]
        created = [full.message.created for full in (*first.messages, *second.messages)]
        assert created == sorted(created)


async def test_a_complete_replay_has_no_older_page() -> None:
    async with daemon(**{LOAD: loaded(echo(1, "hi"))}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        assert (await backend.messages("s1")).cursor is None


async def test_a_failed_prompt_in_an_older_page() -> None:
    terminals = [{"promptId": "p1", "terminal": "error", "code": "-32603", "at": 12}]
    pages = Pages(backward={"events": [asked("first", 10, "p1"), asked("third", 30, "p3")]})
    async with daemon(**{LOAD: {**NEWEST, "promptTerminals": terminals}, PAGES: pages}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        await backend.messages("s1")
        older = await backend.messages("s1", before=FROM_THE_END)
        assert older.messages[-1].message.failure is not None
        assert older.messages[-1].message.failure.message == "-32603"


async def test_an_unknown_schema_is_an_error() -> None:
    async with daemon(**{LOAD: NEWEST, PAGES: {"events": 3}}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        await backend.messages("s1")
        with pytest.raises(SchemaMismatch):
            await backend.messages("s1", before=FROM_THE_END)


async def test_a_session_loaded_with_a_page_by_another_client_has_older_pages() -> None:
    newest = loaded(echo(1, "late", "p2"), answer_chunk(2, "three", "p2"), ended(3, "p2"), last=3, historyHasMore=True)
    pages = Pages(backward={"events": [asked("early", 10, "p1"), answered("one", 11), asked("late", 20, "p2")]})
    async with daemon(**{LOAD: newest, PAGES: pages}) as (_, http):
        backend = QwenServe(http)
        page = await backend.messages("s1")
        assert page.cursor == FROM_THE_END
        older = await backend.messages("s1", before=page.cursor)
    assert [full.message.id for full in older.messages] == ["p1", "p1:answer"]


async def test_an_oversized_record_does_not_hide_newer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = http_client.Http.call.__kwdefaults__ or {}
    monkeypatch.setattr(http_client.Http.call, "__kwdefaults__", {**defaults, "limit": 4000})
    huge = {"events": [asked("x" * 5000, 5, "p0")], "nextCursor": "c2", "hasMore": True}
    torn = {
        "backward": {
            "events": [answered("1", 11), asked("second", 20, "p2"), answered("2", 21)],
            "nextCursor": "c1",
            "hasMore": True,
        },
        "c1": huge,
    }
    async with daemon(**{LOAD: NEWEST, PAGES: Pages(**torn)}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        newest = await backend.messages("s1")
        older = await backend.messages("s1", before=newest.cursor)
        assert "second" in [part.text for full in older.messages for part in full.parts if isinstance(part, TextPart)]
        with pytest.raises(TooLarge):  # without an index the records before it cannot be reached
            await backend.messages("s1", before=older.cursor)


INDEX = "GET /session/s1/turn-index"


def turns(*prompts: str, start: int = 0) -> dict[str, Any]:
    named = [{"turnId": f"r-{one}", "promptId": one, "timestamp": "1970-01-01T00:00:00.017Z"} for one in prompts]
    return {"snapshot": "s", "start": start, "turns": named}


@pytest.mark.parametrize("torn", [False, True])
async def test_records_before_an_oversized_turn_are_reached(monkeypatch: pytest.MonkeyPatch, torn: bool) -> None:
    defaults = http_client.Http.call.__kwdefaults__ or {}
    monkeypatch.setattr(http_client.Http.call, "__kwdefaults__", {**defaults, "limit": 4000})
    rest = [answered("the end of the large one", 19)] if torn else []
    pages = Pages(
        backward={"events": [*rest, asked("third", 30, "p3")], "nextCursor": "c1", "hasMore": True},
        c1={"events": [answered("x" * 5000, 18)], "nextCursor": "c2", "hasMore": True},
        **{"r-p2": {"events": [asked("first", 5, "p1"), answered("one", 6)], "hasMore": False}},
    )
    async with daemon(**{LOAD: NEWEST, PAGES: pages, INDEX: turns("p0", "p1", "p2", "p3")}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        cursor = (await backend.messages("s1")).cursor
        shown: list[str] = []
        while cursor is not None:
            page = await backend.messages("s1", before=cursor)
            cursor = page.cursor
            parts = [part for full in page.messages for part in full.parts]
            shown[:0] = [one.text for one in parts if isinstance(one, TextPart | NotePart) and one.text]
    assert shown[:2] == ["first", "one"]
    assert "too large" in shown[2]
    assert shown[3:] == (["the end of the large one"] if torn else [])
    assert "c2" not in pages.asked


async def test_the_turn_before_a_prompt_is_found_in_a_paged_index() -> None:
    asked_for: list[str] = []

    class Index(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            query = Request(scope).query_params
            asked_for.append(query.get("start", ""))
            page = turns("p0", "p1") if "start" in query else turns("p2", "p3", start=2)
            await JSONResponse(page)(scope, receive, send)

    async with daemon(**{INDEX: Index()}) as (_, http):
        found = [await _turn_before(http, "s1", known) for known in ("p3", "p2", "p0")]
    assert [turn and turn.prompt_id for turn in found] == ["p2", "p1", None]
    assert asked_for == ["", "", "0", "", "0"]


async def test_an_older_page_without_a_prompt_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.paging.MAX_PAGES", 25_000)
    cursors = ["backward", *(f"c{number}" for number in range(20))]
    pages = Pages(
        **{
            cursor: {"events": [answered("w" * 10_000, 9)], "nextCursor": following, "hasMore": True}
            for cursor, following in pairwise(cursors)
        }
    )
    async with daemon(**{LOAD: NEWEST, PAGES: pages}) as (_, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        await backend.messages("s1", before=FROM_THE_END)
    assert pages.asked == ["backward", "c0", "c1"]
