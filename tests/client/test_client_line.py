"""The client's connection: lost and restored, refused, and the requests sent on it at intervals."""

import asyncio

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.client.polling import HEARTBEAT_INTERVAL, MISSED_HEARTBEATS, PING_INTERVAL
from tui.client.resync import SessionApiUnresponsive
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import TextPart
from tui.core.turn_state import TurnState


@on_virtual_time()
async def test_a_refused_password_stops_reconnecting_until_a_manual_retry(harness: ClientHarness) -> None:
    harness.arm("401")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED, within=30)
    line = harness.client.connection_status()
    assert "401" in line.reason
    assert "HOLDFAST_PASSWORD" in line.hint
    requests_sent = len(harness.requests_sent)
    await asyncio.sleep(3600)
    assert len(harness.requests_sent) == requests_sent
    harness.server.disarm_all()
    harness.client.retry_now()
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.LIVE)


@on_virtual_time(connected=False)
async def test_a_password_is_tried_once_for_each_family(harness: ClientHarness) -> None:
    harness.arm("401")
    harness.client.start()
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED)
    await asyncio.sleep(3600)
    assert harness.requests_sent == [
        step for user in ("opencode", "mimocode", "") for step in (("OPEN", user), ("GET", "/global/health"))
    ]


@on_virtual_time()
async def test_a_reconnection_leaves_no_gap_in_the_transcript(harness: ClientHarness) -> None:
    turn = harness.send("SLOW")
    await harness.until(lambda: len(harness.words()) == 2 and "word5" in harness.words()[1], within=20)
    harness.arm("502=/global/health,times=4")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.RECONNECTING, within=20)
    states = [
        part.state
        for message in harness.transcript().ordered()
        for part in harness.transcript().parts_of(message.id)
        if isinstance(part, TextPart)
    ]
    assert states == ["done", "partial"]
    assert not turn.over
    await harness.until(lambda: harness.synced, within=60)
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED
    assert await harness.matches_server()
    assert harness.words()[1].count("word") == 40


@on_virtual_time()
async def test_an_event_stream_that_hangs_at_startup_is_reopened_soon(harness: ClientHarness) -> None:
    harness.arm("hang=events")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: not harness.synced, within=20)
    lost = harness.client.now()
    await harness.until(lambda: harness.synced, within=20)
    assert 6 < harness.client.now() - lost < 9


@on_virtual_time()
async def test_the_round_trip_is_measured_only_while_connected(harness: ClientHarness) -> None:
    harness.changes.clear()
    await asyncio.sleep(PING_INTERVAL + 1)
    assert c.ConnectionChanged() in harness.changes
    harness.arm("401")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED, within=30)
    requests_sent = harness.requests_sent.count(("GET", "/global/health"))
    await asyncio.sleep(3 * PING_INTERVAL)
    assert harness.requests_sent.count(("GET", "/global/health")) == requests_sent


@on_virtual_time()
async def test_a_failed_ping_changes_nothing(harness: ClientHarness) -> None:
    harness.arm("502=/global/health,times=1")
    await asyncio.sleep(PING_INTERVAL + 1)
    assert harness.client.connection_status().state is ConnectionState.LIVE


@on_virtual_time()
async def test_the_client_sends_heartbeats_and_detaches_when_closed(harness: ClientHarness) -> None:
    beat, leave = (("POST", f"/session/{harness.session_id}/{what}") for what in ("heartbeat", "detach"))
    await asyncio.sleep(2 * HEARTBEAT_INTERVAL + 5)
    assert harness.requests_sent.count(beat) == 2
    harness.arm("502=/session,times=1")
    turn = harness.send("PLAIN")
    await harness.over(turn)
    await asyncio.sleep(HEARTBEAT_INTERVAL)
    assert turn.state is TurnState.FINISHED
    assert leave not in harness.requests_sent
    await harness.client.close()
    assert leave in harness.requests_sent


@on_virtual_time()
async def test_failed_heartbeats_are_reported_once_after_the_third(harness: ClientHarness) -> None:
    def changes() -> list[c.Change]:
        return [one for one in harness.changes if isinstance(one, c.Notice) and "heartbeats" in one.text]

    harness.arm("502=/session,times=always")
    await asyncio.sleep(2 * HEARTBEAT_INTERVAL + 5)
    assert changes() == []
    await asyncio.sleep(4 * HEARTBEAT_INTERVAL)
    assert len(changes()) == 1
    harness.server.disarm_all()
    await asyncio.sleep(HEARTBEAT_INTERVAL)
    harness.arm("502=/session,times=always")
    await asyncio.sleep(MISSED_HEARTBEATS * HEARTBEAT_INTERVAL)
    assert len(changes()) == 2


@on_virtual_time(connected=False)
@pytest.mark.parametrize("at", ["request", "headers"])
async def test_a_buffered_stream_is_distinguished_from_a_silent_server(harness: ClientHarness, at: str) -> None:
    harness.arm(f"stall=events,times=always,at={at}")
    harness.client.start()
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.RECONNECTING, within=30)
    line = harness.client.connection_status()
    assert "the server answers, but its event stream delivers nothing" in line.reason
    assert "buffer" in line.hint
    assert line.answers
    harness.server.disarm_all()
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.LIVE, within=60)


@on_virtual_time(connected=False)
async def test_a_completely_silent_server_is_not_reported_as_answering(harness: ClientHarness) -> None:
    harness.arm("stall=/global/event,times=always,at=request")
    harness.arm("stall=/global/health,times=always,at=request")
    harness.client.start()
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.RECONNECTING, within=30)
    assert "no data for" in harness.client.connection_status().reason
    assert not harness.client.connection_status().answers


@on_virtual_time()
async def test_a_server_that_answers_only_health_checks_is_diagnosed(harness: ClientHarness) -> None:
    harness.arm("stall=/session,times=always,at=request")
    harness.arm("cut=events,at=json")
    await harness.until(
        lambda: harness.client.connection_status().reason == SessionApiUnresponsive().message, within=60
    )
    harness.server.disarm_all()
    await harness.until(
        lambda: harness.client.connection_status().state is ConnectionState.LIVE and harness.synced, within=60
    )
