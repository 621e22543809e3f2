"""The bodies, status codes and orders of events below were recorded from `qwen serve` 0.24.4."""

from typing import Any

import pytest

from server_stub.scenarios.catalog import DATABASE, FEATURES
from tests.server_stub.conftest import Stub, turns_of_the_loop
from tests.server_stub.qwen.routes.qwen_client import (
    CANCELLED,
    ONCE,
    Json,
    Person,
    arrive,
    kind_of,
    on_qwen,
    updates,
)

REJECTED = {"outcome": "selected", "optionId": "cancel"}

pytestmark = on_qwen


def as_asked(question: Json) -> Json:
    shown = {name: question[name] for name in ("question", "header", "options")}
    return {**shown, "multiSelect": question["multiple"]}


async def answered(person: Person) -> Json:
    """The raw output of the question's call, once the turn is over."""
    await person.until("turn_complete")
    [call] = updates(await person.events(), "tool_call")
    assert call["status"] == "completed"
    raw: Json = call["rawOutput"]
    return raw


# what is asked


async def test_a_question_is_a_permission_with_more(person: Person) -> None:
    await person.prompt("ASK")
    request = await person.until("permission_request")
    assert request["originatorClientId"] == person.client_id
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
    assert [kind_of(event) for event in await person.events()][-4:] == [
        "agent_message_chunk",
        "tool_call",
        "agent_message_chunk",
        "permission_request",
    ]


async def test_a_command_asks_for_leave_and_is_not_started_before(person: Person) -> None:
    await person.prompt("SHELL x.txt")
    asked = await person.asked()
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
    await turns_of_the_loop(3)
    assert updates(await person.events(), "tool_call_update") == []


@pytest.mark.parametrize("mode", ["auto", "yolo"])
async def test_some_modes_ask_for_no_leave(stub: Stub, mode: str) -> None:
    person = await arrive(stub.http, approvalMode=mode)
    await person.say("SHELL x.txt")
    assert "permission_request" not in await person.kinds()


async def test_what_waits_is_told_without_any_replay(person: Person) -> None:
    await person.prompt("ASK")
    asked = await person.asked()
    status = (await person.get("status")).json()
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


async def test_a_command_that_waits_is_told_as_an_action(person: Person) -> None:
    await person.prompt("SHELL x.txt")
    asked = await person.asked()
    status = (await person.get("status")).json()
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


async def test_answers_are_strings_by_index(person: Person) -> None:
    prompt_id = await person.prompt("ASK")
    asked = await person.asked()
    vote = await person.vote(asked["requestId"], ONCE, answers={"0": "Postgres", "1": "auth, my own"})
    assert (vote.status_code, vote.json()) == (200, {})
    text = "User has provided the following answers:\n\n**DB**: Postgres\n**Feat**: auth, my own"
    assert await answered(person) == {
        "type": "ask_user_question_answers",
        "text": text,
        "answers": [
            {"question": "Which database?", "answer": "Postgres"},
            {"question": "Which features?", "answer": "auth, my own"},
        ],
    }
    resolved = await person.until("permission_resolved")
    assert (resolved["promptId"], resolved["originatorClientId"]) == (prompt_id, person.client_id)
    assert resolved["data"] == {
        "requestId": asked["requestId"],
        "outcome": ONCE,
        "voterClientId": person.client_id,
    }
    assert (await person.get("status")).json()["pendingInteractionCount"] == 0


@pytest.mark.parametrize("answers", [{"0": "Postgres", "1": ["auth"]}, {"0": ["Postgres"]}, ["Postgres"], None])
async def test_one_answer_that_is_no_string_drops_them_all(person: Person, answers: Any) -> None:
    await person.prompt("ASK")
    await person.vote((await person.asked())["requestId"], ONCE, answers=answers)
    raw = await answered(person)
    assert raw["answers"] == []
    assert raw["text"].endswith("No valid answers were provided.")


async def test_a_question_may_stay_unanswered(person: Person) -> None:
    await person.prompt("ASK")
    await person.vote((await person.asked())["requestId"], ONCE, answers={"1": "search"})
    assert (await answered(person))["answers"] == [{"question": "Which features?", "answer": "search"}]


@pytest.mark.parametrize("text", ["ASK1", "SHELL x.txt"])
@pytest.mark.parametrize("outcome", [CANCELLED, REJECTED])
async def test_a_refusal_ends_the_turn_as_if_it_were_done(person: Person, text: str, outcome: Json) -> None:
    prompt_id = await person.prompt(text)
    asked = await person.asked()
    assert (await person.vote(asked["requestId"], outcome)).status_code == 200
    ended = await person.until("turn_complete")
    assert ended["data"] == {"sessionId": person.session_id, "stopReason": "end_turn", "promptId": prompt_id}
    assert (await person.until("permission_resolved"))["data"]["outcome"] == outcome
    [call] = updates(await person.events(), "tool_call")
    assert call["status"] == "failed"
    assert call["content"][0]["content"]["text"].endswith("was canceled by the user.")
    turn = await person.turn(prompt_id)
    assert (turn["state"], "resultText" in turn) == ("completed", False)


