from typing import Any

import pytest

from server_stub.domain.api_errors import ApiError
from server_stub.domain.pending_requests import Allowed, Answered, Permission, Question, Rejected
from server_stub.domain.state import ServerState
from tests.server_stub.conftest import HERE
from tests.server_stub.event_listener import recording

Json = dict[str, Any]
TOOL: Json = {"messageID": "msg_1", "callID": "call_1"}
QUESTIONS: list[Json] = [{"question": "Which?", "header": "Which", "options": []}]


def ask(server: ServerState, session: str = "ses_1", directory: str = HERE) -> Question:
    return server.requests.ask_question(directory, session, QUESTIONS, TOOL)


def ask_permission(server: ServerState, command: str, session: str = "ses_1", directory: str = HERE) -> Permission:
    return server.requests.ask_permission(
        directory, session, "bash", [command], ["make *"], metadata={"command": command}, tool=TOOL
    )


async def test_a_question_is_open_until_it_is_answered(server: ServerState) -> None:
    with recording(server) as recorder:
        question = ask(server)
        assert server.requests.questions(HERE) == [question.info]
        server.requests.reply_question(question.info["id"], [["one", "two"]])
    assert server.requests.questions(HERE) == []
    assert await question.outcome == Answered([["one", "two"]])
    event = {"sessionID": "ses_1", "requestID": question.info["id"], "answers": [["one", "two"]]}
    assert recorder.of("question.asked") == [question.info]
    assert recorder.of("question.replied") == [event]


async def test_a_question_can_be_answered_once(server: ServerState) -> None:
    question = ask(server)
    server.requests.reply_question(question.info["id"], [])
    with pytest.raises(ApiError) as refusal:
        server.requests.reply_question(question.info["id"], [])
    assert refusal.value.status == 404
    assert refusal.value.body["_tag"] == "QuestionNotFoundError"
    assert refusal.value.body["requestID"] == question.info["id"]


async def test_a_rejected_question_publishes_its_rejection(server: ServerState) -> None:
    with recording(server) as recorder:
        question = ask(server)
        server.requests.reject_question(question.info["id"])
    assert await question.outcome == Rejected()
    assert recorder.of("question.rejected") == [{"sessionID": "ses_1", "requestID": question.info["id"]}]


async def test_an_answer_after_an_abort_has_no_effect(server: ServerState) -> None:
    question = ask(server)
    question.outcome.cancel()
    assert server.requests.questions(HERE) == [question.info]
    server.requests.reply_question(question.info["id"], [["late"]])
    assert server.requests.questions(HERE) == []


async def test_requests_are_listed_by_directory(server: ServerState) -> None:
    here, there = ask(server), ask(server, directory="/elsewhere")
    assert server.requests.questions(HERE) == [here.info]
    assert server.requests.questions("/elsewhere") == [there.info]


async def test_once_does_not_allow_the_next_request(server: ServerState) -> None:
    first = ask_permission(server, "make lint")
    server.requests.reply_permission(first.info["id"], "once")
    assert await first.outcome == Allowed()
    assert not ask_permission(server, "make lint").outcome.done()


async def test_always_settles_matching_requests_now_and_later(server: ServerState) -> None:
    first, second = ask_permission(server, "make lint"), ask_permission(server, "make test")
    other = ask_permission(server, "rm -r build")
    with recording(server) as recorder:
        server.requests.reply_permission(first.info["id"], "always")
        third = ask_permission(server, "make docs")
    assert await second.outcome == Allowed()
    assert await third.outcome == Allowed()
    assert server.requests.permissions(HERE) == [other.info]
    settled = [(event["requestID"], event["reply"]) for event in recorder.of("permission.replied")]
    assert settled == [(first.info["id"], "always"), (second.info["id"], "always")]
    assert recorder.of("permission.asked") == []


async def test_always_holds_in_its_own_directory_only(server: ServerState) -> None:
    first = ask_permission(server, "make lint")
    server.requests.reply_permission(first.info["id"], "always")
    assert not ask_permission(server, "make lint", directory="/elsewhere").outcome.done()


async def test_a_rejection_rejects_all_permissions_of_the_session(server: ServerState) -> None:
    first, second = ask_permission(server, "make lint"), ask_permission(server, "make test")
    other = ask_permission(server, "make test", session="ses_2")
    server.requests.reply_permission(first.info["id"], "reject", "not now")
    assert await first.outcome == Rejected("not now")
    assert await second.outcome == Rejected()
    assert server.requests.permissions(HERE) == [other.info]


async def test_an_unknown_permission_is_not_found(server: ServerState) -> None:
    with pytest.raises(ApiError) as refusal:
        server.requests.reply_permission("per_none", "once")
    assert refusal.value.body == {
        "_tag": "PermissionNotFoundError",
        "requestID": "per_none",
        "message": "Permission request not found: per_none",
    }


async def test_always_is_dropped_with_its_directory(server: ServerState) -> None:
    for directory in (HERE, "/elsewhere"):
        first = ask_permission(server, "make lint", directory=directory)
        server.requests.reply_permission(first.info["id"], "always")
    server.requests.forget(HERE)
    assert not ask_permission(server, "make lint").outcome.done()
    assert ask_permission(server, "make lint", directory="/elsewhere").outcome.done()


async def test_forgetting_one_directory_keeps_the_others(server: ServerState) -> None:
    ask(server)
    ask_permission(server, "make lint")
    elsewhere = ask(server, directory="/elsewhere")
    with recording(server) as recorder:
        server.requests.forget(HERE)
    assert server.requests.questions(HERE) == server.requests.permissions(HERE) == []
    assert server.requests.questions("/elsewhere") == [elsewhere.info]
    assert recorder.kinds == []
