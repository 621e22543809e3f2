"""A stream and a load of the same session give the same result, as recorded from a real server."""

import copy
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.backends.recording_qwen import NAMES, Recording, recording
from tui.backends.decoding import read
from tui.backends.qwen import schema as wire
from tui.backends.qwen.session_reducer import SessionReducer, picture
from tui.backends.qwen.tool_calls import INCOMPLETE_ANSWER, answer_id
from tui.core import events as e
from tui.core.model import (
    Busy,
    Failure,
    FullMessage,
    Idle,
    PermissionReply,
    PermissionRequest,
    QuestionRequest,
    ReasoningPart,
    TextPart,
    Todo,
    ToolPart,
    Usage,
)
from tui.core.store import Store

ENDED = [name for name in NAMES if "end" in recording(name).loads]


def tools(messages: Sequence[FullMessage]) -> list[ToolPart]:
    return [part for full in messages for part in full.parts if isinstance(part, ToolPart)]


def of(events: Sequence[e.Event], *kinds: type) -> list[Any]:
    return [event for event in events if isinstance(event, kinds)]


@pytest.mark.parametrize("name", ENDED)
def test_the_stream_gives_the_same_as_a_load(name: str) -> None:
    recorded = recording(name)
    _, loaded = recorded.loaded("end")
    assert recorded.streamed() == picture(recorded.session_id, loaded)


@pytest.mark.parametrize("name", ENDED)
def test_at_the_end_the_session_is_idle_and_nothing_is_open(name: str) -> None:
    reducer, events = recording(name).reduce()
    assert of(events, e.StatusChanged)[-1] == e.StatusChanged(reducer.session_id, Idle())
    assert not reducer.open
    assert reducer.cursor == max(frame["id"] for frame in recording(name).events if "id" in frame)


@pytest.mark.parametrize("name", ENDED)
def test_repeated_events_change_nothing(name: str) -> None:
    """A page that already contains events may be fetched before them."""
    recorded = recording(name)
    _, events = recorded.reduce()
    whole = e.MessagesLoaded(recorded.session_id, recorded.streamed(), None)
    for known in range(0, len(events), 3):
        store = Store()
        store.open_transcript(recorded.session_id)
        before = picture(recorded.session_id, events[:known])
        for event in (e.MessagesLoaded(recorded.session_id, before, None), *events):
            store.apply(event)
        transcript = store.transcript(recorded.session_id)
        assert transcript is not None
        assert tuple(FullMessage(m, tuple(transcript.parts_of(m.id))) for m in transcript.ordered()) == whole.messages


def words(kind: str, text: str, **meta: Any) -> dict[str, Any]:
    return {"sessionUpdate": kind, "content": {"type": "text", "text": text}, "_meta": meta}


def frame(number: int, update: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": number,
        "type": "session_update",
        "promptId": "p1",
        "originatorClientId": "client_1",
        "data": {"sessionId": "s1", "update": update},
        "_meta": {"serverTimestamp": 1000 * number},
    }


def call(call_id: str, status: str, **fields: Any) -> dict[str, Any]:
    return {"sessionUpdate": "tool_call_update", "toolCallId": call_id, "status": status, **fields}


UPDATES = st.one_of(
    st.tuples(
        st.sampled_from(["agent_message_chunk", "agent_thought_chunk"]),
        st.sampled_from(["a ", "\ud83d", "\ude00", ""]),
    ).map(lambda pair: words(*pair)),
    st.integers(1, 9).map(lambda n: words("agent_message_chunk", "", usage={"inputTokens": n, "outputTokens": n})),
    st.tuples(st.sampled_from("xyz"), st.sampled_from(["pending", "in_progress", "completed", "failed"])).map(
        lambda pair: call(*pair, content=[{"type": "content", "content": {"type": "text", "text": pair[1]}}])
    ),
    st.just({"sessionUpdate": "current_mode_update", "currentModeId": "plan"}),
    st.just(words("agent_message_chunk", "by itself", qwenDiscreteMessage=True)),
    st.just(words("agent_message_chunk", "a subagent's", parentToolCallId="x")),
)


