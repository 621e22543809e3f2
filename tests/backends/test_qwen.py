"""The backend against a qwen serve that does what a test wants: identities, streams, prompts, votes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from starlette.responses import JSONResponse

from tests.backends.daemon import (
    FORGOTTEN,
    LIST,
    NOT_FOUND,
    Daemon,
    daemon,
    echo,
    ended,
    listed,
    loaded,
    said,
)
from tests.waiting import wait_until
from tui.backends.base import Lookup, NotTaken, Taken
from tui.backends.qwen import QwenServe
from tui.backends.qwen_streams import LOOK_EVERY
from tui.core import events as e
from tui.core.model import Busy, Idle, PermissionRequest, Prompt, QuestionRequest, Session, TextPart, Todo
from tui.core.store import Store
from tui.net.errors import Misshapen, NetError, Refused
from tui.net.http import Http
from tui.net.link import Ended

PROMPT, LOAD, RESUME, DETACH = (f"POST /session/s1/{what}" for what in ("prompt", "load", "resume", "detach"))


class Watcher:
    def headers(self) -> None: ...
    def pads(self, total: int) -> None: ...


class Feeding:
    """The feed while it is read, and a store that hears it."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.open_transcript("s1")
        self.told: list[e.Event] = []
        self.bytes = 0
        self.error: NetError | None = None

    def heard(self, count: int) -> None:
        self.bytes += count

    def texts(self) -> list[TextPart]:
        transcript = self.store.transcript("s1")
        assert transcript is not None
        parts = [p for message in transcript.ordered() for p in transcript.parts_of(message.id)]
        return [part for part in parts if isinstance(part, TextPart)]

    def words(self) -> str:
        return "".join(part.text for part in self.texts())

    def states(self) -> list[str]:
        return [part.state for part in self.texts()]

    async def read(self, backend: QwenServe) -> None:
        try:
            async with backend.subscribe(self.heard) as feed, aclosing(feed.events()) as events:
                async for event in events:
                    self.told.append(event)
                    self.store.apply(event)
        except NetError as error:
            self.error = error


@asynccontextmanager
async def feeding(backend: QwenServe) -> AsyncIterator[Feeding]:
    feed = Feeding()
    task = asyncio.create_task(feed.read(backend))
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def greeted(http: Http) -> QwenServe:
    backend = QwenServe(http)
    await backend.hello()
    return backend


async def test_what_it_is_and_what_it_lacks() -> None:
    async with daemon() as (_, http):
        backend = QwenServe(http)
        info = await backend.hello()
        assert info.version == "0.24.4"
        assert info.clock_skew is not None
        assert abs(info.clock_skew) < 60
        traits = backend.traits
        assert (traits.takes_our_ids, traits.reject_with_reason, traits.reject_ends_turn) == (False, False, True)
        assert traits.client_heartbeat


async def test_capabilities_of_another_shape_are_said_to_be_so() -> None:
    async with daemon(**{"GET /capabilities": {"features": []}}) as (_, http):
        with pytest.raises(Misshapen):
            await QwenServe(http).hello()


async def test_the_list_gives_sessions_statuses_and_open_requests() -> None:
    waiting = [
        {
            "requestId": "r1",
            "kind": "permission",
            "action": {"type": "execute", "title": "touch x", "input": {"command": "touch x"}},
            "options": [{"optionId": "proceed_once", "label": "Allow", "kind": "allow_once"}],
        }
    ]
    sessions = {"sessions": [listed("s1", title="one", busy=True, waiting=waiting), listed("s2", title="Two")]}
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


async def test_a_session_is_made_of_its_own_and_named() -> None:
    made = {"sessionId": "s9", "workspaceCwd": "/srv", "clientId": "client_9", "createdAt": ""}
    answers = {"POST /session": made, "PATCH /session/s9/metadata": {"displayName": "mine"}}
    async with daemon(**answers) as (told, http):
        backend = await greeted(http)
        assert (await backend.create_session("mine")).title == "mine"
        assert told.sent("POST /session") == [{"sessionScope": "thread"}]
        assert told.identities("PATCH /session/s9/metadata") == ["client_9"]


