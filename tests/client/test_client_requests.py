"""Questions and permissions answered by the client: once, even if the connection breaks."""

import asyncio
from typing import Any

import pytest

from tests.client_harness import ClientHarness, every_profile, on_virtual_time
from tui.core import changes as c
from tui.core.events import RequestRemoved
from tui.core.model import Idle, PermissionRequest, QuestionRequest
from tui.core.turn_state import TurnState

ANSWERS = (("Postgres",), ("auth", "my own words"))


@every_profile
@on_virtual_time()
async def test_a_question_is_answered(harness: ClientHarness, profile: str) -> None:
    turn = harness.send("ASK")
    request = await harness.request()
    assert isinstance(request, QuestionRequest)
    assert [question.header for question in request.questions] == ["DB", "Feat"]
    await harness.until(lambda: turn.state is TurnState.WAITING)
    harness.client.answer(request, ANSWERS)
    assert (await harness.outcome(request.id)).state == "acknowledged"
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED
    assert harness.tool().answers == ANSWERS
    assert "my own words" in harness.words()[-1]
    closed = [one for one in harness.changes if isinstance(one, c.RequestClosed)]
    assert closed == [c.RequestClosed(request, "answered", ANSWERS)]
    assert await harness.matches_server()


@on_virtual_time()
async def test_a_question_is_dismissed(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    request = await harness.request()
    harness.client.reject(request)
    assert (await harness.outcome(request.id)).state == "acknowledged"
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "you rejected a request")
    assert harness.tool().state == "error"
    assert await harness.lists("question") == []


@pytest.mark.parametrize(("reply", "message"), [("once", ""), ("always", ""), ("reject", "not now"), ("reject", "")])
@on_virtual_time()
async def test_a_permission_is_allowed_or_denied(harness: ClientHarness, reply: Any, message: str) -> None:
    turn = harness.send("SHELL made.txt")
    request = await harness.request()
    harness.client.reply(request, reply, message)
    assert (await harness.outcome(request.id)).state == "acknowledged"
    await harness.over(turn)
    goes_on = reply != "reject" or message
    assert turn.state is (TurnState.FINISHED if goes_on else TurnState.ABORTED)
    assert harness.tool().state == ("error" if reply == "reject" else "completed")
    assert ("not now" in harness.tool().error) is (message != "")
    assert await harness.lists("permission") == []
    assert await harness.matches_server()


@on_virtual_time()
async def test_answering_a_closed_request_is_reported_and_not_sent(harness: ClientHarness) -> None:
    calls = len(harness.requests_sent)
    harness.client.answer(QuestionRequest("que_1", "ses_1", ()), ANSWERS)
    harness.client.reject(QuestionRequest("que_2", "ses_1", ()))
    harness.client.reply(PermissionRequest("per_3", "ses_1", "bash"), "once")
    await asyncio.sleep(1)
    assert len(harness.requests_sent) == calls
    changes = [(one.request.id, one.state) for one in harness.changes if isinstance(one, c.ReplyStatusChanged)]
    assert changes == [("que_1", "expired"), ("que_2", "expired"), ("per_3", "expired")]


@on_virtual_time()
async def test_changes_during_an_outage_are_fetched(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    request = await harness.request()
    harness.arm("502=/global/health,times=3")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: not harness.synced, within=20)
    await harness.http.post(f"/question/{request.id}/reply", json={"answers": [["SQLite"]]})
    harness.client.answer(request, (("Postgres",),))
    outcome = await harness.outcome(request.id)
    assert (outcome.state, outcome.reason) == ("elsewhere", "SQLite")
    await harness.over(turn)
    await harness.until(lambda: harness.synced, within=60)
    assert await harness.matches_server()


