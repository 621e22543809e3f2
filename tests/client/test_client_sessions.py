"""Sessions of the client: opened, listed, closed, missing on the server."""

import asyncio
from typing import Any

import pytest

from server_stub.faults.kinds import parse
from tests.client_harness import ClientHarness, on_virtual_time
from tests.waiting import wait_until
from tui.client.client import Client
from tui.client.polling import CHECK_INTERVAL
from tui.core import changes as c
from tui.core.events import MessagesLoaded, Resynced
from tui.core.turn_state import TurnState


@on_virtual_time()
async def test_a_session_opened_while_reconnecting_is_fetched_too(harness: ClientHarness) -> None:
    session = (await harness.http.post("/session", json={})).json()["id"]
    await harness.http.post(f"/session/{session}/message", json={"parts": [{"type": "text", "text": "PLAIN"}]})
    stall = parse(f"stall=/session/{harness.session_id}/todo,at=request")
    harness.server.arm(stall)
    harness.arm("cut=events,at=json")
    await harness.until(lambda: ("GET", f"/session/{harness.session_id}/todo") in harness.requests_sent[-1:], within=30)
    await harness.client.open_session(session)
    harness.server.disarm(stall)
    await harness.until(lambda: harness.synced, within=30)
    transcript = harness.client.store.transcript(session)
    assert transcript is not None
    assert len(transcript.messages) == 2


@on_virtual_time()
async def test_a_deleted_session_is_removed(harness: ClientHarness) -> None:
    assert harness.session_id in harness.client.store.sessions
    harness.arm("502=/global/health,times=2")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: not harness.synced, within=20)
    await harness.http.delete(f"/session/{harness.session_id}")
    await harness.until(lambda: harness.synced, within=30)
    assert harness.session_id not in harness.client.store.sessions


@on_virtual_time()
async def test_older_messages_are_fetched_page_by_page(harness: ClientHarness) -> None:
    for _ in range(30):
        await harness.over(harness.send("PLAIN"))
    harness.client.close_session(harness.session_id)
    assert harness.client.store.transcript(harness.session_id) is None
    await harness.client.open_session(harness.session_id)
    assert len(harness.transcript().messages) == 50
    assert await harness.client.load_older(harness.session_id)
    assert len(harness.transcript().messages) == 60
    assert not await harness.client.load_older(harness.session_id)
    assert await harness.matches_server()


