"""The client with the stub server: before its first connection, and when closing."""

import asyncio

import pytest

from tests.client_harness import Meeting, virtually
from tui.client.server_connection import NotConnected
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.turn_state import TurnState


@virtually("mimo-cancel")
async def test_the_family_is_detected_from_the_servers_responses(meeting: Meeting) -> None:
    traits, server = meeting.client.traits, meeting.client.server
    assert traits is not None
    assert server is not None
    assert (traits.family, traits.cancels_on_disconnect, server.version) == ("mimo", None, "0.1.0")


@virtually(connected=False)
async def test_requests_before_the_first_connection_fail(meeting: Meeting) -> None:
    assert (meeting.client.traits, meeting.client.server) == (None, None)
    assert meeting.client.turn("ses_1") is None
    with pytest.raises(NotConnected):
        meeting.client.prompts.send_now("ses_1", "x")
    with pytest.raises(NotConnected):
        await meeting.client.new_session()
    assert meeting.client.line().state is ConnectionState.CONNECTING
    assert not await meeting.client.load_older("ses_1")


@virtually()
async def test_a_turn_continues_on_the_server_after_quitting(meeting: Meeting) -> None:
    turn = meeting.send("LONG 1")
    await meeting.until(lambda: turn.state is TurnState.RUNNING)
    await meeting.client.close()
    await asyncio.sleep(200)
    assert "converged" in (await meeting.stored())[-1]["parts"][-2]["text"]


@virtually()
async def test_a_prompt_sent_while_closing_is_queued_for_the_next_start(meeting: Meeting) -> None:
    leaving = asyncio.create_task(meeting.client.close())
    await asyncio.sleep(0)
    meeting.client.prompts.submit(meeting.session_id, "PLAIN and late")
    await leaving
    assert [queued.text for queued in meeting.client.prompts.waiting(meeting.session_id)] == ["PLAIN and late"]
    assert await meeting.stored() == []


@virtually()
async def test_tasks_started_while_closing_are_cancelled(meeting: Meeting) -> None:
    leaving = asyncio.create_task(meeting.client.close())
    await asyncio.sleep(0)
    turn = meeting.send("PLAIN and at once")
    await leaving
    await asyncio.sleep(10)
    assert not turn.over, "what became of it is asked at the next start"
    assert not [one for one in meeting.told if isinstance(one, c.Notice)]


@virtually()
async def test_a_failed_client_task_is_reported(meeting: Meeting) -> None:
    async def broken() -> None:
        raise LookupError("a mistake of ours")

    meeting.client._spawn(broken())
    await meeting.until(lambda: any(isinstance(one, c.Notice) for one in meeting.told))
    (notice,) = (one for one in meeting.told if isinstance(one, c.Notice))
    assert (notice.severity, "LookupError" in notice.text) == ("error", True)
