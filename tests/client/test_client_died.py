"""The server's agents crash (qwen): running turns end as such, nothing is lost, and the session continues."""

import asyncio

from tests.client_harness import Meeting, virtually
from tui.backends.qwen.tool_calls import AGENT_GONE
from tui.core.model import Idle
from tui.core.turn_state import TurnState

SAID = ["PLAIN", "Done. Nothing to call, **all** is well."]


def loads(meeting: Meeting) -> int:
    return meeting.asked.count(("POST", f"/session/{meeting.session_id}/load"))


def streams(meeting: Meeting) -> int:
    return meeting.asked.count(("GET", f"/session/{meeting.session_id}/events"))


def meetings(meeting: Meeting) -> int:
    """How often the connection was established."""
    return meeting.asked.count(("GET", "/capabilities"))


async def followed(meeting: Meeting, *, by: int) -> None:
    """Wait until the server has registered the `by`th stream, too."""
    await meeting.until(lambda: streams(meeting) == by, what="the stream")
    for _ in range(50):
        found = (await meeting.http.get("/daemon/status?detail=full")).json()["full"]["sessions"]
        if [one["subscriberCount"] for one in found] == [1]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the server knows of no stream")


async def running(meeting: Meeting, after: str) -> None:
    await meeting.until(lambda: after in " ".join(meeting.words()), what="its first words")


@virtually("qwen")
async def test_an_agent_crash_ends_the_turn_and_keeps_its_prompt(meeting: Meeting) -> None:
    await meeting.over(meeting.send("PLAIN"))
    turn = meeting.send("SLOW")
    await running(meeting, "word3")
    meeting.arm("agent-crash")
    await meeting.over(turn)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, AGENT_GONE.message)
    await meeting.until(lambda: meeting.words() == [*SAID, "SLOW"], what="what the server has stored")
    assert meeting.client.store.status(meeting.session_id) == Idle()
    assert (await meeting.over(meeting.send("PLAIN"))).state is TurnState.FINISHED
    assert meeting.words() == [*SAID, "SLOW", *SAID]


@virtually("qwen")
async def test_a_prompt_queued_on_the_server_is_returned_to_the_draft(meeting: Meeting) -> None:
    meeting.send("SLOW")
    await running(meeting, "word3")
    waits = meeting.send("THINK")
    await meeting.until(lambda: waits.prompt is not None and waits.prompt.server_id)
    meeting.arm("agent-crash")
    await meeting.over(waits)
    assert (waits.state, waits.reason) == (TurnState.NOT_SENT, "the server accepted it, and then lost it")
    assert waits.prompt is not None
    assert waits.prompt.text == "THINK"


@virtually("qwen")
async def test_prompts_queued_in_the_client_stay_queued_and_paused(meeting: Meeting) -> None:
    turn = meeting.send("SLOW")
    await running(meeting, "word3")
    meeting.client.prompts.submit(meeting.session_id, "PLAIN")
    meeting.arm("agent-crash")
    await meeting.over(turn)
    [queued] = meeting.client.prompts.waiting(meeting.session_id)
    assert meeting.client.prompts.is_held(queued.id)
    meeting.client.prompts.release(meeting.session_id)
    await meeting.until(lambda: meeting.words() == ["SLOW", *SAID], within=30, what="the prompt that was held")


@virtually("qwen")
async def test_requests_of_a_crashed_agent_are_removed(meeting: Meeting) -> None:
    turn = meeting.send("ASK1")
    await meeting.request()
    meeting.arm("agent-crash")
    await meeting.over(turn)
    assert turn.state is TurnState.INTERRUPTED
    await meeting.until(lambda: not meeting.client.store.requests)


@virtually("qwen")
async def test_an_idle_session_is_still_followed_after_a_crash(meeting: Meeting) -> None:
    await meeting.over(meeting.send("PLAIN"))
    before = loads(meeting)
    meeting.arm("agent-crash")
    await meeting.until(lambda: loads(meeting) == before + 1, what="the session to be loaded again")
    await meeting.http.post(
        f"/session/{meeting.session_id}/prompt", json={"prompt": [{"type": "text", "text": "SHELL x"}]}
    )
    await meeting.until(lambda: "SHELL x" in meeting.words(), what="what somebody else says")


@virtually("qwen")
async def test_a_repeatedly_crashing_agent_is_not_restarted_at_once(meeting: Meeting) -> None:
    await meeting.over(meeting.send("PLAIN"))
    met = meetings(meeting)
    meeting.arm("agent-crash")
    await followed(meeting, by=2)
    assert meetings(meeting) == met
    meeting.arm("agent-crash")
    await meeting.until(lambda: streams(meeting) > 2, within=30, what="its third life")
    assert meetings(meeting) > met
    assert (await meeting.over(meeting.send("PLAIN"))).state is TurnState.FINISHED