@on_virtual_time()
async def test_an_older_page_leaves_no_gap_after_a_refetch_of_the_transcript(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(75):
        await harness.over(harness.send("PLAIN"))
    client, session_id = harness.client, harness.session_id
    client.close_session(session_id)
    await client.open_session(session_id)
    await client.load_older(session_id)
    assert len(harness.transcript().messages) == 100
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
    assert len(harness.transcript().messages) == 50
    assert await client.load_older(session_id)
    assert await client.load_older(session_id)
    assert len(harness.transcript().messages) == 150
    assert await harness.matches_server()


@on_virtual_time()
async def test_a_session_with_a_running_turn_stays_open_until_its_end(harness: ClientHarness) -> None:
    turn = harness.send("SLOW")
    harness.client.close_session(harness.session_id)
    assert harness.client.store.transcript(harness.session_id) is not None
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED


@on_virtual_time()
async def test_sessions_are_listed_and_searched(harness: ClientHarness) -> None:
    other = await harness.client.new_session("another thing")
    assert [session.title for session in await harness.client.list_sessions("another")] == ["another thing"]
    assert {session.id for session in await harness.client.list_sessions()} == {harness.session_id, other.id}
    assert c.SessionsChanged(other.id) in harness.changes


@on_virtual_time()
async def test_a_session_missing_on_the_server_is_reported_once_and_not_requested_again(harness: ClientHarness) -> None:
    harness.server.forget(harness.session_id)
    await harness.until(lambda: harness.session_id in harness.client.store.deleted, within=2 * CHECK_INTERVAL)
    assert harness.changes.count(c.SessionsChanged(harness.session_id)) >= 1
    harness.requests_sent.clear()
    harness.changes.clear()
    await asyncio.sleep(10 * CHECK_INTERVAL)  # virtual time
    assert [path for _, path in harness.requests_sent if harness.session_id in path] == []
    assert c.SessionsChanged(harness.session_id) not in harness.changes


@on_virtual_time()
async def test_prompts_queued_for_a_missing_session_are_found_on_reconnecting(
    harness: ClientHarness,
) -> None:
    harness.client.journal.save_draft("ses_lost", "half")
    harness.client.prompts.submit(harness.session_id, "hello")
    harness.server.crash()
    await harness.until(lambda: not harness.client.connection_status().up)
    harness.server.start()
    await harness.until(lambda: harness.synced, within=60)
    assert "ses_lost" in harness.client.store.deleted


@on_virtual_time()
async def test_the_most_recently_opened_sessions_stay_open(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.client.client.MAX_OPEN", 2)
    client = harness.client
    running, waits = harness.session_id, (await client.new_session("waits")).id
    turn = harness.send("ASK1")
    await client.open_session(waits)
    client.prompts.submit(waits, "later")
    client.prompts.submit(waits, "last")
    client.prompts.hold(waits, "for the test")
    others = [(await client.new_session(f"number {number}")).id for number in range(4)]
    for session_id in (*others, others[0], others[3]):
        await client.open_session(session_id)
    assert set(client.store.open_sessions()) == {running, waits, others[0], others[3]}
    client.reject(await harness.request())
    await harness.over(turn)
    await client.open_session(others[1])
    assert set(client.store.open_sessions()) == {waits, others[3], others[1]}


@on_virtual_time()
async def test_messages_can_be_undone_and_restored_until_the_next_prompt(harness: ClientHarness) -> None:
    store, session = harness.client.store, harness.session_id
    for _ in range(2):
        await harness.over(harness.send("PLAIN"))
    first, second = await harness.prompts_stored()
    await harness.http.post(f"/session/{session}/revert", json={"messageID": second})  # another client
    await harness.until(lambda: store.undone(session), what="the undone messages")
    assert second in store.undone(session)
    assert first not in store.undone(session)
    await harness.client.editing.redo(session)
    assert store.undone(session) == set()
    await harness.client.editing.undo(session, second)
    assert len(store.undone(session)) == 2
    await harness.over(harness.send("PLAIN"))
    assert store.undone(session) == set()
    assert second not in await harness.prompts_stored()
    assert await harness.matches_server()


@on_virtual_time()
async def test_sessions_are_renamed_copied_and_deleted_without_waiting_for_events(harness: ClientHarness) -> None:
    client, session_id = harness.client, harness.session_id
    harness.arm("mute-events")
    await client.editing.rename(session_id, "another title")
    assert client.store.sessions[session_id].title == "another title"
    copy = await client.editing.fork(session_id)
    assert copy.id != session_id
    assert client.store.sessions[copy.id] == copy
    await client.editing.delete(copy.id)
    assert copy.id in client.store.deleted
    assert {session.id for session in await client.list_sessions()} == {session_id}


@on_virtual_time()
async def test_a_new_session_is_opened_without_fetching_it(harness: ClientHarness) -> None:
    client = harness.client
    session = await client.new_session("new")
    harness.requests_sent.clear()
    await client.open_session(session.id, is_new=True)
    assert harness.requests_sent == []
    transcript = client.store.transcript(session.id)
    assert transcript is not None
    assert (transcript.loaded, transcript.cursor) == (True, None)
    assert client.journal.last_session() == session.id


@on_virtual_time()
async def test_the_clients_directory_is_that_of_its_new_sessions(harness: ClientHarness) -> None:
    client = Client(
        harness.client.address, harness.client._open_http, directory="/elsewhere", clocks=harness.client._clocks
    )
    client.start()
    await wait_until(lambda: client.synced, what="the connection")
    assert (await client.new_session("new")).directory == "/elsewhere"
    await client.close()


@on_virtual_time()
async def test_sessions_past_the_first_hundred_are_found_by_paging_and_search(harness: ClientHarness) -> None:
    client = harness.client
    oldest = await client.new_session("the one that is looked for")
    for number in range(120):
        await client.new_session(f"session {number}")
    page = await client.list_sessions()
    assert oldest.id not in {one.id for one in page}
    assert page.cursor is not None
    assert oldest.id in {one.id for one in await client.list_sessions(cursor=page.cursor)}
    assert [one.id for one in await client.list_sessions("looked")] == [oldest.id]


@on_virtual_time()
async def test_an_unreadable_status_list_is_reported_once(harness: ClientHarness) -> None:
    for _ in range(2):
        harness.client._apply(Resynced({}, (), frozenset(), problem="/session/status is no object"))
    assert [one.text for one in harness.changes if isinstance(one, c.Notice)] == [
        "The session status cannot be read: /session/status is no object. "
        "Sessions are shown as last known, updated by events."
    ]


@on_virtual_time()
async def test_requests_that_cannot_be_shown_are_reported_when_there_are_more(harness: ClientHarness) -> None:
    for count in (1, 1, 2, 0):
        harness.client._apply(Resynced({}, (), frozenset(), unreadable=count))
    assert [one.text for one in harness.changes if isinstance(one, c.Notice)] == [
        "1 request that waits for an answer cannot be shown. Answer in another client.",
        "2 requests that wait for an answer cannot be shown. Answer in another client.",
    ]


@pytest.mark.parametrize("kept_by", ["opened", "a draft"])
@on_virtual_time()
async def test_a_session_answered_with_a_web_page_does_not_affect_others(harness: ClientHarness, kept_by: str) -> None:
    """As opencode responds for an id with a slash; all other responses are unchanged."""
    if kept_by == "opened":
        await harness.client.open_session("x/y")
    else:
        harness.client.journal.save_draft("x/y", "to be sent")
    harness.client.restart_line()
    await harness.until(lambda: not harness.synced, what="the connection to go")
    await harness.until(lambda: harness.synced, within=5, what="the connection")
    assert (await harness.over(harness.send("PLAIN"))).state is TurnState.FINISHED


@on_virtual_time()
async def test_only_a_session_on_the_server_is_saved_as_the_last_one(harness: ClientHarness) -> None:
    client = harness.client
    await client.open_session("ses_nope")
    assert client.journal.last_session() == harness.session_id
    other = (await harness.http.post("/session", json={})).json()["id"]
    await client.open_session(other)
    assert client.journal.last_session() == other
