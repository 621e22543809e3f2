"""opencode's messages and their parts, as sent by a real server, and invalid ones."""

from typing import Any

import pytest

from tests.backends.recording import NAMES, last_answer, recording, tool_of
from tui.backends.opencode import messages
from tui.backends.opencode.events import event_of
from tui.core import events as e
from tui.core.memory_size import weight
from tui.core.model import (
    Failure,
    FilePart,
    NotePart,
    ReasoningPart,
    TextPart,
    ToolPart,
)
from tui.net.errors import TooLarge


@pytest.mark.parametrize("name", NAMES)
def test_the_body_of_the_post_is_the_last_message(name: str) -> None:
    answers = recording(name).answers
    assert messages.full_message(answers["prompt"]) == messages.full_message(answers["messages"][-1])


def test_a_question_s_tool_call_waits_as_running_and_without_answers() -> None:
    tool = tool_of(recording("ask"), "messages_waiting")
    assert (tool.state, tool.answers, tool.ended) == ("running", None, None)


def test_a_dismissed_question_is_rejected() -> None:
    recorded = recording("reject")
    (rejected,) = recorded.of_type("question.rejected")
    event = next(event_of(f) for f in recorded.events if f["payload"]["type"] == "question.rejected")
    assert event == e.QuestionRejected(recorded.session_id, rejected["requestID"])
    assert tool_of(recorded).error == "The user dismissed this question"
    assert tool_of(recorded).why == "rejected"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("The user rejected permission to use this specific tool call.", "denied"),
        ("The user rejected permission to use this specific tool call with the following feedback: no", "denied"),
        ("The user has specified a rule which prevents you from using this specific tool call. Here", "denied"),
        ("The user dismissed this question", "rejected"),
        ("Tool execution aborted", "aborted"),
        ("File not found: /nosuch", "failed"),
    ],
)
def test_a_rejected_call_has_its_own_cause(error: str, why: str) -> None:
    state = {"status": "error", "input": {}, "error": error, "time": {"start": 1, "end": 2}}
    ids = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "callID": "call_1"}
    reported = messages.part({**ids, "type": "tool", "tool": "bash", "state": state})
    assert isinstance(reported, ToolPart)
    assert reported.why == why


def test_a_rejected_permission_ends_the_turn_in_tool_calls() -> None:
    answer = last_answer(recording("deny"))
    assert (answer.final, answer.failure, answer.incomplete) == (False, None, False)
    assert answer.completed is not None


def test_an_answer_that_continues_after_tool_calls_is_not_final() -> None:
    recorded = recording("ask")
    first, second = (messages.full_message(item).message for item in recorded.answers["messages"][1:])
    assert (first.final, second.final) == (False, True)
    assert first.parent_id == second.parent_id == recorded.answers["messages"][0]["info"]["id"]
    assert (second.agent, second.model) == ("build", "m")
    assert second.usage is not None
    assert (second.usage.input_tokens, second.usage.output_tokens) == (10, 10)
    assert second.completed is not None
    assert 0 < second.completed - second.created < 60


def test_a_model_error() -> None:
    recorded = recording("fail_400")
    failure = Failure("scripted 400", "provider", 400)
    assert last_answer(recorded).failure == failure
    event = next(event_of(f) for f in recorded.events if f["payload"]["type"] == "session.error")
    assert event == e.SessionFailed(recorded.session_id, failure)


def test_an_abort_between_provider_attempts_has_no_error_and_no_finish() -> None:
    answer = last_answer(recording("fail_503"))
    assert (answer.incomplete, answer.failure, answer.final) == (True, None, False)
    assert answer.completed is not None


def test_reasoning_is_separate_from_text() -> None:
    recorded = recording("think")
    parts = messages.full_message(recorded.answers["messages"][-1]).parts
    assert [type(part) for part in parts] == [ReasoningPart, TextPart]
    assert isinstance(parts[0], ReasoningPart)
    assert parts[0].text.startswith("thought0 thought1 ")
    assert parts[0].state == "done"


def test_a_part_with_a_start_and_no_end_is_streaming() -> None:
    first = next(p["part"] for p in recording("think").of_type("message.part.updated") if "time" in p["part"])
    part = messages.part(first)
    assert isinstance(part, ReasoningPart)
    assert (part.text, part.state) == ("", "streaming")


