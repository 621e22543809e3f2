"""Polling finds what changed if the event stream has heartbeats but no events."""

import asyncio

import pytest

from tests.client_harness import Meeting, virtually
from tui.client.polling import CHECK_EVERY
from tui.core import changes as c
from tui.core.diagnosis import Kind

ASK = {"parts": [{"type": "text", "text": "ASK1"}]}


@virtually()
async def test_a_question_without_events_is_found_and_removed_by_polling(meeting: Meeting) -> None:
    meeting.arm("mute-events")
    await meeting.http.post(f"/session/{meeting.session_id}/prompt_async", json=ASK)
    await meeting.until(lambda: meeting.client.store.requests, within=CHECK_EVERY + 5, what="the question")
    (request,) = meeting.client.store.requests
    await meeting.http.post(f"/question/{request}/reply", json={"answers": [["SQLite"]]})
    await meeting.until(lambda: not meeting.client.store.requests, within=CHECK_EVERY + 5, what="it to go")
    [closed] = [one for one in meeting.told if isinstance(one, c.RequestClosed)]
    assert (closed.how, closed.answers) == ("answered", (("SQLite",),))  # as its tool call has it


@pytest.mark.parametrize("left_over", [False, True])
@virtually()
async def test_a_silent_stream_is_diagnosed_while_a_question_is_open(meeting: Meeting, left_over: bool) -> None:
    """Even if earlier events are still pending when the prompt is sent."""
    if not left_over:
        heard = None
        while heard != meeting.client._connection.events:
            heard = meeting.client._connection.events
            await asyncio.sleep(0.5)
    meeting.arm("mute-events")
    turn = meeting.send("ASK1")

    def named() -> bool:
        trouble = meeting.client.turns.diagnose(turn)
        return trouble is not None and trouble.kind is Kind.NO_EVENTS

    await meeting.until(named, within=CHECK_EVERY + 5, what="the silent stream to be named")
    assert meeting.client.store.requests
    meeting.server.disarm_all()
    await meeting.http.post(f"/session/{meeting.session_id}/prompt_async", json=ASK)  # its events are sent again
    await meeting.until(lambda: not named(), what="it to be well again")


@virtually()
async def test_a_silent_stream_is_diagnosed_under_another_clients_question(meeting: Meeting) -> None:
    meeting.arm("mute-events")
    await meeting.http.post(f"/session/{meeting.session_id}/prompt_async", json=ASK)

    def named() -> bool:
        turn = meeting.client.turn(meeting.session_id)
        trouble = None if turn is None else meeting.client.turns.diagnose(turn)
        return trouble is not None and trouble.kind is Kind.NO_EVENTS

    await meeting.until(named, within=CHECK_EVERY + 5, what="the silent stream to be named")


@virtually()
async def test_a_complete_stream_is_never_diagnosed_as_silent(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    for _ in range(6):
        await asyncio.sleep(CHECK_EVERY / 2)
        assert meeting.client.turns.diagnose(turn) is None


@virtually()
async def test_a_transcript_with_missed_events_is_refetched_when_the_session_is_idle(meeting: Meeting) -> None:
    meeting.arm("mute-events")
    await meeting.over(meeting.send("PLAIN"))
    meeting.server.disarm_all()
    await meeting.over(meeting.send("PLAIN"))
    assert not await meeting.agrees()  # the first prompt's own message is missing, and no event follows for it
    await asyncio.sleep(CHECK_EVERY + 5)
    assert await meeting.agrees()


@virtually()
async def test_nothing_is_refetched_without_changes(meeting: Meeting) -> None:
    await meeting.over(meeting.send("PLAIN"))
    await asyncio.sleep(2 * CHECK_EVERY)
    before = len(meeting.asked)
    await asyncio.sleep(2 * CHECK_EVERY)
    pages = [path for method, path in meeting.asked[before:] if path.endswith("/message")]
    assert pages == []
