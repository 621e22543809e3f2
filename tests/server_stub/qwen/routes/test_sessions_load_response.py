"""The history in the response of `load`, as measured on `qwen serve` 0.24.4."""

import asyncio
from typing import Any

import pytest

from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import CANCELLED, LOOKS, QwenClient, new_client, on_qwen, updates

Json = dict[str, Any]

pytestmark = [on_qwen, pytest.mark.usefixtures("three_turns")]


async def over(client: QwenClient, prompt_id: str) -> None:
    """Wait until its turn has ended; its events may have been dropped by then."""
    for _ in range(LOOKS):
        if (await client.turn(prompt_id))["state"] == "completed":
            return
        await asyncio.sleep(0)
    raise AssertionError(await client.turn(prompt_id))


async def page(client: QwenClient, size: Any) -> Json:
    loaded: Json = (await client.post("load", {"historyPageSize": size})).json()
    return loaded


@pytest.mark.parametrize("size", [0, 501, -1, "2", 1.5, True, None])
async def test_invalid_page_sizes_are_refused(client: QwenClient, size: Any) -> None:
    refused = await client.post("load", {"historyPageSize": size})
    error = "`historyPageSize` must be between 1 and 500"
    assert (refused.status_code, refused.json()) == (
        400,
        {"error": error, "code": "invalid_transcript_limit", "maxLimit": 500},
    )


async def test_a_page_of_an_idle_session_is_read_from_its_transcript(client: QwenClient) -> None:
    loaded = await page(client, 2)
    stored = (await client.get("transcript?direction=backward&limit=2")).json()["events"]
    assert (loaded["compactedReplay"], loaded["liveJournal"]) == (stored, [])
    assert stored[0]["data"]["content"]["text"] == "PLAIN 3"
    assert loaded["historyHasMore"] is True
    assert "historyHasMore" not in await page(client, 6)
    whole = await client.load()
    assert len(updates(whole["compactedReplay"], "user_message_chunk")) == 3
    assert (whole["lastEventId"], "historyHasMore" in whole) == (loaded["lastEventId"], False)


async def test_a_running_prompt_returns_the_whole_history_without_paging(client: QwenClient) -> None:
    await client.prompt("ASK1")
    asked = await client.asked()
    loaded = await page(client, 2)
    assert len(updates(loaded["compactedReplay"], "user_message_chunk")) == 3
    assert loaded["liveJournal"]
    await client.vote(asked["requestId"], CANCELLED)


async def test_a_session_activated_by_a_page_shows_no_more_to_any_client(client: QwenClient) -> None:
    await client.delete()
    first = await page(client, 2)
    assert [update["content"]["text"] for update in updates(first["compactedReplay"], "user_message_chunk")] == [
        "PLAIN 3"
    ]
    assert first["compactedReplay"][0]["id"] == 1
    whole = await client.load()
    assert updates(whole["compactedReplay"], "user_message_chunk") == updates(
        first["compactedReplay"], "user_message_chunk"
    )
    assert (first["historyHasMore"], whole["historyHasMore"]) == (True, True)
    assert not any(event["type"] == "history_truncated" for event in whole["compactedReplay"])


async def test_an_anchor_is_named_if_dropped_events_name_no_record(
    client: QwenClient, monkeypatch: pytest.MonkeyPatch, stub: Stub
) -> None:
    assert "historyAnchorRecordId" not in await client.load()
    monkeypatch.setattr("server_stub.qwen.live_session.MAX_BYTES", 600)
    other = await new_client(stub.http)
    for text in ("PLAIN 1", "PLAIN 2", "PLAIN 3"):
        await over(other, await other.prompt(text))
    loaded = await other.load()
    assert loaded["compactedReplay"][0]["type"] == "history_truncated"
    first = (await other.get("transcript")).json()["events"][0]["data"]
    assert loaded["historyAnchorRecordId"] == first["_meta"]["qwen.session.recordId"]
