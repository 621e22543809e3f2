"""What the list of sessions tells: statuses, and what is asked where nobody watches."""

import pytest

from tests.backends.daemon import ASKED, LIST, LOAD, PERMISSION, daemon, echo, listed, loaded
from tests.backends.feeding import feeding, greeted
from tests.waiting import wait_until
from tui.backends.qwen.backend import QwenServe
from tui.core.model import Busy, PermissionRequest, QuestionRequest, Session
from tui.net.errors import Misshapen


async def test_the_list_gives_sessions_statuses_and_open_requests() -> None:
    sessions = {
        "sessions": [listed("s1", title="one", busy=True, waiting=[PERMISSION]), listed("s2", title="Two")]
    }
    async with daemon(**{LIST: sessions}) as (told, http):
        backend = await greeted(http)
        created = 1795168800.0
        assert await backend.sessions() == (
            Session("s1", "one", "/srv", created, created),
            Session("s2", "Two", "/srv", created, created),
        )
        assert [found.id for found in await backend.sessions(search="tw")] == ["s2"]
        resynced = await backend.resync([])
        assert resynced.statuses == {"s1": Busy()}
        assert resynced.requests == (PermissionRequest("r1", "s1", "execute", ("touch x",), detail="touch x"),)
        assert told.last(LIST).query["size"] == "200"


async def test_a_request_in_the_list_keeps_its_place_in_the_transcript() -> None:
    waiting = [{"requestId": "r1", "kind": "user_question", "questions": [{"question": "Which?"}]}]
    async with daemon(**{LIST: {"sessions": [listed(busy=True, waiting=waiting)]}}) as (told, http):
        backend = await greeted(http)
        [bare] = (await backend.resync([])).requests
        assert isinstance(bare, QuestionRequest)
        assert bare.call_id is None
        told.answers[LOAD] = loaded(echo(0, "hi"), ASKED, last=1, busy=True)
        await backend.messages("s1")
        [placed] = (await backend.resync([])).requests
        assert (placed.message_id, placed.call_id) == ("p1:answer", "call_1")


async def test_what_is_asked_where_nobody_watches_is_seen_by_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.qwen.streams.LOOK_EVERY", 0.01)
    waiting = [{"requestId": "r2", "kind": "user_question", "questions": [{"question": "Which?"}]}]
    async with daemon() as (told, http):
        backend = await greeted(http)
        await backend.resync([])
        async with feeding(backend) as feed:
            told.answers[LIST] = {"sessions": [listed("s2", busy=True, waiting=waiting)]}
            await wait_until(lambda: "r2" in feed.store.requests)
            assert feed.store.status("s2") == Busy()
            told.answers[LIST] = {"sessions": [listed("s2", busy=True)]}
            await wait_until(lambda: not feed.store.requests)
            assert feed.store.status("s2") == Busy()


async def test_a_list_that_cannot_be_read_at_all_costs_itself_alone() -> None:
    async with daemon(**{LIST: {"odd": 1}}) as (_, http):
        backend = QwenServe(http)
        await backend.hello()
        found = await backend.resync([])
        assert found.problem
        assert found.directories == frozenset()
        with pytest.raises(Misshapen):
            await backend.sessions()
