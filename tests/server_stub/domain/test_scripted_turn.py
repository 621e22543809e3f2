import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from server_stub.domain.rounds import Superseded
from server_stub.domain.scripted_turn import ModelFailed, Script, ScriptedTurn, TurnEnded
from server_stub.domain.state import Message, ServerState, Session
from tests.server_stub.conftest import HERE, START, InstantClock
from tests.server_stub.event_listener import EventRecorder, recording
from tests.waiting import wait_until

Json = dict[str, Any]
QUESTION: Json = {"question": "Which?", "header": "Which", "options": [{"label": "a", "description": ""}]}


@pytest.fixture
def session(server: ServerState) -> Session:
    return server.create_session(HERE)


def prompt(server: ServerState, session: Session, message_id: str = "msg_prompt") -> Message:
    info: Json = {
        "id": message_id,
        "role": "user",
        "sessionID": session.id,
        "time": {"created": server.clock.now()},
        "agent": "build",
        "model": {"providerID": "p", "modelID": "m"},
    }
    return server.put_message(info)


@pytest.fixture
def turn(server: ServerState, session: Session) -> ScriptedTurn:
    return ScriptedTurn(server, session, prompt(server, session), no_delegate)


async def no_delegate(child: Session, text: str, script: Script) -> Message:
    raise AssertionError("nothing to delegate here")


def answers(session: Session) -> list[Message]:
    return [message for message in session.messages.values() if message.info["role"] == "assistant"]


def types(message: Message) -> list[str]:
    return [part["type"] for part in message.parts.values()]


