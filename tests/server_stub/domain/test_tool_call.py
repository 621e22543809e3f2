import asyncio

import pytest

from server_stub.domain.state import Message, ServerState
from server_stub.domain.tool_call import ToolCall
from tests.server_stub.conftest import HERE, START, InstantClock


@pytest.fixture
def message(server: ServerState) -> Message:
    session = server.create_session(HERE)
    info = {"id": "msg_1", "sessionID": session.id, "role": "assistant", "time": {"created": START}}
    return server.put_message(info)


@pytest.fixture
def call(server: ServerState, message: Message) -> ToolCall:
    return ToolCall(server, message.info, "bash", {"command": "make"})


def state(message: Message) -> object:
    [part] = message.parts.values()
    return part["state"]


def test_a_call_is_pending_from_the_start(call: ToolCall, message: Message) -> None:
    assert state(message) == {"status": "pending", "input": {}, "raw": ""}
    [part] = message.parts.values()
    assert call.reference == {"messageID": "msg_1", "callID": part["callID"]}
    assert not call.is_over


def test_running_keeps_its_start_while_its_output_grows(call: ToolCall, message: Message, clock: InstantClock) -> None:
    call.running()
    clock.moment += 700
    call.running({"output": "one\n"})
    assert state(message) == {
        "status": "running",
        "input": {"command": "make"},
        "metadata": {"output": "one\n"},
        "time": {"start": START},
    }
    assert not call.is_over


def test_completed(call: ToolCall, message: Message, clock: InstantClock) -> None:
    call.running()
    clock.moment += 700
    call.completed("one\n", "make", {"exit": 0})
    assert state(message) == {
        "status": "completed",
        "input": {"command": "make"},
        "output": "one\n",
        "title": "make",
        "metadata": {"exit": 0, "truncated": False},
        "time": {"start": START, "end": START + 700},
    }
    assert call.is_over


def test_a_cancellation_marks_the_call_as_aborted(call: ToolCall, message: Message) -> None:
    call.running()
    with pytest.raises(asyncio.CancelledError), call:
        raise asyncio.CancelledError
    assert state(message) == {
        "status": "error",
        "input": {"command": "make"},
        "error": "Tool execution aborted",
        "metadata": {"interrupted": True},
        "time": {"start": START, "end": START},
    }


def test_another_exception_does_not_change_the_call(call: ToolCall, message: Message) -> None:
    call.failed("of its own")
    with pytest.raises(LookupError), call:
        raise LookupError
    assert call.is_over
    [part] = message.parts.values()
    assert part["state"]["error"] == "of its own"