def part_of(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": "p", "sessionID": "s", "messageID": "m", "type": kind, **fields}


@pytest.mark.parametrize(
    ("sent", "part"),
    [
        (
            part_of("file", filename="a.png", mime="image/png", url="data:x"),
            FilePart("p", "s", "m", "a.png", "image/png"),
        ),
        (part_of("file", url="data:image/png;base64,AAAA"), FilePart("p", "s", "m", "data:image/png;base64")),
        (part_of("patch", hash="1", files=["a"]), NotePart("p", "s", "m", "changed a")),
        (part_of("patch", hash="1", files=["a", "b"]), NotePart("p", "s", "m", "changed 2 files")),
        (
            part_of("subtask", agent="explore", description="look"),
            NotePart("p", "s", "m", "subtask for explore: look"),
        ),
        (part_of("compaction", auto=True), NotePart("p", "s", "m", "the conversation was compacted")),
        (part_of("text", text="x", synthetic=True), TextPart("p", "s", "m", "x", "done", True)),
        (part_of("step-start", snapshot="1"), None),
        (part_of("retry", time=3, text={"odd": True}), None),
    ],
)
def test_the_other_parts(sent: dict[str, Any], part: object) -> None:
    assert messages.part(sent) == part


def test_the_output_of_a_running_tool_is_in_its_metadata() -> None:
    state = {
        "status": "running",
        "input": {"command": "make"},
        "metadata": {"output": "ok\n"},
        "time": {"start": 2000},
    }
    tool = messages.part(part_of("tool", tool="bash", callID="c", state=state))
    assert isinstance(tool, ToolPart)
    assert (tool.output, tool.started, dict(tool.input)) == ("ok\n", 2.0, {"command": "make"})
    ended = {**state, "status": "completed", "output": "ok\nall\n", "metadata": {"diff": "+a"}}
    tool = messages.part(part_of("tool", tool="edit", callID="c", state=ended))
    assert isinstance(tool, ToolPart)
    assert (tool.output, tool.diff, tool.state) == ("ok\nall\n", "+a", "completed")


@pytest.mark.parametrize("answers", [3, "x", {"a": 1}, [1], [["a"], [None]]])
def test_answers_of_another_tool_are_ignored(answers: object) -> None:
    state = {"status": "completed", "metadata": {"answers": answers}}
    tool = messages.part(part_of("tool", tool="quiz", callID="c", state=state))
    assert isinstance(tool, ToolPart)
    assert tool.answers is None


def test_an_unknown_tool_state_is_running() -> None:
    tool = messages.part(part_of("tool", tool="x", callID="c", state={"status": "queued", "input": "odd"}))
    assert isinstance(tool, ToolPart)
    assert (tool.state, dict(tool.input)) == ("running", {})


@pytest.mark.parametrize("head", ["[" * 100_000, "9" * 5000, "1e400", '{"id":"m', "", "nul"])
def test_an_unreadable_head_of_an_oversized_message_is_replaced(head: str) -> None:
    found = messages.too_large("s", TooLarge(1, size=99, head=b'{"info": ' + head.encode()))
    assert found.message.session_id == "s"
    assert isinstance(found.parts[0], NotePart)


def test_long_ids_make_an_item_unreadable_and_are_not_kept() -> None:
    long = "m" * 100_000
    head = {"id": "msg_1", "sessionID": "ses_1", "role": "assistant", "time": {"created": 1}}
    rows = [
        {"info": head | {"id": long}, "parts": []},
        {"info": head | {"parentID": long}, "parts": []},
        {"info": head | {"agent": long, "modelID": long}, "parts": [tool_part(callID=long), tool_part(id=long)]},
    ]
    for full in messages.full_messages(rows, "ses_1"):
        assert weight(full) < 20_000
        assert [type(part) for part in full.parts] in ([NotePart], [NotePart, NotePart])


def tool_part(**fields: str) -> dict[str, Any]:
    ids = {"id": "prt_1", "sessionID": "ses_1", "messageID": "msg_1", "callID": "call_1"}
    return ids | {"type": "tool", "tool": "bash", "state": {"status": "running"}} | fields
