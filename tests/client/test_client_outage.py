"""Durations of turns that ended, or continued, while the connection was lost."""

import asyncio

import pytest

from tests.client_harness import Meeting, virtually
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


async def lose_the_line(meeting: Meeting) -> Turn:
    turn = meeting.send("SLOW")
    await meeting.until(lambda: "word3" in " ".join(meeting.words()), within=20)
    meeting.arm("502=/,times=always")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=30)
    assert not turn.over
    return turn


async def back(meeting: Meeting) -> None:
    meeting.server.disarm_all()
    meeting.client.retry_now()
    await meeting.until(lambda: meeting.synced, within=60)


@virtually("qwen")
async def test_the_duration_of_a_turn_that_ended_in_an_outage_excludes_the_outage(meeting: Meeting) -> None:
    turn = await lose_the_line(meeting)
    await asyncio.sleep(300)
    await back(meeting)
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    lasted = turn.took if turn.ended is None else turn.ended - turn.started
    assert lasted is None or lasted < 60


@pytest.mark.parametrize("profile", ["qwen", "opencode"])
@virtually()
async def test_a_turn_seen_running_after_an_outage_is_timed_again(meeting: Meeting, profile: str) -> None:
    turn = await lose_the_line(meeting)
    assert turn.unwatched
    await back(meeting)
    await meeting.until(lambda: not turn.unwatched or turn.over)
    assert not turn.over
    await meeting.over(turn)
    assert turn.ended is not None
