"""Holdfast as a library: send a prompt and wait for its end, list and answer requests, follow events.

    async with connect("http://127.0.0.1:4096") as connection:
        result = await connection.run("Fix the tests", key="job-17")

The non-interactive commands stand on it. It imports nothing of the screen. Everything that is not exported here
may change without notice.
"""

from tui.api.choices import reply_for
from tui.api.connection import Connection, connect
from tui.api.errors import (
    CannotConnect,
    FileNotInProject,
    InvalidChoice,
    KeyInUse,
    KeyNotKept,
    PromptNotSent,
    RequestNotFound,
    RunError,
    SessionNotFound,
)
from tui.api.request_policy import OnRequest, Policy
from tui.api.running_turn import RunningTurn
from tui.api.values import (
    AnswerOutcome,
    By,
    Choice,
    ConnectionEvent,
    Decision,
    EndEvent,
    Event,
    NoticeEvent,
    Outcome,
    PendingQuestion,
    PendingRequest,
    Reply,
    ReplyEvent,
    RequestEvent,
    RequestRecord,
    Result,
    TextEvent,
    ToolEvent,
    TurnEvent,
    UnlistedRequests,
    Usage,
)

__all__ = [
    "AnswerOutcome",
    "By",
    "CannotConnect",
    "Choice",
    "Connection",
    "ConnectionEvent",
    "Decision",
    "EndEvent",
    "Event",
    "FileNotInProject",
    "InvalidChoice",
    "KeyInUse",
    "KeyNotKept",
    "NoticeEvent",
    "OnRequest",
    "Outcome",
    "PendingQuestion",
    "PendingRequest",
    "Policy",
    "PromptNotSent",
    "Reply",
    "ReplyEvent",
    "RequestEvent",
    "RequestNotFound",
    "RequestRecord",
    "Result",
    "RunError",
    "RunningTurn",
    "SessionNotFound",
    "TextEvent",
    "ToolEvent",
    "TurnEvent",
    "UnlistedRequests",
    "Usage",
    "connect",
    "reply_for",
]
