"""What the reducer keeps of a session is limited in bytes, whatever the server sends."""

from typing import Any

import msgspec
import pytest

from tests.backends.qwen.test_session_reducer import call, frame, words
from tui.backends.decoding import MAX_ID_CHARACTERS, read
from tui.backends.qwen import schema as wire
from tui.backends.qwen.echoes import COMPARED
from tui.backends.qwen.followed_session import FollowedSession
from tui.backends.qwen.prompts import EchoPosition, find_prompt
from tui.backends.qwen.requests import MAX_REQUEST_BYTES
from tui.backends.qwen.running_turn import LARGE, MAX_CALL_BYTES, RunningTurn
from tui.backends.qwen.session_reducer import MAX_QUEUE, SessionReducer
from tui.core import events as e
from tui.core.model import Prompt, ToolPart

SIZE = 1 << 20
COUNT = 100


def waiting(number: int, text: str, prompt_id: str) -> wire.Frame:
    event = {"id": number, "type": "pending_prompt_added", "promptId": prompt_id, "data": {"text": text}}
    return read(event | {"originatorClientId": "client_1"}, wire.Frame)


def permission(number: int) -> dict[str, Any]:
    tool_call = {"toolCallId": f"c{number}", "title": "run", "rawInput": {"command": f"{number:02}" + "x" * SIZE}}
    options = [{"optionId": "yes", "kind": "allow_once"}]
    data = {"requestId": f"r{number}", "toolCall": tool_call, "options": options}
    return frame(number + 1, {}) | {"type": "permission_request", "data": data}


def running(*updates: dict[str, Any]) -> tuple[SessionReducer, list[e.Event]]:
    reducer = SessionReducer("s1")
    frames = [frame(1, words("user_message_chunk", "hi")), *updates]
    return reducer, [event for one in frames for event in reducer.take(read(one, wire.Frame))]


def test_open_requests_are_all_reported_and_stored_up_to_a_number_of_bytes() -> None:
    reducer, events = running(*map(permission, range(1, COUNT)))
    assert len([one for one in events if isinstance(one, e.RequestOpened)]) == COUNT - 1
    assert sum(one.weight for one in reducer.open.values()) < MAX_REQUEST_BYTES + 3 * SIZE
    end = {"type": "permission_resolved", "data": {"requestId": f"r{COUNT - 1}"}}
    assert reducer.take(read(frame(200, {}) | end, wire.Frame)) == [e.RequestRemoved("s1", f"r{COUNT - 1}")]
    reducer.take(read(frame(201, {}) | {"type": "turn_complete", "data": {}}, wire.Frame))
    assert not reducer.open
    reducer.take(read(permission(COUNT), wire.Frame))
    assert list(reducer.open) == [f"r{COUNT}"]


def test_a_long_prompt_is_found_by_its_digest() -> None:
    reducer = SessionReducer("s1")
    for number in range(1, COUNT):
        reducer.take(waiting(number, f"{'x' * SIZE}{number}\n", f"p{number}"))
    assert max(len(echo.text) for echo in reducer.echoes) <= COMPARED
    sought = Prompt("s1", f" {'x' * SIZE}7", "ours", "", resume_cursor=str(EchoPosition("e1", 0, "")))
    now = FollowedSession(reducer, "e1")
    assert find_prompt(sought, now, mine=frozenset({"client_1"}), claimed=frozenset()) == "p7"


def test_a_prompt_id_is_short_and_the_queue_is_limited() -> None:
    with pytest.raises(msgspec.ValidationError):
        waiting(1, "hi", "p" * (MAX_ID_CHARACTERS + 1))
    reducer = SessionReducer("s1")
    for number in range(2 * MAX_QUEUE):
        reducer.take(waiting(number + 1, "hi", f"p{number}"))
    assert len(reducer._queue) == MAX_QUEUE


@pytest.mark.parametrize(("status", "size"), [("in_progress", SIZE), ("completed", SIZE), ("completed", LARGE // 2)])
def test_calls_of_a_turn_are_kept_up_to_a_number_of_bytes(status: str, size: int) -> None:
    turn = RunningTurn("s1", "p1", 1.0)
    parts = []
    for number in range(2 * MAX_CALL_BYTES // size):
        given = {"command": f"{number:04}" + "x" * size}
        parts.append(turn.call(f"c{number}", call(f"c{number}", status, rawInput=given, kind="execute"))[1])
    assert all(len(str(part.input["command"])) == size + 4 for part in parts)
    assert turn.kept_bytes <= MAX_CALL_BYTES
    _, again = turn.call("c0", call("c0", "completed", content=[]))
    assert isinstance(again, ToolPart)
    assert again.state == "completed"


def test_unfinished_calls_of_earlier_turns_are_kept_up_to_a_number_of_bytes() -> None:
    reducer = SessionReducer("s1")
    for number in range(COUNT):
        prompt = {"promptId": f"p{number}"}
        given = {"command": f"{number:02}" + "x" * SIZE}
        begun = call(f"c{number}", "in_progress", rawInput=given)
        for one in (words("user_message_chunk", "hi"), begun, call(f"d{number}", "completed", rawInput=given)):
            reducer.take(read(frame(number + 1, one) | prompt, wire.Frame))
    earlier = {id(turn): turn for turn in reducer._unfinished.values()}
    assert len(earlier) > COUNT // 2
    assert sum(turn.kept_bytes for turn in earlier.values()) < MAX_CALL_BYTES + COUNT * LARGE
