"""A damaged number affects only its field, in every family."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.backends import recording_qwen
from tests.backends.damage import LITERALS
from tests.backends.opencode_server import after_handshake
from tests.backends.recording import recording
from tui.backends import numbers
from tui.backends.decoding import read
from tui.backends.opencode import mimo_terminal
from tui.backends.opencode import schema as opencode
from tui.backends.opencode.events import event_of
from tui.backends.opencode.messages import full_message, full_messages, message, part
from tui.backends.qwen import background_turns
from tui.backends.qwen import schema as qwen
from tui.backends.qwen.session_reducer import SessionReducer, picture
from tui.core.events import MessageUpserted, StatusChanged
from tui.core.model import Message, Retrying, ToolPart, Usage
from tui.core.store import Store
from tui.net.json_input import loads

WRONG = {
    **LITERALS,
    "negative": "-1",
    "past every range": "9007199254740993",
    "10**400": "1" + "0" * 400,
    "text": '"5"',
    "true": "true",
    "null": "null",
    "list": "[1]",
    "object": '{"created": 1}',
}
"""Replacements of a number in a damaged document."""
del WRONG["-0"]  # zero is a number

wrong = pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)


def parsed(tree: Any, text: str) -> Any:
    """The tree parsed from JSON, with `text` in place of each "?"."""
    return loads(json.dumps(tree).replace('"?"', text))


TIMES = {"created": "?", "updated": "?", "start": "?", "end": "?"}


@wrong
@pytest.mark.parametrize(
    "read",
    [
        numbers.moment,
        numbers.http_status,
        numbers.delay,
        lambda value: numbers.tokens(value) or None,
        lambda value: numbers.dollars(value) or None,
        lambda value: numbers.attempts(value) or None,
    ],
)
def test_an_invalid_number_is_unknown(read: Callable[[Any], Any], text: str) -> None:
    assert read(parsed("?", text)) is None


def test_numbers_in_range_are_accepted() -> None:
    assert numbers.moment(1_795_168_937_998) == 1_795_168_937.998
    assert numbers.tokens(20) == numbers.tokens(20.0) == 20
    assert numbers.dollars(0.25) == 0.25
    assert numbers.exit_code(-1) == -1
    assert numbers.delay(2000) == 2.0


@wrong
def test_a_session_of_opencode(text: str) -> None:
    raw = {"id": "s", "title": "t", "time": TIMES, "cost": "?", "tokens": {"input": "?", "output": 7}}
    session = opencode.session(parsed(raw, text))
    assert (session.title, session.created, session.updated, session.tokens) == ("t", 0.0, 0.0, 7)
    assert session.cost == 0.0


@wrong
def test_a_message_of_opencode(text: str) -> None:
    raw = {
        "id": "m", "sessionID": "s", "role": "assistant", "finish": "stop",
        "time": {"created": "?", "completed": "?"}, "cost": "?", "tokens": {"input": 5, "output": "?"},
        "error": {"name": "APIError", "data": {"message": "no", "statusCode": "?"}},
    }  # fmt: skip
    found = message(parsed(raw, text))
    assert (found.created, found.usage) == (0.0, Usage(5, 0, 0.0))
    assert found.completed == (None if text == "null" else 0.0)  # it has ended, at an unknown time
    assert found.failure is not None
    assert (found.failure.message, found.failure.status) == ("no", None)


@wrong
@pytest.mark.parametrize("whole", [False, True], ids=["a field", "all of it"])
def test_damaged_times_and_tokens_of_opencode(text: str, whole: bool) -> None:
    raw = {"id": "m", "sessionID": "s", "role": "user", "time": "?", "tokens": "?"}
    assert message(parsed(raw, text)).created in (0.0, 0.001)  # {"created": 1} is a time
    state = {"status": "completed", "output": "done", "time": "?" if whole else TIMES, "metadata": {"exit": "?"}}
    ids = {"id": "p", "sessionID": "s", "messageID": "m"}
    tool = part(parsed({**ids, "type": "tool", "callID": "c", "tool": "bash", "state": state}, text))
    assert isinstance(tool, ToolPart)
    assert (tool.output, tool.started, tool.ended) == ("done", None, None)


@wrong
def test_a_status_of_opencode(text: str) -> None:
    status = opencode.status(parsed({"type": "retry", "attempt": "?", "message": "slow", "next": "?"}, text))
    assert isinstance(status, Retrying)
    assert (status.attempt, status.message, status.next_at) == (0, "slow", None)


@wrong
def test_a_retry_event_of_mimo(text: str) -> None:
    reported = {"sessionID": "s", "attempt": "?", "reason": "slow", "nextDelayMs": "?"}
    event = event_of(parsed({"type": "session.retry.attempt", "properties": reported}, text))
    assert isinstance(event, StatusChanged)
    assert isinstance(event.status, Retrying)
    assert event.status == Retrying(0, "slow", None)


@wrong
def test_the_exit_code_of_a_terminal_command(text: str) -> None:
    found = mimo_terminal.Terminals().replied(parsed({"id": "b", "exitCode": "?"}, text))
    assert found is None  # there is no such question


@wrong
def test_the_times_and_tokens_of_qwen(text: str) -> None:
    usage = {"inputTokens": "?", "outputTokens": 10}
    chunk = {"sessionUpdate": "agent_message_chunk", "content": {"text": "hi"}, "_meta": {"usage": usage}}
    raw = {"type": "session_update", "promptId": "p", "data": {"update": chunk}, "_meta": {"serverTimestamp": "?"}}
    frame = read(parsed(raw, text), qwen.Frame)
    assert frame.at == 0.0
    answer = picture("s", SessionReducer("s").take(frame))[-1]
    assert answer.message.usage == Usage(0, 10)
    background = parsed({"update": {"_meta": {"backgroundTurn": {"startedAt": "?"}}}}, text)
    assert background_turns.began(background) == 0.0


@wrong
def test_the_end_of_a_qwen_prompt_at_an_unknown_time(text: str) -> None:
    raw = {"sessionId": "s", "promptTerminals": [{"promptId": "p", "terminal": "completed", "at": "?"}]}
    [terminal] = read(parsed(raw, text), qwen.Loaded).terminals()
    assert (terminal.prompt_id, numbers.moment(terminal.at)) == ("p", None)


@wrong
def test_an_event_of_qwen_without_a_valid_id_is_skipped(text: str) -> None:
    if text not in ('"5"', "null"):
        with pytest.raises(ValueError, match=r"Expected|out of range"):
            read(parsed({"type": "session_update", "id": "?"}, text), qwen.Frame)


def test_a_message_without_a_time_keeps_its_place_in_a_page() -> None:
    first, second, *rest = recording("ask").answers["messages"]
    second = {**second, "info": {**second["info"], "time": {"created": "soon", "completed": 1}}}
    page = full_messages([first, second, *rest], "ses_1")
    assert [one.message.created for one in page] == sorted(one.message.created for one in page)
    assert page[1].message.id == second["info"]["id"]


def test_a_message_without_a_time_keeps_its_place_in_the_transcript() -> None:
    store = Store()
    store.open_transcript("s")
    for message_id, created in [("a", 5.0), ("b", 6.0), ("a", 0.0), ("c", 0.0)]:
        store.apply(MessageUpserted(Message(message_id, "s", "user", created)))
    transcript = store.transcript("s")
    assert transcript is not None
    assert [one.id for one in transcript.ordered()] == ["a", "b", "c"]


def test_a_prompt_of_qwen_without_a_time_follows_the_turn_before() -> None:
    frames = recording_qwen.recording("queue").frames()
    stamped = recording_qwen.recording("queue").streamed()
    frames[11].meta = None  # the echo of the second prompt
    assert frames[11].type == "session_update"
    unstamped = picture(
        recording_qwen.recording("queue").session_id, recording_qwen.recording("queue").reduce(frames)[1]
    )
    assert [full.message.id for full in unstamped] == [full.message.id for full in stamped]


async def test_a_held_answer_with_damaged_numbers_is_accepted() -> None:
    raw = recording("think").answers["prompt"]
    raw = {**raw, "info": {**raw["info"], "cost": "?", "tokens": "?"}}
    assert full_message(parsed(raw, "1e400")).message.id == raw["info"]["id"]


async def test_a_list_with_damaged_numbers_keeps_all_sessions() -> None:
    rows = [{"id": "s1", "time": {"updated": "x"}}, {"id": "s2", "cost": [], "tokens": 5}]
    async with after_handshake({"GET /experimental/session": rows}) as (_, backend):
        page = await backend.sessions()
    assert ([one.id for one in page], page.unreadable) == (["s1", "s2"], 0)
