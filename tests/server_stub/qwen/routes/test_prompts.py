"""The bodies, status codes and orders of events below were recorded from `qwen serve` 0.24.4."""

from typing import Any

import httpx
import pytest

from server_stub.app import create_app
from server_stub.domain.profiles import Profile
from tests.server_stub.conftest import InstantClock, Stub
from tests.server_stub.qwen.routes.qwen_client import (
    ONCE,
    Json,
    QwenClient,
    block,
    kind_of,
    new_client,
    on_qwen,
    updates,
)

pytestmark = on_qwen


async def kinds_of_prompt(client: QwenClient, prompt_id: str) -> list[str]:
    """The kinds of the events of this prompt, adjacent chunks counted once."""
    return [kind_of(event) for event in await client.events() if event.get("promptId") == prompt_id]


async def test_a_prompt_is_accepted_at_once(client: QwenClient) -> None:
    before = await client.load()
    response = await client.post("prompt", block("PLAIN"))
    taken = response.json()
    assert response.status_code == 202
    assert taken.pop("promptId")
    assert taken == {name: before[name] for name in ("lastEventId", "eventEpoch")}


async def test_the_events_of_a_turn(client: QwenClient) -> None:
    ended = await client.run_prompt("PLAIN")
    prompt_id = ended["promptId"]
    assert await kinds_of_prompt(client, prompt_id) == ["user_message_chunk", "agent_message_chunk", "turn_complete"]
    assert ended["originatorClientId"] == client.client_id
    data = ended["data"]
    assert set(data.pop("branchPoint")) == {"assistantRecordUuid", "checkpointUuid"}
    assert data == {"sessionId": client.session_id, "stopReason": "end_turn", "promptId": prompt_id}
    [echo] = updates(await client.events(), "user_message_chunk")
    assert echo["content"] == {"type": "text", "text": "PLAIN"}
    assert echo["_meta"]["source"] == "bridge-echo"
    [words] = updates(await client.events(), "agent_message_chunk")
    assert words["content"]["text"] == "Done. Nothing to call, **all** is well."
    assert words["_meta"]["usage"]["outputTokens"] == 7


async def test_the_turn_can_be_polled(client: QwenClient) -> None:
    prompt_id = await client.prompt("ASK1")
    await client.asked()
    running = await client.turn(prompt_id)
    times = [running.pop("queuedAt"), running.pop("startedAt")]
    assert times == sorted(times)
    known = {
        "sessionId": client.session_id,
        "promptId": prompt_id,
        "promptText": "ASK1",
        "originatorClientId": client.client_id,
    }
    assert running == {**known, "state": "running"}
    ended = await client.turn((await response_after_cancel(client))["promptId"])
    assert ended.pop("endedAt") >= ended.pop("startedAt") >= ended.pop("queuedAt")
    result = {"stopReason": "end_turn", "resultText": "Done. Nothing to call, **all** is well."}
    assert ended == {**known, "promptId": ended["promptId"], "promptText": "PLAIN", "state": "completed", **result}


async def response_after_cancel(client: QwenClient) -> Json:
    await client.post("cancel")
    await client.until("turn_complete")
    return await client.run_prompt("PLAIN")