def compacted(frames: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compacts a turn as the server does: adjacent chunks are merged, tool calls complete at their first position."""
    kept: list[dict[str, Any]] = []
    places: dict[str, int] = {}
    for one in copy.deepcopy(list(frames)):
        update = one["data"]["update"]
        kind, meta = update["sessionUpdate"], update.get("_meta", {})
        if kind.startswith("tool_call"):
            if (place := places.get(update["toolCallId"])) is not None:
                kept[place]["data"]["update"] |= update
                kept[place]["id"] = one["id"]
                continue
            places[update["toolCallId"]] = len(kept)
        last = kept[-1]["data"]["update"] if kept else {}
        plain = "qwenDiscreteMessage" not in meta and "parentToolCallId" not in meta
        before = last.get("_meta", {})
        mergeable = "qwenDiscreteMessage" not in before and "parentToolCallId" not in before
        if kind.startswith("agent_") and plain and mergeable and last.get("sessionUpdate") == kind:
            last["content"]["text"] += update["content"]["text"]
            last["_meta"] |= meta
            kept[-1]["id"] = one["id"]
            continue
        kept.append(one)
    return kept


def messages_from(raws: Sequence[dict[str, Any]]) -> tuple[FullMessage, ...]:
    reducer = SessionReducer("s1")
    return picture("s1", [event for raw in raws for event in reducer.take(read(raw, wire.Frame))])


TEXT_AROUND_A_RUNNING_CALL = [
    call("x", "pending"),
    words("agent_message_chunk", "one "),
    call("x", "completed"),
    words("agent_message_chunk", "two"),
]


@given(st.lists(UPDATES, max_size=14))
@example(TEXT_AROUND_A_RUNNING_CALL)
def test_compaction_does_not_change_the_messages(updates: list[dict[str, Any]]) -> None:
    echo = frame(1, words("user_message_chunk", "do it"))
    turn = [frame(number, update) for number, update in enumerate(updates, 2)]
    end = {"id": 99, "type": "turn_complete", "promptId": "p1", "data": {"stopReason": "end_turn"}}
    assert messages_from([echo, *compacted(turn), end]) == messages_from([echo, *turn, end])


def test_text_of_a_subagent_is_not_in_the_answer() -> None:
    updates = [
        words("user_message_chunk", "hi"),
        words("agent_message_chunk", "one "),
        words("agent_message_chunk", "aside", parentToolCallId="x"),
        words("agent_message_chunk", "two"),
    ]
    [_, answer] = messages_from([frame(number, update) for number, update in enumerate(updates, 1)])
    assert [part.text for part in answer.parts if isinstance(part, TextPart)] == ["one two"]


def test_surrogates_are_joined_across_chunks() -> None:
    [_, answer] = messages_from(
        [frame(1, words("user_message_chunk", "hi"))]
        + [frame(n, words("agent_message_chunk", text)) for n, text in ((2, "a\ud83d"), (3, "\ude00b"))]
    )
    assert [part.text for part in answer.parts if isinstance(part, TextPart)] == ["a😀b"]


def test_ids_are_derived_from_the_prompt_and_deltas_have_positions() -> None:
    reducer, events = recording("think").reduce()
    [echo] = reducer.echoes
    deltas = of(events, e.TextDelta)
    assert {delta.message_id for delta in deltas} == {answer_id(echo.prompt_id)}
    assert {delta.part_id for delta in deltas} == {f"{echo.prompt_id}:1", f"{echo.prompt_id}:2"}
    at: dict[str, int] = {}
    for delta in deltas:
        assert delta.at == at.get(delta.part_id, 0)
        at[delta.part_id] = delta.at + len(delta.delta)


def test_reasoning_text_and_tokens() -> None:
    [prompt, answer] = recording("think").streamed()
    assert [type(part) for part in answer.parts] == [ReasoningPart, TextPart]
    assert answer.message.parent_id == prompt.message.id
    assert answer.message.usage == Usage(10, 10)
    assert (answer.message.final, answer.message.failure) == (True, None)
    assert answer.message.completed is not None


def test_a_question_is_opened_answered_and_quoted() -> None:
    reducer, events = recording("ask").reduce()
    [opened] = of(events, e.RequestOpened)
    question = opened.request
    assert isinstance(question, QuestionRequest)
    assert [(q.header, q.multiple, [o.label for o in q.options]) for q in question.questions] == [
        ("DB", False, ["Postgres", "SQLite"]),
        ("Feat", True, ["auth", "search"]),
    ]
    given_answers = (("Postgres",), ("auth", "search"))
    assert of(events, e.QuestionAnswered) == [e.QuestionAnswered(reducer.session_id, question.id, given_answers)]
    assert question.asked is not None
    assert question.asked == pytest.approx(of(events, e.MessageUpserted)[0].message.created, abs=60)
    [tool] = tools(picture(reducer.session_id, events))
    assert (tool.call_id, tool.message_id, tool.answers) == (question.call_id, question.message_id, given_answers)


def test_a_dismissed_question_ends_its_turn() -> None:
    reducer, events = recording("dismiss").reduce()
    [rejected] = of(events, e.QuestionRejected)
    assert rejected.session_id == reducer.session_id
    [_, answer] = picture(reducer.session_id, events)
    assert answer.message.final
    [tool] = tools([answer])
    assert (tool.state, tool.error) == ("error", 'Tool "ask_user_question" was canceled by the user.')
    assert tool.why == "cancelled"


@pytest.mark.parametrize(("name", "reply"), [("shell", "once"), ("refuse", "reject")])
def test_a_permission_has_its_command_and_scope(name: str, reply: PermissionReply) -> None:
    reducer, events = recording(name).reduce()
    [opened] = of(events, e.RequestOpened)
    request = opened.request
    assert isinstance(request, PermissionRequest)
    assert (request.action, request.detail) == ("run_shell_command", "touch made.txt")
    assert request.always == ("Always Allow in project: touch *",)
    assert of(events, e.PermissionReplied) == [e.PermissionReplied(reducer.session_id, request.id, reply)]
    [tool] = tools(picture(reducer.session_id, events))
    assert tool.state == ("completed" if reply == "once" else "error")
    assert tool.input["command"] == "touch made.txt"
    assert tool.title == "touch made.txt (make a file)"


def test_an_edit_is_a_diff() -> None:
    read, edit = tools(recording("edit").streamed())
    assert (read.tool, read.title, read.output) == ("read_file", "ReadFile: a.txt", "one\ntwo\n")
    assert (edit.tool, edit.state) == ("edit", "completed")
    assert edit.diff.startswith("--- ")
    assert "-two\n+three" in edit.diff


def test_a_plan_is_the_todos() -> None:
    _, events = recording("plan").reduce()
    assert of(events, e.TodosChanged)[-1].todos == (
        Todo("first", "completed", "medium"),
        Todo("second", "in_progress", "medium"),
    )


def test_a_model_error_has_its_status() -> None:
    [_, answer] = recording("fail").streamed()
    assert answer.message.failure == Failure("scripted 401", "provider", 401)
    assert answer.message.completed is not None


def test_a_cancelled_turn_is_aborted_and_the_queued_one_follows() -> None:
    reducer, events = recording("queue").reduce()
    first, second = [full.message for full in picture(reducer.session_id, events) if full.message.role == "assistant"]
    assert first.failure == Failure("aborted", "aborted")
    assert (second.final, second.failure) == (True, None)
    statuses = [event.status for event in of(events, e.StatusChanged)]
    assert statuses.count(Idle()) == 1
    assert [echo.text for echo in reducer.echoes] == ["SLOW", "second", "second"]


def test_a_running_turn_is_loaded_as_running() -> None:
    _, events = recording("queue").loaded("running")
    [_, answer] = picture(recording("queue").session_id, events)
    assert answer.message.completed is None
    assert [part.state for part in answer.parts if isinstance(part, TextPart)] == ["streaming"]
    assert of(events, e.StatusChanged)[-1].status == Busy()


def test_an_open_request_is_open_after_a_load() -> None:
    recorded = recording("ask")
    reducer, events = recorded.loaded("waiting")
    [opened] = of(recorded.reduce()[1], e.RequestOpened)
    assert [asked.request for asked in reducer.open.values()] == [opened.request]
    assert of(events, e.RequestOpened) == [opened]


def test_a_restarted_server_reports_the_lost_turn() -> None:
    recorded: Recording = recording("restart")
    before = recorded.streamed()
    _, events = recorded.loaded("restarted")
    after = picture(recorded.session_id, events)
    assert [full.message.id for full in after] == [full.message.id for full in before]
    assert after[1].message.failure is None
    assert [part.id for part in after[1].parts] == [part.id for part in before[1].parts]
    assert tools(after)[0].answers == (("SQLite",),)
    lost = after[-1]
    assert lost.message.failure == Failure("the server was restarted during the turn", "interrupted")
    assert lost.parts == ()


SAID = words("agent_message_chunk", "so it is")
USED = words("agent_message_chunk", "", usage={"inputTokens": 1, "outputTokens": 1})


@pytest.mark.parametrize(
    ("stored", "breaks_off"),
    [
        ([], True),
        ([words("agent_thought_chunk", "hm")], True),
        ([SAID, USED, call("x", "in_progress"), call("x", "failed")], True),
        ([SAID, {"sessionUpdate": "plan", "entries": [{"content": "one"}]}], True),
        ([SAID, USED], False),
        ([call("x", "completed"), SAID], False),
    ],
)
def test_an_unrecorded_end_is_derived_from_the_transcript(stored: list[dict[str, Any]], breaks_off: bool) -> None:
    reducer = SessionReducer("s1", [])
    raws = [frame(number, update) for number, update in enumerate([words("user_message_chunk", "go"), *stored], 1)]
    events = [event for raw in raws for event in reducer.take(read(raw, wire.Frame))]
    [_, answer] = picture("s1", [*events, *reducer.finish()])
    assert answer.message.failure == (INCOMPLETE_ANSWER if breaks_off else None)
    assert answer.message.completed is not None


def test_a_session_that_crashes_in_mid_text_is_interrupted() -> None:
    died = {"id": 9, "type": "session_died", "data": {}}
    [_, answer] = messages_from([frame(1, words("user_message_chunk", "go")), frame(2, SAID), died])
    assert answer.message.failure == INCOMPLETE_ANSWER


def test_a_running_tool_ends_with_its_turn() -> None:
    end = {"id": 9, "type": "turn_error", "promptId": "p1", "data": {"message": "gone"}}
    started = frame(2, call("x", "in_progress", title="wait"))
    [_, answer] = messages_from([frame(1, words("user_message_chunk", "go")), started, end])
    [tool] = tools([answer])
    assert (tool.state, tool.error) == ("error", "not finished: the turn ended first")
    assert answer.message.failure == Failure("gone")


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        ("turn_complete", {"stopReason": "max_tokens"}, "the model reached its limit of tokens"),
        ("turn_complete", {"stopReason": "max_turn_requests"}, "the turn reached its limit of model calls"),
        ("turn_complete", {"stopReason": "refusal"}, "the model refused to answer"),
        ("turn_error", {"code": "session_killed"}, "the server ended the session during the answer"),
        ("turn_error", {"code": "daemon_shutdown"}, "the server was stopped during the answer"),
        ("turn_error", {"code": "channel_closed"}, "the server's agent stopped during the answer"),
    ],
)
def test_an_answer_that_ended_early_says_why(kind: str, data: dict[str, Any], reason: str) -> None:
    end = {"id": 9, "type": kind, "promptId": "p1", "data": {"message": "", **data}}
    [_, answer] = messages_from([frame(1, words("user_message_chunk", "go")), frame(2, SAID), end])
    assert answer.message.failure is not None
    assert answer.message.failure.message == reason


def test_closing_a_session_closes_its_requests() -> None:
    recorded = recording("ask")
    frames = recorded.frames()
    asked = next(i for i, one in enumerate(frames) if one.type == "permission_request")
    reducer, _ = recorded.reduce(frames[: asked + 1])
    request_id = next(iter(reducer.open))
    events = reducer.take(wire.Frame("session_closed"))
    assert e.RequestRemoved(reducer.session_id, request_id) in events
    assert e.StatusChanged(reducer.session_id, Idle()) in events


@pytest.mark.parametrize("kind", ["something_new", "session_snapshot", "prompt_cancelled", "model_switched"])
def test_other_events_are_skipped(kind: str) -> None:
    assert SessionReducer("s1").take(wire.Frame(kind, data={"x": [1]})) == []


def test_an_unreadable_event_is_skipped_once() -> None:
    reducer = SessionReducer("s1")
    with pytest.raises(msgspec.ValidationError):
        reducer.take(wire.Frame("session_update", id=7, data={"update": {"sessionUpdate": 3}}))
    assert reducer.cursor == 7


@pytest.mark.parametrize("code", ["session_closed", "-32602"])
def test_a_prompt_refused_by_a_closing_session_is_removed(code: str) -> None:
    """Measured on 0.24.4: it leaves the server's queue, is echoed, and refused by the closing agent."""
    reducer = SessionReducer("s1")
    reducer.take(read(frame(1, words("user_message_chunk", "hello")), wire.Frame))
    end = {
        "id": 2,
        "type": "turn_error",
        "promptId": "p1",
        "data": {"message": "Session is closing", "code": code},
    }
    events = reducer.take(read(end, wire.Frame))
    assert events == [e.MessageRemoved("s1", "p1"), e.StatusChanged("s1", Idle())]


def test_a_turn_with_a_begun_answer_fails_when_its_session_is_closed() -> None:
    reducer = SessionReducer("s1")
    reducer.take(read(frame(1, words("user_message_chunk", "hello")), wire.Frame))
    reducer.take(read(frame(2, words("agent_message_chunk", "Well")), wire.Frame))
    end = {
        "id": 3,
        "type": "turn_error",
        "promptId": "p1",
        "data": {"message": "closed", "code": "session_closed"},
    }
    (ended,) = [one for one in of(reducer.take(read(end, wire.Frame)), e.MessageUpserted)]
    assert ended.message.failure is not None


def test_a_result_that_comes_late_belongs_to_the_turn_of_its_call() -> None:
    """After kill -9 a replay ends with the failure of the call that was left without a result."""
    echo, begun = words("user_message_chunk", "text"), call("x", "in_progress")
    later = {"promptId": "p2"}
    frames = [
        frame(1, echo),
        frame(2, begun),
        frame(3, echo) | later,
        frame(4, words("agent_message_chunk", "answer")) | later,
        frame(5, call("x", "failed")) | later,
    ]
    messages = messages_from(frames)
    assert [(one.message.parent_id, [part.state for part in tools([one])]) for one in messages if tools([one])] == [
        ("p1", ["error"])
    ]
