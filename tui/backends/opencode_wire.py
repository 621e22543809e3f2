"""opencode's JSON and what it means in `tui.core`'s terms. No network here.

Shapes as measured on opencode 1.18.33. Every function takes parsed JSON and raises `msgspec.ValidationError`
where a field that we build on is missing or of another type; fields that we do not use may be anything.
"""

import re
import time
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

import msgspec

from tui.backends.readable import readable, unreadable_part
from tui.core.model import (
    Answers,
    Busy,
    Failure,
    FilePart,
    FullMessage,
    Idle,
    Message,
    NotePart,
    Option,
    Part,
    PermissionRequest,
    Question,
    QuestionRequest,
    ReasoningPart,
    Request,
    Retrying,
    Session,
    SessionStatus,
    TextPart,
    Todo,
    ToolPart,
    Usage,
)

JSON = Any
"""A parsed JSON value: what came, before it is checked."""

MINTED = re.compile(r"[a-z]{3}_([0-9a-f]{12})[0-9A-Za-z]{14}\Z")
ERA = 2**36
"""Milliseconds after which the times in ids begin anew: 795 days."""
DAY = 86_400.0
"""Seconds that a server's clock may be ahead of ours."""

GOES_ON = frozenset({"tool-calls", "unknown"})
"""`finish` values after which the same turn continues with another assistant message."""

SHOWN_PARTS = frozenset({"text", "reasoning", "tool", "file", "patch", "subtask", "compaction"})

JUST_AFTER = 0.0001
"""Seconds: less than the server's clock counts."""

T = TypeVar("T")


class _Time(msgspec.Struct):
    created: float = 0.0
    updated: float = 0.0
    start: float | None = None
    end: float | None = None
    completed: float | None = None


class _Tokens(msgspec.Struct):
    input: float = 0
    output: float = 0


class _Session(msgspec.Struct):
    id: str
    title: str = ""
    directory: str = ""
    parentID: str | None = None
    time: _Time = msgspec.field(default_factory=_Time)
    agent: str | None = None
    cost: float = 0.0
    tokens: _Tokens | None = None


class Error(msgspec.Struct):
    name: str = "unknown"
    data: Any = None


class _Model(msgspec.Struct):
    modelID: str = ""


class _Message(msgspec.Struct):
    id: str
    sessionID: str
    role: str
    time: _Time = msgspec.field(default_factory=_Time)
    parentID: str | None = None
    error: Error | None = None
    finish: str | None = None
    agent: str = ""
    modelID: str = ""
    model: _Model | None = None
    cost: float = 0.0
    tokens: _Tokens | None = None


class _ToolState(msgspec.Struct):
    status: str
    input: Any = None
    title: str | None = None
    output: str | None = None
    error: str | None = None
    metadata: Any = None
    time: _Time | None = None


class _Kind(msgspec.Struct):
    type: str


class _Part(msgspec.Struct):
    id: str
    sessionID: str
    messageID: str
    type: str
    text: str = ""
    synthetic: bool = False
    time: _Time | None = None
    callID: str = ""
    tool: str = ""
    state: _ToolState | None = None
    filename: str | None = None
    mime: str = ""
    url: str = ""
    description: str = ""
    agent: str = ""
    files: list[str] = []


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
    messageID: str | None = None
    callID: str | None = None


class _QuestionRequest(msgspec.Struct):
    id: str
    sessionID: str
    questions: list[_Question]
    tool: _Caller | None = None


class _PermissionRequest(msgspec.Struct):
    id: str
    sessionID: str
    permission: str
    patterns: list[str] = []
    always: list[str] = []
    metadata: Any = None
    tool: _Caller | None = None


class _Todo(msgspec.Struct):
    content: str
    status: str = "pending"
    priority: str = ""


class _Status(msgspec.Struct):
    type: str
    attempt: int = 0
    message: str = ""
    next: float | None = None


def read(value: JSON, shape: type[T]) -> T:
    return msgspec.convert(value, shape, strict=False)


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def _field(value: object, *names: str) -> str:
    """The first of `names` that holds a text in a mapping of unknown shape."""
    if isinstance(value, Mapping):
        for name in names:
            found = value.get(name)
            if isinstance(found, str) and found:
                return found
    return ""


