"""Translates opencode's events: one frame of an event stream into one event or none. Without I/O.

Raises `msgspec.ValidationError` if a required field is missing or of another type.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from tui.backends.decoding import RawJSON, read, shortened, todos
from tui.backends.numbers import Number, attempts, delay
from tui.backends.opencode import schema as wire
from tui.backends.opencode.messages import message, part
from tui.backends.opencode.requests import permission, question
from tui.core import events as e
from tui.core.model import Idle, PermissionReply, Retrying


class _Delta(msgspec.Struct):
    sessionID: str
    messageID: str
    partID: str
    delta: str


class _Resolved(msgspec.Struct):
    sessionID: str
    requestID: str
    answers: list[list[str]] = []
    reply: PermissionReply | None = None


class _Ids(msgspec.Struct):
    sessionID: str
    messageID: str = ""
    partID: str = ""


class _Retry(msgspec.Struct):
    sessionID: str
    attempt: Number = None
    reason: str = ""
    nextDelayMs: Number = None


def _part_updated(properties: RawJSON) -> e.Event | None:
    found = part(properties.get("part"))
    return None if found is None else e.PartUpserted(found)


def _delta(properties: RawJSON) -> e.Event:
    raw = read(properties, _Delta)
    return e.TextDelta(raw.sessionID, raw.messageID, raw.partID, raw.delta)


def _status_changed(properties: RawJSON) -> e.Event:
    return e.StatusChanged(read(properties, _Ids).sessionID, wire.status(properties.get("status")))


def _retry(properties: RawJSON) -> e.Event:
    """MiMo Code's status stays busy during provider retries; it is sent again at each attempt."""
    raw = read(properties, _Retry)
    wait = delay(raw.nextDelayMs)
    next_at = None if wait is None else time.time() + wait
    return e.StatusChanged(raw.sessionID, Retrying(attempts(raw.attempt), shortened(raw.reason), next_at))


def _session_failed(properties: RawJSON) -> e.Event | None:
    session_id = properties.get("sessionID")
    if not isinstance(session_id, str):
        return None  # an error without a session (a plugin's)
    return e.SessionFailed(session_id, wire.failure(read(properties.get("error") or {}, wire.Error)))


def _question_replied(properties: RawJSON) -> e.Event:
    raw = read(properties, _Resolved)
    return e.QuestionAnswered(raw.sessionID, raw.requestID, tuple(tuple(row) for row in raw.answers))


def _question_rejected(properties: RawJSON) -> e.Event:
    raw = read(properties, _Resolved)
    return e.QuestionRejected(raw.sessionID, raw.requestID)


def _permission_replied(properties: RawJSON) -> e.Event:
    raw = read(properties, _Resolved)
    if raw.reply is None:
        return e.RequestRemoved(raw.sessionID, raw.requestID)
    return e.PermissionReplied(raw.sessionID, raw.requestID, raw.reply)


def _message_removed(properties: RawJSON) -> e.Event:
    raw = read(properties, _Ids)
    return e.MessageRemoved(raw.sessionID, raw.messageID)


def _part_removed(properties: RawJSON) -> e.Event:
    raw = read(properties, _Ids)
    return e.PartRemoved(raw.sessionID, raw.messageID, raw.partID)


_EVENTS: dict[str, Callable[[RawJSON], e.Event | None]] = {
    "server.connected": lambda p: e.Connected(),
    "server.heartbeat": lambda p: e.Heartbeat(),
    "server.instance.disposed": lambda p: e.ServerShuttingDown(),
    "session.created": lambda p: e.SessionUpserted(wire.session(p.get("info"))),
    "session.updated": lambda p: e.SessionUpserted(wire.session(p.get("info"))),
    "session.deleted": lambda p: e.SessionDeleted(wire.session(p.get("info")).id),
    "session.status": _status_changed,
    "session.retry.attempt": _retry,
    "session.idle": lambda p: e.StatusChanged(read(p, _Ids).sessionID, Idle()),
    "session.error": _session_failed,
    "message.updated": lambda p: e.MessageUpserted(message(p.get("info"))),
    "message.removed": _message_removed,
    "message.part.updated": _part_updated,
    "message.part.delta": _delta,
    "message.part.removed": _part_removed,
    "question.asked": lambda p: e.RequestOpened(question(p)),
    "question.replied": _question_replied,
    "question.rejected": _question_rejected,
    "permission.asked": lambda p: e.RequestOpened(permission(p)),
    "permission.replied": _permission_replied,
    "todo.updated": lambda p: e.TodosChanged(read(p, _Ids).sessionID, todos(p.get("todos"))),
}


def event_of(value: RawJSON) -> e.Event | None:
    """One frame of an event stream; None for kinds that change nothing shown."""
    kind, properties = kind_of(value)
    translate = _EVENTS.get(kind)
    return None if translate is None else translate(properties)


def kind_of(value: RawJSON) -> tuple[str, dict[str, Any]]:
    """The type and properties of a frame of `/event` or `/global/event`; "" if it has no type.

    `/global/event` wraps the event in `payload`, and sends each durable one again with type `sync`.
    """
    frame = read(value, dict[str, Any])
    payload = frame.get("payload", frame)
    kind = payload.get("type") if isinstance(payload, dict) else None
    if not isinstance(kind, str):
        return "", {}
    properties = payload.get("properties")
    return kind, properties if isinstance(properties, dict) else {}
