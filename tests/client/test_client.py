"""The client with the stub server: before its first connection, and when closing."""

import asyncio

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.client.prompt_dispatcher import NotFetched, NotSaved
from tui.client.resync import SessionApiUnresponsive
from tui.client.server_connection import NotConnected
from tui.client.session_actions import UnsupportedByServer
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.turn_state import TurnState
from tui.net.errors import NetError


@on_virtual_time("mimo-cancel")
async def test_the_family_is_detected_from_the_servers_responses(harness: ClientHarness) -> None:
    traits, server = harness.client.traits, harness.client.server
    assert traits is not None
    assert server is not None
    assert (traits.family, traits.cancels_on_disconnect, server.version) == ("mimo", None, "0.1.0")


@on_virtual_time(connected=False)
async def test_requests_before_the_first_connection_fail(harness: ClientHarness) -> None:
    assert (harness.client.traits, harness.client.server) == (None, None)
    assert harness.client.turn("ses_1") is None
    with pytest.raises(NotConnected):
        harness.client.prompts.send_now("ses_1", "x")
    with pytest.raises(NotConnected):
        await harness.client.new_session()
    assert harness.client.connection_status().state is ConnectionState.CONNECTING
    assert not await harness.client.load_older("ses_1")


@on_virtual_time()
async def test_a_turn_continues_on_the_server_after_quitting(harness: ClientHarness) -> None:
    turn = harness.send("LONG 1")
    await harness.until(lambda: turn.state is TurnState.RUNNING)
    await harness.client.close()
    await asyncio.sleep(200)
    assert "converged" in (await harness.stored())[-1]["parts"][-2]["text"]


@on_virtual_time()
async def test_a_prompt_sent_while_closing_is_queued_for_the_next_start(harness: ClientHarness) -> None:
    leaving = asyncio.create_task(harness.client.close())
    await asyncio.sleep(0)
    harness.client.prompts.submit(harness.session_id, "PLAIN and late")
    await leaving
    assert [queued.text for queued in harness.client.prompts.waiting(harness.session_id)] == ["PLAIN and late"]
    assert await harness.stored() == []


@on_virtual_time()
async def test_tasks_started_while_closing_are_cancelled(harness: ClientHarness) -> None:
    leaving = asyncio.create_task(harness.client.close())
    await asyncio.sleep(0)
    turn = harness.send("PLAIN and at once")
    await leaving
    await asyncio.sleep(10)
    assert not turn.over, "what became of it is asked at the next start"
    assert not [one for one in harness.changes if isinstance(one, c.Notice)]


@on_virtual_time()
async def test_a_failed_client_task_is_reported(harness: ClientHarness) -> None:
    async def broken() -> None:
        raise LookupError("a mistake of ours")

    harness.client._spawn(broken())
    await harness.until(lambda: any(isinstance(one, c.Notice) for one in harness.changes))
    (notice,) = (one for one in harness.changes if isinstance(one, c.Notice))
    assert (notice.severity, "LookupError" in notice.text) == ("error", True)


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (NotConnected(), "not connected yet", "Wait for the connection, or retry it now."),
        (NotFetched(), "the session is still loading", "Send it again in a moment."),
        (
            NotSaved(),
            "the prompt cannot be saved: another program has locked the journal",
            "Repeat to send it unsaved.",
        ),
        (UnsupportedByServer(), "this server does not offer that", "Nothing was changed."),
        (
            SessionApiUnresponsive(),
            "healthy, but it reports no session status",
            "It may be stuck: restart it.",
        ),
    ],
)
def test_an_error_of_the_client_says_what_to_do(error: NetError, message: str, hint: str) -> None:
    assert (error.message, error.hint) == (message, hint)