async def test_a_session_that_sleeps_is_woken_and_one_that_is_not_there_is_refused() -> None:
    async with daemon(**{"GET /session/s1/status": NOT_FOUND, LOAD: loaded(), LIST: {"sessions": []}}) as (
        told,
        http,
    ):
        backend = await greeted(http)
        assert (await backend.session("s1")).id == "s1"
        assert LOAD in told.calls
        told.answers |= {"GET /session/nope/status": NOT_FOUND, "POST /session/nope/load": NOT_FOUND}
        with pytest.raises(Refused) as refused:
            await backend.session("nope")
        assert refused.value.status == 404


async def test_each_load_that_comes_as_the_same_client_is_taken_back() -> None:
    """The server counts how often we came, and a session with somebody in it is never put away."""
    async with daemon() as (told, http):
        backend = await greeted(http)
        for _ in range(3):
            await backend.messages("s1")
        assert told.identities(LOAD) == [None, "client_1", "client_1"]
        assert told.identities(DETACH) == ["client_1", "client_1"]
        await backend.close()
        assert told.identities(DETACH) == ["client_1"] * 3


async def test_a_prompt_is_taken_under_the_server_s_id() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        assert await backend.post_prompt(prompt, Watcher()) == Taken("p1")
        assert told.sent(PROMPT) == [{"prompt": [{"type": "text", "text": "do it"}]}]
        assert told.identities(PROMPT) == ["client_1"]


async def test_a_client_that_is_forgotten_asks_who_it_is_and_posts_once_more() -> None:
    async with daemon(**{PROMPT: FORGOTTEN}) as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        told.answers[RESUME] = loaded(clientId="client_2")
        with pytest.raises(Refused):
            await backend.post_prompt(backend.new_prompt("s1", "do it"), Watcher())
        assert told.identities(PROMPT) == ["client_1", "client_2"]
        assert told.identities(RESUME) == [None]


async def test_a_session_that_the_server_put_away_is_woken_for_a_prompt() -> None:
    async with daemon(**{PROMPT: NOT_FOUND}) as (told, http):
        backend = await greeted(http)
        with pytest.raises(Refused):
            await backend.post_prompt(Prompt("s1", "do it", "ours", ""), Watcher())
        assert [call for call in told.calls if call in (PROMPT, LOAD)] == [PROMPT, LOAD, PROMPT]


async def test_a_full_queue_is_no_broken_post() -> None:
    full = JSONResponse({"error": "full", "code": "prompt_queue_full"}, 503, {"retry-after": "5"})
    async with daemon(**{PROMPT: full}) as (told, http):
        backend = await greeted(http)
        with pytest.raises(NotTaken):
            await backend.post_prompt(backend.new_prompt("s1", "do it"), Watcher())
        assert told.calls.count(PROMPT) == 1


async def test_a_lost_202_is_found_by_its_echo_after_our_place() -> None:
    async with daemon(**{LOAD: loaded(echo(1, "do it", "p0"), ended(2, "p0"), last=2)}) as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        assert await backend.look_up("s1", prompt.message_id, prompt) == Lookup(stored=False)
        told.answers[LOAD] = loaded(
            echo(1, "do it", "p0"),
            ended(2, "p0"),
            echo(3, "do it", "px", author="another"),
            echo(4, "do it"),
            last=4,
        )
        assert await backend.look_up("s1", prompt.message_id, prompt) == Lookup(stored=True, known_as="p1")
        twin = backend.new_prompt("s1", "do it")
        assert await backend.look_up("s1", twin.message_id, twin) == Lookup(stored=False)


async def test_a_prompt_that_waits_at_the_server_is_found_too() -> None:
    added = {
        "id": 3,
        "type": "pending_prompt_added",
        "promptId": "p7",
        "originatorClientId": "client_1",
        "data": {"text": "do it"},
    }
    async with daemon() as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        prompt = backend.new_prompt("s1", "do it")
        told.answers[LOAD] = loaded(added, last=3, busy=True)
        assert await backend.look_up("s1", prompt.message_id, prompt) == Lookup(stored=True, known_as="p7")


