"""The bodies, status codes and orders of events below were recorded from `qwen serve` 0.24.4."""

from typing import Any

import pytest

from server_stub.scenarios.catalog import DATABASE, FEATURES
from tests.server_stub.conftest import Stub, run_loop
from tests.server_stub.qwen.routes.qwen_client import (
    CANCELLED,
    ONCE,
    Json,
    QwenClient,
    kind_of,
    new_client,
    on_qwen,
    updates,
)

REJECTED = {"outcome": "selected", "optionId": "cancel"}

pytestmark = on_qwen


def as_asked(question: Json) -> Json:
    shown = {name: question[name] for name in ("question", "header", "options")}
    return {**shown, "multiSelect": question["multiple"]}


async def answered(client: QwenClient) -> Json:
    """The raw output of the question's call, after the turn has ended."""
    await client.until("turn_complete")
    [call] = updates(await client.events(), "tool_call")
    assert call["status"] == "completed"
    raw: Json = call["rawOutput"]
    return raw


# requests


async def test_a_question_is_a_permission_request_with_questions(client: QwenClient) -> None:
    await client.prompt("ASK")
    request = await client.until("permission_request")
    assert request["originatorClientId"] == client.client_id
    asked = request["data"]
    questions = [as_asked(DATABASE), as_asked(FEATURES)]
    call = asked["toolCall"]
    assert call.pop("toolCallId")
    assert call == {
        "status": "pending",
        "title": "Ask user 2 questions",
        "kind": "think",
        "content": [],
        "locations": [],
        "rawInput": {"questions": questions},
        "_meta": {
            "toolName": "ask_user_question",
            "qwenInteractionKind": "user_question",
            "qwenQuestions": questions,
        },
    }
    assert asked["options"] == [
        {"kind": "allow_once", "name": "Submit", "optionId": "proceed_once"},
        {"kind": "reject_once", "name": "Cancel", "optionId": "cancel"},
    ]
    assert [kind_of(event) for event in await client.events()][-4:] == [
        "agent_message_chunk",
        "tool_call",
        "agent_message_chunk",
        "permission_request",
    ]


async def test_a_command_asks_for_permission_before_it_starts(client: QwenClient) -> None:
    await client.prompt("SHELL x.txt")
    asked = await client.asked()
    assert asked["toolCall"]["title"] == "touch x.txt (Run it)"
    given = {"command": "touch x.txt", "description": "Run it", "is_background": False}
    assert asked["toolCall"]["rawInput"] == given
    assert [(option["kind"], option["optionId"]) for option in asked["options"]] == [
        ("allow_always", "proceed_always_project"),
        ("allow_always", "proceed_always_user"),
        ("allow_once", "proceed_once"),
        ("reject_once", "cancel"),
    ]
    assert asked["options"][0]["name"] == "Always Allow in project: touch *"
    await run_loop(3)
    assert updates(await client.events(), "tool_call_update") == []


@pytest.mark.parametrize("mode", ["auto", "yolo"])
async def test_some_modes_need_no_permission(stub: Stub, mode: str) -> None:
    client = await new_client(stub.http, approvalMode=mode)
    await client.run_prompt("SHELL x.txt")
    assert "permission_request" not in await client.kinds()


async def test_open_requests_are_listed_in_the_status(client: QwenClient) -> None:
    await client.prompt("ASK")
    asked = await client.asked()
    status = (await client.get("status")).json()
    assert (status["isWaitingForUserQuestion"], status["isWaitingForPermission"]) == (True, False)
    assert (status["pendingInteractionCount"], status["activeWorkState"]) == (1, "active")
    [waiting] = status["pendingInteractions"]
    assert waiting.pop("createdAt")
    assert waiting == {
        "requestId": asked["requestId"],
        "kind": "user_question",
        "title": "Ask user 2 questions",
        "questions": [{**as_asked(DATABASE), "answerKey": "0"}, {**as_asked(FEATURES), "answerKey": "1"}],
        "options": [
            {"optionId": "proceed_once", "label": "Submit", "kind": "allow_once"},
            {"optionId": "cancel", "label": "Cancel", "kind": "reject_once"},
        ],
    }