@on_virtual_time()
async def test_a_request_of_another_directory_answered_in_a_gap_is_removed(
    harness: ClientHarness,
) -> None:
    headers = {"x-opencode-directory": "/elsewhere"}
    other = (await harness.http.post("/session", json={}, headers=headers)).json()["id"]
    await harness.http.post(f"/session/{other}/prompt_async", json={"parts": [{"type": "text", "text": "ASK1"}]})
    request = await harness.request()
    assert request.session_id == other
    harness.arm("502=/global/health,times=3")
    harness.arm("cut=events,at=json")
    await harness.until(lambda: not harness.synced, within=20)
    await harness.http.post(f"/question/{request.id}/reply", headers=headers, json={"answers": [["SQLite"]]})
    await harness.until(lambda: harness.synced, within=60)
    assert not harness.client.store.requests
    assert isinstance(harness.client.store.status(other), Idle)


@on_virtual_time()
async def test_a_lost_acknowledgement_is_found_without_opening_the_session(harness: ClientHarness) -> None:
    """The subagent's transcript is not open; the answer is read from the server."""
    harness.send("CHILD")
    request = await harness.request()
    assert request.session_id != harness.session_id
    harness.arm("mute-events")
    harness.arm("cut=/question/que,at=headers")
    harness.client.answer(request, (("SQLite",),))
    assert (await harness.outcome(request.id)).state == "acknowledged"
    states = [one.state for one in harness.changes if isinstance(one, c.ReplyStatusChanged)]
    assert states == ["sending", "retrying", "acknowledged"]


@on_virtual_time()
async def test_a_request_that_an_abort_removes_is_rejected_at_the_server(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """opencode keeps it in its list, also if an event removes it before the abort is answered."""
    turn = harness.send("ASK1")
    request = await harness.request()
    backend = harness.client._connection.backend()
    abort = backend.abort

    async def removed_by_event(session_id: str) -> None:
        await abort(session_id)
        harness.client._apply(RequestRemoved(session_id, request.id))

    monkeypatch.setattr(backend, "abort", removed_by_event)
    harness.client.abort(harness.session_id)
    await harness.over(turn)
    await asyncio.sleep(1)
    assert harness.requests_sent.count(("POST", f"/question/{request.id}/reject")) == 1
    assert await harness.lists("question") == []


@on_virtual_time()
async def test_an_answer_is_sent_as_soon_as_the_connection_is_back(harness: ClientHarness) -> None:
    harness.send("ASK1")
    request = await harness.request()
    harness.server.crash()
    await harness.until(lambda: not harness.synced)
    harness.client.answer(request, (("Postgres",),))
    await asyncio.sleep(100)
    harness.server.start()
    back = harness.client.now()
    harness.client.retry_now()
    outcome = await harness.outcome(request.id)
    assert outcome.state == "expired"  # the server that asked was killed
    assert harness.client.now() - back < 1


@pytest.mark.parametrize("order", ["late-events", "early-events"])
@pytest.mark.parametrize("prompt", ["ASK1", "SHELL made.txt"])
@on_virtual_time()
async def test_a_turn_ended_by_another_clients_rejection_says_so(
    harness: ClientHarness, prompt: str, order: str
) -> None:
    """Even if the POST of the prompt ends before the event of the rejection, as on a real opencode."""
    harness.arm(order)
    turn = harness.send(prompt)
    request = await harness.request()
    harness.client.prompts.submit(harness.session_id, "the next one")
    requests_sent = isinstance(request, QuestionRequest)
    path = f"/question/{request.id}/reject" if requests_sent else f"/permission/{request.id}/reply"
    await harness.http.post(path, json={} if requests_sent else {"reply": "reject"})
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "a request was rejected elsewhere")
    await harness.until(lambda: any(isinstance(one, c.RequestClosed) for one in harness.changes))
    [closed] = [one for one in harness.changes if isinstance(one, c.RequestClosed)]
    assert (closed.how, closed.reply) == (("rejected", None) if requests_sent else ("replied", "reject"))
    assert harness.client.prompts.held(harness.session_id) == "an earlier turn was aborted"
