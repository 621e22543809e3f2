from typing import Any

import pytest

from server_stub.domain.api_errors import ApiError
from server_stub.domain.pending_requests import Allowed, Answered, Permission, Question, Rejected
from server_stub.domain.state import ServerState
from tests.server_stub.conftest import HERE
from tests.server_stub.event_listener import watching

Json = dict[str, Any]
TOOL: Json = {"messageID": "msg_1", "callID": "call_1"}
QUESTIONS: list[Json] = [{"question": "Which?", "header": "Which", "options": []}]


def ask(world: ServerState, session: str = "ses_1", directory: str = HERE) -> Question:
    return world.requests.ask_question(directory, session, QUESTIONS, TOOL)


def ask_permission(world: ServerState, command: str, session: str = "ses_1", directory: str = HERE) -> Permission:
    return world.requests.ask_permission(
        directory, session, "bash", [command], ["make *"], metadata={"command": command}, tool=TOOL
    )


async def test_a_question_is_open_until_it_is_answered(world: ServerState) -> None:
    with watching(world) as witness:
        question = ask(world)
        assert world.requests.questions(HERE) == [question.info]
        world.requests.reply_question(question.info["id"], [["one", "two"]])
    assert world.requests.questions(HERE) == []
    assert await question.outcome == Answered([["one", "two"]])
    told = {"sessionID": "ses_1", "requestID": question.info["id"], "answers": [["one", "two"]]}
    assert witness.of("question.asked") == [question.info]
    assert witness.of("question.replied") == [told]


async def test_a_question_can_be_answered_once_only(world: ServerState) -> None:
    question = ask(world)
    world.requests.reply_question(question.info["id"], [])
    with pytest.raises(ApiError) as refusal:
        world.requests.reply_question(question.info["id"], [])
    assert refusal.value.status == 404
    assert refusal.value.body["_tag"] == "QuestionNotFoundError"
    assert refusal.value.body["requestID"] == question.info["id"]


async def test_a_rejected_question_says_so(world: ServerState) -> None:
    with watching(world) as witness:
        question = ask(world)
        world.requests.reject_question(question.info["id"])
    assert await question.outcome == Rejected()
    assert witness.of("question.rejected") == [{"sessionID": "ses_1", "requestID": question.info["id"]}]


async def test_an_answer_to_a_ghost_is_taken_without_effect(world: ServerState) -> None:
    question = ask(world)
    question.outcome.cancel()
    assert world.requests.questions(HERE) == [question.info]
    world.requests.reply_question(question.info["id"], [["late"]])
    assert world.requests.questions(HERE) == []


async def test_requests_are_listed_by_directory(world: ServerState) -> None:
    here, there = ask(world), ask(world, directory="/elsewhere")
    assert world.requests.questions(HERE) == [here.info]
    assert world.requests.questions("/elsewhere") == [there.info]


async def test_allowed_once_is_asked_again(world: ServerState) -> None:
    first = ask_permission(world, "make lint")
    world.requests.reply_permission(first.info["id"], "once")
    assert await first.outcome == Allowed()
    assert not ask_permission(world, "make lint").outcome.done()


async def test_always_settles_what_matches_now_and_later(world: ServerState) -> None:
    first, second = ask_permission(world, "make lint"), ask_permission(world, "make test")
    other = ask_permission(world, "rm -r build")
    with watching(world) as witness:
        world.requests.reply_permission(first.info["id"], "always")
        third = ask_permission(world, "make docs")
    assert await second.outcome == Allowed()
    assert await third.outcome == Allowed()
    assert world.requests.permissions(HERE) == [other.info]
    settled = [(told["requestID"], told["reply"]) for told in witness.of("permission.replied")]
    assert settled == [(first.info["id"], "always"), (second.info["id"], "always")]
    assert witness.of("permission.asked") == []


async def test_always_holds_in_its_own_directory_only(world: ServerState) -> None:
    first = ask_permission(world, "make lint")
    world.requests.reply_permission(first.info["id"], "always")
    assert not ask_permission(world, "make lint", directory="/elsewhere").outcome.done()


async def test_a_rejection_takes_the_other_permissions_of_its_session_along(world: ServerState) -> None:
    first, second = ask_permission(world, "make lint"), ask_permission(world, "make test")
    other = ask_permission(world, "make test", session="ses_2")
    world.requests.reply_permission(first.info["id"], "reject", "not now")
    assert await first.outcome == Rejected("not now")
    assert await second.outcome == Rejected()
    assert world.requests.permissions(HERE) == [other.info]


async def test_an_unknown_permission_is_not_found(world: ServerState) -> None:
    with pytest.raises(ApiError) as refusal:
        world.requests.reply_permission("per_none", "once")
    assert refusal.value.body == {
        "_tag": "PermissionNotFoundError",
        "requestID": "per_none",
        "message": "Permission request not found: per_none",
    }


async def test_what_was_allowed_for_good_is_forgotten_with_its_directory(world: ServerState) -> None:
    for directory in (HERE, "/elsewhere"):
        first = ask_permission(world, "make lint", directory=directory)
        world.requests.reply_permission(first.info["id"], "always")
    world.requests.forget(HERE)
    assert not ask_permission(world, "make lint").outcome.done()
    assert ask_permission(world, "make lint", directory="/elsewhere").outcome.done()


async def test_forgetting_a_directory_leaves_the_others(world: ServerState) -> None:
    ask(world)
    ask_permission(world, "make lint")
    elsewhere = ask(world, directory="/elsewhere")
    with watching(world) as witness:
        world.requests.forget(HERE)
    assert world.requests.questions(HERE) == world.requests.permissions(HERE) == []
    assert world.requests.questions("/elsewhere") == [elsewhere.info]
    assert witness.kinds == []
