"""The bodies, status codes and orders of events below were recorded from `qwen serve` 0.24.4."""

from typing import Any

import httpx
import pytest

from server_stub.app import create_app
from server_stub.domain.profiles import Profile
from tests.server_stub.conftest import InstantClock, Stub
from tests.server_stub.qwen.routes.qwen_client import ONCE, Json, Person, arrive, block, kind_of, on_qwen, updates

pytestmark = on_qwen


async def told_of(person: Person, prompt_id: str) -> list[str]:
    """The kinds of the events that name this prompt, a row of words being one."""
    return [kind_of(event) for event in await person.events() if event.get("promptId") == prompt_id]


async def test_a_prompt_is_taken_at_once(person: Person) -> None:
    before = await person.load()
    response = await person.post("prompt", block("PLAIN"))
    taken = response.json()
    assert response.status_code == 202
    assert taken.pop("promptId")
    assert taken == {name: before[name] for name in ("lastEventId", "eventEpoch")}


async def test_a_turn_from_echo_to_end(person: Person) -> None:
    ended = await person.say("PLAIN")
    prompt_id = ended["promptId"]
    assert await told_of(person, prompt_id) == ["user_message_chunk", "agent_message_chunk", "turn_complete"]
    assert ended["originatorClientId"] == person.client_id
    data = ended["data"]
    assert set(data.pop("branchPoint")) == {"assistantRecordUuid", "checkpointUuid"}
    assert data == {"sessionId": person.session_id, "stopReason": "end_turn", "promptId": prompt_id}
    [echo] = updates(await person.events(), "user_message_chunk")
    assert echo["content"] == {"type": "text", "text": "PLAIN"}
    assert echo["_meta"]["source"] == "bridge-echo"
    [words] = updates(await person.events(), "agent_message_chunk")
    assert words["content"]["text"] == "Done. Nothing to call, **all** is well."
    assert words["_meta"]["usage"]["outputTokens"] == 7


async def test_the_turn_can_be_asked_for(person: Person) -> None:
    prompt_id = await person.prompt("ASK1")
    await person.asked()
    running = await person.turn(prompt_id)
    times = [running.pop("queuedAt"), running.pop("startedAt")]
    assert times == sorted(times)
    known = {
        "sessionId": person.session_id,
        "promptId": prompt_id,
        "promptText": "ASK1",
        "originatorClientId": person.client_id,
    }
    assert running == {**known, "state": "running"}
    ended = await person.turn((await said_after_cancel(person))["promptId"])
    assert ended.pop("endedAt") >= ended.pop("startedAt") >= ended.pop("queuedAt")
    result = {"stopReason": "end_turn", "resultText": "Done. Nothing to call, **all** is well."}
    assert ended == {**known, "promptId": ended["promptId"], "promptText": "PLAIN", "state": "completed", **result}


async def said_after_cancel(person: Person) -> Json:
    await person.post("cancel")
    await person.until("turn_complete")
    return await person.say("PLAIN")


async def test_an_unknown_prompt(person: Person) -> None:
    refused = await person.get("turns/x")
    assert refused.status_code == 404
    assert refused.json() == {
        "error": f"Prompt x not found in session {person.session_id}",
        "code": "prompt_not_found",
        "sessionId": person.session_id,
        "promptId": "x",
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, None),
        ({"prompt": []}, None),
        ({"prompt": "x"}, None),
        ({"prompt": ["x"]}, None),
        ({**block("x"), "deadlineMs": "x"}, "invalid_deadline_ms"),
        ({**block("x"), "deadlineMs": 0}, "invalid_deadline_ms"),
    ],
)
async def test_what_is_no_prompt(person: Person, body: Json, code: str | None) -> None:
    refused = await person.post("prompt", body)
    assert (refused.status_code, refused.json().get("code")) == (400, code)
    assert await person.kinds() == ["available_commands_update"]


async def test_a_block_without_its_text_fails_at_the_agent(person: Person) -> None:
    response = await person.post("prompt", {"prompt": [{"type": "text"}]})
    assert response.status_code == 202
    error = await person.until("turn_error")
    assert (error["data"]["message"], error["data"]["code"]) == ("Internal error", "-32603")


