"""The client on a line that has stopped: nothing is sent until the person acts."""

import asyncio

import pytest

from tests.client_harness import Meeting, virtually
from tui.backends.base import ServerInfo
from tui.core.changes import ReplyStatusChanged, RequestClosed
from tui.core.connection_status import ConnectionState
from tui.core.turn_state import TurnState


@virtually()
async def test_an_answer_that_did_not_get_through_waits_for_the_person_too(meeting: Meeting) -> None:
    meeting.send("ASK1")
    request = await meeting.request()
    meeting.arm("401=events")
    meeting.arm("cut=events")
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
    meeting.arm("cut=/question,at=headers,times=always")
    meeting.client.answer(request, (("SQLite",),))
    await asyncio.sleep(60)
    assert meeting.replies() == 1  # the person's own act, and none after it

    meeting.server.disarm_all()
    meeting.client.retry_now()
    assert (await meeting.outcome(request.id)).state == "acknowledged"


@virtually()
async def test_an_answer_that_was_not_authorised_goes_out_once_with_the_line(meeting: Meeting) -> None:
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
async def test_where_the_line_was_up_all_the_time_the_person_has_it_sent_again(meeting: Meeting) -> None:
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
async def test_a_fault_of_our_own_stops_the_line_in_words_and_can_be_tried_again(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(server: ServerInfo) -> None:
        raise KeyError(server.version)

    with monkeypatch.context() as broken:
        broken.setattr(meeting.client, "_on_server_info", fail)
        meeting.arm("cut=events")
        await meeting.until(lambda: meeting.client.line().state is ConnectionState.STOPPED)
        assert "Holdfast itself failed (KeyError)" in meeting.client.line().reason
    meeting.client.retry_now()
    await meeting.until(lambda: meeting.client.line().up)
    await meeting.over(meeting.send("PLAIN"))


@virtually()
async def test_whoever_comes_back_to_the_screen_has_the_line_tried_at_once(meeting: Meeting) -> None:
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
async def test_that_somebody_else_answered_what_stopped_here_is_told_at_once(meeting: Meeting) -> None:
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
async def test_what_stopped_here_and_ends_without_a_word_is_told_at_once(meeting: Meeting) -> None:
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