async def test_an_open_permission_is_listed_as_an_action(client: QwenClient) -> None:
    await client.prompt("SHELL x.txt")
    asked = await client.asked()
    status = (await client.get("status")).json()
    assert (status["isWaitingForUserQuestion"], status["isWaitingForPermission"]) == (False, True)
    [waiting] = status["pendingInteractions"]
    assert (waiting["kind"], waiting["requestId"]) == ("permission", asked["requestId"])
    assert waiting["action"] == {
        "type": "execute",
        "title": "touch x.txt (Run it)",
        "content": [],
        "locations": [],
        "input": asked["toolCall"]["rawInput"],
    }


# votes


async def test_answers_are_strings_by_index(client: QwenClient) -> None:
    prompt_id = await client.prompt("ASK")
    asked = await client.asked()
    vote = await client.vote(asked["requestId"], ONCE, answers={"0": "Postgres", "1": "auth, my own"})
    assert (vote.status_code, vote.json()) == (200, {})
    text = "User has provided the following answers:\n\n**DB**: Postgres\n**Feat**: auth, my own"
    assert await answered(client) == {
        "type": "ask_user_question_answers",
        "text": text,
        "answers": [
            {"question": "Which database?", "answer": "Postgres"},
            {"question": "Which features?", "answer": "auth, my own"},
        ],
    }
    resolved = await client.until("permission_resolved")
    assert (resolved["promptId"], resolved["originatorClientId"]) == (prompt_id, client.client_id)
    assert resolved["data"] == {
        "requestId": asked["requestId"],
        "outcome": ONCE,
        "voterClientId": client.client_id,
    }
    assert (await client.get("status")).json()["pendingInteractionCount"] == 0


@pytest.mark.parametrize("answers", [{"0": "Postgres", "1": ["auth"]}, {"0": ["Postgres"]}, ["Postgres"], None])
async def test_one_answer_that_is_not_a_string_drops_all(client: QwenClient, answers: Any) -> None:
    await client.prompt("ASK")
    await client.vote((await client.asked())["requestId"], ONCE, answers=answers)
    raw = await answered(client)
    assert raw["answers"] == []
    assert raw["text"].endswith("No valid answers were provided.")


async def test_a_question_may_stay_unanswered(client: QwenClient) -> None:
    await client.prompt("ASK")
    await client.vote((await client.asked())["requestId"], ONCE, answers={"1": "search"})
    assert (await answered(client))["answers"] == [{"question": "Which features?", "answer": "search"}]


@pytest.mark.parametrize("text", ["ASK1", "SHELL x.txt"])
@pytest.mark.parametrize("outcome", [CANCELLED, REJECTED])
async def test_a_rejection_completes_the_turn(client: QwenClient, text: str, outcome: Json) -> None:
    prompt_id = await client.prompt(text)
    asked = await client.asked()
    assert (await client.vote(asked["requestId"], outcome)).status_code == 200
    ended = await client.until("turn_complete")
    assert ended["data"] == {"sessionId": client.session_id, "stopReason": "end_turn", "promptId": prompt_id}
    assert (await client.until("permission_resolved"))["data"]["outcome"] == outcome
    [call] = updates(await client.events(), "tool_call")
    assert call["status"] == "failed"
    assert call["content"][0]["content"]["text"].endswith("was canceled by the user.")
    turn = await client.turn(prompt_id)
    assert (turn["state"], "resultText" in turn) == ("completed", False)


async def test_a_rejection_of_a_subagent_completes_the_turn_too(client: QwenClient) -> None:
    await client.prompt("CHILD")
    assert (await client.vote((await client.asked())["requestId"], REJECTED)).status_code == 200
    assert (await client.until("turn_complete"))["data"]["stopReason"] == "end_turn"
    agent, _ = updates(await client.events(), "tool_call")
    assert agent["status"] == "failed"
    assert agent["content"][0]["content"]["text"] == "The tool had already completed; its output was discarded."
    words = "".join(chunk["content"]["text"] for chunk in updates(await client.events(), "agent_message_chunk"))
    assert "The subagent has answered" not in words


