"""The client with a stopped connection: nothing is sent until the user acts."""

import asyncio

import pytest

from tests.client_harness import Meeting, virtually
from tui.backends.base import Backend
from tui.core.changes import ReplyStatusChanged, RequestClosed
from tui.core.connection_status import ConnectionState
from tui.core.turn_state import TurnState


@virtually()
async def test_an_undelivered_answer_is_not_retried_while_the_connection_is_stopped(meeting: Meeting) -> None:
    meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=events")
    meeting.arm("cut=events")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
    meeting.arm("cut=/question,at=headers,times=always")
    meeting.client.answer(request, (("SQLite",),))
    await asyncio.sleep(60)
    assert meeting.replies() == 1  # the user's own action, and none after it

    meeting.server.disarm_all()
    meeting.client.retry_now()
    assert (await meeting.outcome(request.id)).state == "acknowledged"


@virtually()
async def test_an_unauthorized_answer_is_sent_once_after_reconnecting(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=all,times=always")
    meeting.client.answer(request, (("SQLite",),))
    assert (await meeting.outcome(request.id)).state == "stopped"
    meeting.arm("cut=events")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
    await asyncio.sleep(60)
    meeting.server.disarm_all()
    assert meeting.replies() == 1
    meeting.client.retry_now()
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    assert meeting.tool().answers == (("SQLite",),)
    assert meeting.replies() == 2


@virtually()
async def test_a_manual_retry_resends_a_stopped_answer_once_on_a_live_connection(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=/question")
    meeting.client.answer(request, (("SQLite",),))
    assert (await meeting.outcome(request.id)).state == "stopped"
    await asyncio.sleep(60)
    assert (meeting.client.line().up, meeting.replies()) == (True, 1)
    meeting.server.disarm_all()
    meeting.client.retry_now()
    meeting.client.retry_now()
    await meeting.over(turn)
    assert meeting.replies() == 2


@virtually()
async def test_an_internal_error_stops_the_connection_with_a_reason_and_can_be_retried(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(backend: Backend) -> None:
        raise KeyError(backend.traits.family)

    with monkeypatch.context() as broken:
        broken.setattr(meeting.client._handler, "on_handshake", fail)
        meeting.arm("cut=events")
        await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
        assert "Holdfast itself failed (KeyError)" in meeting.client.line().reason
    meeting.client.retry_now()
    await meeting.until(lambda: meeting.client.line().up)
    await meeting.over(meeting.send("PLAIN"))


@virtually()
async def test_regaining_focus_retries_a_stopped_connection_at_once(meeting: Meeting) -> None:
    meeting.arm("401=events")
    meeting.arm("cut=events")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
    meeting.server.disarm_all()
    meeting.client.set_focused(False)
    await asyncio.sleep(60)
    assert meeting.client.line().state is ConnectionState.STOPPED
    meeting.client.set_focused(True)
    await meeting.until(lambda: meeting.client.line().up)


@virtually()
async def test_another_clients_answer_to_a_stopped_request_is_reported_at_once(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=/question")
    meeting.client.answer(request, (("SQLite",),))
    assert (await meeting.outcome(request.id)).state == "stopped"
    meeting.server.disarm_all()
    await meeting.http.post(f"/question/{request.id}/reply", json={"answers": [["Postgres"]]})
    await meeting.over(turn)
    outcome = await meeting.outcome(request.id)
    assert (outcome.state, outcome.reason) == ("elsewhere", "Postgres")
    told = [type(one) for one in meeting.told if isinstance(one, RequestClosed | ReplyStatusChanged)]
    assert told[-2:] == [RequestClosed, ReplyStatusChanged]
    meeting.client.retry_now()
    await asyncio.sleep(1)
    assert meeting.replies() == 1


@virtually()
async def test_a_stopped_answer_whose_request_disappears_is_reported_as_expired(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=/question/que")
    meeting.client.answer(request, (("SQLite",),))
    assert (await meeting.outcome(request.id)).state == "stopped"
    await meeting.http.post(f"/session/{meeting.session_id}/abort")
    await meeting.over(turn)
    await meeting.until(lambda: request.id not in meeting.client.store.requests)
    await asyncio.sleep(1)
    assert (await meeting.outcome(request.id)).state == "expired"
    assert meeting.replies() == 1
