"""The streams of a qwen serve, one a session, in the hands of the test: cut, behind, gone, and told anew."""

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
    daemon,
    echo,
    ended,
    loaded,
    said,
)
from tests.backends.feeding import feeding, greeted
from tests.waiting import wait_until
from tui.backends.qwen import streams
from tui.backends.qwen.streams import LOOK_EVERY
from tui.core import events as e
from tui.core.model import Idle
from tui.net.errors import HttpStatusError
from tui.net.event_connection import StreamEnded


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
            await wait_until(lambda: e.Heartbeat() in feed.told)  # nothing is open: looking is all that proves the line
            await backend.messages("s1")
            await backend.messages("s2")
            await wait_until(lambda: len(told.streams) == 2)
            first, second = sorted(told.streams, key=lambda stream: stream.session)
            before, had = feed.told.count(e.Heartbeat()), feed.bytes
            second.beat()
            second.send({"type": "anything", "id": 1})
            await wait_until(lambda: feed.bytes > had + 50)
            assert feed.told.count(e.Heartbeat()) == before
            first.beat()
            await wait_until(lambda: feed.told.count(e.Heartbeat()) == before + 1)


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
            told.streams[0].send({"type": "state_resync_required", "data": {"reason": "epoch_reset"}}, said(9, "stale"))
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
            assert isinstance(feed.error, StreamEnded)
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
            assert isinstance(feed.error, HttpStatusError)


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
            before = feed.told.count(e.Heartbeat())
            told.answers[LOAD] = NOT_FOUND
            told.refuse_streams.append(NOT_FOUND)
            told.streams[0].send({"id": 9, "type": "state_resync_required", "data": {}})
            await wait_until(lambda: e.SessionDeleted("s1") in feed.told)
            await wait_until(lambda: feed.told.count(e.Heartbeat()) > before, within=LOOK_EVERY / 2)
            assert feed.error is None


async def test_a_gap_right_after_a_gap_is_left_to_the_backoff() -> None:
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            for number in range(2):
                await wait_until(lambda number=number: len(told.streams) > number or feed.error)  # type: ignore[misc]
                told.streams[number].send(said(1, "one "), said(9, "nine"))
            await wait_until(lambda: feed.error or len(told.streams) > 2)
            assert isinstance(feed.error, StreamEnded)
            assert len(told.streams) == 2


async def test_a_session_that_somebody_closed_is_not_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.backends.qwen.streams.LOOK_EVERY", 0.01)
    async with daemon() as (told, http):
        backend = await greeted(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: told.streams)
            before = feed.told.count(e.Heartbeat())
            told.streams[0].send({"id": 1, "type": "session_closed", "data": {"reason": "client_close"}})
            told.streams[0].end()
            # with its last stream gone, looking is again what proves the line
            await wait_until(lambda: feed.error or feed.told.count(e.Heartbeat()) > before)
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


async def test_a_flood_of_events_waits_for_whoever_reads_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def all_have_come(*args: object, **kwargs: object) -> AsyncIterator[SimpleNamespace]:
        for number in range(3, 20_003):
            yield SimpleNamespace(data=json.dumps(said(number, "word ")))
        await asyncio.Event().wait()

    monkeypatch.setattr(streams, "read_events", all_have_come)
    async with daemon(**{LOAD: loaded(echo(1, "hi"), said(2, "one "), last=2, busy=True)}) as (_, http):
        backend = await greeted(http)
        async with backend.subscribe(lambda count: None) as feed:
            await backend.messages("s1")
            words = most = 0
            async with aclosing(feed.events()) as events:
                while words < 20_000:
                    words += isinstance(await anext(events), e.TextDelta)
                    most = max(most, feed._told.qsize())
            assert most < 4 * streams.UNREAD
