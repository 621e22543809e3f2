"""Sessions of the client: opened, listed, closed, missing on the server."""

import asyncio
from typing import Any

import pytest

from server_stub.faults.kinds import parse
from tests.client_harness import Meeting, virtually
from tui.client.polling import CHECK_EVERY
from tui.core import changes as c
from tui.core.events import MessagesLoaded, Resynced
from tui.core.turn_state import TurnState


@virtually()
async def test_a_session_opened_while_reconnecting_is_fetched_too(meeting: Meeting) -> None:
    session = (await meeting.http.post("/session", json={})).json()["id"]
    await meeting.http.post(f"/session/{session}/message", json={"parts": [{"type": "text", "text": "PLAIN"}]})
    stall = parse(f"stall=/session/{meeting.session_id}/todo,at=request")
    meeting.server.arm(stall)
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: ("GET", f"/session/{meeting.session_id}/todo") in meeting.asked[-1:], within=30)
    await meeting.client.open_session(session)
    meeting.server.disarm(stall)
    await meeting.until(lambda: meeting.synced, within=30)
    transcript = meeting.client.store.transcript(session)
    assert transcript is not None
    assert len(transcript.messages) == 2


@virtually()
async def test_a_deleted_session_is_removed(meeting: Meeting) -> None:
    assert meeting.session_id in meeting.client.store.sessions
    meeting.arm("502=/global/health,times=2")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.http.delete(f"/session/{meeting.session_id}")
    await meeting.until(lambda: meeting.synced, within=30)
    assert meeting.session_id not in meeting.client.store.sessions


@virtually()
async def test_older_messages_are_fetched_page_by_page(meeting: Meeting) -> None:
    for _ in range(30):
        await meeting.over(meeting.send("PLAIN"))
    meeting.client.close_session(meeting.session_id)
    assert meeting.client.store.transcript(meeting.session_id) is None
    await meeting.client.open_session(meeting.session_id)
    assert len(meeting.transcript().messages) == 50
    assert await meeting.client.load_older(meeting.session_id)
    assert len(meeting.transcript().messages) == 60
    assert not await meeting.client.load_older(meeting.session_id)
    assert await meeting.agrees()