@pytest.mark.parametrize("client_id", ["client_nope", "bad id!"])
async def test_a_stranger_cannot_prompt(person: Person, client_id: str) -> None:
    refused = await Person(person.http, person.session_id, client_id).post("prompt", block("PLAIN"))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_client_id")


async def test_the_anonymous_may_prompt(person: Person) -> None:
    assert (await person.http.post(f"{person.base}/prompt", json=block("PLAIN"))).status_code == 202
    assert "originatorClientId" not in await person.until("turn_complete")


async def test_thoughts_come_before_words(person: Person) -> None:
    ended = await person.say("THINK")
    kinds = await told_of(person, ended["promptId"])
    assert kinds == ["user_message_chunk", "agent_thought_chunk", "agent_message_chunk", "turn_complete"]


# the queue


async def queued(person: Person) -> list[str]:
    """One that waits for a person, and four behind it."""
    first = await person.prompt("ASK1")
    await person.asked()
    return [first, *[await person.prompt(f"PLAIN {number}") for number in range(2, 6)]]


async def test_five_are_taken_and_no_more(person: Person) -> None:
    await queued(person)
    refused = await person.post("prompt", block("PLAIN 6"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json() == {
        "error": f'Prompt queue full for session "{person.session_id}" (5/5 pending)',
        "code": "prompt_queue_full",
        "sessionId": person.session_id,
        "limit": 5,
        "pendingCount": 5,
    }


async def test_who_waits_is_listed(person: Person) -> None:
    ids = await queued(person)
    waiting = (await person.get("pending-prompts")).json()["pendingPrompts"]
    assert [prompt["promptId"] for prompt in waiting] == ids
    assert [prompt["state"] for prompt in waiting] == ["running"] + ["queued"] * 4
    shown = {"promptId": ids[1], "text": "PLAIN 2", "state": "queued", "originatorClientId": person.client_id}
    assert waiting[1].pop("queuedAt")
    assert waiting[1] == shown


async def test_they_are_answered_in_their_order(person: Person) -> None:
    first, second, *_ = await queued(person)
    await person.post("cancel")
    await person.until("turn_complete", 5)
    ended = [event["promptId"] for event in await person.events() if event["type"] == "turn_complete"]
    assert ended == [first, second, *_]
    assert await told_of(person, second) == [
        "pending_prompt_added",
        "pending_prompt_started",
        "user_message_chunk",
        "agent_message_chunk",
        "turn_complete",
        "pending_prompt_completed",
    ]
    assert not {kind for kind in await told_of(person, first) if kind.startswith("pending_prompt")}
    completed = await person.until("pending_prompt_completed")
    assert completed["data"] == {"sessionId": person.session_id, "promptId": second, "state": "completed"}


async def test_one_that_waits_can_be_taken_back_once(person: Person) -> None:
    _, second, *_ = await queued(person)
    assert (await person.delete(f"pending-prompts/{second}")).json() == {"removed": True}
    assert (await person.delete(f"pending-prompts/{second}")).json() == {"removed": False}
    assert (await person.delete("pending-prompts/nope")).json() == {"removed": False}
    assert await told_of(person, second) == ["pending_prompt_added", "pending_prompt_completed", "turn_complete"]
    removed = await person.until("pending_prompt_completed")
    assert removed["data"] == {"sessionId": person.session_id, "promptId": second, "state": "removed"}
    turn = await person.turn(second)
    assert (turn["state"], turn["stopReason"], "startedAt" in turn) == ("cancelled", "cancelled", False)


async def test_the_one_that_runs_can_be_taken_back_too(person: Person) -> None:
    first, second, *_ = await queued(person)
    assert (await person.delete(f"pending-prompts/{first}")).json() == {"removed": True}
    await person.until("turn_complete", 5)
    kinds = await told_of(person, first)
    at = kinds.index("prompt_cancelled")
    assert kinds[at:] == ["prompt_cancelled", "pending_prompt_completed", "permission_resolved", "turn_complete"]
    assert (await person.turn(second))["state"] == "completed"


async def test_one_that_has_waited_is_said_to_be_over_once(person: Person) -> None:
    await person.prompt("ASK1")
    await person.asked()
    second = await person.prompt("ASK1")
    await person.post("cancel")
    await person.asked(2)
    await person.delete(f"pending-prompts/{second}")
    await person.until("turn_complete", 2)
    kinds = await told_of(person, second)
    assert kinds.count("pending_prompt_completed") == 1


# cancelling


async def test_cancel_ends_the_one_that_runs(person: Person) -> None:
    prompt_id = await person.prompt("ASK1")
    asked = await person.asked()
    assert (await person.post("cancel")).status_code == 204
    ended = await person.until("turn_complete")
    told = ended["data"].pop("promptCancelled")
    assert set(told) == {"cancelledAt", "elapsedMs"}
    assert ended["data"]["stopReason"] == "cancelled"
    kinds = await told_of(person, prompt_id)
    assert kinds[-3:] == ["prompt_cancelled", "permission_resolved", "turn_complete"]
    resolved = await person.until("permission_resolved")
    assert resolved["data"] == {"requestId": asked["requestId"], "outcome": {"outcome": "cancelled"}}
    [call] = updates(await person.events(), "tool_call")
    assert call["status"] == "failed"
    assert call["content"][0]["content"]["text"] == "Tool call was cancelled before execution."
    assert (await person.turn(prompt_id))["state"] == "cancelled"
    assert (await person.load())["promptTerminals"][0]["terminal"] == "cancelled"


async def test_cancel_when_nothing_runs_says_so_of_no_prompt(person: Person) -> None:
    assert (await person.post("cancel")).status_code == 204
    cancelled = await person.until("prompt_cancelled")
    assert (cancelled["data"], "promptId" in cancelled) == ({"sessionId": person.session_id}, False)


async def test_closing_ends_what_runs_and_what_waits(person: Person) -> None:
    ids = await queued(person)
    await person.delete()
    assert (await person.get("status")).status_code == 404
    terminals = (await person.load())["promptTerminals"]
    assert [(entry["promptId"], entry["terminal"], entry.get("code")) for entry in terminals] == [
        (ids[0], "cancelled", None),
        *((one, "error", "-32602") for one in ids[1:-1]),
        (ids[-1], "error", "session_closed"),
    ]
    echoes = updates(await person.events(), "user_message_chunk")
    assert [echo["content"]["text"] for echo in echoes] == ["ASK1"]  # what waited is stored nowhere
    assert (await person.turn(ids[1]))["error"] == {
        "message": "Invalid params: Session is closing",
        "code": "-32602",
    }
    assert (await person.get(f"turns/{ids[-1]}")).status_code == 404


async def test_what_waits_when_a_session_is_closed_begins_and_is_refused(profile: Profile) -> None:
    app = create_app(profile, clock=InstantClock())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        person = await arrive(http)
        first = await person.prompt("ASK1")
        await person.asked()
        second, third = [await person.prompt(f"PLAIN {number}") for number in (2, 3)]
        ring = app.state.daemon.live[person.session_id].ring
        reader = ring.subscribe(ring.last_id, ring.epoch, 256, lambda: None)
        await person.delete()
    told = []
    while (event := reader.take()) is not None:
        told.append((kind_of(event.body), event.body.get("promptId"), event.body["data"].get("code")))
    assert told[told.index(("turn_complete", first, None)) :] == [
        ("turn_complete", first, None),
        ("pending_prompt_started", second, None),
        ("user_message_chunk", second, None),
        ("prompt_cancelled", second, None),
        ("turn_error", second, "-32602"),
        ("pending_prompt_completed", second, None),
        ("pending_prompt_started", third, None),
        ("user_message_chunk", third, None),
        ("turn_error", third, "session_closed"),
        ("prompt_cancelled", third, None),
        ("session_closed", None, None),
    ]


async def test_what_became_of_a_prompt_can_be_asked_after_the_next_load(person: Person) -> None:
    prompt_id = await person.prompt("PLAIN words")
    await person.until("turn_complete")
    live = await person.turn(prompt_id)
    await person.delete()
    assert (await person.get(f"turns/{prompt_id}")).json()["code"] == "session_not_found"
    await person.load()
    assert await person.turn(prompt_id) == {name: value for name, value in live.items() if name != "queuedAt"}


# the model's provider


async def test_an_error_of_the_provider_ends_the_turn(person: Person) -> None:
    prompt_id = await person.prompt("FAIL 401")
    error = await person.until("turn_error")
    assert error["data"] == {
        "sessionId": person.session_id,
        "message": "401 Unauthorized",
        "code": "-32603",
        "promptId": prompt_id,
    }
    assert await told_of(person, prompt_id) == ["user_message_chunk", "prompt_cancelled", "turn_error"]
    assert (await person.until("prompt_cancelled"))["data"]["reason"] == "forward_failed"
    turn = await person.turn(prompt_id)
    assert (turn["state"], turn["error"]) == ("error", {"message": "Internal error", "code": "-32603"})
    await person.delete()
    [terminal] = (await person.load())["promptTerminals"]
    assert (terminal["terminal"], terminal["code"]) == ("error", "-32603")
    assert (await person.turn(prompt_id))["error"] == {"message": "401 Unauthorized"}


async def test_an_error_that_may_pass_is_waited_out_in_silence_and_not_for_ever(stub: Stub, person: Person) -> None:
    started = stub.server.clock.now()
    prompt_id = await person.prompt("FAIL 503")
    error = await person.until("turn_error")
    assert error["data"]["message"] == "503 Service Unavailable"
    assert await told_of(person, prompt_id) == ["user_message_chunk", "prompt_cancelled", "turn_error"]
    assert stub.server.clock.now() - started > 60_000


# what the agent does


def calls(events: list[Json]) -> list[tuple[Any, ...]]:
    return [(call["title"], call["kind"], call["status"]) for call in updates(events, "tool_call")]


async def test_tools_in_qwens_words(stub: Stub) -> None:
    person = await arrive(stub.http, approvalMode="yolo")
    await person.say("TOOLS")
    events = await person.events()
    assert calls(events) == [
        ("ReadFile: store.py", "read", "completed"),
        ("Edit: store.py", "edit", "completed"),
        ("Shell: pytest -v tests/test_store.py (Run it)", "execute", "completed"),
    ]
    read, edit, shell = updates(events, "tool_call")
    assert read["rawInput"] == {"file_path": "src/store.py"}
    assert read["locations"] == [{"path": "src/store.py"}]
    diff = {"type": "diff", "path": "src/store.py", "oldText": "CACHE = {}\n", "newText": "CACHE: dict = {}\n"}
    assert edit["content"] == [diff]
    assert shell["rawOutput"]["output"].endswith("4 passed in 0.31s")
    assert shell["_meta"]["toolName"] == "run_shell_command"


async def test_a_plan_is_no_tool_call(person: Person) -> None:
    await person.say("TODO")
    events = await person.events()
    plans = updates(events, "plan")
    assert len(plans) == 4
    assert [entry["status"] for entry in plans[1]["entries"]] == ["completed", "in_progress", "pending"]
    first = {"content": "Read the store", "priority": "medium", "status": "in_progress"}
    assert plans[0]["entries"][0] == {**first, "_meta": {"qwenTodo": {"id": "1"}}}
    assert updates(events, "tool_call") == []


async def test_a_subagent_works_within_the_turn_that_sent_it(stub: Stub, person: Person) -> None:
    await person.prompt("CHILD")
    asked = await person.asked()
    agent, question = updates(await person.events(), "tool_call")
    assert question["toolCallId"] == asked["toolCall"]["toolCallId"]
    assert question["_meta"]["parentToolCallId"] == agent["toolCallId"]
    [started] = updates(await person.events(), "tool_call_update")
    assert (started["title"], started["status"]) == ("Agent: Look at the layout", "in_progress")
    assert len((await stub.http.get("/daemon/status?detail=full")).json()["full"]["sessions"]) == 1
    await person.vote(asked["requestId"], ONCE, answers={"0": "SQLite"})
    await person.until("turn_complete")
    agent, question = updates(await person.events(), "tool_call")
    assert (agent["status"], question["status"]) == ("completed", "completed")