async def test_a_known_prompt_is_asked_for_by_its_id_and_then_in_the_transcript() -> None:
    async with daemon(**{"GET /session/s1/turns/p1": {"state": "running"}}) as (told, http):
        backend = await greeted(http)
        assert await backend.look_up("s1", "p1") == Lookup(stored=True)
        told.answers["GET /session/s1/turns/p1"] = {"state": "cancelled"}  # before it began, unless it is echoed
        assert await backend.look_up("s1", "p1") == Lookup(stored=False)
        told.answers["GET /session/s1/turns/p1"] = NOT_FOUND
        told.answers[LOAD] = loaded(echo(1, "do it"), last=1)
        assert await backend.look_up("s1", "p1") == Lookup(stored=True)
        told.answers[LOAD] = loaded()
        assert await backend.look_up("s1", "p1") == Lookup(stored=False)
        told.answers[LOAD] = NOT_FOUND
        assert await backend.look_up("s1", "p1") == Lookup(stored=False, session_gone=True)


async def test_a_plan_is_there_after_a_load() -> None:
    entries = [{"content": "first", "status": "completed", "priority": "low"}]
    plan = {"id": 1, "type": "session_update", "data": {"update": {"sessionUpdate": "plan", "entries": entries}}}
    async with daemon(**{LOAD: loaded(plan, last=1)}) as (_, http):
        backend = await greeted(http)
        await backend.messages("s1")
        assert await backend.todos("s1") == (Todo("first", "completed", "low"),)


async def test_opening_a_session_adds_its_stream_where_the_load_ended() -> None:
    async with daemon(**{LOAD: loaded(echo(1, "hi"), said(2, "one "), last=2, busy=True)}) as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            feed.store.apply(await backend.messages("s1"))
            await wait_until(lambda: told.streams)
            [stream] = told.streams
            assert stream.headers["last-event-id"] == "2"
            assert stream.headers["x-qwen-event-epoch"] == "e1"
            assert stream.headers["x-qwen-client-id"] == "client_1"
            stream.send(said(2, "one "), said(3, "two"), ended(4))
            await wait_until(lambda: feed.words() == "hione two")
            await wait_until(lambda: feed.store.status("s1") == Idle())


async def test_comments_are_beats_of_the_oldest_stream_alone() -> None:
    other = {"POST /session/s2/load": {**loaded(), "sessionId": "s2"}}
    async with daemon(**other) as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await wait_until(lambda: e.Beat() in feed.told)  # nothing is open: looking is all that proves the line
            await backend.messages("s1")
            await backend.messages("s2")
            await wait_until(lambda: len(told.streams) == 2)
            first, second = sorted(told.streams, key=lambda stream: stream.session)
            before, had = feed.told.count(e.Beat()), feed.bytes
            second.beat()
            second.send({"type": "anything", "id": 1})
            await wait_until(lambda: feed.bytes > had + 50)
            assert feed.told.count(e.Beat()) == before
            first.beat()
            await wait_until(lambda: feed.told.count(e.Beat()) == before + 1)


async def test_a_stream_that_ends_ends_the_feed_and_goes_on_from_its_place() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            told.streams[0].send(echo(1, "hi"), said(2, "one "))
            await wait_until(lambda: "one" in feed.words())
            told.streams[0].end()
            await wait_until(lambda: feed.error)
        async with feeding(backend) as again:
            await wait_until(lambda: len(told.streams) == 2)
            assert told.streams[1].headers["last-event-id"] == "2"
            again.store = feed.store
            told.streams[1].send(said(3, "two"))
            await wait_until(lambda: again.words() == "hione two")


async def test_words_are_whole_again_once_the_server_has_told_what_was_missed_and_not_before() -> None:
    """A server that was restarted opens the stream too, and says after that that it cannot go on from there."""
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            told.streams[0].send(echo(1, "hi"), said(2, "one "))
            await wait_until(lambda: "one" in feed.words())
            told.streams[0].end()
            await wait_until(lambda: feed.error)
        feed.store.apply(e.StreamLost())
        async with feeding(backend) as again:
            again.store = feed.store
            await wait_until(lambda: len(told.streams) == 2)
            told.streams[1].send(said(3, "two"))
            await wait_until(lambda: "two" in again.words())
            assert again.states() == ["done", "partial"]
            told.streams[1].send({"type": "replay_complete", "data": {"replayedCount": 1}})
            await wait_until(lambda: again.states() == ["done", "streaming"])
            assert again.words() == "hione two"


