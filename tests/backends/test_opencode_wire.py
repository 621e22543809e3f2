"""opencode's JSON as a real server sends it, and as nobody should."""

import time
from typing import Any

import msgspec
import pytest

from tests.backends.recording import NAMES, Recording, recording
from tui.backends import opencode_wire as wire
from tui.backends.opencode_events import event_of
from tui.core import events as e
from tui.core.model import (
    Busy,
    Failure,
    FilePart,
    Idle,
    Message,
    NotePart,
    Option,
    PermissionRequest,
    Question,
    QuestionRequest,
    ReasoningPart,
    Retrying,
    Session,
    TextPart,
    Todo,
    ToolPart,
)
from tui.core.store import Store
from tui.core.transcript import Transcript


def replayed(recorded: Recording) -> Store:
    """A store that saw the turn by its events alone."""
    store = Store()
    store.open_transcript(recorded.session_id)
    for frame in recorded.events:
        event = event_of(frame)
        if event is not None:
            store.apply(event)
    return store


def transcript_of(store: Store, session_id: str) -> Transcript:
    transcript = store.transcript(session_id)
    assert transcript is not None
    return transcript


def last_answer(recorded: Recording) -> Message:
    return wire.full_message(recorded.answers["messages"][-1]).message


def tool_of(recorded: Recording, answer: str = "messages") -> ToolPart:
    parts = [part for item in recorded.answers[answer] for part in wire.full_message(item).parts]
    return next(part for part in parts if isinstance(part, ToolPart))


@pytest.mark.parametrize("name", NAMES)
def test_the_events_alone_give_the_transcript_that_the_server_has(name: str) -> None:
    recorded = recording(name)
    by_events = replayed(recorded)
    asked = Store()
    asked.open_transcript(recorded.session_id)
    page = tuple(wire.full_message(item) for item in recorded.answers["messages"])
    asked.apply(e.MessagesLoaded(recorded.session_id, page, None))
    seen, stored = (transcript_of(store, recorded.session_id) for store in (by_events, asked))
    assert len(stored.messages) >= 2
    assert seen.same_as(stored)
    assert by_events.status(recorded.session_id) == Idle()
    assert not by_events.requests


@pytest.mark.parametrize("name", NAMES)
def test_the_body_of_the_post_is_the_last_message(name: str) -> None:
    answers = recording(name).answers
    assert wire.full_message(answers["prompt"]) == wire.full_message(answers["messages"][-1])


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
        asked=wire.minted(asked["id"], time.time()),
    )
    assert wire.question(asked) == request
    assert wire.requests(recorded.answers["questions"], recorded.answers["permissions"]) == (request,)
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


def test_a_question_s_tool_call_waits_as_running_and_without_answers() -> None:
    tool = tool_of(recording("ask"), "messages_waiting")
    assert (tool.state, tool.answers, tool.ended) == ("running", None, None)


def test_own_words_are_allowed_unless_they_are_forbidden() -> None:
    (asked,) = recording("ask").of_type("question.asked")
    first, second = asked["questions"]
    both = wire.question({**asked, "questions": [{**first, "custom": False}, {**second, "custom": True}]})
    assert [question.custom for question in both.questions] == [False, True]


def test_a_dismissed_question() -> None:
    recorded = recording("reject")
    (rejected,) = recorded.of_type("question.rejected")
    event = next(event_of(f) for f in recorded.events if f["payload"]["type"] == "question.rejected")
    assert event == e.QuestionRejected(recorded.session_id, rejected["requestID"])
    assert tool_of(recorded).error == "The user dismissed this question"


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
        asked=wire.minted(asked["id"], time.time()),
    )
    assert wire.permission(asked) == request
    assert wire.requests([], recorded.answers["permissions"]) == (request,)
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
def test_what_a_permission_is_asked_for_in_detail(metadata: object, detail: str) -> None:
    asked = {"id": "per_1", "sessionID": "s", "permission": "edit", "metadata": metadata}
    request = wire.permission(asked)
    assert (request.detail, request.patterns, request.always, request.call_id) == (detail, (), (), None)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"name": "UnknownError", "data": {"message": "no agent"}}, Failure("no agent")),
        ({"name": "ProviderInitError", "data": {"message": "", "statusCode": "x"}}, Failure("ProviderInitError")),
        ({"name": "APIError", "data": "odd"}, Failure("APIError", "provider")),
        ({}, Failure("unknown")),
    ],
)
def test_an_error_without_words_is_called_by_its_name(error: object, failure: Failure) -> None:
    message = wire.message({"id": "m", "sessionID": "s", "role": "assistant", "error": error})
    assert (message.failure, message.created, message.broken_off) == (failure, 0.0, False)


