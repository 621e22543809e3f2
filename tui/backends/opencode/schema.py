"""opencode's JSON schema, and its translation into `tui.core`. Without I/O.

Shapes as measured on opencode 1.18.33. Every function takes parsed JSON and raises `msgspec.ValidationError` if a
required field is missing or of another type; unused fields may be anything.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tui.backends.decoding import Id, RawJSON, Rows, decode_items, path_or_nothing, read, shortened, string
from tui.backends.numbers import Number, attempts, dollars, http_status, moment, tokens
from tui.core.model import Busy, Failure, Idle, Retrying, Session, SessionStatus, Usage

ABANDONED = "Abandoned: previous request interrupted"
"""Prefix of MiMo Code 0.1.15's message for a turn that its process did not survive."""

IDLE, BUSY = Idle(), Busy()


class _Session(msgspec.Struct):
    id: Id
    title: str | None = None
    directory: str | None = None
    parentID: Id | None = None
    time: Any = None
    agent: str | None = None
    cost: Number = None
    tokens: Any = None
    revert: Any = None


class Error(msgspec.Struct):
    name: str = "unknown"
    data: Any = None


class _Status(msgspec.Struct):
    type: str
    attempt: Number = None
    message: str = ""
    next: Number = None


def inside(value: object) -> Mapping[str, Any]:
    """The value as a mapping with optional fields; empty if it is not a mapping."""
    return value if isinstance(value, Mapping) else {}


def usage(count: RawJSON, cost: Number = None) -> Usage:
    """The `tokens` of a message or a session, and their cost."""
    found = inside(count)
    return Usage(tokens(found.get("input")), tokens(found.get("output")), dollars(cost))


def session(value: RawJSON) -> Session:
    raw = read(value, _Session)
    time, spent = inside(raw.time), usage(raw.tokens, raw.cost)
    return Session(
        id=raw.id,
        title=shortened(raw.title),
        directory=path_or_nothing(raw.directory),
        created=moment(time.get("created")) or 0.0,
        updated=moment(time.get("updated")) or 0.0,
        parent_id=raw.parentID,
        agent=shortened(raw.agent),
        cost=spent.cost,
        tokens=spent.input_tokens + spent.output_tokens,
        undone_from=string(raw.revert, "messageID"),
    )


def sessions(value: RawJSON) -> Rows[Session]:
    return decode_items(read(value, list[Any]), session, "a session")


def failure(raw: Error) -> Failure:
    """The failure; `APIError` and similar ones have `data.message` and the provider's status.

    MiMo Code reports a turn that its process did not survive as aborted, when the next turn begins.
    """
    message = string(raw.data, "message") or raw.name
    aborted: Literal["aborted", "interrupted"] = "interrupted" if message.startswith(ABANDONED) else "aborted"
    return Failure(
        message=message,
        kind=aborted if raw.name == "MessageAbortedError" else "provider" if raw.name == "APIError" else "other",
        status=http_status(inside(raw.data).get("statusCode")),
    )


def status(value: RawJSON) -> SessionStatus:
    raw = read(value, _Status)
    match raw.type:
        case "idle":
            return IDLE
        case "retry":
            return Retrying(attempts(raw.attempt), shortened(raw.message), moment(raw.next))
        case _:
            return BUSY


def statuses(value: RawJSON) -> dict[str, SessionStatus]:
    """Statuses by session, without idle ones. An unreadable one counts as busy: idle sessions are not listed."""

    def placeholder(at: int, item: RawJSON, why: Exception) -> SessionStatus:
        return Retrying(0, "", None) if string(item, "type") == "retry" else BUSY

    rows = read(value, dict[str, Any])
    found = decode_items(rows.values(), status, "the status of a session", placeholder)
    return {session_id: item for session_id, item in zip(rows, found, strict=True) if not isinstance(item, Idle)}