def session(value: JSON) -> Session:
    raw = read(value, _Session)
    return Session(
        id=raw.id,
        title=raw.title,
        directory=raw.directory,
        created=raw.time.created / 1000,
        updated=raw.time.updated / 1000,
        parent_id=raw.parentID,
        agent=raw.agent or "",
        cost=raw.cost,
        tokens=0 if raw.tokens is None else int(raw.tokens.input + raw.tokens.output),
    )


def sessions(value: JSON) -> tuple[Session, ...]:
    return readable(read(value, list[Any]), session, "a session")


def failure(raw: Error) -> Failure:
    """`APIError` and its like carry `data.message` and the provider's status."""
    status = raw.data.get("statusCode") if isinstance(raw.data, Mapping) else None
    return Failure(
        message=_field(raw.data, "message") or raw.name,
        kind="aborted" if raw.name == "MessageAbortedError" else "provider" if raw.name == "APIError" else "other",
        status=status if isinstance(status, int) else None,
    )


def message(value: JSON) -> Message:
    raw = read(value, _Message)
    return Message(
        id=raw.id,
        session_id=raw.sessionID,
        role="user" if raw.role == "user" else "assistant",
        created=raw.time.created / 1000,
        completed=_seconds(raw.time.completed),
        parent_id=raw.parentID,
        failure=None if raw.error is None else failure(raw.error),
        final=raw.finish is not None and raw.finish not in GOES_ON,
        agent=raw.agent,
        model=raw.modelID or (raw.model.modelID if raw.model is not None else ""),
        usage=None if raw.tokens is None else Usage(int(raw.tokens.input), int(raw.tokens.output), raw.cost),
        broken_off=raw.time.completed is not None and raw.finish is None and raw.error is None,
    )


def full_message(value: JSON) -> FullMessage:
    """`{"info": Message, "parts": [Part]}`, as lists and the held POST give it; what cannot be read is said."""
    envelope = read(value, dict[str, Any])
    head = message(envelope.get("info"))
    found = (_part_of(head, item, at) for at, item in enumerate(read(envelope.get("parts", []), list[Any])))
    return FullMessage(head, tuple(p for p in found if p is not None))


def full_messages(value: JSON, session_id: str) -> tuple[FullMessage, ...]:
    """A page of a transcript, oldest first; where a message cannot be read, that is said in its place."""
    found: list[FullMessage] = []
    for item in read(value, list[Any]):
        try:
            found.append(full_message(item))
        except msgspec.ValidationError as error:
            found.append(_unreadable(item, session_id, found[-1].message.created if found else 0.0, error))
    return tuple(found)


def _unreadable(item: JSON, session_id: str, before: float, why: Exception) -> FullMessage:
    """What stands for a message that cannot be read: just behind the one before it (epoch seconds)."""
    info = item.get("info") if isinstance(item, Mapping) else None
    message_id = _field(info, "id") or f"unreadable:{before}"
    role: Literal["user", "assistant"] = "user" if _field(info, "role") == "user" else "assistant"
    created = before + JUST_AFTER
    head = Message(
        message_id, session_id, role, created, completed=created, parent_id=_field(info, "parentID") or None
    )
    note = unreadable_part(f"{message_id}:unreadable", session_id, message_id, "a message", why)
    return FullMessage(head, (note,))


def _part_of(head: Message, item: JSON, at: int) -> Part | None:
    try:
        return part(item)
    except msgspec.ValidationError as error:
        part_id = _field(item, "id") or f"{head.id}:unreadable:{at}"
        return unreadable_part(part_id, head.session_id, head.id, "a part of this message", error)


