from typing import Any

import pytest
from msgspec.structs import replace

from tui.backends.opencode.messages import full_messages
from tui.backends.opencode.mimo_terminal import LOOKS, NOT_RUN, Terminals, answers, entry, reply_body
from tui.core import events as e
from tui.core.model import Answers, QuestionRequest

ENTRY = entry({"id": "1834", "command": "read name", "cwd": "/srv", "env": {"TOKEN": "hush"}, "description": "ask"})


def called(status: str, **state: Any) -> list[dict[str, Any]]:
    """A session's newest message, with the tool call."""
    ids = {"sessionID": "ses_1", "messageID": "msg_2"}
    given = {"command": "read name", "interactive": True}
    state = {"status": status, "input": given, "time": {"start": 1000}} | state
    part = {**ids, "id": "prt_1", "type": "tool", "tool": "bash", "callID": "call_1", "state": state}
    return [{"info": {"id": "msg_2", "sessionID": "ses_1", "role": "assistant"}, "parts": [part]}]


@pytest.fixture
def terminals() -> Terminals:
    found = Terminals()
    found.record_messages(full_messages(called("running"), "ses_1"))
    return found


def asked(terminals: Terminals) -> QuestionRequest:
    request = terminals.request(ENTRY)
    assert request is not None
    return request


def test_the_session_is_that_of_the_waiting_call(terminals: Terminals) -> None:
    request = asked(terminals)
    assert (request.session_id, request.message_id, request.call_id) == ("ses_1", "msg_2", "call_1")
    assert request.asked == 1.0
    assert "read name" in request.questions[0].text
    assert "hush" not in repr(request)
    assert terminals.request(ENTRY) == request


def test_a_command_without_a_waiting_call_is_ignored(terminals: Terminals) -> None:
    terminals.record_messages(full_messages(called("error", error="Tool execution aborted"), "ses_1"))
    assert terminals.request(ENTRY) is None
    for _ in range(LOOKS):
        assert terminals.is_unmatched(ENTRY)
        assert terminals.request(ENTRY, complete=True) is None
    assert not terminals.is_unmatched(ENTRY)


def test_a_call_waits_for_one_command(terminals: Terminals) -> None:
    asked(terminals)
    assert terminals.request(replace(ENTRY, id="1835")) is None


@pytest.mark.parametrize("given", [(("it ran and printed nothing",),), (("it failed",),), (("Ada \n",),), None])
def test_an_answer_is_recognized_in_event_and_record(terminals: Terminals, given: Answers | None) -> None:
    request, body = asked(terminals), reply_body(given)
    assert answers(str(body["output"]), int(body["exitCode"])) == given
    [event] = [terminals.replied({"id": "1834", **body})]
    rejected = e.QuestionRejected("ses_1", request.id)
    assert event == (rejected if given is None else e.QuestionAnswered("ses_1", request.id, given))
    stored = called("completed", output=body["output"], metadata={"exit": body["exitCode"]})
    [message] = full_messages(stored, "ses_1")
    [part] = message.parts
    assert (part.answers, part.rejected) == (given, given is None)  # type: ignore[union-attr]


def test_a_foreign_exit_code_is_shown() -> None:
    assert answers("Ada", 3) == (("Ada (exit code 3)",),)
    assert reply_body(None) == {"output": NOT_RUN, "exitCode": 130}
