"""The list of sessions: statuses, and requests of sessions without a stream."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.backends.daemon import ASKED, LIST, LOAD, PERMISSION, daemon, echo, listed, loaded
from tests.backends.feeding import after_handshake, feeding
from tests.waiting import wait_until
from tui.backends.qwen.backend import QwenServe
from tui.core.model import Busy, PermissionRequest, QuestionRequest, Session
from tui.core.store import Store
from tui.net import http_client
from tui.net.errors import SchemaMismatch


async def test_the_list_has_sessions_statuses_and_open_requests() -> None:
    sessions = {"sessions": [listed("s1", title="one", busy=True, waiting=[PERMISSION]), listed("s2", title="Two")]}
    async with daemon(**{LIST: sessions}) as (server, http):
        backend = await after_handshake(http)
        created = 1795168800.0
        assert await backend.sessions() == (
            Session("s1", "one", "/srv", created, created),
            Session("s2", "Two", "/srv", created, created),
        )
        assert [found.id for found in await backend.sessions(search="tw")] == ["s2"]
        resynced = await backend.resync([])
        assert resynced.statuses == {"s1": Busy()}
        assert resynced.requests == (PermissionRequest("r1", "s1", "execute", ("touch x",), detail="touch x"),)
        assert server.last(LIST).query["size"] == "200"


async def test_a_listed_request_keeps_its_streamed_tool_call() -> None:
    waiting = [{"requestId": "r1", "kind": "user_question", "questions": [{"question": "Which?"}]}]
    async with daemon(**{LIST: {"sessions": [listed(busy=True, waiting=waiting)]}}) as (server, http):
        backend = await after_handshake(http)
        [bare] = (await backend.resync([])).requests
        assert isinstance(bare, QuestionRequest)
        assert bare.call_id is None
        server.answers[LOAD] = loaded(echo(0, "hi"), ASKED, last=1, busy=True)
        await backend.messages("s1")
        [placed] = (await backend.resync([])).requests
        assert (placed.message_id, placed.call_id) == ("p1:answer", "call_1")


async def test_requests_without_a_stream_are_found_by_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.qwen.streams.POLL_INTERVAL", 0.01)
    waiting = [{"requestId": "r2", "kind": "user_question", "questions": [{"question": "Which?"}]}]
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await backend.resync([])
        async with feeding(backend) as feed:
            server.answers[LIST] = {"sessions": [listed("s2", busy=True, waiting=waiting)]}
            await wait_until(lambda: "r2" in feed.store.requests)
            assert feed.store.status("s2") == Busy()
            server.answers[LIST] = {"sessions": [listed("s2", busy=True)]}
            await wait_until(lambda: not feed.store.requests)
            assert feed.store.status("s2") == Busy()


async def test_an_unreadable_list_affects_only_its_workspace() -> None:
    async with daemon(**{LIST: {"odd": 1}}) as (_, http):
        backend = QwenServe(http)
        await backend.handshake()
        found = await backend.resync([])
        assert found.problem
        assert found.directories == frozenset()
        with pytest.raises(SchemaMismatch):
            await backend.sessions()


async def test_an_unreadable_status_affects_only_its_session() -> None:
    """A followed session that is not among the newest keeps its streamed state."""
    odd = {"hasActivePrompt": "perhaps"}
    async with daemon(**{LIST: {"sessions": [listed("s2", busy=True)]}, "GET /session/s1/status": odd}) as (
        server,
        http,
    ):
        backend = await after_handshake(http)
        server.answers[LOAD] = loaded(echo(0, "hi"), ASKED, last=1, busy=True)
        store = Store()
        store.open_transcript("s1")
        for event in (await backend._watch("s1")).events:
            store.apply(event)
        store.apply(found := await backend.resync([]))
        assert found.problem
        assert (store.status("s1"), store.status("s2")) == (Busy(), Busy())
        assert list(store.requests) == ["r1"]


async def test_a_list_that_is_too_large_is_fetched_in_smaller_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = http_client.Http.call.__kwdefaults__ or {}
    monkeypatch.setattr(http_client.Http.call, "__kwdefaults__", {**defaults, "limit": 4000})
    names = [f"s{number}" for number in range(30)]
    sizes: list[int] = []

    class Pages(Response):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            query = Request(scope).query_params
            size, at = int(query["size"]), int(query.get("cursor", 0))
            sizes.append(size)
            page: dict[str, object] = {"sessions": [listed(one, busy=True) for one in names[at : at + size]]}
            page |= {"nextCursor": str(at + size)} if at + size < len(names) else {}
            await JSONResponse(page)(scope, receive, send)

    async with daemon(**{LIST: Pages()}) as (_, http):
        backend = await after_handshake(http)
        assert set((await backend.resync([])).statuses) == set(names)
        shown, cursor = 0, None
        while shown == 0 or cursor is not None:
            rows = await backend.sessions(cursor=cursor)
            shown, cursor = shown + len(rows), rows.cursor
    assert shown == len(names)
    assert sizes[0] == 200
    assert min(sizes) < 30


class EmptyPages(Response):
    """Pages without sessions, each with a new cursor."""

    asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        await JSONResponse({"sessions": [], "nextCursor": f"c{self.asked}"})(scope, receive, send)


async def test_a_search_ends_where_the_server_has_ever_another_page_without_sessions() -> None:
    pages = EmptyPages()
    async with daemon(**{LIST: pages}) as (_, http):
        backend = await after_handshake(http)
        assert await asyncio.wait_for(backend.sessions(search="x"), 10) == ()
    assert pages.asked == 25