def test_a_permission_that_ends_without_a_reply_that_we_know_is_gone_and_not_granted() -> None:
    frame = {"type": "permission.replied", "properties": {"sessionID": "ses_1", "requestID": "per_1"}}
    assert event_of(frame) == e.RequestGone("ses_1", "per_1")


def test_a_refused_permission_ends_the_turn_in_tool_calls() -> None:
    answer = last_answer(recording("deny"))
    assert (answer.final, answer.failure, answer.broken_off) == (False, None, False)
    assert answer.completed is not None


def test_an_answer_that_goes_on_after_its_tool_calls_is_not_final() -> None:
    recorded = recording("ask")
    first, second = (wire.full_message(item).message for item in recorded.answers["messages"][1:])
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


def test_a_provider_retry() -> None:
    recorded = recording("fail_503")
    statuses = [wire.status(properties["status"]) for properties in recorded.of_type("session.status")]
    retries = [status for status in statuses if isinstance(status, Retrying)]
    assert [(retry.attempt, retry.message) for retry in retries] == [(1, "scripted 503"), (2, "scripted 503")]
    second = retries[1].next_at
    assert second is not None
    assert second == recorded.answers["status"][recorded.session_id]["next"] / 1000
    assert wire.statuses(recorded.answers["status"]) == {recorded.session_id: retries[1]}


def test_an_abort_between_two_tries_leaves_neither_error_nor_finish() -> None:
    answer = last_answer(recording("fail_503"))
    assert (answer.broken_off, answer.failure, answer.final) == (True, None, False)
    assert answer.completed is not None


def test_an_abort_leaves_a_ghost_in_the_list_that_a_resync_does_not_show() -> None:
    recorded = recording("abort")
    assert last_answer(recorded).failure == Failure("Aborted", "aborted")
    assert tool_of(recorded).error == "Tool execution aborted"
    ghosts = wire.requests(recorded.answers["questions"], recorded.answers["permissions"])
    assert len(ghosts) == 1
    statuses = wire.statuses(recorded.answers["status"])
    assert statuses == {}
    store = replayed(recorded)
    store.apply(e.Resynced(dict(statuses), ghosts))
    assert not store.requests
    store.apply(
        e.Resynced({recorded.session_id: Busy()}, ghosts)
    )  # a later turn runs: its ghost is still none of it
    assert not store.requests


def test_thoughts_come_apart_from_words() -> None:
    recorded = recording("think")
    parts = wire.full_message(recorded.answers["messages"][-1]).parts
    assert [type(part) for part in parts] == [ReasoningPart, TextPart]
    assert isinstance(parts[0], ReasoningPart)
    assert parts[0].text.startswith("thought0 thought1 ")
    assert parts[0].state == "done"


def test_a_part_that_began_and_has_no_end_still_grows() -> None:
    first = next(p["part"] for p in recording("think").of_type("message.part.updated") if "time" in p["part"])
    part = wire.part(first)
    assert isinstance(part, ReasoningPart)
    assert (part.text, part.state) == ("", "streaming")


def test_a_session() -> None:
    recorded = recording("ask")
    session = wire.session(recorded.answers["session"])
    assert (session.id, session.directory, session.parent_id) == (recorded.session_id, "/srv/project", None)
    assert session.created == recorded.answers["session"]["time"]["created"] / 1000
    assert session.updated > session.created
    upserted = next(event_of(f) for f in recorded.events if f["payload"]["type"] == "session.updated")
    assert isinstance(upserted, e.SessionUpserted)


def test_what_is_sent_twice_as_sync_and_what_is_unknown_is_passed_over() -> None:
    frames = recording("ask").events
    passed_over = {frame["payload"]["type"] for frame in frames if event_of(frame) is None}
    assert {"sync", "plugin.added", "session.diff"} <= passed_over
    assert event_of({"payload": {"type": "something.new", "properties": 3}}) is None
    assert event_of({}) is None
    assert event_of({"payload": "odd"}) is None


def frame(kind: str, **properties: Any) -> dict[str, Any]:
    """An event as `/event` sends it, without an envelope."""
    return {"id": "evt_1", "type": kind, "properties": properties}