async def test_a_client_that_was_too_slow_goes_on_from_what_it_read() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            told.streams[0].send(
                echo(1, "hi"),
                {"type": "slow_client_warning", "data": {"queueSize": 192, "maxQueued": 256}},
                said(2, "one "),
                {"type": "client_evicted", "data": {"reason": "queue_overflow", "droppedAfter": 9}},
            )
            told.streams[0].end()
            await wait_until(lambda: feed.error)
        async with feeding(backend) as again:
            await wait_until(lambda: len(told.streams) == 2)
            assert told.streams[1].headers["last-event-id"] == "2"
            again.store = feed.store
            told.streams[1].send(said(3, "two"), {"type": "replay_complete", "data": {"replayedCount": 1}})
            await wait_until(lambda: again.words() == "hione two")
        assert told.calls.count(LOAD) == 1


async def test_a_server_that_cannot_go_on_from_there_is_loaded_and_told_anew() -> None:
    async with daemon(**{LOAD: loaded(last=5)}) as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            told.answers[LOAD] = loaded(echo(1, "hi"), said(2, "all of it"), ended(3), last=3, epoch="e2")
            told.streams[0].send(
                {"type": "state_resync_required", "data": {"reason": "epoch_reset"}}, said(9, "stale")
            )
            await wait_until(lambda: len(told.streams) == 2)
            assert feed.words() == "hiall of it"
            assert told.streams[1].headers["last-event-id"] == "3"
            assert told.streams[1].headers["x-qwen-event-epoch"] == "e2"


async def test_a_server_that_never_goes_on_from_what_it_gave_is_not_loaded_without_end() -> None:
    lost = {"type": "state_resync_required", "data": {"reason": "epoch_reset"}}
    async with daemon(**{LOAD: loaded(last=5)}) as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            for number in range(2):
                await wait_until(lambda number=number: len(told.streams) == number + 1)  # type: ignore[misc]
                told.streams[number].send(lost)
            await wait_until(lambda: feed.error)
            assert isinstance(feed.error, Ended)
            assert told.calls.count(LOAD) == 2


async def test_an_event_that_is_missing_is_not_gone_without_a_word() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            told.streams[0].send(echo(1, "hi"), said(2, "one "))
            await wait_until(lambda: "one" in feed.words())
            told.answers[LOAD] = loaded(echo(1, "hi"), said(4, "one two three"), last=4, busy=True)
            told.streams[0].send(said(4, "three"))
            await wait_until(lambda: len(told.streams) == 2)
            assert feed.words() == "hione two three"
            assert told.streams[1].headers["last-event-id"] == "4"


async def test_a_restarted_server_is_asked_to_load_before_its_stream() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        told.refuse_streams.append(NOT_FOUND)
        told.answers[LOAD] = loaded(echo(1, "hi"), epoch="e2", last=1, clientId="client_2")
        async with feeding(backend) as feed:
            await wait_until(lambda: told.streams)
            assert told.streams[0].headers["x-qwen-event-epoch"] == "e2"
            assert told.streams[0].headers["x-qwen-client-id"] == "client_2"
            assert feed.words() == "hi"


async def test_a_stream_that_is_not_found_though_it_was_loaded_ends_the_feed() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        told.refuse_streams += [NOT_FOUND, NOT_FOUND]
        async with feeding(backend) as feed:
            await wait_until(lambda: feed.error)
            assert isinstance(feed.error, Refused)


async def test_a_session_that_is_gone_is_told_so_and_the_line_stays() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await backend.messages("s1")
        told.refuse_streams.append(NOT_FOUND)
        told.answers[LOAD] = NOT_FOUND
        async with feeding(backend) as feed:
            await wait_until(lambda: e.SessionDeleted("s1") in feed.told)
            assert feed.error is None


async def test_once_the_last_stream_is_gone_the_line_is_proved_at_once() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            before = feed.told.count(e.Beat())
            told.answers[LOAD] = NOT_FOUND
            told.refuse_streams.append(NOT_FOUND)
            told.streams[0].send({"id": 9, "type": "state_resync_required", "data": {}})
            await wait_until(lambda: e.SessionDeleted("s1") in feed.told)
            await wait_until(lambda: feed.told.count(e.Beat()) > before, within=LOOK_EVERY / 2)
            assert feed.error is None


async def test_a_session_that_somebody_closed_is_not_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.qwen_streams.LOOK_EVERY", 0.01)
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            before = feed.told.count(e.Beat())
            told.streams[0].send({"id": 1, "type": "session_closed", "data": {"reason": "client_close"}})
            told.streams[0].end()
            # with its last stream gone, looking is again what proves the line
            await wait_until(lambda: feed.error or feed.told.count(e.Beat()) > before)
            assert feed.error is None
            assert len(told.streams) == 1


