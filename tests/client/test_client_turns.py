"""Results of prompts: answered, aborted, failed, sent again."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.client_harness import Meeting, every_profile, opencode_profiles, virtually
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import Prompt
from tui.core.turn import UNACKNOWLEDGED_TIMEOUT
from tui.core.turn_inputs import PostRefused
from tui.core.turn_state import TurnState


@every_profile
@virtually()
async def test_a_prompt_is_answered(meeting: Meeting, profile: str) -> None:
    turn = meeting.send("PLAIN")
    assert turn.state is TurnState.SENDING
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.FINISHED, "")
    assert meeting.words() == ["PLAIN", "Done. Nothing to call, **all** is well."]
    assert await meeting.agrees()
    assert c.TurnChanged(meeting.session_id) in meeting.told
    assert meeting.client.turn(meeting.session_id) is turn


@opencode_profiles
@virtually()
async def test_an_abort_leaves_no_stale_requests(meeting: Meeting, profile: str) -> None:
    turn = meeting.send("BOTH")
    await meeting.until(lambda: len(meeting.client.store.requests) == 2, within=30)
    meeting.client.abort(meeting.session_id)
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")
    assert not meeting.client.store.requests
    await asyncio.sleep(2)
    assert await meeting.lists("question") == []
    assert await meeting.lists("permission") == []
    assert await meeting.agrees()


@virtually()
async def test_an_abort_by_another_client_is_attributed_to_it(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    await meeting.request()
    await meeting.http.post(f"/session/{meeting.session_id}/abort")
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")
    assert not meeting.client.store.requests


@virtually()
async def test_an_abort_between_two_provider_attempts(meeting: Meeting) -> None:
    turn = meeting.send("FAIL 503")
    await meeting.until(lambda: turn.retry is not None and turn.retry.attempt == 2, within=30)
    await meeting.http.post(f"/session/{meeting.session_id}/abort")
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


@virtually()
async def test_a_model_error_is_the_reason(meeting: Meeting) -> None:
    turn = await meeting.over(meeting.send("FAIL 400"))
    assert turn.state is TurnState.FAILED
    assert "400" in turn.reason
    await meeting.until(lambda: any(isinstance(one, c.FailureSeen) for one in meeting.told))
    assert [one.failure.status for one in meeting.told if isinstance(one, c.FailureSeen)] == [400]


@opencode_profiles
@virtually()
async def test_a_second_prompt_while_busy_ends_together_with_the_first(meeting: Meeting, profile: str) -> None:
    first = meeting.send("SLOW")
    await meeting.until(lambda: first.state is TurnState.RUNNING)
    second = meeting.send("PLAIN")
    assert meeting.client.turn(meeting.session_id) is first
    await meeting.over(first)
    await meeting.over(second)
    assert (first.state, second.state) == (TurnState.FINISHED, TurnState.FINISHED)
    assert meeting.client.turn(meeting.session_id) is second
    assert await meeting.prompts_stored() == [first.prompt_id, second.prompt_id]
    assert await meeting.agrees()


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
@virtually()
async def test_a_post_broken_during_its_response_loses_nothing(meeting: Meeting, profile: str, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("LONG 1 #1;"))
    assert turn.state is TurnState.FINISHED
    assert await meeting.prompts_stored() == [turn.prompt_id]
    assert meeting.server.runs == {"#1;": 1}
    assert await meeting.agrees()


@pytest.mark.parametrize(
    "fault", ["cut=prompt,at=request", "reset=prompt,at=request", "502=prompt", "502=prompt,times=2"]
)
@virtually()
async def test_a_post_that_never_arrived_is_sent_again(meeting: Meeting, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("PLAIN #1;"))
    assert (turn.state, turn.post.attempts) == (TurnState.FINISHED, 3 if "times" in fault else 2)
    assert await meeting.prompts_stored() == [turn.prompt_id]
    assert meeting.server.runs == {"#1;": 1}


@virtually()
async def test_a_post_that_hangs_at_a_starting_server_is_sent_again(meeting: Meeting) -> None:
    meeting.arm("hang=prompt")
    began = meeting.client.now()
    turn = await meeting.over(meeting.send("PLAIN #1;"))
    assert (turn.state, turn.post.attempts) == (TurnState.FINISHED, 2)
    assert UNACKNOWLEDGED_TIMEOUT < meeting.client.now() - began < UNACKNOWLEDGED_TIMEOUT + 15
    assert meeting.server.runs == {"#1;": 1}


@pytest.mark.parametrize("fault", ["whitespace", "truncated", "trailing", "doubled", "garbled"])
@virtually("opencode-padded")
async def test_an_invalid_body_is_replaced_by_the_servers_record(meeting: Meeting, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("PLAIN #1;"))
    assert (turn.state, turn.post.attempts) == (TurnState.FINISHED, 1)
    assert meeting.server.runs == {"#1;": 1}
    assert await meeting.agrees()


@virtually()
async def test_a_prompt_failed_by_the_server_has_a_reason(meeting: Meeting) -> None:
    prompt = Prompt(meeting.session_id, "PLAIN", "msg_1", "prt_1", agent="nobody")
    turn = await meeting.over(meeting.client.turns.send(prompt))
    assert (turn.state, turn.post.attempts) == (TurnState.NOT_SENT, 4)
    assert "nobody" in turn.reason
    assert meeting.asked.count(("POST", f"/session/{meeting.session_id}/message")) == 1


@virtually("mimo")
async def test_mimos_empty_response_to_an_unknown_agent_is_not_retried(meeting: Meeting) -> None:
    await meeting.over(meeting.send("PLAIN"))
    prompt = replace(meeting.client._connection.backend().new_prompt(meeting.session_id, "PLAIN"), agent="nobody")
    turn = await meeting.over(meeting.client.turns.send(prompt), within=2)
    assert turn.state is TurnState.NOT_SENT
    assert "nobody" in turn.reason
    assert meeting.asked.count(("POST", f"/session/{meeting.session_id}/message")) == 2


@virtually("mimo")
async def test_mimo_refuses_a_second_prompt_with_its_reason(meeting: Meeting) -> None:
    first = meeting.send("SLOW")
    await meeting.until(lambda: first.state is TurnState.RUNNING)
    second = await meeting.over(meeting.send("PLAIN"), within=2)
    assert second.state is TurnState.NOT_SENT
    assert "409" in second.reason
    assert meeting.session_id in second.reason
    await meeting.over(first)
    assert first.state is TurnState.FINISHED
    assert len(await meeting.prompts_stored()) == 1


@pytest.mark.parametrize("fault", ["reset=prompt,at=padding", "cut=prompt,at=body"])
@virtually("mimo-cancel")
async def test_mimo_cancels_a_turn_whose_post_breaks(meeting: Meeting, fault: str) -> None:
    meeting.arm(fault)
    turn = await meeting.over(meeting.send("LONG 5"))
    assert turn.state is TurnState.CANCELLED
    assert turn.reason
    assert await meeting.agrees()


@virtually("mimo-cancel")
async def test_mimo_reports_a_failure_with_an_empty_response(meeting: Meeting) -> None:
    turn = await meeting.over(meeting.send("FAIL 400"))
    assert turn.state is TurnState.FAILED
    assert "400" in turn.reason


@virtually()
async def test_killing_the_server_is_shown_and_interrupts_the_turn(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    await meeting.request()
    meeting.server.crash()
    await meeting.until(lambda: meeting.client.line().state is ConnectionState.RECONNECTING, within=3)
    await meeting.until(lambda: turn.state is TurnState.UNKNOWN, within=3)
    meeting.server.start()
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server stopped in mid-answer")
    assert not meeting.client.store.requests
    assert meeting.client.line().up
    assert await meeting.agrees()


@virtually()
async def test_an_already_running_turn_is_followed(meeting: Meeting) -> None:
    session = (await meeting.http.post("/session", json={})).json()["id"]
    await meeting.http.post(f"/session/{session}/prompt_async", json={"parts": [{"type": "text", "text": "SLOW"}]})
    await asyncio.sleep(1)
    await meeting.client.open_session(session)
    turn = meeting.client.turn(session)
    assert turn is not None
    assert (turn.state, turn.prompt) == (TurnState.RUNNING, None)
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED


@pytest.mark.parametrize("fault", ["stall=prompt,at=headers", "reset=prompt,at=headers"])
@virtually("qwen")
async def test_a_prompt_without_a_202_is_identified_by_its_echo(meeting: Meeting, fault: str) -> None:
    """One running prompt, not a second one beside another that is still being sent."""
    first = meeting.send("PLAIN")
    await meeting.over(first)
    states: list[TurnState] = []
    meeting.arm(fault)
    turn = meeting.send("PLAIN")

    def prompts() -> int:
        transcript = meeting.client.store.transcript(meeting.session_id)  # after a reload it is another object
        return 0 if transcript is None else len(transcript.prompts_after(float("-inf")))

    await meeting.until(lambda: prompts() == 2, within=4, what="its echo")
    states.append(turn.state)
    await meeting.over(turn, within=4)
    assert (states, turn.state) == ([TurnState.RUNNING], TurnState.FINISHED)
    assert turn.prompt is not None
    assert turn.prompt.server_id == turn.prompt_id != first.prompt_id


@pytest.mark.parametrize("profile", ["opencode", "qwen"])
@virtually()
async def test_a_prompt_that_arrives_after_being_marked_unsent_is_running(meeting: Meeting, profile: str) -> None:
    """A proxy delayed it."""
    client, session_id = meeting.client, meeting.session_id
    turn = client.turns.send(client._connection.backend().new_prompt(session_id, "PLAIN"))
    turn.receive(PostRefused("a proxy said so"), client.now())
    assert turn.over
    await meeting.until(lambda: not turn.over, within=4, what="its arrival")
    await meeting.over(turn)
    assert turn.state is TurnState.FINISHED
    found = [one for one in meeting.told if isinstance(one, c.ReturnedPromptFound)]
    assert found == [c.ReturnedPromptFound(session_id, "PLAIN")]
    assert meeting.words().count("PLAIN") == 1


@virtually()
async def test_a_copy_queued_while_disconnected_is_not_sent_when_the_prompt_is_found(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After reconnecting, fetched state is applied before a queued prompt is sent, even on a busy machine."""
    client, session_id, words = meeting.client, meeting.session_id, "PLAIN #a1;"
    for fault in ("mute-events", "stall=prompt,at=headers"):
        meeting.arm(fault)
    turn = client.turns.send(client._connection.backend().new_prompt(session_id, words))
    await meeting.until(lambda: meeting.server.begun, within=4, what="the prompt at the server")
    turn.receive(PostRefused("a proxy said so"), client.now())
    assert turn.over
    await asyncio.sleep(5)  # virtual time: its answer is complete
    monkeypatch.setattr(client._handler, "_reevaluate_soon", lambda: None)
    client.restart_line()
    await meeting.until(lambda: not meeting.synced, what="the connection to go")
    client.prompts.submit(session_id, words)
    await meeting.until(lambda: turn.state is TurnState.FINISHED, within=30, what="the end")
    assert [queued.text for queued in client.prompts.waiting(session_id)] == [words]
    assert len(meeting.server.begun) == 1
