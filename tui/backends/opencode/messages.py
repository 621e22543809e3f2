"""Translates opencode's messages and parts. Without I/O.

Shapes as measured on opencode 1.18.33. A placeholder replaces what cannot be read: one damaged part, or message,
must not make its whole transcript unreadable.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from tui.backends.decoding import (
    MAX_ID_CHARACTERS,
    UNREADABLE,
    Id,
    RawJSON,
    decode_items,
    read,
    shortened,
    string,
    unreadable_part,
)
from tui.backends.numbers import Number, exit_code, moment
from tui.backends.opencode import mimo_terminal
from tui.backends.opencode.schema import Error, failure, inside, usage
from tui.core.model import Answers, FilePart, FullMessage, Message, NotePart, Part, ReasoningPart, TextPart, ToolPart
from tui.net.errors import NotJson, TooLarge, megabytes
from tui.net.json_input import first_value, loads

CONTINUING_FINISH_REASONS = frozenset({"tool-calls", "unknown"})
"""`finish` values after which the same turn continues with another assistant message."""

REJECTED = frozenset(
    {
        "The user dismissed this question",
        "The user rejected permission to use this specific tool call.",
    }
)
"""Errors of calls that the user rejected; the second with a reason lets the agent continue."""

SHOWN_PARTS = frozenset({"text", "reasoning", "tool", "file", "patch", "subtask", "compaction"})

JUST_AFTER = 0.0001
"""Seconds: less than the resolution of the server's clock."""


class _Model(msgspec.Struct):
    modelID: str = ""


class _Message(msgspec.Struct):
    id: Id
    sessionID: Id
    role: str
    time: Any = None
    parentID: Id | None = None
    error: Error | None = None
    finish: str | None = None
    agent: str = ""
    modelID: str = ""
    model: _Model | None = None
    cost: Number = None
    tokens: Any = None


class _ToolState(msgspec.Struct):
    status: str
    input: Any = None
    title: str | None = None
    output: str | None = None
    error: str | None = None
    metadata: Any = None
    time: Any = None


class _Kind(msgspec.Struct):
    type: str


class _Part(msgspec.Struct):
    id: Id
    sessionID: Id
    messageID: Id
    type: str
    text: str = ""
    synthetic: bool = False
    time: Any = None
    callID: Id = ""
    tool: str = ""
    state: _ToolState | None = None
    filename: str | None = None
    mime: str = ""
    url: str = ""
    description: str = ""
    agent: str = ""
    files: list[str] = []


def message(value: RawJSON) -> Message:
    raw = read(value, _Message)
    time = inside(raw.time)
    completed = time.get("completed") is not None  # the time itself may be invalid
    return Message(
        id=raw.id,
        session_id=raw.sessionID,
        role="user" if raw.role == "user" else "assistant",
        created=moment(time.get("created")) or 0.0,
        completed=(moment(time["completed"]) or 0.0) if completed else None,
        parent_id=raw.parentID,
        failure=None if raw.error is None else failure(raw.error),
        final=raw.finish is not None and raw.finish not in CONTINUING_FINISH_REASONS,
        agent=shortened(raw.agent),
        model=shortened(raw.modelID or (raw.model.modelID if raw.model is not None else "")),
        usage=None if raw.tokens is None else usage(raw.tokens, raw.cost),
        incomplete=completed and raw.finish is None and raw.error is None,
    )


def full_message(value: RawJSON) -> FullMessage:
    """`{"info": Message, "parts": [Part]}`, as in lists and the held POST; placeholders replace unreadable parts."""
    envelope = read(value, dict[str, Any])
    head = message(envelope.get("info"))
    items = envelope.get("parts", [])

    def placeholder(at: int, item: RawJSON, why: Exception) -> Part:
        part_id = string(item, "id")[:MAX_ID_CHARACTERS] or f"{head.id}:unreadable:{at}"
        return unreadable_part(part_id, head.session_id, head.id, "a part of this message", why)

    found = decode_items(items if isinstance(items, list) else [items], part, "a part of a message", placeholder)
    return FullMessage(head, tuple(p for p in found if p is not None))


