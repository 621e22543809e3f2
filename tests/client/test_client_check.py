"""Polling finds what changed if the event stream has heartbeats but no events."""

import asyncio

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.client.polling import CHECK_INTERVAL
from tui.core import changes as c
from tui.core.diagnosis import Kind

ASK = {"parts": [{"type": "text", "text": "ASK1"}]}


@on_virtual_time()
async def test_a_question_without_events_is_found_and_removed_by_polling(harness: ClientHarness) -> None:
    harness.arm("mute-events")
    await harness.http.post(f"/session/{harness.session_id}/prompt_async", json=ASK)
    await harness.until(lambda: harness.client.store.requests, within=CHECK_INTERVAL + 5, what="the question")
    (request,) = harness.client.store.requests
    await harness.http.post(f"/question/{request}/reply", json={"answers": [["SQLite"]]})
    await harness.until(lambda: not harness.client.store.requests, within=CHECK_INTERVAL + 5, what="it to go")
    [closed] = [one for one in harness.changes if isinstance(one, c.RequestClosed)]
    assert (closed.how, closed.answers) == ("answered", (("SQLite",),))  # as its tool call has it


@pytest.mark.parametrize("left_over", [False, True])
@on_virtual_time()
async def test_a_silent_stream_is_diagnosed_while_a_question_is_open(harness: ClientHarness, left_over: bool) -> None:
    """Even if earlier events are still pending when the prompt is sent."""
    if not left_over:
        heard = None
        while heard != harness.client._connection.events:
            heard = harness.client._connection.events
            await asyncio.sleep(0.5)
    harness.arm("mute-events")
    turn = harness.send("ASK1")

    def named() -> bool:
        trouble = harness.client.turns.diagnose(turn)
        return trouble is not None and trouble.kind is Kind.NO_EVENTS

    await harness.until(named, within=CHECK_INTERVAL + 5, what="the silent stream to be named")
    assert harness.client.store.requests
    harness.server.disarm_all()
    await harness.http.post(f"/session/{harness.session_id}/prompt_async", json=ASK)  # its events are sent again
    await harness.until(lambda: not named(), what="it to be well again")


@on_virtual_time()
async def test_a_silent_stream_is_diagnosed_under_another_clients_question(harness: ClientHarness) -> None:
    harness.arm("mute-events")
    await harness.http.post(f"/session/{harness.session_id}/prompt_async", json=ASK)

    def named() -> bool:
        turn = harness.client.turn(harness.session_id)
        trouble = None if turn is None else harness.client.turns.diagnose(turn)
        return trouble is not None and trouble.kind is Kind.NO_EVENTS

    await harness.until(named, within=CHECK_INTERVAL + 5, what="the silent stream to be named")


@on_virtual_time()
async def test_a_complete_stream_is_never_diagnosed_as_silent(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    for _ in range(6):
        await asyncio.sleep(CHECK_INTERVAL / 2)
        assert harness.client.turns.diagnose(turn) is None


@on_virtual_time()
async def test_a_transcript_with_missed_events_is_refetched_when_the_session_is_idle(harness: ClientHarness) -> None:
    harness.arm("mute-events")
    await harness.over(harness.send("PLAIN"))
    harness.server.disarm_all()
    await harness.over(harness.send("PLAIN"))
    assert not await harness.matches_server()  # the first prompt's own message is missing, and no event follows for it
    await asyncio.sleep(CHECK_INTERVAL + 5)
    assert await harness.matches_server()


@on_virtual_time()
async def test_nothing_is_refetched_without_changes(harness: ClientHarness) -> None:
    await harness.over(harness.send("PLAIN"))
    await asyncio.sleep(2 * CHECK_INTERVAL)
    before = len(harness.requests_sent)
    await asyncio.sleep(2 * CHECK_INTERVAL)
    pages = [path for method, path in harness.requests_sent[before:] if path.endswith("/message")]
    assert pages == []
