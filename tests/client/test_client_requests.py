"""Questions and permissions answered by the client: once, even if the connection breaks."""

import asyncio
from typing import Any

import pytest

from tests.client_harness import Meeting, every_profile, virtually
from tui.core import changes as c
from tui.core.model import Idle, PermissionRequest, QuestionRequest
from tui.core.turn_state import TurnState

ANSWERS = (("Postgres",), ("auth", "my own words"))


@every_profile
@virtually()
async def test_a_question_is_answered(meeting: Meeting, profile: str) -> None:
    turn = meeting.send("ASK")
    request = await meeting.request()
    assert isinstance(request, QuestionRequest)
    assert [question.header for question in request.questions] == ["DB", "Feat"]
    await meeting.until(lambda: turn.state is TurnState.WAITING)
    meeting.client.answer(request, ANSWERS)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert meeting.tool().answers == ANSWERS
    assert "my own words" in meeting.words()[-1]
    closed = [one for one in meeting.told if isinstance(one, c.RequestClosed)]
    assert closed == [c.RequestClosed(request, "answered", ANSWERS)]
    assert await meeting.agrees()


@virtually()
async def test_a_question_is_dismissed(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.client.reject(request)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "you rejected a request")
    assert meeting.tool().state == "error"
    assert await meeting.lists("question") == []


@pytest.mark.parametrize(("reply", "message"), [("once", ""), ("always", ""), ("reject", "not now"), ("reject", "")])
@virtually()
async def test_a_permission_is_allowed_or_denied(meeting: Meeting, reply: Any, message: str) -> None:
    turn = meeting.send("SHELL made.txt")
    request = await meeting.request()
    meeting.client.reply(request, reply, message)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    await meeting.over(turn)
    goes_on = reply != "reject" or message
    assert turn.state is (TurnState.FINISHED if goes_on else TurnState.ABORTED)
    assert meeting.tool().state == ("error" if reply == "reject" else "completed")
    assert ("not now" in meeting.tool().error) is (message != "")
    assert await meeting.lists("permission") == []
    assert await meeting.agrees()


@virtually()
async def test_answering_a_closed_request_is_reported_and_not_sent(meeting: Meeting) -> None:
    calls = len(meeting.asked)
    meeting.client.answer(QuestionRequest("que_1", "ses_1", ()), ANSWERS)
    meeting.client.reject(QuestionRequest("que_2", "ses_1", ()))
    meeting.client.reply(PermissionRequest("per_3", "ses_1", "bash"), "once")
    await asyncio.sleep(1)
    assert len(meeting.asked) == calls
    told = [(one.request.id, one.state) for one in meeting.told if isinstance(one, c.ReplyStatusChanged)]
    assert told == [("que_1", "expired"), ("que_2", "expired"), ("per_3", "expired")]


@virtually()
async def test_changes_during_an_outage_are_fetched(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("502=/global/health,times=3")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.http.post(f"/question/{request.id}/reply", json={"answers": [["SQLite"]]})
    meeting.client.answer(request, (("Postgres",),))
    outcome = await meeting.outcome(request.id)
    assert (outcome.state, outcome.reason) == ("elsewhere", "SQLite")
    await meeting.over(turn)
    await meeting.until(lambda: meeting.synced, within=60)
    assert await meeting.agrees()


@virtually()
async def test_a_request_of_another_directory_answered_in_a_gap_is_removed(
    meeting: Meeting,
) -> None:
    headers = {"x-opencode-directory": "/elsewhere"}
    other = (await meeting.http.post("/session", json={}, headers=headers)).json()["id"]
    await meeting.http.post(f"/session/{other}/prompt_async", json={"parts": [{"type": "text", "text": "ASK1"}]})
    request = await meeting.request()
    assert request.session_id == other
    meeting.arm("502=/global/health,times=3")
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.http.post(f"/question/{request.id}/reply", headers=headers, json={"answers": [["SQLite"]]})
    await meeting.until(lambda: meeting.synced, within=60)
    assert not meeting.client.store.requests
    assert isinstance(meeting.client.store.status(other), Idle)


@virtually()
async def test_a_lost_acknowledgement_is_found_without_opening_the_session(meeting: Meeting) -> None:
    """The subagent's transcript is not open; the answer is read from the server."""
    meeting.send("CHILD")
    request = await meeting.request()
    assert request.session_id != meeting.session_id
    meeting.arm("mute-events")
    meeting.arm("cut=/question/que,at=headers")
    meeting.client.answer(request, (("SQLite",),))
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    states = [one.state for one in meeting.told if isinstance(one, c.ReplyStatusChanged)]
    assert states == ["sending", "retrying", "acknowledged"]


@virtually()
async def test_an_answer_is_sent_as_soon_as_the_connection_is_back(meeting: Meeting) -> None:
    meeting.send("ASK1")
    request = await meeting.request()
    meeting.server.crash()
    await meeting.until(lambda: not meeting.synced)
    meeting.client.answer(request, (("Postgres",),))
    await asyncio.sleep(100)
    meeting.server.start()
    back = meeting.client.now()
    meeting.client.retry_now()
    outcome = await meeting.outcome(request.id)
    assert outcome.state == "expired"  # the server that asked was killed
    assert meeting.client.now() - back < 1


@pytest.mark.parametrize("order", ["late-events", "early-events"])
@pytest.mark.parametrize("prompt", ["ASK1", "SHELL made.txt"])
@virtually()
async def test_a_turn_ended_by_another_clients_rejection_says_so(meeting: Meeting, prompt: str, order: str) -> None:
    """Even if the POST of the prompt ends before the event of the rejection, as on a real opencode."""
    meeting.arm(order)
    turn = meeting.send(prompt)
    request = await meeting.request()
    meeting.client.prompts.submit(meeting.session_id, "the next one")
    asked = isinstance(request, QuestionRequest)
    path = f"/question/{request.id}/reject" if asked else f"/permission/{request.id}/reply"
    await meeting.http.post(path, json={} if asked else {"reply": "reject"})
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "a request was rejected elsewhere")
    await meeting.until(lambda: any(isinstance(one, c.RequestClosed) for one in meeting.told))
    [closed] = [one for one in meeting.told if isinstance(one, c.RequestClosed)]
    assert (closed.how, closed.reply) == (("rejected", None) if asked else ("replied", "reject"))
    assert meeting.client.prompts.held(meeting.session_id) == "an earlier turn was aborted"