async def test_an_unknown_prompt(client: QwenClient) -> None:
    refused = await client.get("turns/x")
    assert refused.status_code == 404
    assert refused.json() == {
        "error": f"Prompt x not found in session {client.session_id}",
        "code": "prompt_not_found",
        "sessionId": client.session_id,
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
async def test_invalid_prompts_are_refused(client: QwenClient, body: Json, code: str | None) -> None:
    refused = await client.post("prompt", body)
    assert (refused.status_code, refused.json().get("code")) == (400, code)
    assert await client.kinds() == ["available_commands_update"]


async def test_a_block_without_its_text_fails_at_the_agent(client: QwenClient) -> None:
    response = await client.post("prompt", {"prompt": [{"type": "text"}]})
    assert response.status_code == 202
    error = await client.until("turn_error")
    assert (error["data"]["message"], error["data"]["code"]) == ("Internal error", "-32603")


@pytest.mark.parametrize("client_id", ["client_nope", "bad id!"])
async def test_an_unregistered_client_cannot_prompt(client: QwenClient, client_id: str) -> None:
    refused = await QwenClient(client.http, client.session_id, client_id).post("prompt", block("PLAIN"))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_client_id")


async def test_an_anonymous_client_can_prompt(client: QwenClient) -> None:
    assert (await client.http.post(f"{client.base}/prompt", json=block("PLAIN"))).status_code == 202
    assert "originatorClientId" not in await client.until("turn_complete")


async def test_reasoning_precedes_text(client: QwenClient) -> None:
    ended = await client.run_prompt("THINK")
    kinds = await kinds_of_prompt(client, ended["promptId"])
    assert kinds == ["user_message_chunk", "agent_thought_chunk", "agent_message_chunk", "turn_complete"]


# the queue


async def queued(client: QwenClient) -> list[str]:
    """A prompt that waits for the user, and four behind it."""
    first = await client.prompt("ASK1")
    await client.asked()
    return [first, *[await client.prompt(f"PLAIN {number}") for number in range(2, 6)]]


async def test_at_most_five_prompts_are_pending(client: QwenClient) -> None:
    await queued(client)
    refused = await client.post("prompt", block("PLAIN 6"))
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json() == {
        "error": f'Prompt queue full for session "{client.session_id}" (5/5 pending)',
        "code": "prompt_queue_full",
        "sessionId": client.session_id,
        "limit": 5,
        "pendingCount": 5,
    }


async def test_pending_prompts_are_listed(client: QwenClient) -> None:
    ids = await queued(client)
    waiting = (await client.get("pending-prompts")).json()["pendingPrompts"]
    assert [prompt["promptId"] for prompt in waiting] == ids
    assert [prompt["state"] for prompt in waiting] == ["running"] + ["queued"] * 4
    shown = {"promptId": ids[1], "text": "PLAIN 2", "state": "queued", "originatorClientId": client.client_id}
    assert waiting[1].pop("queuedAt")
    assert waiting[1] == shown


async def test_prompts_are_answered_in_order(client: QwenClient) -> None:
    first, second, *_ = await queued(client)
    await client.post("cancel")
    await client.until("turn_complete", 5)
    ended = [event["promptId"] for event in await client.events() if event["type"] == "turn_complete"]
    assert ended == [first, second, *_]
    assert await kinds_of_prompt(client, second) == [
        "pending_prompt_added",
        "pending_prompt_started",
        "user_message_chunk",
        "agent_message_chunk",
        "turn_complete",
        "pending_prompt_completed",
    ]
    assert not {kind for kind in await kinds_of_prompt(client, first) if kind.startswith("pending_prompt")}
    completed = await client.until("pending_prompt_completed")
    assert completed["data"] == {"sessionId": client.session_id, "promptId": second, "state": "completed"}


async def test_a_waiting_prompt_can_be_removed_once(client: QwenClient) -> None:
    _, second, *_ = await queued(client)
    assert (await client.delete(f"pending-prompts/{second}")).json() == {"removed": True}
    assert (await client.delete(f"pending-prompts/{second}")).json() == {"removed": False}
    assert (await client.delete("pending-prompts/nope")).json() == {"removed": False}
    assert await kinds_of_prompt(client, second) == [
        "pending_prompt_added",
        "pending_prompt_completed",
        "turn_complete",
    ]
    removed = await client.until("pending_prompt_completed")
    assert removed["data"] == {"sessionId": client.session_id, "promptId": second, "state": "removed"}
    turn = await client.turn(second)
    assert (turn["state"], turn["stopReason"], "startedAt" in turn) == ("cancelled", "cancelled", False)


async def test_the_running_prompt_can_be_removed(client: QwenClient) -> None:
    first, second, *_ = await queued(client)
    assert (await client.delete(f"pending-prompts/{first}")).json() == {"removed": True}
    await client.until("turn_complete", 5)
    kinds = await kinds_of_prompt(client, first)
    at = kinds.index("prompt_cancelled")
    assert kinds[at:] == ["prompt_cancelled", "pending_prompt_completed", "permission_resolved", "turn_complete"]
    assert (await client.turn(second))["state"] == "completed"


async def test_a_waiting_prompt_is_published_as_completed_once(client: QwenClient) -> None:
    await client.prompt("ASK1")
    await client.asked()
    second = await client.prompt("ASK1")
    await client.post("cancel")
    await client.asked(2)
    await client.delete(f"pending-prompts/{second}")
    await client.until("turn_complete", 2)
    kinds = await kinds_of_prompt(client, second)
    assert kinds.count("pending_prompt_completed") == 1


# cancelling


async def test_cancel_ends_the_running_prompt(client: QwenClient) -> None:
    prompt_id = await client.prompt("ASK1")
    asked = await client.asked()
    assert (await client.post("cancel")).status_code == 204
    ended = await client.until("turn_complete")
    cancelled = ended["data"].pop("promptCancelled")
    assert set(cancelled) == {"cancelledAt", "elapsedMs"}
    assert ended["data"]["stopReason"] == "cancelled"
    kinds = await kinds_of_prompt(client, prompt_id)
    assert kinds[-3:] == ["prompt_cancelled", "permission_resolved", "turn_complete"]
    resolved = await client.until("permission_resolved")
    assert resolved["data"] == {"requestId": asked["requestId"], "outcome": {"outcome": "cancelled"}}
    [call] = updates(await client.events(), "tool_call")
    assert call["status"] == "failed"
    assert call["content"][0]["content"]["text"] == "Tool call was cancelled before execution."
    assert (await client.turn(prompt_id))["state"] == "cancelled"
    assert (await client.load())["promptTerminals"][0]["terminal"] == "cancelled"


async def test_cancel_without_a_running_prompt_names_none(client: QwenClient) -> None:
    assert (await client.post("cancel")).status_code == 204
    cancelled = await client.until("prompt_cancelled")
    assert (cancelled["data"], "promptId" in cancelled) == ({"sessionId": client.session_id}, False)


async def test_closing_ends_all_prompts(client: QwenClient) -> None:
    ids = await queued(client)
    await client.delete()
    assert (await client.get("status")).status_code == 404
    terminals = (await client.load())["promptTerminals"]
    assert [(entry["promptId"], entry["terminal"], entry.get("code")) for entry in terminals] == [
        (ids[0], "cancelled", None),
        *((one, "error", "-32602") for one in ids[1:-1]),
        (ids[-1], "error", "session_closed"),
    ]
    echoes = updates(await client.events(), "user_message_chunk")
    assert [echo["content"]["text"] for echo in echoes] == ["ASK1"]  # waiting prompts are not stored
    assert (await client.turn(ids[1]))["error"] == {
        "message": "Invalid params: Session is closing",
        "code": "-32602",
    }
    assert (await client.get(f"turns/{ids[-1]}")).status_code == 404


async def test_waiting_prompts_begin_and_are_refused_on_close(profile: Profile) -> None:
    app = create_app(profile, clock=InstantClock())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        client = await new_client(http)
        first = await client.prompt("ASK1")
        await client.asked()
        second, third = [await client.prompt(f"PLAIN {number}") for number in (2, 3)]
        ring = app.state.daemon.live[client.session_id].ring
        reader = ring.subscribe(ring.last_id, ring.epoch, 256, lambda: None)
        await client.delete()
    published = []
    while (event := reader.pop_event()) is not None:
        published.append((kind_of(event.body), event.body.get("promptId"), event.body["data"].get("code")))
    assert published[published.index(("turn_complete", first, None)) :] == [
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


async def test_the_end_of_a_prompt_can_be_read_after_the_next_load(client: QwenClient) -> None:
    prompt_id = await client.prompt("PLAIN words")
    await client.until("turn_complete")
    live = await client.turn(prompt_id)
    await client.delete()
    assert (await client.get(f"turns/{prompt_id}")).json()["code"] == "session_not_found"
    await client.load()
    assert await client.turn(prompt_id) == {name: value for name, value in live.items() if name != "queuedAt"}


# the model's provider


async def test_an_error_of_the_provider_ends_the_turn(client: QwenClient) -> None:
    prompt_id = await client.prompt("FAIL 401")
    error = await client.until("turn_error")
    assert error["data"] == {
        "sessionId": client.session_id,
        "message": "401 Unauthorized",
        "code": "-32603",
        "promptId": prompt_id,
    }
    assert await kinds_of_prompt(client, prompt_id) == ["user_message_chunk", "prompt_cancelled", "turn_error"]
    assert (await client.until("prompt_cancelled"))["data"]["reason"] == "forward_failed"
    turn = await client.turn(prompt_id)
    assert (turn["state"], turn["error"]) == ("error", {"message": "Internal error", "code": "-32603"})
    await client.delete()
    [terminal] = (await client.load())["promptTerminals"]
    assert (terminal["terminal"], terminal["code"]) == ("error", "-32603")
    assert (await client.turn(prompt_id))["error"] == {"message": "401 Unauthorized"}


async def test_temporary_provider_errors_are_retried_without_events(stub: Stub, client: QwenClient) -> None:
    started = stub.server.clock.now()
    prompt_id = await client.prompt("FAIL 503")
    error = await client.until("turn_error")
    assert error["data"]["message"] == "503 Service Unavailable"
    assert await kinds_of_prompt(client, prompt_id) == ["user_message_chunk", "prompt_cancelled", "turn_error"]
    assert stub.server.clock.now() - started > 60_000


# the agent's work


def calls(events: list[Json]) -> list[tuple[Any, ...]]:
    return [(call["title"], call["kind"], call["status"]) for call in updates(events, "tool_call")]


async def test_tool_calls_in_qwens_form(stub: Stub) -> None:
    client = await new_client(stub.http, approvalMode="yolo")
    await client.run_prompt("TOOLS")
    events = await client.events()
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


async def test_a_plan_is_not_a_tool_call(client: QwenClient) -> None:
    await client.run_prompt("TODO")
    events = await client.events()
    plans = updates(events, "plan")
    assert len(plans) == 4
    assert [entry["status"] for entry in plans[1]["entries"]] == ["completed", "in_progress", "pending"]
    first = {"content": "Read the store", "priority": "medium", "status": "in_progress"}
    assert plans[0]["entries"][0] == {**first, "_meta": {"qwenTodo": {"id": "1"}}}
    assert updates(events, "tool_call") == []


async def test_a_subagent_works_within_its_parent_turn(stub: Stub, client: QwenClient) -> None:
    await client.prompt("CHILD")
    asked = await client.asked()
    agent, question = updates(await client.events(), "tool_call")
    assert question["toolCallId"] == asked["toolCall"]["toolCallId"]
    assert question["_meta"]["parentToolCallId"] == agent["toolCallId"]
    [started] = updates(await client.events(), "tool_call_update")
    assert (started["title"], started["status"]) == ("Agent: Look at the layout", "in_progress")
    assert len((await stub.http.get("/daemon/status?detail=full")).json()["full"]["sessions"]) == 1
    await client.vote(asked["requestId"], ONCE, answers={"0": "SQLite"})
    await client.until("turn_complete")
    agent, question = updates(await client.events(), "tool_call")
    assert (agent["status"], question["status"]) == ("completed", "completed")
