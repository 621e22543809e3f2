"""Questions and permissions of qwen serve in both forms; votes; and the parsing of answers."""

from datetime import datetime
from time import process_time
from typing import Any

import pytest

from tests.backends.recording_qwen import recording
from tui.backends.qwen import requests as requests
from tui.backends.qwen.requests import StreamedRequest
from tui.core.model import Answers, PermissionReply, PermissionRequest, QuestionRequest


def of_stream(name: str) -> requests.StreamedRequest:
    data = next(frame["data"] for frame in recording(name).events if frame["type"] == "permission_request")
    return requests.parse_request("s1", "m1", data)


@pytest.mark.parametrize("name", ["ask", "dismiss", "shell", "refuse", "edit"])
def test_a_request_in_the_status_equals_the_streamed_one_but_its_call(name: str) -> None:
    [interaction] = recording(name).status["pendingInteractions"]
    streamed, stated = of_stream(name), requests.pending("s1", interaction)
    assert stated.options == streamed.options
    assert stated.request.asked == datetime.fromisoformat(interaction["createdAt"]).timestamp()
    request = stated.request
    assert (request.id, request.call_id) == (streamed.request.id, None)
    if isinstance(request, QuestionRequest):
        assert isinstance(streamed.request, QuestionRequest)
        assert request.questions == streamed.request.questions
    else:
        assert isinstance(streamed.request, PermissionRequest)
        assert (request.patterns, request.always, request.detail) == (
            streamed.request.patterns,
            streamed.request.always,
            streamed.request.detail,
        )


def test_a_permission_without_a_tool_has_no_action() -> None:
    data = next(frame["data"] for frame in recording("shell").events if frame["type"] == "permission_request")
    call = {name: value for name, value in data["toolCall"].items() if name not in ("kind", "_meta")}
    request = requests.parse_request("s1", "m1", {**data, "toolCall": call}).request
    assert isinstance(request, PermissionRequest)
    assert request.action == ""


@pytest.mark.parametrize(
    ("reply", "option"),
    [("once", "proceed_once"), ("always", "proceed_always_project"), ("reject", "cancel")],
)
def test_each_reply_has_its_option(reply: PermissionReply, option: str) -> None:
    assert requests.option(of_stream("shell"), reply) == option


@pytest.mark.parametrize(("reply", "option"), [("once", "proceed_once"), ("reject", "cancel")])
def test_an_unknown_request_gets_the_default_option(reply: PermissionReply, option: str) -> None:
    assert requests.option(None, reply) == option


def test_always_is_never_sent_as_another_reply() -> None:
    for asked in (None, StreamedRequest(of_stream("shell").request, {"allow_once": "proceed_once"})):
        with pytest.raises(requests.NoSuchOption):
            requests.option(asked, "always")


def test_an_edit_shows_its_diff_before_it_is_allowed() -> None:
    request = of_stream("edit").request
    assert isinstance(request, PermissionRequest)
    assert "-two\n+three" in request.detail


def test_resolutions() -> None:
    def resolved(name: str) -> requests.Resolution:
        data = next(frame["data"] for frame in recording(name).events if frame["type"] == "permission_resolved")
        return requests.resolution(data)

    assert (resolved("shell").option, bool(resolved("shell").voter)) == ("proceed_once", True)
    assert resolved("dismiss").option is None
    assert resolved("refuse").option == "cancel"


@pytest.mark.parametrize(
    ("answers", "sent"),
    [
        ((("Postgres",), ("auth", "search")), {"0": "Postgres", "1": "auth, search"}),
        (((), ("own words",)), {"1": "own words"}),
    ],
)
def test_answers_are_strings_by_index(answers: Answers, sent: dict[str, str]) -> None:
    assert requests.selected("proceed_once", answers)["answers"] == sent
    assert "answers" not in requests.selected("proceed_once")


def asked_with(labels: list[str], *, multiple: bool = True) -> dict[str, Any]:
    return {"questions": [{"question": "?", "options": [{"label": one} for one in labels], "multiSelect": multiple}]}


@pytest.mark.parametrize(
    ("labels", "answer", "row"),
    [
        (["auth", "search"], "auth, search", ("auth", "search")),
        (["a", "a, b"], "a, b, a", ("a, b", "a")),
        (["auth"], "auth, my own, words", ("auth", "my own, words")),
        (["auth"], "authors", ("authors",)),
        (["auth"], "", ()),
    ],
)
def test_several_labels_are_parsed_by_the_options(labels: list[str], answer: str, row: tuple[str, ...]) -> None:
    given = {"answers": [{"question": "?", "answer": answer}]}
    assert requests.answers_in(given, asked_with(labels)) == (row,)


def test_a_single_answer_is_not_split() -> None:
    given = {"answers": [{"answer": "auth, search"}]}
    assert requests.answers_in(given, asked_with(["auth", "search"], multiple=False)) == (("auth, search",),)
    assert requests.answers_in(given, None) == (("auth, search",),)


@pytest.mark.parametrize("result", [None, "words", {}, {"answers": "no"}])
def test_other_tools_have_no_answers(result: object) -> None:
    assert requests.answers_in(result, asked_with(["a"])) is None


def test_many_labels_are_parsed_in_one_pass() -> None:
    labels = 300_000
    given = {"answers": [{"question": "?", "answer": "a, " * labels}]}
    [row] = requests.answers_in(given, asked_with(["a"])) or ((),)
    assert len(row) == labels


def test_an_answer_of_many_labels_is_divided_in_linear_time() -> None:
    count = 20_000
    questions = [{"question": "?", "multiSelect": True, "options": [{"label": f"z{n}"} for n in range(count)]}]
    given = ", ".join(f"z{n}" for n in reversed(range(count)))
    begun = process_time()
    answers = requests.answers_in({"answers": [{"answer": given}]}, {"questions": questions})
    assert process_time() - begun < 10  # the square of it takes a minute
    assert answers is not None
    assert len(answers[0]) == count


def test_labels_with_commas_are_found_longest_first() -> None:
    labels = ["a", "a, b", "c"]
    questions = [{"question": "?", "multiSelect": True, "options": [{"label": label} for label in labels]}]

    def row(given: str) -> tuple[str, ...]:
        answers = requests.answers_in({"answers": [{"answer": given}]}, {"questions": questions})
        assert answers is not None
        return answers[0]

    assert row("a, b, c") == ("a, b", "c")
    assert row("a, c, other, text") == ("a", "c", "other, text")
    assert row("b") == ("b",)