async def opened(server: ServerState, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Start the work, which waits for the user."""
    task = asyncio.ensure_future(work)
    await wait_until(lambda: server.requests.questions(HERE) or server.requests.permissions(HERE))
    return task


async def test_a_round_is_one_message_with_steps_around_its_text(turn: ScriptedTurn, session: Session) -> None:
    await turn.think("hm")
    await turn.stream_words("so it is")
    turn.end("stop")
    [answer] = answers(session)
    assert types(answer) == ["step-start", "reasoning", "text", "step-finish"]
    assert answer.info["parentID"] == "msg_prompt"
    assert answer.info["finish"] == "stop"
    assert answer.info["time"]["completed"] > answer.info["time"]["created"]
    assert answer.info["tokens"]["output"] == 4
    assert session.info["tokens"]["output"] == 4


async def test_text_after_a_tool_call_opens_the_next_round(turn: ScriptedTurn, session: Session) -> None:
    await turn.stream_words("first")
    await turn.use("read", {}, "text", "file")
    await turn.stream_words("then")
    turn.end("stop")
    first, second = answers(session)
    assert types(first) == ["step-start", "text", "tool", "step-finish"]
    assert first.info["finish"] == "tool-calls"
    assert types(second) == ["step-start", "text", "step-finish"]


async def test_text_is_streamed_and_stored_when_the_part_ends(
    server: ServerState, turn: ScriptedTurn, session: Session, clock: InstantClock
) -> None:
    with recording(server) as recorder:
        await turn.stream_words("one two three", rate=2)
        turn.end("stop")
    assert [event["delta"] for event in recorder.of("message.part.delta")] == ["one ", "two ", "three"]
    begun, ended = [event["part"] for event in recorder.of("message.part.updated") if event["part"]["type"] == "text"]
    assert begun["text"] == ""
    assert ended["text"] == "one two three"
    assert ended["time"] == {"start": START, "end": START + 1500}


def part_states(recorder: EventRecorder) -> list[str]:
    """`text` for an ended text, else the state of a tool call."""
    parts = [event["part"] for event in recorder.of("message.part.updated")]
    return [
        part["state"]["status"] if part["type"] == "tool" else part["type"]
        for part in parts
        if part["type"] == "tool" or "end" in part.get("time", {})
    ]


async def test_text_before_a_tool_call_ends_after_the_call_runs(
    server: ServerState, turn: ScriptedTurn, session: Session
) -> None:
    with recording(server) as recorder:
        await turn.stream_words("first")
        [words] = [part for part in answers(session)[0].parts.values() if part["type"] == "text"]
        assert (words["text"], "end" in words["time"]) == ("", False)
        await turn.use("read", {}, "text", "file")
    assert part_states(recorder) == ["pending", "running", "text", "completed"]


@pytest.mark.parametrize("asks", ["question", "permission"])
async def test_a_request_opens_before_the_text_ahead_of_it_is_stored(
    server: ServerState, turn: ScriptedTurn, asks: str
) -> None:
    await turn.stream_words("first")
    with recording(server) as recorder:
        work = turn.ask(QUESTION) if asks == "question" else turn.shell("make", [])
        task = await opened(server, work)
    last = recorder.of("message.part.updated")[-1]["part"]
    assert (last["type"], last["text"]) == ("text", "first")
    assert recorder.kinds[-1] == "message.part.updated"
    assert f"{asks}.asked" in recorder.kinds
    task.cancel()
    await asyncio.wait({task})


async def test_a_text_ends_when_another_begins(server: ServerState, turn: ScriptedTurn) -> None:
    with recording(server) as recorder:
        await turn.think("hm")
        await turn.stream_words("so it is")
        assert part_states(recorder) == ["reasoning"]
        turn.end("stop")
        assert part_states(recorder) == ["reasoning", "text"]


async def test_a_cancelled_part_keeps_its_streamed_text(turn: ScriptedTurn, session: Session) -> None:
    task = asyncio.ensure_future(turn.stream_words("word " * 1000))
    await wait_until(lambda: answers(session) and len(answers(session)[0].parts) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    turn.interrupt(None)
    text = list(answers(session)[0].parts.values())[-1]
    assert "end" in text["time"]
    assert len(text["text"]) < 5000


async def test_a_broken_provider_stream_is_stored_empty(turn: ScriptedTurn, session: Session) -> None:
    await turn.stream(["half ", "a "], rate=10, interrupts=True)
    await turn.retry("Overloaded", attempt=1, seconds=2)
    await turn.stream_words("all of it")
    turn.end("stop")
    [answer] = answers(session)
    assert [part["text"] for part in answer.parts.values() if part["type"] == "text"] == ["", "all of it"]


async def test_a_retry_publishes_its_end_and_then_busy(
    server: ServerState, turn: ScriptedTurn, session: Session
) -> None:
    turn.begin()
    with recording(server) as recorder:
        await turn.retry("Overloaded", attempt=3, seconds=9)
    waiting, busy = [event["status"] for event in recorder.of("session.status")]
    assert waiting == {"type": "retry", "attempt": 3, "message": "Overloaded", "next": START + 9000}
    assert busy == {"type": "busy"}
    assert not turn.waits_for_provider


async def test_a_final_failure_carries_the_providers_error(turn: ScriptedTurn, session: Session) -> None:
    with pytest.raises(ModelFailed) as failure:
        turn.fail("no such key", 401)
    turn.interrupt(failure.value.error)
    [answer] = answers(session)
    assert answer.parts == {}
    assert answer.info["error"]["name"] == "APIError"
    assert answer.info["error"]["data"]["statusCode"] == 401
    assert "finish" not in answer.info


async def test_a_question_opens_before_its_call_runs(server: ServerState, turn: ScriptedTurn, session: Session) -> None:
    with recording(server) as recorder:
        task = await opened(server, turn.ask(QUESTION))
        states = [
            payload["properties"].get("part", {}).get("state", {}).get("status", payload["type"])
            for payload in recorder.payloads
        ]
        [asked] = server.requests.questions(HERE)
        server.requests.reply_question(asked["id"], [["a"]])
        assert await task == [["a"]]
    assert [one for one in states if one in ("pending", "question.asked", "running")] == [
        *("pending", "question.asked", "running")
    ]
    tool = list(answers(session)[0].parts.values())[-1]
    assert tool["state"]["output"] == turn.model_input
    assert turn.model_input == (
        'User has answered your questions: "Which?"="a". You can now continue with the user\'s answers in mind.'
    )
    assert tool["state"]["metadata"] == {"answers": [["a"]], "truncated": False}
    assert asked["tool"] == {"messageID": tool["messageID"], "callID": tool["callID"]}


@pytest.mark.parametrize("given", [[], [[]], [[], ["b"]]])
async def test_a_missing_answer_counts_as_unanswered(
    server: ServerState, turn: ScriptedTurn, given: list[list[str]]
) -> None:
    task = await opened(server, turn.ask(QUESTION))
    server.requests.reply_question(server.requests.questions(HERE)[0]["id"], given)
    await task
    assert '"Which?"="Unanswered"' in turn.model_input


async def test_a_dismissed_question_ends_the_turn(server: ServerState, turn: ScriptedTurn, session: Session) -> None:
    task = await opened(server, turn.ask(QUESTION))
    server.requests.reject_question(server.requests.questions(HERE)[0]["id"])
    with pytest.raises(TurnEnded):
        await task
    assert list(answers(session)[0].parts.values())[-1]["state"]["error"] == "The user dismissed this question"


async def test_a_shell_asks_for_permission_and_its_output_grows(
    server: ServerState, turn: ScriptedTurn, session: Session
) -> None:
    with recording(server) as recorder:
        task = await opened(server, turn.shell("make all", ["one", "two"]))
        [asked] = server.requests.permissions(HERE)
        assert asked["permission"] == "bash"
        assert asked["patterns"] == ["make all"]
        assert asked["always"] == ["make *"]
        assert asked["metadata"] == {"command": "make all"}
        server.requests.reply_permission(asked["id"], "once")
        await task
    states = [event["part"]["state"] for event in recorder.of("message.part.updated") if "state" in event["part"]]
    assert [one["metadata"]["output"] for one in states if "metadata" in one] == [
        "one\n",
        "one\ntwo\n",
        "one\ntwo\n",
    ]
    assert states[-1]["status"] == "completed"


async def test_a_command_without_output_reports_none(turn: ScriptedTurn) -> None:
    await turn.shell("touch x", [], asks=False)
    assert turn.model_input == "(no output)"


async def test_a_rejection_without_a_reason_ends_the_turn(
    server: ServerState, turn: ScriptedTurn, session: Session
) -> None:
    task = await opened(server, turn.shell("make", []))
    server.requests.reply_permission(server.requests.permissions(HERE)[0]["id"], "reject")
    with pytest.raises(TurnEnded):
        await task
    error = list(answers(session)[0].parts.values())[-1]["state"]["error"]
    assert error == "The user rejected permission to use this specific tool call."


async def test_a_rejection_with_a_reason_continues_the_turn(server: ServerState, turn: ScriptedTurn) -> None:
    task = await opened(server, turn.shell("make", []))
    server.requests.reply_permission(server.requests.permissions(HERE)[0]["id"], "reject", "not today")
    await task
    assert turn.model_input.endswith("with the following feedback: not today")


async def test_concurrent_calls_share_a_round_that_ends_after_them(
    server: ServerState, turn: ScriptedTurn, session: Session
) -> None:
    task = await opened(server, turn.together(turn.ask(QUESTION), turn.shell("make", ["done"])))
    await wait_until(lambda: server.requests.permissions(HERE))
    server.requests.reply_permission(server.requests.permissions(HERE)[0]["id"], "once")
    tools = [part for part in answers(session)[0].parts.values() if part["type"] == "tool"]
    await wait_until(
        lambda: (
            [p["state"]["status"] for p in answers(session)[0].parts.values() if "state" in p]
            == ["running", "completed"]
        )
    )
    assert not task.done()
    server.requests.reply_question(server.requests.questions(HERE)[0]["id"], [["a"]])
    await task
    assert len(tools) == 2
    assert len(answers(session)) == 1


async def test_one_rejection_of_several_ends_the_turn(server: ServerState, turn: ScriptedTurn) -> None:
    task = await opened(server, turn.together(turn.ask(QUESTION), turn.shell("make", ["done"])))
    await wait_until(lambda: server.requests.permissions(HERE))
    server.requests.reject_question(server.requests.questions(HERE)[0]["id"])
    server.requests.reply_permission(server.requests.permissions(HERE)[0]["id"], "once")
    with pytest.raises(TurnEnded):
        await task


async def test_an_edit_is_counted_in_the_sessions_diff(
    server: ServerState, turn: ScriptedTurn, session: Session
) -> None:
    with recording(server) as recorder:
        await turn.edit("a.py", "--- a.py\n+++ a.py\n@@ -1,2 +1,3 @@\n-old\n+new\n+more\n same\n")
    [change] = session.diff
    assert (change["file"], change["additions"], change["deletions"]) == ("a.py", 2, 1)
    assert recorder.of("file.edited") == [{"file": "a.py"}]


async def test_todos_are_published_and_stored(server: ServerState, turn: ScriptedTurn, session: Session) -> None:
    todos = [{"content": "read", "status": "completed", "priority": "high"}]
    with recording(server) as recorder:
        await turn.plan(todos)
    assert session.todos == todos
    assert recorder.of("todo.updated") == [{"sessionID": session.id, "todos": todos}]


async def test_a_newer_prompt_is_answered_after_the_current_round(
    server: ServerState, turn: ScriptedTurn, session: Session, clock: InstantClock
) -> None:
    await turn.use("read", {}, "text", "file")
    clock.moment += 1
    prompt(server, session, "msg_newer")
    with pytest.raises(Superseded):
        await turn.stream_words("never said")
    [answer] = answers(session)
    assert answer.info["finish"] == "tool-calls"
    assert "text" not in types(answer)