async def test_a_refusal_to_a_subagent_ends_the_turn_too(person: Person) -> None:
    await person.prompt("CHILD")
    assert (await person.vote((await person.asked())["requestId"], REJECTED)).status_code == 200
    assert (await person.until("turn_complete"))["data"]["stopReason"] == "end_turn"
    agent, _ = updates(await person.events(), "tool_call")
    assert agent["status"] == "failed"
    assert agent["content"][0]["content"]["text"] == "The tool had already completed; its output was discarded."
    words = "".join(chunk["content"]["text"] for chunk in updates(await person.events(), "agent_message_chunk"))
    assert "The subagent has answered" not in words


async def test_what_is_allowed_for_good_asks_no_more(person: Person) -> None:
    await person.prompt("SHELL x.txt")
    always = {"outcome": "selected", "optionId": "proceed_always_project"}
    await person.vote((await person.asked())["requestId"], always)
    await person.until("turn_complete")
    await person.say("SHELL y.txt")
    assert (await person.kinds()).count("permission_request") == 1


async def test_the_first_vote_counts_and_everyone_hears_of_the_second(person: Person) -> None:
    prompt_id = await person.prompt("ASK1")
    request_id = (await person.asked())["requestId"]
    await person.vote(request_id, ONCE, answers={"0": "Postgres"})
    late = await person.vote(request_id, CANCELLED)
    where = {"sessionId": person.session_id, "requestId": request_id}
    assert late.status_code == 404
    assert late.json() == {"error": "No pending permission request for session", **where}
    again = await person.until("permission_already_resolved")
    assert (again["data"], again["promptId"]) == ({**where, "outcome": ONCE}, prompt_id)


async def test_a_request_that_never_was(person: Person) -> None:
    refused = await person.vote("nope", CANCELLED)
    where = {"sessionId": person.session_id, "requestId": "nope"}
    assert refused.status_code == 404
    assert refused.json() == {"error": "No pending permission request for session", **where}
    assert "permission_already_resolved" not in await person.kinds()


NO_OPTION = {"outcome": "selected", "optionId": ""}


@pytest.mark.parametrize(
    "outcome", [None, "cancelled", {}, {"outcome": "x"}, {"outcome": "selected"}, NO_OPTION], ids=str
)
async def test_what_is_no_vote(person: Person, outcome: Any) -> None:
    await person.prompt("ASK1")
    refused = await person.vote((await person.asked())["requestId"], outcome)
    shapes = '`{ outcome: "cancelled" }` or `{ outcome: "selected", optionId: string }`'
    assert (refused.status_code, refused.json()) == (400, {"error": f"`outcome` must be {shapes}"})
    assert (await person.get("status")).json()["pendingInteractionCount"] == 1


async def test_an_option_that_was_not_offered(person: Person) -> None:
    await person.prompt("ASK1")
    request_id = (await person.asked())["requestId"]
    refused = await person.vote(request_id, {"outcome": "selected", "optionId": "proceed_always_user"})
    offered = 'optionId "proceed_always_user" is not in the set of options the agent offered.'
    assert refused.status_code == 400
    assert refused.json() == {
        "error": f"Permission {request_id}: {offered}",
        "code": "invalid_option_id",
        "requestId": request_id,
        "optionId": "proceed_always_user",
    }


async def test_a_stranger_has_no_vote(person: Person) -> None:
    await person.prompt("ASK1")
    request_id = (await person.asked())["requestId"]
    refused = await Person(person.http, person.session_id, "client_nope").vote(request_id, ONCE)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_client_id")
    anonymous = await person.http.post(f"{person.base}/permission/{request_id}", json={"outcome": CANCELLED})
    assert anonymous.status_code == 200
    assert "voterClientId" not in (await person.until("permission_resolved"))["data"]


async def test_two_requests_side_by_side_wait_for_a_vote_each(person: Person) -> None:
    await person.prompt("BOTH")
    await person.asked(2)
    waiting = (await person.get("status")).json()["pendingInteractions"]
    by_kind = {one["kind"]: one["requestId"] for one in waiting}
    assert set(by_kind) == {"permission", "user_question"}
    await person.vote(by_kind["user_question"], ONCE, answers={"0": "SQLite"})
    assert (await person.get("status")).json()["pendingInteractionCount"] == 1
    await person.vote(by_kind["permission"], ONCE)
    await person.until("turn_complete")
    assert (await person.kinds()).count("permission_resolved") == 2
