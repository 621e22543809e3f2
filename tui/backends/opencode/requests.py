"""Translates opencode's questions and permissions, with the time at which they were asked. Without I/O.

Shapes as measured on opencode 1.18.33. Raises as `schema` does.
"""

import re
import time
from typing import Annotated, Any, TypeVar

import msgspec

from tui.backends.decoding import Id, RawJSON, read, string
from tui.core.memory_size import weight
from tui.core.model import Option, PermissionRequest, Question, QuestionRequest
from tui.core.open_requests import MAX_REQUEST_BYTES

T = TypeVar("T", QuestionRequest, PermissionRequest)

ID_PATTERN = re.compile(r"[a-z]{3}_(?:([0-9a-f]{12})[0-9A-Za-z]{14}|g([0-9a-f]{16})[0-9A-Za-z]{9})\Z")
"""Both forms of ids; see `message_ids`."""

SHORT_ID_PERIOD_MS = 2**36
"""Milliseconds after which the times in short ids wrap around: 795 days."""

DAY = 86_400.0
"""Seconds that a server's clock may be ahead of ours."""


class _Option(msgspec.Struct):
    label: str
    description: str = ""


class _Question(msgspec.Struct):
    question: str
    header: str = ""
    options: list[_Option] = []
    multiple: bool | None = None
    custom: bool | None = None


class _Caller(msgspec.Struct):
    messageID: Id | None = None
    callID: Id | None = None


class _QuestionRequest(msgspec.Struct):
    id: Id
    sessionID: Id
    questions: Annotated[list[_Question], msgspec.Meta(min_length=1)]
    tool: _Caller | None = None


class _PermissionRequest(msgspec.Struct):
    id: Id
    sessionID: Id
    permission: str
    patterns: list[str] = []
    always: list[str] = []
    metadata: Any = None
    tool: _Caller | None = None


def question(value: RawJSON) -> QuestionRequest:
    raw = read(value, _QuestionRequest)
    return _bounded(
        QuestionRequest(
            id=raw.id,
            session_id=raw.sessionID,
            questions=tuple(
                Question(
                    text=q.question,
                    header=q.header,
                    options=tuple(Option(o.label, o.description) for o in q.options),
                    multiple=bool(q.multiple),
                    custom=q.custom is not False,
                )
                for q in raw.questions
            ),
            message_id=raw.tool.messageID if raw.tool is not None else None,
            call_id=raw.tool.callID if raw.tool is not None else None,
            asked=minted(raw.id, time.time()),
        )
    )


def permission(value: RawJSON) -> PermissionRequest:
    raw = read(value, _PermissionRequest)
    return _bounded(
        PermissionRequest(
            id=raw.id,
            session_id=raw.sessionID,
            action=raw.permission,
            patterns=tuple(raw.patterns),
            always=tuple(raw.always),
            detail=string(raw.metadata, "command", "diff", "filepath", "url"),
            message_id=raw.tool.messageID if raw.tool is not None else None,
            call_id=raw.tool.callID if raw.tool is not None else None,
            asked=minted(raw.id, time.time()),
        )
    )


def _bounded(request: T) -> T:
    """Raises ValueError for a request that alone is more than is kept of all."""
    if weight(request) > MAX_REQUEST_BYTES:
        raise ValueError("more than can be shown")
    return request


def minted(name: str, now: float) -> float | None:
    """The time at which an id was generated (epoch seconds): ms · 4096 + n, of which the short form has 48 bits.

    None if it is not such an id. Of the possible times, the latest that is at most a day after `now`.
    """
    found = ID_PATTERN.match(name)
    if found is None:
        return None
    if found[2]:
        return int(found[2], 16) // 4096 / 1000
    low = int(found[1], 16) // 4096
    eras = (int((now + DAY) * 1000) - low) // SHORT_ID_PERIOD_MS
    return (eras * SHORT_ID_PERIOD_MS + low) / 1000
