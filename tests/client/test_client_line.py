"""The client's connection: lost and restored, refused, and the requests sent on it at intervals."""

import asyncio

import pytest

from tests.client_harness import Meeting, virtually
from tui.client.polling import BEAT_EVERY, BEATS_MISSED, PING_EVERY
from tui.client.resync import SessionApiUnresponsive
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import TextPart
from tui.core.turn_state import TurnState


@virtually()
async def test_a_refused_password_stops_reconnecting_until_a_manual_retry(meeting: Meeting) -> None:
    meeting.arm("401")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED, within=30)
    line = meeting.client.line()
    assert "401" in line.reason
    assert "HOLDFAST_PASSWORD" in line.hint
    asked = len(meeting.asked)
    await asyncio.sleep(3600)
    assert len(meeting.asked) == asked
    meeting.server.disarm_all()
    meeting.client.retry_now()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.LIVE)


@virtually(connected=False)
async def test_a_password_is_tried_once_for_each_family(meeting: Meeting) -> None:
    meeting.arm("401")
    meeting.client.start()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
    await asyncio.sleep(3600)
    assert meeting.asked == [
        step for user in ("opencode", "mimocode", "") for step in (("OPEN", user), ("GET", "/global/health"))
    ]


@virtually()
async def test_a_reconnection_leaves_no_gap_in_the_transcript(meeting: Meeting) -> None:
    turn = meeting.send("SLOW")
    await meeting.until(lambda: len(meeting.words()) == 2 and "word5" in meeting.words()[1], within=20)
    meeting.arm("502=/global/health,times=4")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.RECONNECTING, within=20)
    states = [
        part.state
        for message in meeting.transcript().ordered()
        for part in meeting.transcript().parts_of(message.id)
        if isinstance(part, TextPart)
    ]
    assert states == ["done", "partial"]
    assert not turn.over
    await meeting.until(lambda: meeting.synced, within=60)
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert await meeting.agrees()
    assert meeting.words()[1].count("word") == 40


@virtually()
async def test_an_event_stream_that_hangs_at_startup_is_reopened_soon(meeting: Meeting) -> None:
    meeting.arm("hang=events")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    lost = meeting.client.now()
    await meeting.until(lambda: meeting.synced, within=20)
    assert 6 < meeting.client.now() - lost < 9


@virtually()
async def test_the_round_trip_is_measured_only_while_connected(meeting: Meeting) -> None:
    meeting.told.clear()
    await asyncio.sleep(PING_EVERY + 1)
    assert c.ConnectionChanged() in meeting.told
    meeting.arm("401")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED, within=30)
    asked = meeting.asked.count(("GET", "/global/health"))
    await asyncio.sleep(3 * PING_EVERY)
    assert meeting.asked.count(("GET", "/global/health")) == asked


@virtually()
async def test_a_failed_ping_changes_nothing(meeting: Meeting) -> None:
    meeting.arm("502=/global/health,times=1")
    await asyncio.sleep(PING_EVERY + 1)
    assert meeting.client.line().state is ConnectionState.LIVE


@virtually()
async def test_the_client_sends_heartbeats_and_detaches_when_closed(meeting: Meeting) -> None:
    beat, leave = (("POST", f"/session/{meeting.session_id}/{what}") for what in ("heartbeat", "detach"))
    await asyncio.sleep(2 * BEAT_EVERY + 5)
    assert meeting.asked.count(beat) == 2
    meeting.arm("502=/session,times=1")
    turn = meeting.send("PLAIN")
    await meeting.over(turn)
    await asyncio.sleep(BEAT_EVERY)
    assert turn.state is TurnState.FINISHED
    assert leave not in meeting.asked
    await meeting.client.close()
    assert leave in meeting.asked


@virtually()
async def test_failed_heartbeats_are_reported_once_after_the_third(meeting: Meeting) -> None:
    def told() -> list[c.Change]:
        return [one for one in meeting.told if isinstance(one, c.Notice) and "heartbeats" in one.text]

    meeting.arm("502=/session,times=always")
    await asyncio.sleep(2 * BEAT_EVERY + 5)
    assert told() == []
    await asyncio.sleep(4 * BEAT_EVERY)
    assert len(told()) == 1
    meeting.server.disarm_all()
    await asyncio.sleep(BEAT_EVERY)
    meeting.arm("502=/session,times=always")
    await asyncio.sleep(BEATS_MISSED * BEAT_EVERY)
    assert len(told()) == 2


@virtually(connected=False)
@pytest.mark.parametrize("at", ["request", "headers"])
async def test_a_buffered_stream_is_distinguished_from_a_silent_server(meeting: Meeting, at: str) -> None:
    meeting.arm(f"stall=events,times=always,at={at}")
    meeting.client.start()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.RECONNECTING, within=30)
    line = meeting.client.line()
    assert "the server answers, but its event stream delivers nothing" in line.reason
    assert "buffer" in line.hint
    assert line.answers
    meeting.server.disarm_all()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.LIVE, within=60)


@virtually(connected=False)
async def test_a_completely_silent_server_is_not_reported_as_answering(meeting: Meeting) -> None:
    meeting.arm("stall=/global/event,times=always,at=request")
    meeting.arm("stall=/global/health,times=always,at=request")
    meeting.client.start()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.RECONNECTING, within=30)
    assert "no data for" in meeting.client.line().reason
    assert not meeting.client.line().answers


@virtually()
async def test_a_server_that_answers_only_health_checks_is_diagnosed(meeting: Meeting) -> None:
    meeting.arm("stall=/session,times=always,at=request")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: meeting.client.line().reason == SessionApiUnresponsive().message, within=60)
    meeting.server.disarm_all()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.LIVE and meeting.synced, within=60)
