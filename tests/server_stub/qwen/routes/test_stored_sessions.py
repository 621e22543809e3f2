"""Stored transcripts, branches and deletions, on the qwen profile."""

from typing import Any

import pytest

from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import CANCELLED, ONCE, QwenClient, on_qwen

Json = dict[str, Any]

pytestmark = on_qwen


def texts(page: Json) -> list[str]:
    return [event["data"]["content"]["text"] for event in page["events"]]


async def pages(client: QwenClient, query: str) -> list[Json]:
    """All pages from the first `query` on, in order."""
    found: list[Json] = []
    while query:
        page: Json = (await client.get(f"transcript?{query}")).json()
        found.append(page)
        query = f"limit=3&cursor={page['nextCursor']}" if page["hasMore"] else ""
    return found


@pytest.mark.parametrize("query", ["limit=3", "limit=3&direction=backward"])
async def test_pages_hold_every_event_once(client: QwenClient, query: str) -> None:
    for number in range(4):
        await client.run_prompt(f"PLAIN {number}")
    whole = (await client.get("transcript")).json()
    assert texts(whole)[0] == "PLAIN 0"
    found = await pages(client, query)
    assert len(found) == 3
    ordered = reversed(found) if "backward" in query else found
    assert [event for page in ordered for event in page["events"]] == whole["events"]


async def test_events_of_a_page_have_no_id_and_no_session(client: QwenClient) -> None:
    await client.run_prompt("PLAIN")
    page = (await client.get("transcript")).json()
    assert set(page) == {"v", "sessionId", "events", "hasMore", "startTime", "lastUpdated"}
    event = page["events"][0]
    assert set(event) == {"v", "type", "data"}
    assert event["data"]["sessionUpdate"] == "user_message_chunk"
    assert event["data"]["_meta"]["promptId"]


async def test_the_page_before_a_record(client: QwenClient) -> None:
    await client.run_prompt("PLAIN 0")
    await client.run_prompt("PLAIN 1")
    events = (await client.get("transcript")).json()["events"]
    second = next(one["data"] for one in events if one["data"]["content"]["text"] == "PLAIN 1")
    before = (await client.get(f"transcript?beforeRecordId={second['_meta']['qwen.session.recordId']}")).json()
    assert texts(before)[0] == "PLAIN 0"
    assert "PLAIN 1" not in texts(before)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("limit=0", "invalid_transcript_limit"),
        ("limit=501", "invalid_transcript_limit"),
        ("limit=x", "invalid_transcript_limit"),
        ("direction=older", "invalid_transcript_cursor"),
        ("direction=backward&cursor=abc", "invalid_transcript_cursor"),
        ("cursor=abc", "invalid_transcript_cursor"),
        ("beforeRecordId=zzz", "invalid_transcript_cursor"),
    ],
)
async def test_invalid_cursors_and_anchors_are_refused(client: QwenClient, query: str, code: str) -> None:
    await client.run_prompt("PLAIN")
    refused = await client.get(f"transcript?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_a_session_that_was_never_stored_has_no_transcript(client: QwenClient) -> None:
    assert (await client.get("transcript")).json()["code"] == "session_not_found"


@pytest.mark.parametrize("place", ["transcript?cursor=x", "turn-index?start=0&snapshot=x"])
async def test_a_cursor_of_a_deleted_session_is_refused(client: QwenClient, place: str) -> None:
    gone = await client.get(place)
    assert (gone.status_code, gone.json()) == (
        409,
        {
            "error": "Transcript snapshot is unavailable",
            "code": "transcript_snapshot_unavailable",
            "sessionId": client.session_id,
        },
    )


async def test_a_branch_is_a_copy_with_another_title(client: QwenClient) -> None:
    await client.run_prompt("PLAIN")
    made = await client.post("branch")
    assert made.status_code == 201
    branch = made.json()
    assert branch["displayName"] == "PLAIN(1)"
    assert branch["forkedFrom"]["sessionId"] == client.session_id
    assert not branch["attached"]
    copy = QwenClient(client.http, branch["sessionId"], branch["clientId"])
    mine, theirs = (await client.get("transcript")).json(), (await copy.get("transcript")).json()
    assert texts(mine) == texts(theirs)
    await copy.run_prompt("PLAIN again")
    assert texts((await client.get("transcript")).json()) == texts(mine)


async def test_busy_and_empty_sessions_cannot_be_branched(client: QwenClient) -> None:
    empty = await client.post("branch")
    assert (empty.status_code, empty.json()["code"]) == (500, -32603)
    await client.prompt("ASK1")
    await client.asked()
    busy = await client.post("branch")
    assert (busy.status_code, busy.json()["code"]) == (409, "branch_while_prompt_active")


async def test_a_deletion_ends_the_running_turn(stub: Stub, client: QwenClient) -> None:
    await client.prompt("ASK1")
    await client.asked()
    unknown = "00000000-0000-4000-8000-000000000000"
    gone = await stub.http.post("/sessions/delete", json={"sessionIds": [client.session_id, unknown]})
    assert gone.json() == {"removed": [client.session_id], "notFound": [unknown], "errors": []}
    assert (await client.post("load")).status_code == 404
    assert (await client.get("status")).status_code == 404


@pytest.mark.parametrize("ids", [None, [], [3], [""]])
async def test_invalid_deletions_are_refused(stub: Stub, ids: object) -> None:
    refused = await stub.http.post("/sessions/delete", json={"sessionIds": ids})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


async def test_a_vote_by_request_id_alone(stub: Stub, client: QwenClient) -> None:
    await client.prompt("ASK1")
    request_id = (await client.asked())["requestId"]
    vote = {"outcome": ONCE, "answers": {"0": "SQLite"}}
    assert (await stub.http.post(f"/permission/{request_id}", json=vote)).json() == {}
    await client.until("turn_complete")
    assert "SQLite" in str(await client.events())
    late = await stub.http.post(f"/permission/{request_id}", json={"outcome": CANCELLED})
    assert late.status_code == 404
    assert late.json() == {"error": "No pending permission request", "requestId": request_id}
