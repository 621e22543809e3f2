"""Messages of qwen serve's answers: their ids, tool calls, and reasons for their end.

Without state, which `session_reducer` has.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from tui.backends.decoding import string
from tui.backends.qwen import requests
from tui.backends.qwen import schema as wire
from tui.core.model import Failure, ToolPart

State = Literal["pending", "running", "completed", "error"]

REJECTED = re.compile(
    r'Tool ".*" was canceled by the user\.|The tool had already completed; its output was discarded\.'
)
"""Errors of a rejected call, and of one whose subagent's call was rejected (measured)."""
UNDONE = "not finished: the turn ended first"
ENDED_EARLY = {
    "max_tokens": "the model reached its limit of tokens",
    "max_turn_requests": "the turn reached its limit of model calls",
    "refusal": "the model refused to answer",
}
"""Why an answer is incomplete, by `stopReason`."""
INCOMPLETE_ANSWER = Failure("the answer is incomplete; the server gives no reason", "interrupted")
AGENT_GONE = Failure("the server's agent stopped during the answer", "interrupted")
CUT_OFF = {
    "channel_closed": AGENT_GONE,
    "session_killed": Failure("the server ended the session during the answer", "interrupted"),
    "daemon_shutdown": Failure("the server was stopped during the answer", "interrupted"),
}
"""Causes of an interruption, by the code of the `turn_error` (read in the source of 0.24.4)."""
AGENT_GONE_PREFIX = "agent channel closed mid-request"
"""Prefix of the `turn_error` without a code that precedes `session_died` (measured)."""
CANCELLED_CALL = "was canceled by the user."
"""Suffix of the error of a rejected call or dismissed question (measured)."""
UNENDED = ("pending", "running")

_STATES: Mapping[str, State] = {
    "pending": "pending",
    "in_progress": "running",
    "completed": "completed",
    "failed": "error",
}


def answer_id(prompt_id: str) -> str:
    """The id of the answer to a prompt: the server assigns none."""
    return f"{prompt_id}:answer"


def state_of(call: Mapping[str, Any]) -> State:
    """The state of a tool call."""
    return _STATES.get(string(call, "status"), "running")


def tool_part(
    session_id: str,
    message_id: str,
    part_id: str,
    call: Mapping[str, Any],
    asked: requests.StreamedRequest | None,
    *,
    ended: bool,
) -> ToolPart:
    """A tool call, from all its updates.

    `asked`: its permission request, the only source of its input until it is answered. `ended`: its turn has ended, and
    with it the running calls.
    """
    given, title = call.get("rawInput"), string(call, "title")
    if not given and asked is not None:
        given, title = asked.input, asked.title
    state = state_of(call)
    output = wire.tool_output(call.get("content"), None if state == "error" else call.get("rawOutput"))
    if ended and state in UNENDED:
        state, output = "error", wire.ToolOutput(UNDONE, output.diff)
    return ToolPart(
        id=part_id,
        session_id=session_id,
        message_id=message_id,
        call_id=string(call, "toolCallId"),
        tool=string(call.get("_meta"), "toolName") or string(call, "kind"),
        state=state,
        input=given if isinstance(given, Mapping) else {},
        title=title,
        output="" if state == "error" else output.text,
        error=output.text if state == "error" else "",
        diff=output.diff,
        answers=requests.answers_in(call.get("rawOutput"), given),
        why="cancelled" if state == "error" and output.text.endswith(CANCELLED_CALL) else "failed",
        rejected=state == "error" and REJECTED.fullmatch(output.text) is not None,
    )


def why_early(stop_reason: str) -> Failure | None:
    if stop_reason == "cancelled":
        return Failure("aborted", "aborted")
    words = ENDED_EARLY.get(stop_reason)
    return None if words is None else Failure(words)


def why_failed(error: object) -> Failure:
    """The failure of a `turn_error`."""
    words = string(error, "message") or "the server gives no reason"
    if words.startswith(AGENT_GONE_PREFIX):
        return AGENT_GONE
    return CUT_OFF.get(string(error, "code")) or wire.failure(words)


def remembered(end: wire.Terminal) -> Failure | None:
    """The failure of an entry in `promptTerminals`."""
    match end.terminal:
        case "interrupted":
            return Failure("the server was restarted during the turn", "interrupted")
        case "error":
            return Failure(end.code or "the server gives no reason")
        case "cancelled":
            return Failure("aborted", "aborted")
        case _:
            return why_early(end.stop_reason)
