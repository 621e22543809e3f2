"""Turns that the daemon starts by itself. Their events were recorded from `qwen serve` 0.24.4."""

from tests.server_stub.qwen.routes.qwen_client import Json, QwenClient, kind_of, on_qwen

pytestmark = on_qwen

ENDED = "background_notification_turn_complete"


def own(events: list[Json]) -> list[Json]:
    return [event for event in events if "########notification" in event.get("promptId", "")]


def summary(event: Json) -> tuple[str, str, str]:
    """The event's kind, its source and its text."""
    update = event["data"].get("update", {})
    content = update.get("content")
    words = content["text"] if isinstance(content, dict) else ""
    return kind_of(event), update.get("_meta", {}).get("source", ""), words


NOTICE = 'Background agent "general-purpose: look around" completed.'
RESPONSE = ("agent_message_chunk", "background_notification_response")
OPENING = [
    ("agent_message_chunk", "background_notification_turn_started", "look around"),
    ("agent_message_chunk", "background_notification", NOTICE),
]
ENDING = [("turn_complete", "", ""), (ENDED, "", "")]


async def test_a_report_starts_a_turn_with_its_own_id(client: QwenClient) -> None:
    await client.run_prompt("AGENT (PLAIN)")
    await client.until(ENDED)
    events = await client.events()
    [completed] = [event for event in events if summary(event)[1] == "background_task_completed"]
    assert "promptId" not in completed
    assert summary(completed)[2] == NOTICE
    assert [summary(event) for event in own(events)] == [
        *OPENING,
        (*RESPONSE, "Done. Nothing to call, **all** is well."),
        ("agent_message_chunk", "", ""),
        (*RESPONSE, ""),
        *ENDING,
    ]
    assert not any("originatorClientId" in event for event in own(events))
    assert all(
        "backgroundTurn" in event["data"]["update"]["_meta"] for event in own(events) if "update" in event["data"]
    )


async def test_it_has_no_prompt_that_can_be_polled(client: QwenClient) -> None:
    await client.run_prompt("AGENT (ASK1)")
    asked = await client.asked()
    events = own(await client.events())
    assert (await client.get(f"turns/{events[0]['promptId'].replace('#', '%23')}")).status_code == 404
    assert (await client.get("status")).json()["hasActivePrompt"]
    assert (await client.get("pending-prompts")).json() == {"pendingPrompts": []}
    assert asked["toolCall"]["_meta"]["qwenInteractionKind"] == "user_question"


async def test_a_prompt_is_echoed_and_cancels_it(client: QwenClient) -> None:
    await client.run_prompt("AGENT (ASK1)")
    await client.asked()
    prompt_id = await client.prompt("PLAIN")
    await client.until("turn_complete", 3)
    events = await client.events()
    [echo] = [event for event in events if event.get("promptId") == prompt_id and "chunk" in kind_of(event)][:1]
    [end] = [event for event in own(events) if event["type"] == "turn_complete"]
    assert kind_of(echo) == "user_message_chunk"
    assert echo["id"] < end["id"]
    assert end["data"]["stopReason"] == "cancelled"
    assert kind_of(events[-1]) == "turn_complete"
    assert events[-1]["promptId"] == prompt_id


async def test_a_provider_error_in_it_is_sent_as_text(client: QwenClient) -> None:
    await client.run_prompt("AGENT (FAIL 400)")
    await client.until(ENDED)
    events = own(await client.events())
    words = [summary(event)[2] for event in events]
    assert "[notification error] 400 Bad Request" in words
    [end] = [event for event in events if event["type"] == "turn_complete"]
    assert end["data"]["stopReason"] == "end_turn"
