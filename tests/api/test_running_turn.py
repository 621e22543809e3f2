"""The result of a turn whose stored messages cannot be fetched."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.api import CannotConnect, Connection, Event, NoticeEvent, TextEvent
from tui.api.running_turn import RETRY_INTERVAL, RunningTurn
from tui.client.recorded_turn import RecordedTurn, recorded_turn
from tui.core.model import FullMessage
from tui.net.errors import HttpStatusError


async def started(harness: ClientHarness, events: list[Event], prompt: str = "PLAIN") -> RunningTurn:
    connection = Connection(harness.client)
    await connection.open()
    return await connection.start(prompt, on_event=events.append)


def notices(events: list[Event]) -> list[str]:
    return [one.text for one in events if isinstance(one, NoticeEvent)]


@on_virtual_time(connected=False)
async def test_leaving_ends_a_fetch_that_does_not_end(harness: ClientHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    fetching, cancelled = asyncio.Event(), asyncio.Event()

    async def endless(*_: object) -> None:
        fetching.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    monkeypatch.setattr(harness.client, "recorded_turn", endless)
    turn = await started(harness, [])
    work = asyncio.create_task(turn.result())
    await fetching.wait()
    turn.leave("timeout", "time is over")
    async with asyncio.timeout(1):
        result = await work
        await cancelled.wait()
    assert (result.outcome, result.reason, turn.over) == ("timeout", "time is over", True)


@on_virtual_time(connected=False)
async def test_fetch_that_fails_for_good_is_reported_and_given_up(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = list[Event]()

    async def refused(*_: object) -> None:
        raise HttpStatusError(400)

    monkeypatch.setattr(harness.client, "recorded_turn", refused)
    turn = await started(harness, events)
    await harness.until(lambda: turn.over, within=60)
    began = harness.client.now()
    async with asyncio.timeout(5 * RETRY_INTERVAL + 30):
        result = await turn.result()
    assert harness.client.now() - began > RETRY_INTERVAL
    first, last = notices(events)
    assert "cannot be read: request refused (400); retried" in first
    assert "cannot be read whole: request refused (400)" in last
    assert (result.outcome, result.reason, result.text) == (
        "finished",
        last,
        "Done. Nothing to call, **all** is well.\n",
    )
    monkeypatch.setattr(turn, "_stored_here", RecordedTurn)
    with pytest.raises(CannotConnect):
        await turn.result()


@on_virtual_time(connected=False)
async def test_texts_of_a_long_session_are_not_looked_at_for_each_change(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, looks = list[Event](), list[str]()

    def counted(messages: Sequence[FullMessage], prompt_id: str) -> RecordedTurn:
        looks.append(prompt_id)
        return recorded_turn(messages, prompt_id)

    monkeypatch.setattr("tui.api.running_turn.recorded_turn", counted)
    monkeypatch.setattr("tui.api.running_turn.LONG", 0)
    monkeypatch.setattr("tui.api.running_turn.LONG_TEXT_INTERVAL", 3600.0)
    result = await (await started(harness, events, "TOOLS")).result()
    assert len(looks) <= 3
    assert "".join(one.text for one in events if isinstance(one, TextEvent)) == result.text != ""