def part(value: JSON) -> Part | None:
    """A part, or None for the kinds that show nothing: step-start, step-finish, snapshot, and those unknown here.

    Fields of an unknown kind may be anything, so that they are not looked at.
    """
    if read(value, _Kind).type not in SHOWN_PARTS:
        return None
    raw = read(value, _Part)
    ids = (raw.id, raw.sessionID, raw.messageID)
    match raw.type:
        case "text":
            return TextPart(*ids, raw.text, _progress(raw.time), raw.synthetic)
        case "reasoning":
            return ReasoningPart(*ids, raw.text, _progress(raw.time))
        case "tool":
            return _tool(raw)
        case "file":
            address = raw.url.partition(",")[0]  # a data URL holds the file itself behind its comma
            return FilePart(*ids, raw.filename or address, raw.mime)
        case "patch":
            return NotePart(
                *ids, f"changed {len(raw.files)} files" if len(raw.files) != 1 else f"changed {raw.files[0]}"
            )
        case "subtask":
            return NotePart(*ids, f"subtask for {raw.agent or 'an agent'}: {raw.description}")
        case _:
            return NotePart(*ids, "the conversation was compacted")


def _progress(time: _Time | None) -> Literal["streaming", "done"]:
    """A part without times (a prompt's) is whole; one that began and has no end still grows."""
    return "streaming" if time is not None and time.start is not None and time.end is None else "done"


def _tool(raw: _Part) -> ToolPart:
    state = raw.state or _ToolState("pending")
    time = state.time or _Time()
    shown = state.status if state.status in ("pending", "running", "completed", "error") else "running"
    output = state.output if state.output is not None else _field(state.metadata, "output")
    return ToolPart(
        id=raw.id,
        session_id=raw.sessionID,
        message_id=raw.messageID,
        call_id=raw.callID,
        tool=raw.tool,
        state=shown,  # type: ignore[arg-type]  # narrowed by the membership test above
        input=state.input if isinstance(state.input, dict) else {},
        title=state.title or "",
        output=output,
        error=state.error or "",
        diff=_field(state.metadata, "diff"),
        started=_seconds(time.start),
        ended=_seconds(time.end),
        answers=_answers_in(state.metadata),
    )


def _answers_in(metadata: object) -> Answers | None:
    """What a question tool was answered; other tools may keep anything under that name."""
    found = metadata.get("answers") if isinstance(metadata, Mapping) else None
    try:
        return None if found is None else tuple(tuple(row) for row in msgspec.convert(found, list[list[str]]))
    except msgspec.ValidationError:
        return None


def minted(name: str, now: float) -> float | None:
    """When an id was made (epoch seconds), as opencode's own tell it: ms · 4096 + n, of which they keep 48 bits.

    None where it is no such id. Of the times that it may mean, it is the last that is not a day after `now`.
    """
    found = MINTED.match(name)
    if found is None:
        return None
    low = int(found[1], 16) // 4096
    eras = (int((now + DAY) * 1000) - low) // ERA
    return (eras * ERA + low) / 1000


def question(value: JSON) -> QuestionRequest:
    raw = read(value, _QuestionRequest)
    return QuestionRequest(
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


def permission(value: JSON) -> PermissionRequest:
    raw = read(value, _PermissionRequest)
    return PermissionRequest(
        id=raw.id,
        session_id=raw.sessionID,
        action=raw.permission,
        patterns=tuple(raw.patterns),
        always=tuple(raw.always),
        detail=_field(raw.metadata, "command", "diff", "filepath", "url"),
        message_id=raw.tool.messageID if raw.tool is not None else None,
        call_id=raw.tool.callID if raw.tool is not None else None,
        asked=minted(raw.id, time.time()),
    )


def requests(questions: JSON, permissions: JSON) -> tuple[Request, ...]:
    return (
        *readable(read(questions, list[Any]), question, "a question"),
        *readable(read(permissions, list[Any]), permission, "a permission"),
    )


def status(value: JSON) -> SessionStatus:
    raw = read(value, _Status)
    match raw.type:
        case "idle":
            return Idle()
        case "retry":
            return Retrying(raw.attempt, raw.message, _seconds(raw.next))
        case _:
            return Busy()


def statuses(value: JSON) -> dict[str, SessionStatus]:
    found = {session_id: status(item) for session_id, item in read(value, dict[str, Any]).items()}
    return {session_id: item for session_id, item in found.items() if not isinstance(item, Idle)}


def todos(value: JSON) -> tuple[Todo, ...]:
    return tuple(Todo(t.content, t.status, t.priority) for t in read(value, list[_Todo]))
