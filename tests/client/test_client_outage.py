"""Durations of turns that ended, or continued, while the connection was lost."""

import asyncio

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


async def lose_connection(harness: ClientHarness) -> Turn:
    turn = harness.send("SLOW")
    await harness.until(lambda: "word3" in " ".join(harness.words()), within=20)
    harness.arm("502=/,times=always")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: not harness.synced, within=30)
    assert not turn.over
    return turn


async def back(harness: ClientHarness) -> None:
    harness.server.disarm_all()
    harness.client.retry_now()
    await harness.until(lambda: harness.synced, within=60)


@on_virtual_time("qwen")
async def test_the_duration_of_a_turn_that_ended_in_an_outage_excludes_the_outage(harness: ClientHarness) -> None:
    turn = await lose_connection(harness)
    await asyncio.sleep(300)
    await back(harness)
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED
    lasted = turn.took if turn.ended is None else turn.ended - turn.started
    assert lasted is None or lasted < 60


@pytest.mark.parametrize("profile", ["qwen", "opencode"])
@on_virtual_time()
async def test_a_turn_seen_running_after_an_outage_is_timed_again(harness: ClientHarness, profile: str) -> None:
    turn = await lose_connection(harness)
    assert turn.unwatched
    await back(harness)
    await harness.until(lambda: not turn.unwatched or turn.over)
    assert not turn.over
    await harness.over(turn)
    assert turn.ended is not None
