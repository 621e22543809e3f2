"""The result of a turn whose stored messages cannot be fetched."""

import asyncio

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.api import Connection, Event, NoticeEvent
from tui.api.running_turn import RunningTurn


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
