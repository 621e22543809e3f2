"""Results of prompts: answered, aborted, failed, sent again."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.client_harness import ClientHarness, every_profile, on_virtual_time, opencode_profiles
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import Prompt
from tui.core.turn import UNACKNOWLEDGED_TIMEOUT
from tui.core.turn_inputs import PostRefused
from tui.core.turn_state import TurnState


@every_profile
@on_virtual_time()
async def test_a_prompt_is_answered(harness: ClientHarness, profile: str) -> None:
    turn = harness.send("PLAIN")
    assert turn.state is TurnState.SENDING
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.FINISHED, "")
    assert harness.words() == ["PLAIN", "Done. Nothing to call, **all** is well."]
    assert await harness.matches_server()
    assert c.TurnChanged(harness.session_id) in harness.changes
    assert harness.client.turn(harness.session_id) is turn


@opencode_profiles
@on_virtual_time()
async def test_an_abort_leaves_no_stale_requests(harness: ClientHarness, profile: str) -> None:
    turn = harness.send("BOTH")
    await harness.until(lambda: len(harness.client.store.requests) == 2, within=30)
    harness.client.abort(harness.session_id)
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")
    assert not harness.client.store.requests
    await asyncio.sleep(2)
    assert await harness.lists("question") == []
    assert await harness.lists("permission") == []
    assert await harness.matches_server()


@on_virtual_time()
async def test_an_abort_by_another_client_is_attributed_to_it(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    await harness.request()
    await harness.http.post(f"/session/{harness.session_id}/abort")
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")
    assert not harness.client.store.requests


@on_virtual_time()
async def test_an_abort_between_two_provider_attempts(harness: ClientHarness) -> None:
    turn = harness.send("FAIL 503")
    await harness.until(lambda: turn.retry is not None and turn.retry.attempt == 2, within=30)
    await harness.http.post(f"/session/{harness.session_id}/abort")
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


@on_virtual_time()
async def test_a_model_error_is_the_reason(harness: ClientHarness) -> None:
    turn = await harness.over(harness.send("FAIL 400"))
    assert turn.state is TurnState.FAILED
    assert "400" in turn.reason
    await harness.until(lambda: any(isinstance(one, c.FailureSeen) for one in harness.changes))
    assert [one.failure.status for one in harness.changes if isinstance(one, c.FailureSeen)] == [400]


@opencode_profiles
@on_virtual_time()
async def test_a_second_prompt_while_busy_ends_together_with_the_first(harness: ClientHarness, profile: str) -> None:
    first = harness.send("SLOW")
    await harness.until(lambda: first.state is TurnState.RUNNING)
    second = harness.send("PLAIN")
    assert harness.client.turn(harness.session_id) is first
    await harness.over(first)
    await harness.over(second)
    assert (first.state, second.state) == (TurnState.FINISHED, TurnState.FINISHED)
    assert harness.client.turn(harness.session_id) is second
    assert await harness.prompts_stored() == [first.prompt_id, second.prompt_id]
    assert await harness.matches_server()


BREAKS = [
    ("opencode", "reset=prompt,at=headers"),
    ("opencode", "cut=prompt,at=headers"),
    ("opencode-padded", "cut=prompt,at=body"),
    ("opencode-padded", "reset=prompt,at=padding"),
    ("opencode-padded", "cut=prompt,at=json"),
    ("opencode-padded", "cut=prompt,at=json,after_bytes=100"),
    ("opencode", "reset=prompt,at=json,after_bytes=100"),
]


@pytest.mark.parametrize(("profile", "fault"), BREAKS)
@on_virtual_time()
async def test_a_post_broken_during_its_response_loses_nothing(
    harness: ClientHarness, profile: str, fault: str
) -> None:
    harness.arm(fault)
    turn = await harness.over(harness.send("LONG 1 #1;"))
    assert turn.state is TurnState.FINISHED
    assert await harness.prompts_stored() == [turn.prompt_id]
    assert harness.server.runs == {"#1;": 1}
    assert await harness.matches_server()


@pytest.mark.parametrize(
    "fault", ["cut=prompt,at=request", "reset=prompt,at=request", "502=prompt", "502=prompt,times=2"]
)
@on_virtual_time()
async def test_a_post_that_never_arrived_is_sent_again(harness: ClientHarness, fault: str) -> None:
    harness.arm(fault)
    turn = await harness.over(harness.send("PLAIN #1;"))
    assert (turn.state, turn.post.attempts) == (TurnState.FINISHED, 3 if "times" in fault else 2)
    assert await harness.prompts_stored() == [turn.prompt_id]
    assert harness.server.runs == {"#1;": 1}


@on_virtual_time()
async def test_a_post_that_hangs_at_a_starting_server_is_sent_again(harness: ClientHarness) -> None:
    harness.arm("hang=prompt")
    began = harness.client.now()
    turn = await harness.over(harness.send("PLAIN #1;"))
    assert (turn.state, turn.post.attempts) == (TurnState.FINISHED, 2)
    assert UNACKNOWLEDGED_TIMEOUT < harness.client.now() - began < UNACKNOWLEDGED_TIMEOUT + 15
    assert harness.server.runs == {"#1;": 1}


@pytest.mark.parametrize("fault", ["whitespace", "truncated", "trailing", "doubled", "garbled"])
@on_virtual_time("opencode-padded")
async def test_an_invalid_body_is_replaced_by_the_servers_record(harness: ClientHarness, fault: str) -> None:
    harness.arm(fault)
    turn = await harness.over(harness.send("PLAIN #1;"))
    assert (turn.state, turn.post.attempts) == (TurnState.FINISHED, 1)
    assert harness.server.runs == {"#1;": 1}
    assert await harness.matches_server()


@on_virtual_time()
async def test_a_prompt_failed_by_the_server_has_a_reason(harness: ClientHarness) -> None:
    prompt = Prompt(harness.session_id, "PLAIN", "msg_1", "prt_1", agent="unknown-agent")
    turn = await harness.over(harness.client.turns.send(prompt))
    assert (turn.state, turn.post.attempts) == (TurnState.NOT_SENT, 4)
    assert "unknown-agent" in turn.reason
    assert harness.requests_sent.count(("POST", f"/session/{harness.session_id}/message")) == 1


@on_virtual_time("mimo")
async def test_mimos_empty_response_to_an_unknown_agent_is_not_retried(harness: ClientHarness) -> None:
    await harness.over(harness.send("PLAIN"))
    prompt = replace(
        harness.client._connection.backend().new_prompt(harness.session_id, "PLAIN"), agent="unknown-agent"
    )
    turn = await harness.over(harness.client.turns.send(prompt), within=2)
    assert turn.state is TurnState.NOT_SENT
    assert "unknown-agent" in turn.reason
    assert harness.requests_sent.count(("POST", f"/session/{harness.session_id}/message")) == 2


@on_virtual_time("mimo")
async def test_mimo_refuses_a_second_prompt_with_its_reason(harness: ClientHarness) -> None:
    first = harness.send("SLOW")
    await harness.until(lambda: first.state is TurnState.RUNNING)
    second = await harness.over(harness.send("PLAIN"), within=2)
    assert second.state is TurnState.NOT_SENT
    assert "409" in second.reason
    assert harness.session_id in second.reason
    await harness.over(first)
    assert first.state is TurnState.FINISHED
    assert len(await harness.prompts_stored()) == 1


@pytest.mark.parametrize("fault", ["reset=prompt,at=padding", "cut=prompt,at=body"])
@on_virtual_time("mimo-cancel")
async def test_mimo_cancels_a_turn_whose_post_breaks(harness: ClientHarness, fault: str) -> None:
    harness.arm(fault)
    turn = await harness.over(harness.send("LONG 5"))
    assert turn.state is TurnState.CANCELLED
    assert turn.reason
    assert await harness.matches_server()


@on_virtual_time("mimo-cancel")
async def test_mimo_reports_a_failure_with_an_empty_response(harness: ClientHarness) -> None:
    turn = await harness.over(harness.send("FAIL 400"))
    assert turn.state is TurnState.FAILED
    assert "400" in turn.reason


@on_virtual_time()
async def test_killing_the_server_is_shown_and_interrupts_the_turn(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    await harness.request()
    harness.server.crash()
    await harness.until(lambda: harness.client.connection_status().state is ConnectionState.RECONNECTING, within=3)
    await harness.until(lambda: turn.state is TurnState.UNKNOWN, within=3)
    harness.server.start()
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server stopped during the answer")
    assert not harness.client.store.requests
    assert harness.client.connection_status().up
    assert await harness.matches_server()


@on_virtual_time()
async def test_an_already_running_turn_is_followed(harness: ClientHarness) -> None:
    session = (await harness.http.post("/session", json={})).json()["id"]
    await harness.http.post(f"/session/{session}/prompt_async", json={"parts": [{"type": "text", "text": "SLOW"}]})
    await asyncio.sleep(1)
    await harness.client.open_session(session)
    turn = harness.client.turn(session)
    assert turn is not None
    assert (turn.state, turn.prompt) == (TurnState.RUNNING, None)
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED


@pytest.mark.parametrize("fault", ["stall=prompt,at=headers", "reset=prompt,at=headers"])
@on_virtual_time("qwen")
async def test_a_prompt_without_a_202_is_identified_by_its_echo(harness: ClientHarness, fault: str) -> None:
    """One running prompt, not a second one beside another that is still being sent."""
    first = harness.send("PLAIN")
    await harness.over(first)
    states: list[TurnState] = []
    harness.arm(fault)
    turn = harness.send("PLAIN")

    def prompts() -> int:
        transcript = harness.client.store.transcript(harness.session_id)  # after a reload it is another object
        return 0 if transcript is None else len(transcript.prompts_after(float("-inf")))

    await harness.until(lambda: prompts() == 2, within=4, what="its echo")
    states.append(turn.state)
    await harness.over(turn, within=4)
    assert (states, turn.state) == ([TurnState.RUNNING], TurnState.FINISHED)
    assert turn.prompt is not None
    assert turn.prompt.server_id == turn.prompt_id != first.prompt_id


@pytest.mark.parametrize("profile", ["opencode", "qwen"])
@on_virtual_time()
async def test_a_prompt_that_arrives_after_being_marked_unsent_is_running(harness: ClientHarness, profile: str) -> None:
    """A proxy delayed it."""
    client, session_id = harness.client, harness.session_id
    turn = client.turns.send(client._connection.backend().new_prompt(session_id, "PLAIN"))
    turn.receive(PostRefused("a proxy said so"), client.now())
    assert turn.over
    await harness.until(lambda: not turn.over, within=4, what="its arrival")
    await harness.over(turn)
    assert turn.state is TurnState.FINISHED
    found = [one for one in harness.changes if isinstance(one, c.ReturnedPromptFound)]
    assert found == [c.ReturnedPromptFound(session_id, "PLAIN")]
    assert harness.words().count("PLAIN") == 1


@on_virtual_time()
async def test_a_copy_queued_while_disconnected_is_not_sent_when_the_prompt_is_found(
    harness: ClientHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After reconnecting, fetched state is applied before a queued prompt is sent, even on a busy machine."""
    client, session_id, words = harness.client, harness.session_id, "PLAIN #a1;"
    for fault in ("mute-events", "stall=prompt,at=headers"):
        harness.arm(fault)
    turn = client.turns.send(client._connection.backend().new_prompt(session_id, words))
    await harness.until(lambda: harness.server.begun, within=4, what="the prompt at the server")
    turn.receive(PostRefused("a proxy said so"), client.now())
    assert turn.over
    await asyncio.sleep(5)  # virtual time: its answer is complete
    monkeypatch.setattr(client._handler, "_reevaluate_soon", lambda: None)
    client.restart_line()
    await harness.until(lambda: not harness.synced, what="the connection to go")
    client.prompts.submit(session_id, words)
    await harness.until(lambda: turn.state is TurnState.FINISHED, within=30, what="the end")
    assert [queued.text for queued in client.prompts.waiting(session_id)] == [words]
    assert len(harness.server.begun) == 1
