"""The server's agents crash (qwen): running turns end as such, nothing is lost, and the session continues."""

import asyncio

from tests.client_harness import ClientHarness, on_virtual_time
from tui.backends.qwen.tool_calls import AGENT_GONE
from tui.core.model import Idle
from tui.core.turn_state import TurnState

SAID = ["PLAIN", "Done. Nothing to call, **all** is well."]


def loads(harness: ClientHarness) -> int:
    return harness.requests_sent.count(("POST", f"/session/{harness.session_id}/load"))


def streams(harness: ClientHarness) -> int:
    return harness.requests_sent.count(("GET", f"/session/{harness.session_id}/events"))


def connection_count(harness: ClientHarness) -> int:
    """How often the connection was established."""
    return harness.requests_sent.count(("GET", "/capabilities"))


async def followed(harness: ClientHarness, *, by: int) -> None:
    """Wait until the server has registered the `by`th stream, too."""
    await harness.until(lambda: streams(harness) == by, what="the stream")
    for _ in range(50):
        found = (await harness.http.get("/daemon/status?detail=full")).json()["full"]["sessions"]
        if [one["subscriberCount"] for one in found] == [1]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the server knows of no stream")


async def running(harness: ClientHarness, after: str) -> None:
    await harness.until(lambda: after in " ".join(harness.words()), what="its first words")


@on_virtual_time("qwen")
async def test_an_agent_crash_ends_the_turn_and_keeps_its_prompt(harness: ClientHarness) -> None:
    await harness.over(harness.send("PLAIN"))
    turn = harness.send("SLOW")
    await running(harness, "word3")
    harness.arm("agent-crash")
    await harness.over(turn)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, AGENT_GONE.message)
    await harness.until(lambda: harness.words() == [*SAID, "SLOW"], what="what the server has stored")
    assert harness.client.store.status(harness.session_id) == Idle()
    assert (await harness.over(harness.send("PLAIN"))).state is TurnState.FINISHED
    assert harness.words() == [*SAID, "SLOW", *SAID]


@on_virtual_time("qwen")
async def test_a_prompt_queued_on_the_server_is_returned_to_the_draft(harness: ClientHarness) -> None:
    harness.send("SLOW")
    await running(harness, "word3")
    waits = harness.send("THINK")
    await harness.until(lambda: waits.prompt is not None and waits.prompt.server_id)
    harness.arm("agent-crash")
    await harness.over(waits)
    assert (waits.state, waits.reason) == (TurnState.NOT_SENT, "the server accepted it, and then lost it")
    assert waits.prompt is not None
    assert waits.prompt.text == "THINK"


@on_virtual_time("qwen")
async def test_prompts_queued_in_the_client_stay_queued_and_paused(harness: ClientHarness) -> None:
    turn = harness.send("SLOW")
    await running(harness, "word3")
    harness.client.prompts.submit(harness.session_id, "PLAIN")
    harness.arm("agent-crash")
    await harness.over(turn)
    [queued] = harness.client.prompts.waiting(harness.session_id)
    assert harness.client.prompts.is_held(queued.id)
    harness.client.prompts.release(harness.session_id)
    await harness.until(lambda: harness.words() == ["SLOW", *SAID], within=30, what="the prompt that was held")


@on_virtual_time("qwen")
async def test_requests_of_a_crashed_agent_are_removed(harness: ClientHarness) -> None:
    turn = harness.send("ASK1")
    await harness.request()
    harness.arm("agent-crash")
    await harness.over(turn)
    assert turn.state is TurnState.INTERRUPTED
    await harness.until(lambda: not harness.client.store.requests)


@on_virtual_time("qwen")
async def test_an_idle_session_is_still_followed_after_a_crash(harness: ClientHarness) -> None:
    await harness.over(harness.send("PLAIN"))
    before = loads(harness)
    harness.arm("agent-crash")
    await harness.until(lambda: loads(harness) == before + 1, what="the session to be loaded again")
    await harness.http.post(
        f"/session/{harness.session_id}/prompt", json={"prompt": [{"type": "text", "text": "SHELL x"}]}
    )
    await harness.until(lambda: "SHELL x" in harness.words(), what="another client's prompt")


@on_virtual_time("qwen")
async def test_a_repeatedly_crashing_agent_is_not_restarted_at_once(harness: ClientHarness) -> None:
    await harness.over(harness.send("PLAIN"))
    met = connection_count(harness)
    harness.arm("agent-crash")
    await followed(harness, by=2)
    assert connection_count(harness) == met
    harness.arm("agent-crash")
    await harness.until(lambda: streams(harness) > 2, within=30, what="its third life")
    assert connection_count(harness) > met
    assert (await harness.over(harness.send("PLAIN"))).state is TurnState.FINISHED
