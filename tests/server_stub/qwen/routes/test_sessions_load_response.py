"""How much of its past a session shows to who loads it: as measured on `qwen serve` 0.24.4."""

import asyncio
from typing import Any

import pytest

from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import CANCELLED, LOOKS, Person, arrive, on_qwen, updates

Json = dict[str, Any]

pytestmark = [on_qwen, pytest.mark.usefixtures("three_turns")]


async def over(person: Person, prompt_id: str) -> None:
    """Until its turn has ended; its events may be left out by then."""
    for _ in range(LOOKS):
        if (await person.turn(prompt_id))["state"] == "completed":
            return
        await asyncio.sleep(0)
    raise AssertionError(await person.turn(prompt_id))


async def page(person: Person, size: Any) -> Json:
    loaded: Json = (await person.post("load", {"historyPageSize": size})).json()
    return loaded


@pytest.mark.parametrize("size", [0, 501, -1, "2", 1.5, True, None])
async def test_a_page_of_no_such_size(person: Person, size: Any) -> None:
    refused = await person.post("load", {"historyPageSize": size})
    error = "`historyPageSize` must be between 1 and 500"
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": error, "code": "invalid_transcript_limit", "maxLimit": 500},
    )


async def test_a_page_of_an_idle_session_is_read_from_its_transcript(person: Person) -> None:
    loaded = await page(person, 2)
    stored = (await person.get("transcript?direction=backward&limit=2")).json()["events"]
    assert (loaded["compactedReplay"], loaded["liveJournal"]) == (stored, [])
    assert stored[0]["data"]["content"]["text"] == "PLAIN 3"
    assert loaded["historyHasMore"] is True
    assert "historyHasMore" not in await page(person, 6)
    whole = await person.load()
    assert len(updates(whole["compactedReplay"], "user_message_chunk")) == 3
    assert (whole["lastEventId"], "historyHasMore" in whole) == (loaded["lastEventId"], False)


async def test_while_something_runs_all_comes_page_or_not(person: Person) -> None:
    await person.prompt("ASK1")
    asked = await person.asked()
    loaded = await page(person, 2)
    assert len(updates(loaded["compactedReplay"], "user_message_chunk")) == 3
    assert loaded["liveJournal"]
    await person.vote(asked["requestId"], CANCELLED)


async def test_a_session_that_a_page_brought_alive_shows_no_more_to_anybody(person: Person) -> None:
    await person.delete()
    first = await page(person, 2)
    assert [update["content"]["text"] for update in updates(first["compactedReplay"], "user_message_chunk")] == [
        "PLAIN 3"
    ]
    assert first["compactedReplay"][0]["id"] == 1
    whole = await person.load()
    assert updates(whole["compactedReplay"], "user_message_chunk") == updates(
        first["compactedReplay"], "user_message_chunk"
    )
    assert (first["historyHasMore"], whole["historyHasMore"]) == (True, True)
    assert not any(event["type"] == "history_truncated" for event in whole["compactedReplay"])


async def test_a_record_is_named_where_something_was_left_out_and_nothing_else_names_one(
    person: Person, monkeypatch: pytest.MonkeyPatch, stub: Stub
) -> None:
    assert "historyAnchorRecordId" not in await person.load()
    monkeypatch.setattr("server_stub.qwen.live_session.MOST_BYTES", 600)
    other = await arrive(stub.http)
    for text in ("PLAIN 1", "PLAIN 2", "PLAIN 3"):
        await over(other, await other.prompt(text))
    loaded = await other.load()
    assert loaded["compactedReplay"][0]["type"] == "history_truncated"
    first = (await other.get("transcript")).json()["events"][0]["data"]
    assert loaded["historyAnchorRecordId"] == first["_meta"]["qwen.session.recordId"]
