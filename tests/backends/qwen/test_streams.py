"""The streams of a qwen serve, one per session, controlled by the test: cut, slow, lost, and reloaded."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from types import SimpleNamespace

import pytest

from tests.backends.daemon import (
    DETACH,
    LOAD,
    NOT_FOUND,
    answer_chunk,
    daemon,
    echo,
    ended,
    loaded,
)
from tests.backends.feeding import after_handshake, feeding, following
from tests.waiting import wait_until
from tui.backends.qwen import streams
from tui.backends.qwen.streams import POLL_INTERVAL
from tui.core import events as e
from tui.core.model import Idle
from tui.net.errors import HttpStatusError
from tui.net.event_connection import StreamEnded


async def test_opening_a_session_adds_its_stream_after_the_load() -> None:
    async with daemon(**{LOAD: loaded(echo(1, "hi"), answer_chunk(2, "one "), last=2, busy=True)}) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            feed.store.apply(await backend.messages("s1"))
            await wait_until(lambda: server.streams)
            [stream] = server.streams
            assert stream.headers["last-event-id"] == "2"
            assert stream.headers["x-qwen-event-epoch"] == "e1"
            assert stream.headers["x-qwen-client-id"] == "client_1"
            stream.send(answer_chunk(2, "one "), answer_chunk(3, "two"), ended(4))
            await wait_until(lambda: feed.words() == "hione two")
            await wait_until(lambda: feed.store.status("s1") == Idle())


async def test_comments_of_the_oldest_stream_are_heartbeats() -> None:
    other = {"POST /session/s2/load": {**loaded(), "sessionId": "s2"}}
    async with daemon(**other) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await wait_until(lambda: e.Heartbeat() in feed.events)  # no stream is open: polls prove the connection
            await backend.messages("s1")
            await backend.messages("s2")
            await wait_until(lambda: len(server.streams) == 2)
            first, second = sorted(server.streams, key=lambda stream: stream.session)
            before, had = feed.events.count(e.Heartbeat()), feed.bytes
            second.beat()
            second.send({"type": "anything", "id": 1})
            await wait_until(lambda: feed.bytes > had + 50)
            assert feed.events.count(e.Heartbeat()) == before
            first.beat()
            await wait_until(lambda: feed.events.count(e.Heartbeat()) == before + 1)


async def test_an_ended_stream_ends_the_feed_and_resumes_at_its_position() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: server.streams)
            server.streams[0].send(echo(1, "hi"), answer_chunk(2, "one "))
            await wait_until(lambda: "one" in feed.words())
            server.streams[0].end()
            await wait_until(lambda: feed.error)
        async with feeding(backend) as again:
            await wait_until(lambda: len(server.streams) == 2)
            assert server.streams[1].headers["last-event-id"] == "2"
            again.store = feed.store
            server.streams[1].send(answer_chunk(3, "two"))
            await wait_until(lambda: again.words() == "hione two")


async def test_partial_text_is_complete_only_after_the_replay() -> None:
    """A restarted server opens the stream, too, and then reports that it cannot resume there."""
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: server.streams)
            server.streams[0].send(echo(1, "hi"), answer_chunk(2, "one "))
            await wait_until(lambda: "one" in feed.words())
            server.streams[0].end()
            await wait_until(lambda: feed.error)
        feed.store.apply(e.StreamLost())
        async with feeding(backend) as again:
            again.store = feed.store
            await wait_until(lambda: len(server.streams) == 2)
            server.streams[1].send(answer_chunk(3, "two"))
            await wait_until(lambda: "two" in again.words())
            assert again.states() == ["done", "partial"]
            server.streams[1].send({"type": "replay_complete", "data": {"replayedCount": 1}})
            await wait_until(lambda: again.states() == ["done", "streaming"])
            assert again.words() == "hione two"


async def test_a_slow_client_resumes_after_what_it_has_read() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: server.streams)
            server.streams[0].send(
                echo(1, "hi"),
                {"type": "slow_client_warning", "data": {"queueSize": 192, "maxQueued": 256}},
                answer_chunk(2, "one "),
                {"type": "client_evicted", "data": {"reason": "queue_overflow", "droppedAfter": 9}},
            )
            server.streams[0].end()
            await wait_until(lambda: feed.error)
        async with feeding(backend) as again:
            await wait_until(lambda: len(server.streams) == 2)
            assert server.streams[1].headers["last-event-id"] == "2"
            again.store = feed.store
            server.streams[1].send(answer_chunk(3, "two"), {"type": "replay_complete", "data": {"replayedCount": 1}})
            await wait_until(lambda: again.words() == "hione two")
        assert server.calls.count(LOAD) == 1


async def test_a_session_that_cannot_be_resumed_is_loaded_again() -> None:
    async with following(**{LOAD: loaded(last=5)}) as (server, _, feed):
        server.answers[LOAD] = loaded(echo(1, "hi"), answer_chunk(2, "all of it"), ended(3), last=3, epoch="e2")
        server.streams[0].send(
            {"type": "state_resync_required", "data": {"reason": "epoch_reset"}}, answer_chunk(9, "stale")
        )
        await wait_until(lambda: len(server.streams) == 2)
        assert feed.words() == "hiall of it"
        assert server.streams[1].headers["last-event-id"] == "3"
        assert server.streams[1].headers["x-qwen-event-epoch"] == "e2"


async def test_a_session_that_never_resumes_is_not_loaded_in_a_loop() -> None:
    lost = {"type": "state_resync_required", "data": {"reason": "epoch_reset"}}
    async with daemon(**{LOAD: loaded(last=5)}) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            for number in range(2):
                await wait_until(lambda number=number: len(server.streams) == number + 1)  # type: ignore[misc]
                server.streams[number].send(lost)
            await wait_until(lambda: feed.error)
            assert isinstance(feed.error, StreamEnded)
            assert server.calls.count(LOAD) == 2


async def test_a_missing_event_causes_a_load() -> None:
    async with following() as (server, _, feed):
        server.streams[0].send(echo(1, "hi"), answer_chunk(2, "one "))
        await wait_until(lambda: "one" in feed.words())
        server.answers[LOAD] = loaded(echo(1, "hi"), answer_chunk(4, "one two three"), last=4, busy=True)
        server.streams[0].send(answer_chunk(4, "three"))
        await wait_until(lambda: len(server.streams) == 2)
        assert feed.words() == "hione two three"
        assert server.streams[1].headers["last-event-id"] == "4"


async def test_a_restarted_server_must_load_before_streaming() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        server.refuse_streams.append(NOT_FOUND)
        server.answers[LOAD] = loaded(echo(1, "hi"), epoch="e2", last=1, clientId="client_2")
        async with feeding(backend) as feed:
            await wait_until(lambda: server.streams)
            assert server.streams[0].headers["x-qwen-event-epoch"] == "e2"
            assert server.streams[0].headers["x-qwen-client-id"] == "client_2"
            assert feed.words() == "hi"


async def test_a_loaded_session_without_a_stream_ends_the_feed() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        server.refuse_streams += [NOT_FOUND, NOT_FOUND]
        async with feeding(backend) as feed:
            await wait_until(lambda: feed.error)
            assert isinstance(feed.error, HttpStatusError)


async def test_a_deleted_session_is_reported_and_the_connection_stays() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        await backend.messages("s1")
        server.refuse_streams.append(NOT_FOUND)
        server.answers[LOAD] = NOT_FOUND
        async with feeding(backend) as feed:
            await wait_until(lambda: e.SessionDeleted("s1") in feed.events)
            assert feed.error is None


async def test_after_the_last_stream_polls_prove_the_connection_at_once() -> None:
    async with following() as (server, _, feed):
        before = feed.events.count(e.Heartbeat())
        server.answers[LOAD] = NOT_FOUND
        server.refuse_streams.append(NOT_FOUND)
        server.streams[0].send({"id": 9, "type": "state_resync_required", "data": {}})
        await wait_until(lambda: e.SessionDeleted("s1") in feed.events)
        await wait_until(lambda: feed.events.count(e.Heartbeat()) > before, within=POLL_INTERVAL / 2)
        assert feed.error is None


async def test_a_gap_right_after_a_gap_is_left_to_the_backoff() -> None:
    async with daemon() as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            for number in range(2):
                await wait_until(lambda number=number: len(server.streams) > number or feed.error)  # type: ignore[misc]
                server.streams[number].send(answer_chunk(1, "one "), answer_chunk(9, "nine"))
            await wait_until(lambda: feed.error or len(server.streams) > 2)
            assert isinstance(feed.error, StreamEnded)
            assert len(server.streams) == 2


async def test_a_closed_session_is_not_reopened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.qwen.streams.POLL_INTERVAL", 0.01)
    async with following() as (server, _, feed):
        before = feed.events.count(e.Heartbeat())
        server.streams[0].send({"id": 1, "type": "session_closed", "data": {"reason": "client_close"}})
        server.streams[0].end()
        # without streams, polls prove the connection again
        await wait_until(lambda: feed.error or feed.events.count(e.Heartbeat()) > before)
        assert feed.error is None
        assert len(server.streams) == 1


async def test_leaving_a_session_closes_its_stream_and_detaches() -> None:
    async with following() as (server, backend, feed):
        await backend.leave("s1")
        assert server.identities(DETACH) == ["client_1"]
        assert feed.error is None
        await backend.close()
        assert server.calls.count(DETACH) == 1


async def test_a_flood_of_events_waits_for_the_reader_of_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_have_come(*args: object, **kwargs: object) -> AsyncIterator[SimpleNamespace]:
        for number in range(3, 20_003):
            yield SimpleNamespace(data=json.dumps(answer_chunk(number, "word ")))
        await asyncio.Event().wait()

    monkeypatch.setattr(streams, "read_events", all_have_come)
    async with daemon(**{LOAD: loaded(echo(1, "hi"), answer_chunk(2, "one "), last=2, busy=True)}) as (_, http):
        backend = await after_handshake(http)
        async with backend.subscribe(lambda count: None) as feed:
            await backend.messages("s1")
            words = most = 0
            async with aclosing(feed.events()) as events:
                while words < 20_000:
                    words += isinstance(await anext(events), e.TextDelta)
                    most = max(most, feed._events.qsize())
            assert most < 4 * streams.UNREAD
