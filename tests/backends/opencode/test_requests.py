"""opencode's questions and permissions, as sent by a real server."""

import time

import pytest

from tests.backends.recording import recording, tool_of
from tui.backends.opencode import requests as requests
from tui.backends.opencode.events import event_of
from tui.core import events as e
from tui.core.model import (
    Option,
    PermissionRequest,
    Question,
    QuestionRequest,
)


def test_a_question() -> None:
    recorded = recording("ask")
    (asked,) = recorded.of_type("question.asked")
    request = QuestionRequest(
        id=asked["id"],
        session_id=recorded.session_id,
        questions=(
            Question("Which database?", "DB", (Option("Postgres", "relational"), Option("SQLite", "embedded"))),
            Question("Which features?", "Feat", (Option("auth", "logins"), Option("search", "full text")), True),
        ),
        message_id=asked["tool"]["messageID"],
        call_id=asked["tool"]["callID"],
        asked=requests.minted(asked["id"], time.time()),
    )
    assert requests.question(asked) == request
    assert [requests.question(row) for row in recorded.answers["questions"]] == [request]
    replies = [event_of(frame) for frame in recorded.events if frame["payload"]["type"] == "question.replied"]
    answers = (("Postgres",), ("auth", "my own words"))
    assert replies == [e.QuestionAnswered(recorded.session_id, request.id, answers)]
    tool = tool_of(recorded)
    assert (tool.tool, tool.state, tool.answers, tool.call_id) == (
        "question",
        "completed",
        answers,
        request.call_id,
    )


def test_custom_answers_are_allowed_unless_disabled() -> None:
    (asked,) = recording("ask").of_type("question.asked")
    first, second = asked["questions"]
    both = requests.question({**asked, "questions": [{**first, "custom": False}, {**second, "custom": True}]})
    assert [question.custom for question in both.questions] == [False, True]


def test_a_permission() -> None:
    recorded = recording("shell")
    (asked,) = recorded.of_type("permission.asked")
    request = PermissionRequest(
        id=asked["id"],
        session_id=recorded.session_id,
        action="bash",
        patterns=("touch made.txt",),
        always=("touch *",),
        detail="touch made.txt",
        message_id=asked["tool"]["messageID"],
        call_id=asked["tool"]["callID"],
        asked=requests.minted(asked["id"], time.time()),
    )
    assert requests.permission(asked) == request
    assert [requests.permission(row) for row in recorded.answers["permissions"]] == [request]
    event = next(event_of(f) for f in recorded.events if f["payload"]["type"] == "permission.replied")
    assert event == e.PermissionReplied(recorded.session_id, request.id, "once")


@pytest.mark.parametrize(
    ("metadata", "detail"),
    [
        (None, ""),
        ({"command": "", "filepath": "a.py"}, "a.py"),
        ({"command": 3, "url": "http://there"}, "http://there"),
        ({"diff": "+a", "filepath": "a.py"}, "+a"),
        ("odd", ""),
    ],
)
def test_the_detail_of_a_permission(metadata: object, detail: str) -> None:
    asked = {"id": "per_1", "sessionID": "s", "permission": "edit", "metadata": metadata}
    request = requests.permission(asked)
    assert (request.detail, request.patterns, request.always, request.call_id) == (detail, (), (), None)


@pytest.mark.parametrize(
    ("name", "now", "asked"),
    [
        ("que_1f92ee1f4001jOpgts0tmCf4NK", 1795182002.0, 1795181961.716),
        ("per_1f92ee1f4001jOpgts0tmCf4NK", 1795181961.0, 1795181961.716),
        ("que_1f92ee1f4001jOpgts0tmCf4NK", 1795181961.0 + 2**36 / 1000, 1795181961.716 + 2**36 / 1000),
        ("que_1", 1795182002.0, None),
        ("que_zf92ee1f4001jOpgts0tmCf4NK", 1795182002.0, None),
        ("que_g001a221338dec001JwvImYb1x", 1795853356.0, 1795853356.524),
    ],
)
def test_the_time_of_an_id(name: str, now: float, asked: float | None) -> None:
    assert requests.minted(name, now) == (None if asked is None else pytest.approx(asked, abs=0.001))
