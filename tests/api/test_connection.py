"""The library on each stub profile: a prompt to its recorded end, the open requests, and their answers."""

import asyncio
from collections.abc import Callable

import pytest

from server_stub.domain.profiles import PROFILES
from tests.client_harness import ClientHarness, on_virtual_time
from tui.api import (
    CannotConnect,
    Connection,
    Event,
    NoticeEvent,
    Reply,
    ReplyEvent,
    RequestEvent,
    RequestNotFound,
    Result,
    SessionNotFound,
    TextEvent,
)

all_profiles = pytest.mark.parametrize("profile", list(PROFILES))


async def connected(harness: ClientHarness) -> Connection:
    connection = Connection(harness.client)
    await connection.open()
    return connection


def listed(kind: type[Event], events: list[Event]) -> list[Event]:
    return [one for one in events if isinstance(one, kind)]


async def when(harness: ClientHarness, condition: Callable[[], object], work: "asyncio.Task[Result]") -> None:
    await harness.until(lambda: condition() or work.done(), within=60)
    assert not work.done(), work.result()


@all_profiles
@on_virtual_time(connected=False)
async def test_run_returns_stored_answer(harness: ClientHarness, profile: str) -> None:
    connection, events = await connected(harness), list[Event]()
    result = await connection.run("TOOLS", title="a job", on_event=events.append)
    assert (result.outcome, result.reason) == ("finished", "")
    assert result.text == "I look, change one line, and run the tests. \nDone. The tests pass.\n"
    assert result.final == "Done. The tests pass.\n"
    assert "".join(one.text for one in events if isinstance(one, TextEvent)) == result.text
    assert result.started is not None
    assert result.ended is None or result.ended >= result.started
    assert harness.client.store.sessions[result.session].title == "a job" or profile == "qwen"


@all_profiles
@on_virtual_time(connected=False)
async def test_run_reports_provider_failure(harness: ClientHarness, profile: str) -> None:
    result = await (await connected(harness)).run("FAIL 401")
    assert (result.outcome, result.text) == ("failed", "")
    assert "Unauthorized" in result.reason


@all_profiles
@on_virtual_time(connected=False)
async def test_question_of_a_run_is_answered(harness: ClientHarness, profile: str) -> None:
    connection, events = await connected(harness), list[Event]()
    work = asyncio.create_task(connection.run("ASK1", on_event=events.append))
    await when(harness, lambda: listed(RequestEvent, events), work)
    (request,) = await connection.pending()
    assert (request.kind, request.questions[0].text) == ("question", "Which database?")
    assert [(one.number, one.label) for one in request.questions[0].choices] == [(1, "Postgres"), (2, "SQLite")]
    outcome = await connection.answer(request.id[:-1], Reply(answers=(("SQLite",),)))
    assert (outcome.state, outcome.request) == ("taken", request.id)
    result = await work
    assert result.outcome == "finished"
    assert "SQLite" in result.final
    (record,) = result.requests
    assert (record.state, record.reply) == ("answered", Reply(answers=(("SQLite",),)))
    assert [one.record for one in events if isinstance(one, ReplyEvent)] == [record]
    assert await connection.pending() == ()


@all_profiles
@on_virtual_time(connected=False)
async def test_run_ends_at_an_open_request_if_requested(harness: ClientHarness, profile: str) -> None:
    connection = await connected(harness)
    result = await connection.run("SHELL made.txt", on_request="fail")
    assert (result.outcome, result.requests[0].state) == ("waiting", "open")
    assert "touch made.txt" in result.reason
    assert [one.id for one in await connection.pending()] == [result.requests[0].request.id]


@all_profiles
@on_virtual_time(connected=False)
async def test_rejected_request_makes_a_run_denied(harness: ClientHarness, profile: str) -> None:
    result = await (await connected(harness)).run("SHELL made.txt", on_request="reject")
    assert result.outcome == "denied"
    assert [(one.state, one.by) for one in result.requests] == [("denied", "on-request")]


@on_virtual_time(connected=False)
async def test_unknown_request_and_session(harness: ClientHarness) -> None:
    connection = await connected(harness)
    assert (await connection.answer("que_none", Reply())).state == "expired"
    with pytest.raises(SessionNotFound):
        await connection.run("PLAIN", session="ses_none")
    with pytest.raises(SessionNotFound):
        await connection.run("PLAIN", resume=True)


@on_virtual_time(connected=False)
async def test_request_is_found_by_unique_prefix_only(harness: ClientHarness) -> None:
    connection = await connected(harness)
    turns = [await connection.start("ASK1") for _ in range(2)]
    await harness.until(lambda: len(harness.client.store.requests) == 2, within=60)
    with pytest.raises(RequestNotFound):
        connection.find_request("que_")
    assert connection.find_request("") is None
    (request, _) = harness.client.store.requests.values()
    assert connection.find_request(request.id[:-1]) == connection.find_request(request.id, exact=True) == request
    assert connection.find_request(request.id[:-1], exact=True) is None
    assert {turn.session for turn in turns} == {one.session for one in await connection.pending()}


@on_virtual_time(connected=False)
async def test_server_that_is_down_is_given_up_after_a_time(harness: ClientHarness) -> None:
    harness.server.crash()
    with pytest.raises(CannotConnect):
        await Connection(harness.client).open(within=5)


@on_virtual_time(connected=False)
async def test_events_report_each_open_request_once(harness: ClientHarness) -> None:
    connection, seen = await connected(harness), list[Event]()

    async def watch() -> None:
        async for event in connection.events():
            seen.append(event)

    turn = await connection.start("ASK1")
    await harness.until(lambda: harness.client.store.requests, within=60)
    watching = asyncio.create_task(watch())
    await harness.until(lambda: listed(RequestEvent, seen))
    harness.client.restart_line()
    await harness.until(lambda: not harness.synced)
    await harness.until(lambda: harness.synced)
    (request,) = await connection.pending()
    await connection.answer(request.id, Reply(answers=(("Postgres",),)))
    await turn.result()
    watching.cancel()
    assert len(listed(RequestEvent, seen)) == 1
    assert [one.record.state for one in seen if isinstance(one, ReplyEvent)] == ["answered"]


@pytest.mark.parametrize("fault", ["401", "garbled"])
@on_virtual_time(connected=False)
async def test_session_that_cannot_be_read_is_an_error(harness: ClientHarness, fault: str) -> None:
    connection, events = await connected(harness), list[Event]()
    session = await connection.client.new_session("")
    harness.arm(f"{fault}=/session/{session.id},times=99")
    with pytest.raises(CannotConnect) as caught:
        await asyncio.wait_for(connection.take_up(session.id, on_event=events.append), timeout=120)
    if fault == "garbled":
        assert caught.value.message.startswith("The session cannot be read: ")
        [notice] = events
        assert isinstance(notice, NoticeEvent)
        assert notice.text.endswith("; retried for 60 s")
