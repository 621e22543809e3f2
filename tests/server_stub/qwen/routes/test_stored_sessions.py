"""Stored transcripts, copies and deletions, on the qwen profile."""

from typing import Any

import pytest

from tests.server_stub.conftest import Stub
from tests.server_stub.qwen.routes.qwen_client import CANCELLED, ONCE, Person, on_qwen

Json = dict[str, Any]

pytestmark = on_qwen


def texts(page: Json) -> list[str]:
    return [event["data"]["content"]["text"] for event in page["events"]]


async def pages(person: Person, query: str) -> list[Json]:
    """All pages from the first `query` on, in the order in which they came."""
    found: list[Json] = []
    while query:
        page: Json = (await person.get(f"transcript?{query}")).json()
        found.append(page)
        query = f"limit=3&cursor={page['nextCursor']}" if page["hasMore"] else ""
    return found


@pytest.mark.parametrize("query", ["limit=3", "limit=3&direction=backward"])
async def test_pages_hold_all_and_nothing_twice(person: Person, query: str) -> None:
    for number in range(4):
        await person.say(f"PLAIN {number}")
    whole = (await person.get("transcript")).json()
    assert texts(whole)[0] == "PLAIN 0"
    found = await pages(person, query)
    assert len(found) == 3
    ordered = reversed(found) if "backward" in query else found
    assert [event for page in ordered for event in page["events"]] == whole["events"]


async def test_an_event_is_bare_and_unnumbered(person: Person) -> None:
    await person.say("PLAIN")
    page = (await person.get("transcript")).json()
    assert set(page) == {"v", "sessionId", "events", "hasMore", "startTime", "lastUpdated"}
    event = page["events"][0]
    assert set(event) == {"v", "type", "data"}
    assert event["data"]["sessionUpdate"] == "user_message_chunk"
    assert event["data"]["_meta"]["promptId"]


async def test_what_stands_before_a_record(person: Person) -> None:
    await person.say("PLAIN 0")
    await person.say("PLAIN 1")
    events = (await person.get("transcript")).json()["events"]
    second = next(one["data"] for one in events if one["data"]["content"]["text"] == "PLAIN 1")
    before = (await person.get(f"transcript?beforeRecordId={second['_meta']['qwen.session.recordId']}")).json()
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
async def test_places_that_are_refused(person: Person, query: str, code: str) -> None:
    await person.say("PLAIN")
    refused = await person.get(f"transcript?{query}")
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_what_was_never_stored_has_no_transcript(person: Person) -> None:
    assert (await person.get("transcript")).json()["code"] == "session_not_found"


@pytest.mark.parametrize("place", ["transcript?cursor=x", "turn-index?start=0&snapshot=x"])
async def test_a_place_in_what_is_not_stored_any_more(person: Person, place: str) -> None:
    gone = await person.get(place)
    assert (gone.status_code, gone.json()) == (
        409,
        {
            "error": "Transcript snapshot is unavailable",
            "code": "transcript_snapshot_unavailable",
            "sessionId": person.session_id,
        },
    )


async def test_a_branch_is_a_copy_under_another_name(person: Person) -> None:
    await person.say("PLAIN")
    made = await person.post("branch")
    assert made.status_code == 201
    branch = made.json()
    assert branch["displayName"] == "PLAIN(1)"
    assert branch["forkedFrom"]["sessionId"] == person.session_id
    assert not branch["attached"]
    copy = Person(person.http, branch["sessionId"], branch["clientId"])
    mine, theirs = (await person.get("transcript")).json(), (await copy.get("transcript")).json()
    assert texts(mine) == texts(theirs)
    await copy.say("PLAIN again")
    assert texts((await person.get("transcript")).json()) == texts(mine)


async def test_what_cannot_be_branched(person: Person) -> None:
    empty = await person.post("branch")
    assert (empty.status_code, empty.json()["code"]) == (500, -32603)
    await person.prompt("ASK1")
    await person.asked()
    busy = await person.post("branch")
    assert (busy.status_code, busy.json()["code"]) == (409, "branch_while_prompt_active")


async def test_a_deletion_ends_what_runs(stub: Stub, person: Person) -> None:
    await person.prompt("ASK1")
    await person.asked()
    unknown = "00000000-0000-4000-8000-000000000000"
    gone = await stub.http.post("/sessions/delete", json={"sessionIds": [person.session_id, unknown]})
    assert gone.json() == {"removed": [person.session_id], "notFound": [unknown], "errors": []}
    assert (await person.post("load")).status_code == 404
    assert (await person.get("status")).status_code == 404


@pytest.mark.parametrize("ids", [None, [], [3], [""]])
async def test_deletions_that_are_refused(stub: Stub, ids: object) -> None:
    refused = await stub.http.post("/sessions/delete", json={"sessionIds": ids})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request")


async def test_a_vote_by_the_request_alone(stub: Stub, person: Person) -> None:
    await person.prompt("ASK1")
    request_id = (await person.asked())["requestId"]
    vote = {"outcome": ONCE, "answers": {"0": "SQLite"}}
    assert (await stub.http.post(f"/permission/{request_id}", json=vote)).json() == {}
    await person.until("turn_complete")
    assert "SQLite" in str(await person.events())
    late = await stub.http.post(f"/permission/{request_id}", json={"outcome": CANCELLED})
    assert late.status_code == 404
    assert late.json() == {"error": "No pending permission request", "requestId": request_id}