async def test_leaving_a_session_closes_its_stream_and_says_goodbye() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            await backend.leave("s1")
            assert told.identities(DETACH) == ["client_1"]
            assert feed.error is None
            await backend.close()
            assert told.calls.count(DETACH) == 1


ASKED: dict[str, Any] = {
    "id": 1,
    "type": "permission_request",
    "promptId": "p1",
    "data": {
        "requestId": "r1",
        "toolCall": {
            "toolCallId": "call_1",
            "_meta": {
                "qwenInteractionKind": "user_question",
                "qwenQuestions": [{"question": "Which?", "options": [{"label": "a"}], "multiSelect": True}],
            },
        },
        "options": [
            {"kind": "allow_once", "optionId": "submit", "name": "Submit"},
            {"kind": "reject_once", "optionId": "no", "name": "Cancel"},
        ],
    },
}


async def asked(told: Daemon, backend: QwenServe) -> None:
    told.answers[LOAD] = loaded(echo(0, "hi"), ASKED, last=1, busy=True)
    told.answers["POST /session/s1/permission/r1"] = {}
    await backend.messages("s1")


async def test_an_answer_is_strings_by_index_and_unanswered_ones_are_left_out() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await asked(told, backend)
        assert await backend.answer("r1", (("a", "own words"), (), ("c",)), directory="/srv")
        assert told.sent("POST /session/s1/permission/r1") == [
            {
                "outcome": {"outcome": "selected", "optionId": "submit"},
                "answers": {"0": "a, own words", "2": "c"},
            }
        ]
        assert told.identities("POST /session/s1/permission/r1") == ["client_1"]


async def test_a_dismissal_and_a_refusal() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await asked(told, backend)
        await backend.reject("r1", directory="")
        await backend.reply("r1", "reject", "", directory="")
        assert told.sent("POST /session/s1/permission/r1") == [
            {"outcome": {"outcome": "cancelled"}},
            {"outcome": {"outcome": "selected", "optionId": "no"}},
        ]


async def test_an_answer_that_an_earlier_run_left_goes_by_the_request_alone() -> None:
    async with daemon(**{"POST /permission/r9": {}}) as (told, http):
        backend = await greeted(http)
        assert await backend.answer("r9", (("a",),), directory="/srv")
        assert told.sent("POST /permission/r9") == [
            {"outcome": {"outcome": "selected", "optionId": "proceed_once"}, "answers": {"0": "a"}}
        ]


async def test_a_vote_that_comes_too_late_is_refused() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        await asked(told, backend)
        told.answers["POST /session/s1/permission/r1"] = JSONResponse({"error": "No pending permission"}, 404)
        with pytest.raises(Refused) as refused:
            await backend.answer("r1", (("a",),), directory="/srv")
        assert refused.value.status == 404


async def test_a_request_in_the_list_keeps_its_place_in_the_transcript() -> None:
    waiting = [{"requestId": "r1", "kind": "user_question", "questions": [{"question": "Which?"}]}]
    async with daemon(**{LIST: {"sessions": [listed(busy=True, waiting=waiting)]}}) as (told, http):
        backend = await greeted(http)
        [bare] = (await backend.resync([])).requests
        assert isinstance(bare, QuestionRequest)
        assert bare.call_id is None
        await asked(told, backend)
        [placed] = (await backend.resync([])).requests
        assert (placed.message_id, placed.call_id) == ("p1:answer", "call_1")


async def test_what_is_asked_where_nobody_watches_is_seen_by_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.qwen_streams.LOOK_EVERY", 0.01)
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


async def test_a_beat_for_a_session_that_the_server_put_away_wakes_it() -> None:
    async with daemon(**{"POST /session/s1/heartbeat": NOT_FOUND}) as (told, http):
        backend = await greeted(http)
        with pytest.raises(Refused):
            await backend.heartbeat("s1")
        await backend.messages("s1")
        await backend.heartbeat("s1")
        assert told.calls.count(LOAD) == 2


async def test_cancelling_where_nothing_is_awake_is_no_error() -> None:
    async with daemon(**{"POST /session/s1/cancel": NOT_FOUND}) as (_, http):
        await (await greeted(http)).abort("s1")