@virtually()
async def test_an_older_page_leaves_no_gap_after_a_refetch_of_the_transcript(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(75):
        await meeting.over(meeting.send("PLAIN"))
    client, session_id = meeting.client, meeting.session_id
    client.close_session(session_id)
    await client.open_session(session_id)
    await client.load_older(session_id)
    assert len(meeting.transcript().messages) == 100
    fetch = client._connection.backend().messages

    async def read_anew_meanwhile(session_id: str, *, before: str, on_bytes: Any) -> MessagesLoaded:
        older = await fetch(session_id, before=before)
        client.close_session(session_id)
        client.store.open_transcript(session_id)
        client._apply(await fetch(session_id))
        return older

    with monkeypatch.context() as patch:
        patch.setattr(client._connection.backend(), "messages", read_anew_meanwhile)
        await client.load_older(session_id)
    assert len(meeting.transcript().messages) == 50
    assert await client.load_older(session_id)
    assert await client.load_older(session_id)
    assert len(meeting.transcript().messages) == 150
    assert await meeting.agrees()


@virtually()
async def test_a_session_with_a_running_turn_stays_open_until_its_end(meeting: Meeting) -> None:
    turn = meeting.send("SLOW")
    meeting.client.close_session(meeting.session_id)
    assert meeting.client.store.transcript(meeting.session_id) is not None
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED


@virtually()
async def test_sessions_are_listed_and_searched(meeting: Meeting) -> None:
    other = await meeting.client.new_session("another thing")
    assert [session.title for session in await meeting.client.list_sessions("another")] == ["another thing"]
    assert {session.id for session in await meeting.client.list_sessions()} == {meeting.session_id, other.id}
    assert c.SessionsChanged(other.id) in meeting.told


@virtually()
async def test_a_session_missing_on_the_server_is_reported_once_and_not_requested_again(meeting: Meeting) -> None:
    meeting.server.forget(meeting.session_id)
    await meeting.until(lambda: meeting.session_id in meeting.client.store.deleted, within=2 * CHECK_EVERY)
    assert meeting.told.count(c.SessionsChanged(meeting.session_id)) >= 1
    meeting.asked.clear()
    meeting.told.clear()
    await asyncio.sleep(10 * CHECK_EVERY)  # virtual time
    assert [path for _, path in meeting.asked if meeting.session_id in path] == []
    assert c.SessionsChanged(meeting.session_id) not in meeting.told


@virtually()
async def test_prompts_queued_for_a_missing_session_are_found_on_reconnecting(
    meeting: Meeting,
) -> None:
    meeting.client.journal.save_draft("ses_lost", "half")
    meeting.client.prompts.submit(meeting.session_id, "hello")
    meeting.server.crash()
    await meeting.until(lambda: not meeting.client.line().up)
    meeting.server.start()
    await meeting.until(lambda: meeting.synced, within=60)
    assert "ses_lost" in meeting.client.store.deleted


@virtually()
async def test_the_most_recently_opened_sessions_stay_open(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.client.client.OPEN_KEPT", 2)
    client = meeting.client
    running, waits = meeting.session_id, (await client.new_session("waits")).id
    turn = meeting.send("ASK1")
    await client.open_session(waits)
    client.prompts.submit(waits, "later")
    client.prompts.submit(waits, "last")
    client.prompts.hold(waits, "for the test")
    others = [(await client.new_session(f"number {number}")).id for number in range(4)]
    for session_id in (*others, others[0], others[3]):
        await client.open_session(session_id)
    assert set(client.store.open_sessions()) == {running, waits, others[0], others[3]}
    client.reject(await meeting.request())
    await meeting.over(turn)
    await client.open_session(others[1])
    assert set(client.store.open_sessions()) == {waits, others[3], others[1]}


@virtually()
async def test_messages_can_be_undone_and_restored_until_the_next_prompt(meeting: Meeting) -> None:
    store, session = meeting.client.store, meeting.session_id
    for _ in range(2):
        await meeting.over(meeting.send("PLAIN"))
    first, second = await meeting.prompts_stored()
    await meeting.http.post(f"/session/{session}/revert", json={"messageID": second})  # another client
    await meeting.until(lambda: store.undone(session), what="the undone messages")
    assert second in store.undone(session)
    assert first not in store.undone(session)
    await meeting.client.editing.redo(session)
    assert store.undone(session) == set()
    await meeting.client.editing.undo(session, second)
    assert len(store.undone(session)) == 2
    await meeting.over(meeting.send("PLAIN"))
    assert store.undone(session) == set()
    assert second not in await meeting.prompts_stored()
    assert await meeting.agrees()


@virtually()
async def test_sessions_past_the_first_hundred_are_found_by_paging_and_search(meeting: Meeting) -> None:
    client = meeting.client
    oldest = await client.new_session("the one that is looked for")
    for number in range(120):
        await client.new_session(f"session {number}")
    page = await client.list_sessions()
    assert oldest.id not in {one.id for one in page}
    assert page.cursor is not None
    assert oldest.id in {one.id for one in await client.list_sessions(cursor=page.cursor)}
    assert [one.id for one in await client.list_sessions("looked")] == [oldest.id]


@virtually()
async def test_an_unreadable_status_list_is_reported_once(meeting: Meeting) -> None:
    for _ in range(2):
        meeting.client._apply(Resynced({}, (), frozenset(), problem="/session/status is no object"))
    said = [one.text for one in meeting.told if isinstance(one, c.Notice)]
    assert len([one for one in said if "/session/status is no object" in one]) == 1


@pytest.mark.parametrize("kept_by", ["opened", "a draft"])
@virtually()
async def test_a_session_answered_with_a_web_page_does_not_affect_others(meeting: Meeting, kept_by: str) -> None:
    """As opencode responds for an id with a slash; all other responses are unchanged."""
    if kept_by == "opened":
        await meeting.client.open_session("x/y")
    else:
        meeting.client.journal.save_draft("x/y", "to be sent")
    meeting.client.restart_line()
    await meeting.until(lambda: not meeting.synced, what="the connection to go")
    await meeting.until(lambda: meeting.synced, within=5, what="the connection")
    assert (await meeting.over(meeting.send("PLAIN"))).state is TurnState.FINISHED


@virtually()
async def test_only_a_session_on_the_server_is_saved_as_the_last_one(meeting: Meeting) -> None:
    client = meeting.client
    await client.open_session("ses_nope")
    assert client.journal.last_session() == meeting.session_id
    other = (await meeting.http.post("/session", json={})).json()["id"]
    await client.open_session(other)
    assert client.journal.last_session() == other
