"""How qwen serve's answers look as messages: their ids, their tool calls, and why they ended.

Pure: what is remembered from one event to the next is `qwen_fold`'s.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from tui.backends.qwen import requests as requests
from tui.backends.qwen import schema as wire
from tui.core.model import Failure, ToolPart

State = Literal["pending", "running", "completed", "error"]

REJECTED = re.compile(
    r'Tool ".*" was canceled by the user\.|The tool had already completed; its output was discarded\.'
)
"""What a call says that a person rejected, and one whose subagent's call was (measured); an abort says another."""
UNDONE = "the turn ended before this did"
ENDED_EARLY = {
    "max_tokens": "the model reached its limit of tokens",
    "max_turn_requests": "the turn reached its limit of model calls",
    "refusal": "the model refused to answer",
}
"""Why an answer is not whole, by `stopReason`."""
BROKEN_OFF = Failure("the answer breaks off, and the server does not say why", "interrupted")
AGENT_GONE = Failure("the server's agent stopped in mid-answer", "interrupted")
CUT_OFF = {
    "channel_closed": AGENT_GONE,
    "session_killed": Failure("the server ended the session in the middle of it", "interrupted"),
    "daemon_shutdown": Failure("the server was stopped in mid-answer", "interrupted"),
}
"""What ended a turn that could have gone on, by the code of its `turn_error` (read in the source of 0.24.4)."""
AGENT_GONE_WORDS = "agent channel closed mid-request"
"""How that `turn_error` begins which comes without a code, right before `session_died` (measured)."""
CANCELLED_CALL = "was canceled by the user."
"""How the error of a call ends that a person refused, or whose question they dismissed (measured)."""
UNENDED = ("pending", "running")

_STATES: Mapping[str, State] = {
    "pending": "pending",
    "in_progress": "running",
    "completed": "completed",
    "failed": "error",
}


def answer_id(prompt_id: str) -> str:
    """The id of the message that answers a prompt: the server gives it none."""
    return f"{prompt_id}:answer"


def state_of(call: Mapping[str, Any]) -> State:
    """How far a tool call is."""
    return _STATES.get(wire.string(call, "status"), "running")


def tool_part(
    session_id: str,
    message_id: str,
    part_id: str,
    call: Mapping[str, Any],
    asked: requests.Asked | None,
    *,
    ended: bool,
) -> ToolPart:
    """A tool call from all updates that came for it.

    `asked`: the request for leave, which alone tells what a call is given as long as nobody answered. `ended`: its
    turn is over, and what still runs then runs no more.
    """
    given, title = call.get("rawInput"), wire.string(call, "title")
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
        call_id=wire.string(call, "toolCallId"),
        tool=wire.string(call.get("_meta"), "toolName") or wire.string(call, "kind"),
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
    """What a `turn_error` says."""
    words = wire.string(error, "message") or "the server does not say why"
    if words.startswith(AGENT_GONE_WORDS):
        return AGENT_GONE
    return CUT_OFF.get(wire.string(error, "code")) or wire.failure(words)


def remembered(end: wire.Terminal) -> Failure | None:
    """How a prompt ended, of which only its place in `promptTerminals` tells."""
    match end.terminal:
        case "interrupted":
            return Failure("the server was restarted in the middle of it", "interrupted")
        case "error":
            return Failure(end.code or "the server does not say why")
        case "cancelled":
            return Failure("aborted", "aborted")
        case _:
            return why_early(end.stop_reason)