async def test_an_always_allowed_command_needs_no_permission(client: QwenClient) -> None:
    await client.prompt("SHELL x.txt")
    always = {"outcome": "selected", "optionId": "proceed_always_project"}
    await client.vote((await client.asked())["requestId"], always)
    await client.until("turn_complete")
    await client.run_prompt("SHELL y.txt")
    assert (await client.kinds()).count("permission_request") == 1


async def test_the_first_vote_counts_and_the_second_is_published(client: QwenClient) -> None:
    prompt_id = await client.prompt("ASK1")
    request_id = (await client.asked())["requestId"]
    await client.vote(request_id, ONCE, answers={"0": "Postgres"})
    late = await client.vote(request_id, CANCELLED)
    where = {"sessionId": client.session_id, "requestId": request_id}
    assert late.status_code == 404
    assert late.json() == {"error": "No pending permission request for session", **where}
    again = await client.until("permission_already_resolved")
    assert (again["data"], again["promptId"]) == ({**where, "outcome": ONCE}, prompt_id)


async def test_an_unknown_request(client: QwenClient) -> None:
    refused = await client.vote("nope", CANCELLED)
    where = {"sessionId": client.session_id, "requestId": "nope"}
    assert refused.status_code == 404
    assert refused.json() == {"error": "No pending permission request for session", **where}
    assert "permission_already_resolved" not in await client.kinds()


NO_OPTION = {"outcome": "selected", "optionId": ""}


@pytest.mark.parametrize(
    "outcome", [None, "cancelled", {}, {"outcome": "x"}, {"outcome": "selected"}, NO_OPTION], ids=str
)
async def test_invalid_votes_are_refused(client: QwenClient, outcome: Any) -> None:
    await client.prompt("ASK1")
    refused = await client.vote((await client.asked())["requestId"], outcome)
    shapes = '`{ outcome: "cancelled" }` or `{ outcome: "selected", optionId: string }`'
    assert (refused.status_code, refused.json()) == (400, {"error": f"`outcome` must be {shapes}"})
    assert (await client.get("status")).json()["pendingInteractionCount"] == 1


async def test_an_unknown_option_is_refused(client: QwenClient) -> None:
    await client.prompt("ASK1")
    request_id = (await client.asked())["requestId"]
    refused = await client.vote(request_id, {"outcome": "selected", "optionId": "proceed_always_user"})
    offered = 'optionId "proceed_always_user" is not in the set of options the agent offered.'
    assert refused.status_code == 400
    assert refused.json() == {
        "error": f"Permission {request_id}: {offered}",
        "code": "invalid_option_id",
        "requestId": request_id,
        "optionId": "proceed_always_user",
    }


async def test_an_unregistered_client_cannot_vote(client: QwenClient) -> None:
    await client.prompt("ASK1")
    request_id = (await client.asked())["requestId"]
    refused = await QwenClient(client.http, client.session_id, "client_nope").vote(request_id, ONCE)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_client_id")
    anonymous = await client.http.post(f"{client.base}/permission/{request_id}", json={"outcome": CANCELLED})
    assert anonymous.status_code == 200
    assert "voterClientId" not in (await client.until("permission_resolved"))["data"]


async def test_two_concurrent_requests_need_a_vote_each(client: QwenClient) -> None:
    await client.prompt("BOTH")
    await client.asked(2)
    waiting = (await client.get("status")).json()["pendingInteractions"]
    by_kind = {one["kind"]: one["requestId"] for one in waiting}
    assert set(by_kind) == {"permission", "user_question"}
    await client.vote(by_kind["user_question"], ONCE, answers={"0": "SQLite"})
    assert (await client.get("status")).json()["pendingInteractionCount"] == 1
    await client.vote(by_kind["permission"], ONCE)
    await client.until("turn_complete")
    assert (await client.kinds()).count("permission_resolved") == 2
