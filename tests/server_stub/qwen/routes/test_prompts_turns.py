"""The turn index of a stored transcript, and its pages from a turn on, as in `qwen serve` 0.24.4."""

from typing import Any

import pytest

from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import QwenClient, on_qwen

Json = dict[str, Any]

COMBINATION = ("Invalid transcript cursor and anchor combination", "invalid_transcript_cursor")
NO_CURSOR = ("Invalid transcript cursor", "invalid_transcript_cursor")
NO_ANCHOR = ("Invalid transcript turn anchor", "invalid_turn_anchor")
NO_RECORD = ("`atRecordId` must be a non-empty record id", "invalid_turn_anchor")

pytestmark = [on_qwen, pytest.mark.usefixtures("three_turns")]


async def index(client: QwenClient, query: str = "") -> Json:
    found: Json = (await client.get(f"turn-index{query}")).json()
    return found


async def test_the_index_names_each_turn(client: QwenClient) -> None:
    found = await index(client)
    assert (found["v"], found["sessionId"], found["totalTurns"], found["start"]) == (1, client.session_id, 3, 0)
    assert [(turn["ordinal"], turn["kind"], turn["label"]) for turn in found["turns"]] == [
        (0, "prompt", "PLAIN 1"),
        (1, "prompt", "PLAIN 2"),
        (2, "prompt", "PLAIN 3"),
    ]
    first = (await client.get("transcript")).json()["events"][0]["data"]["_meta"]
    assert found["turns"][0]["turnId"] == first["qwen.session.recordId"]
    assert found["turns"][0]["promptId"] == first["promptId"]


async def test_a_part_of_the_index_is_its_end_or_a_range_in_a_snapshot(client: QwenClient) -> None:
    newest = await index(client, "?limit=2")
    assert (newest["start"], [turn["ordinal"] for turn in newest["turns"]]) == (1, [1, 2])
    await client.run_prompt("PLAIN 4")
    oldest = await index(client, f"?start=0&limit=1&snapshot={newest['snapshot']}")
    assert (oldest["totalTurns"], [turn["ordinal"] for turn in oldest["turns"]]) == (3, [0])


async def test_the_transcript_from_a_turn_on(client: QwenClient) -> None:
    found = await index(client)
    turn, snapshot = found["turns"][1]["turnId"], found["snapshot"]
    page = (await client.get(f"transcript?atRecordId={turn}&snapshot={snapshot}&limit=2")).json()
    assert page["events"][0]["data"]["content"]["text"] == "PLAIN 2"
    assert (page["targetRecordId"], page["hasOlder"], page["hasMore"]) == (turn, True, True)
    rest = (await client.get(f"transcript?cursor={page['nextCursor']}")).json()
    assert rest["events"][0]["data"]["content"]["text"] == "PLAIN 3"
    assert (rest["hasMore"], "hasOlder" in rest) == (False, False)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("atRecordId={turn}", COMBINATION),
        ("snapshot={snapshot}", COMBINATION),
        ("direction=backward&snapshot={snapshot}", COMBINATION),
        ("atRecordId={turn}&beforeRecordId={turn}&snapshot={snapshot}", COMBINATION),
        ("atRecordId=&snapshot={snapshot}", NO_RECORD),
        (f"atRecordId={'x' * 201}&snapshot={{snapshot}}", NO_RECORD),
        ("atRecordId=nope&snapshot={snapshot}", NO_ANCHOR),
        ("atRecordId={answer}&snapshot={snapshot}", NO_ANCHOR),
        ("atRecordId={turn}&snapshot=junk", NO_CURSOR),
    ],
)
async def test_invalid_anchors_are_refused(client: QwenClient, query: str, refused: tuple[str, str]) -> None:
    found = await index(client)
    answer = (await client.get("transcript")).json()["events"][1]["data"]["_meta"]["qwen.session.recordId"]
    names = {"turn": found["turns"][1]["turnId"], "snapshot": found["snapshot"], "answer": answer}
    response = await client.get(f"transcript?{query.format(**names)}")
    body = response.json()
    assert (response.status_code, body["error"], body["code"]) == (400, *refused)


@pytest.mark.parametrize(
    ("query", "refused"),
    [
        ("limit=501", ("`limit` must be between 1 and 500", "invalid_transcript_limit")),
        ("start=1", ("`start` requires `snapshot`", "invalid_transcript_cursor")),
        ("snapshot=junk", NO_CURSOR),
    ],
)
async def test_invalid_ranges_of_the_index_are_refused(
    client: QwenClient, query: str, refused: tuple[str, str]
) -> None:
    response = await client.get(f"turn-index?{query}")
    body = response.json()
    assert (response.status_code, body["error"], body["code"]) == (400, *refused)


async def test_the_index_of_an_unknown_session(stub: Stub) -> None:
    assert (await stub.http.get("/session/nope/turn-index")).json()["code"] == "session_not_found"