INFO = {"id": "ses_1", "directory": "/a", "parentID": "ses_0"}


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        (frame("server.connected"), e.Connected()),
        (frame("server.heartbeat"), e.Beat()),
        (frame("server.instance.disposed", directory="/a"), e.ServerLeaving()),
        (frame("session.created", info=INFO), e.SessionUpserted(Session("ses_1", "", "/a", parent_id="ses_0"))),
        (frame("session.deleted", info=INFO), e.SessionDeleted("ses_1")),
        (frame("session.idle", sessionID="ses_1"), e.StatusChanged("ses_1", Idle())),
        (frame("session.error", error={"name": "Plugin"}), None),
        (frame("session.error", sessionID="s"), e.SessionFailed("s", Failure("unknown"))),
        (frame("message.removed", sessionID="s", messageID="m"), e.MessageRemoved("s", "m")),
        (frame("message.part.removed", sessionID="s", messageID="m", partID="p"), e.PartRemoved("s", "m", "p")),
        (
            frame("message.part.delta", sessionID="s", messageID="m", partID="p", field="text", delta="x"),
            e.TextDelta("s", "m", "p", "x"),
        ),
        (
            frame(
                "todo.updated", sessionID="s", todos=[{"content": "a", "status": "completed", "priority": "high"}]
            ),
            e.TodosChanged("s", (Todo("a", "completed", "high"),)),
        ),
    ],
)
def test_the_other_events(sent: dict[str, Any], event: e.Event | None) -> None:
    assert event_of(sent) == event


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
    assert wire.part(sent) == part


def test_a_tool_s_output_grows_in_its_metadata() -> None:
    state = {
        "status": "running",
        "input": {"command": "make"},
        "metadata": {"output": "ok\n"},
        "time": {"start": 2000},
    }
    tool = wire.part(part_of("tool", tool="bash", callID="c", state=state))
    assert isinstance(tool, ToolPart)
    assert (tool.output, tool.started, dict(tool.input)) == ("ok\n", 2.0, {"command": "make"})
    ended = {**state, "status": "completed", "output": "ok\nall\n", "metadata": {"diff": "+a"}}
    tool = wire.part(part_of("tool", tool="edit", callID="c", state=ended))
    assert isinstance(tool, ToolPart)
    assert (tool.output, tool.diff, tool.state) == ("ok\nall\n", "+a", "completed")


@pytest.mark.parametrize("answers", [3, "x", {"a": 1}, [1], [["a"], [None]]])
def test_another_tool_s_answers_spoil_nothing(answers: object) -> None:
    state = {"status": "completed", "metadata": {"answers": answers}}
    tool = wire.part(part_of("tool", tool="quiz", callID="c", state=state))
    assert isinstance(tool, ToolPart)
    assert tool.answers is None


def test_a_tool_state_that_nobody_knows_is_shown_as_running() -> None:
    tool = wire.part(part_of("tool", tool="x", callID="c", state={"status": "queued", "input": "odd"}))
    assert isinstance(tool, ToolPart)
    assert (tool.state, dict(tool.input)) == ("running", {})


@pytest.mark.parametrize(
    ("status", "meant"), [({"type": "idle"}, Idle()), ({"type": "busy"}, Busy()), ({"type": "compacting"}, Busy())]
)
def test_a_session_is_idle_only_when_the_server_says_so(status: object, meant: object) -> None:
    assert wire.status(status) == meant


@pytest.mark.parametrize(
    "sent",
    [
        frame("session.updated"),
        frame("question.asked", id="que_1", sessionID="s"),
        frame("message.part.delta", sessionID="s", messageID="m", partID="p", delta=3),
        frame("permission.replied", sessionID="s", requestID="p", reply="maybe"),
    ],
)
def test_an_event_without_what_we_build_on_is_refused(sent: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        event_of(sent)


@pytest.mark.parametrize(
    ("name", "now", "asked"),
    [
        ("que_1f92ee1f4001jOpgts0tmCf4NK", 1795182002.0, 1795181961.716),
        ("per_1f92ee1f4001jOpgts0tmCf4NK", 1795181961.0, 1795181961.716),
        ("que_1f92ee1f4001jOpgts0tmCf4NK", 1795181961.0 + 2**36 / 1000, 1795181961.716 + 2**36 / 1000),
        ("que_1", 1795182002.0, None),
        ("que_zf92ee1f4001jOpgts0tmCf4NK", 1795182002.0, None),
    ],
)
def test_when_an_id_was_made(name: str, now: float, asked: float | None) -> None:
    assert wire.minted(name, now) == (None if asked is None else pytest.approx(asked, abs=0.001))
