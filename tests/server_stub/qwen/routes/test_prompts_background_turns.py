"""Turns that the daemon begins by itself. What is told of them was recorded from `qwen serve` 0.24.4."""

from tests.server_stub.qwen.routes.qwen_client import Json, Person, kind_of, on_qwen

pytestmark = on_qwen

ENDED = "background_notification_turn_complete"


def own(events: list[Json]) -> list[Json]:
    return [event for event in events if "########notification" in event.get("promptId", "")]


def told(event: Json) -> tuple[str, str, str]:
    """What happens, what the daemon says that it is, and its words."""
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


async def test_the_report_begins_a_turn_under_an_id_of_its_own(person: Person) -> None:
    await person.say("AGENT (PLAIN)")
    await person.until(ENDED)
    events = await person.events()
    [completed] = [event for event in events if told(event)[1] == "background_task_completed"]
    assert "promptId" not in completed
    assert told(completed)[2] == NOTICE
    assert [told(event) for event in own(events)] == [
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


async def test_it_has_no_prompt_that_could_be_asked_for(person: Person) -> None:
    await person.say("AGENT (ASK1)")
    asked = await person.asked()
    events = own(await person.events())
    assert (await person.get(f"turns/{events[0]['promptId'].replace('#', '%23')}")).status_code == 404
    assert (await person.get("status")).json()["hasActivePrompt"]
    assert (await person.get("pending-prompts")).json() == {"pendingPrompts": []}
    assert asked["toolCall"]["_meta"]["qwenInteractionKind"] == "user_question"


async def test_a_prompt_is_echoed_and_then_it_makes_way(person: Person) -> None:
    await person.say("AGENT (ASK1)")
    await person.asked()
    prompt_id = await person.prompt("PLAIN")
    await person.until("turn_complete", 3)
    events = await person.events()
    [echo] = [event for event in events if event.get("promptId") == prompt_id and "chunk" in kind_of(event)][:1]
    [end] = [event for event in own(events) if event["type"] == "turn_complete"]
    assert kind_of(echo) == "user_message_chunk"
    assert echo["id"] < end["id"]
    assert end["data"]["stopReason"] == "cancelled"
    assert kind_of(events[-1]) == "turn_complete"
    assert events[-1]["promptId"] == prompt_id


async def test_a_provider_s_error_in_it_is_told_in_words_alone(person: Person) -> None:
    await person.say("AGENT (FAIL 400)")
    await person.until(ENDED)
    events = own(await person.events())
    words = [told(event)[2] for event in events]
    assert "[notification error] 400 Bad Request" in words
    [end] = [event for event in events if event["type"] == "turn_complete"]
    assert end["data"]["stopReason"] == "end_turn"