def full_messages(value: RawJSON, session_id: str) -> tuple[FullMessage, ...]:
    """A page of a transcript, oldest first; placeholders replace unreadable messages.

    A message without a valid time keeps its place, too.
    """
    before = 0.0

    def translate(item: RawJSON) -> FullMessage:
        nonlocal before
        full = full_message(item)
        if not full.message.created:
            full = replace(full, message=replace(full.message, created=before + JUST_AFTER))
        before = full.message.created
        return full

    def placeholder(at: int, item: RawJSON, why: Exception) -> FullMessage:
        nonlocal before
        before += JUST_AFTER
        return _unreadable(item, session_id, before, why)

    return decode_items(read(value, list[Any]), translate, "a message", placeholder)


def _unreadable(item: RawJSON, session_id: str, created: float, why: Exception) -> FullMessage:
    """The placeholder of an unreadable message, at the time `created` (epoch seconds)."""
    info = item.get("info") if isinstance(item, Mapping) else None
    message_id = string(info, "id")[:MAX_ID_CHARACTERS] or f"unreadable:{created}"
    role: Literal["user", "assistant"] = "user" if string(info, "role") == "user" else "assistant"
    head = Message(
        message_id,
        session_id,
        role,
        created,
        completed=created,
        parent_id=string(info, "parentID")[:MAX_ID_CHARACTERS] or None,
    )
    note = unreadable_part(f"{message_id}:unreadable", session_id, message_id, "a message", why)
    return FullMessage(head, (note,))


def part(value: RawJSON) -> Part | None:
    """A part, or None for kinds that are not shown: step-start, step-finish, snapshot, and unknown ones.

    Fields of unknown kinds are not validated.
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
            address = raw.url.partition(",")[0]  # a data URL contains the file itself after its comma
            return FilePart(*ids, raw.filename or address, raw.mime)
        case "patch":
            return NotePart(
                *ids, f"changed {len(raw.files)} files" if len(raw.files) != 1 else f"changed {raw.files[0]}"
            )
        case "subtask":
            return NotePart(*ids, f"subtask for {raw.agent or 'an agent'}: {raw.description}")
        case _:
            return NotePart(*ids, "the conversation was compacted")


def too_large(session_id: str, error: TooLarge) -> FullMessage:
    """The placeholder of a message that is too large to fetch; its head is read if it comes first."""
    text = error.head.decode("utf-8", "replace")
    rest = text.partition('"info":')[2].lstrip()
    try:
        head = message(loads(rest[: first_value(rest)[1]]))
    except (NotJson, RecursionError, *UNREADABLE):
        head = Message(f"too-large:{session_id}", session_id, "assistant", 0.0, completed=0.0)
    size = megabytes(error.size) if error.size is not None else f"over {megabytes(error.limit)}"
    words = f"This message is too large to show ({size})"
    return FullMessage(head, (NotePart(f"{head.id}:too-large", session_id, head.id, words),))


def _progress(time: RawJSON) -> Literal["streaming", "done"]:
    """A part without times (a prompt's) is complete; one with a start and no end is streaming."""
    given = inside(time)
    return "streaming" if given.get("start") is not None and given.get("end") is None else "done"


def _tool(raw: _Part) -> ToolPart:
    state = raw.state or _ToolState("pending")
    time = inside(state.time)
    shown = state.status if state.status in ("pending", "running", "completed", "error") else "running"
    output = state.output if state.output is not None else string(state.metadata, "output")
    given, rejected = _answers_in(state.metadata), shown == "error" and state.error in REJECTED
    if shown == "completed" and isinstance(state.input, dict) and state.input.get("interactive") is True:
        given = mimo_terminal.answers(output, exit_code(inside(state.metadata).get("exit")))
        rejected = given is None
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
        diff=string(state.metadata, "diff"),
        started=moment(time.get("start")),
        ended=moment(time.get("end")),
        answers=given,
        why=_why(state.error or ""),
        rejected=rejected,
    )


def _why(error: str) -> Literal["failed", "denied", "rejected", "aborted"]:
    """The cause of a call's error, which opencode reports only by its message."""
    if error.startswith(("The user rejected permission", "The user has specified a rule which prevents")):
        return "denied"
    if error.startswith("The user dismissed this question"):
        return "rejected"
    return "aborted" if error == "Tool execution aborted" else "failed"


def _answers_in(metadata: object) -> Answers | None:
    """The answers to a question tool; other tools may store anything under that name."""
    found = metadata.get("answers") if isinstance(metadata, Mapping) else None
    try:
        return None if found is None else tuple(tuple(row) for row in msgspec.convert(found, list[list[str]]))
    except UNREADABLE:
        return None
