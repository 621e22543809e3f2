"""The client with a stopped connection: nothing is sent until the user acts."""

import asyncio

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.backends.base import Backend
from tui.core.changes import ReplyStatusChanged, RequestClosed
from tui.core.connection_status import ConnectionState
from tui.core.turn_state import TurnState


@on_virtual_time()
async def test_an_undelivered_answer_is_not_retried_while_the_connection_is_stopped(harness: ClientHarness) -> None:
    harness.send("ASK1")
    request = await harness.request()
    harness.arm("401=events")
    harness.arm("cut=events")
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED)
    harness.arm("cut=/question,at=headers,times=always")
    harness.client.answer(request, (("SQLite",),))
    await asyncio.sleep(60)
    assert harness.replies() == 1  # the user's own action, and none after it

    harness.server.disarm_all()
    harness.client.retry_now()
    assert (await harness.outcome(request.id)).state == "acknowledged"


@on_virtual_time()
async def test_an_unauthorized_answer_is_sent_once_after_reconnecting(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    request = await harness.request()
    harness.arm("401=all,times=always")
    harness.client.answer(request, (("SQLite",),))
    assert (await harness.outcome(request.id)).state == "stopped"
    harness.arm("cut=events")
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED)
    await asyncio.sleep(60)
    harness.server.disarm_all()
    assert harness.replies() == 1
    harness.client.retry_now()
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED
    assert harness.tool().answers == (("SQLite",),)
    assert harness.replies() == 2


@on_virtual_time()
async def test_a_manual_retry_resends_a_stopped_answer_once_on_a_live_connection(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    request = await harness.request()
    harness.arm("401=/question")
    harness.client.answer(request, (("SQLite",),))
    assert (await harness.outcome(request.id)).state == "stopped"
    await asyncio.sleep(60)
    assert (harness.client.connection_status().up, harness.replies()) == (True, 1)
    harness.server.disarm_all()
    harness.client.retry_now()
    harness.client.retry_now()
    await harness.over(turn)
    assert harness.replies() == 2


@on_virtual_time()
async def test_an_internal_error_stops_the_connection_with_a_reason_and_can_be_retried(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(backend: Backend) -> None:
        raise KeyError(backend.traits.family)

    with monkeypatch.context() as broken:
        broken.setattr(harness.client._handler, "on_handshake", fail)
        harness.arm("cut=events")
        await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED)
        assert harness.client.connection_status().reason == "Holdfast itself failed (KeyError)"
        assert harness.client.connection_status().hint == "F5 retries. If it happens again, restart Holdfast."
    harness.client.retry_now()
    await harness.until(lambda: harness.client.connection_status().up)
    await harness.over(harness.send("PLAIN"))


@on_virtual_time()
async def test_regaining_focus_retries_a_stopped_connection_at_once(harness: ClientHarness) -> None:
    harness.arm("401=events")
    harness.arm("cut=events")
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.STOPPED)
    harness.server.disarm_all()
    harness.client.set_focused(False)
    await asyncio.sleep(60)
    assert harness.client.connection_status().state is ConnectionState.STOPPED
    harness.client.set_focused(True)
    await harness.until(lambda: harness.client.connection_status().up)


@on_virtual_time()
async def test_another_clients_answer_to_a_stopped_request_is_reported_at_once(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    request = await harness.request()
    harness.arm("401=/question")
    harness.client.answer(request, (("SQLite",),))
    assert (await harness.outcome(request.id)).state == "stopped"
    harness.server.disarm_all()
    await harness.http.post(f"/question/{request.id}/reply", json={"answers": [["Postgres"]]})
    await harness.over(turn)
    outcome = await harness.outcome(request.id)
    assert (outcome.state, outcome.reason) == ("elsewhere", "Postgres")
    changes = [type(one) for one in harness.changes if isinstance(one, RequestClosed | ReplyStatusChanged)]
    assert changes[-2:] == [RequestClosed, ReplyStatusChanged]
    harness.client.retry_now()
    await asyncio.sleep(1)
    assert harness.replies() == 1


@on_virtual_time()
async def test_a_stopped_answer_whose_request_disappears_is_reported_as_expired(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    request = await harness.request()
    harness.arm("401=/question/que")
    harness.client.answer(request, (("SQLite",),))
    assert (await harness.outcome(request.id)).state == "stopped"
    await harness.http.post(f"/session/{harness.session_id}/abort")
    await harness.over(turn)
    await harness.until(lambda: request.id not in harness.client.store.requests)
    await asyncio.sleep(1)
    assert (await harness.outcome(request.id)).state == "expired"
    assert harness.replies() == 1
