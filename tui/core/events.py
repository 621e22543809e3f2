"""Events of a server, independent of its family; the input of `Store.apply`."""

from typing import Literal, TypeAlias

import msgspec

from tui.core.model import (
    Answers,
    Failure,
    FullMessage,
    Message,
    Part,
    PermissionReply,
    Request,
    Session,
    SessionStatus,
    Todo,
)


class Connected(msgspec.Struct, frozen=True):
    """The first event of a stream. No proof that it works: some servers close right after it."""


class Heartbeat(msgspec.Struct, frozen=True):
    """A heartbeat: the connection is alive. Says nothing about turns."""


class ServerShuttingDown(msgspec.Struct, frozen=True):
    """The server (or one instance of it) is about to end the stream: a reconnection is due."""


class SessionUpserted(msgspec.Struct, frozen=True):
    session: Session


class SessionRenamed(msgspec.Struct, frozen=True):
    session_id: str
    title: str


class SessionDeleted(msgspec.Struct, frozen=True):
    session_id: str


class StatusChanged(msgspec.Struct, frozen=True):
    session_id: str
    status: SessionStatus


class SessionFailed(msgspec.Struct, frozen=True):
    """An error of a session. Not always the end of its turn (a context overflow compacts and continues)."""

    session_id: str
    failure: Failure


class MessageUpserted(msgspec.Struct, frozen=True):
    message: Message


class MessageRemoved(msgspec.Struct, frozen=True):
    session_id: str
    message_id: str


class PartUpserted(msgspec.Struct, frozen=True):
    part: Part


class PartRemoved(msgspec.Struct, frozen=True):
    session_id: str
    message_id: str
    part_id: str


class TextDelta(msgspec.Struct, frozen=True):
    """More text of a text or reasoning part. `delta` may hold half of a surrogate pair at either end.

    `at`: the length in characters of the part before it, if known. Text that a fetched page already holds is then
    not appended again; such a delta has whole characters.
    """

    session_id: str
    message_id: str
    part_id: str
    delta: str
    at: int | None = None


class RequestOpened(msgspec.Struct, frozen=True):
    request: Request


class QuestionAnswered(msgspec.Struct, frozen=True):
    session_id: str
    request_id: str
    answers: Answers


class QuestionRejected(msgspec.Struct, frozen=True):
    session_id: str
    request_id: str


class PermissionReplied(msgspec.Struct, frozen=True):
    session_id: str
    request_id: str
    reply: PermissionReply


class RequestRemoved(msgspec.Struct, frozen=True):
    """The request is no longer open, for an unknown reason."""

    session_id: str
    request_id: str


class TodosChanged(msgspec.Struct, frozen=True):
    session_id: str
    todos: tuple[Todo, ...]


class StreamLost(msgspec.Struct, frozen=True):
    """The event stream was lost: streaming parts may miss text until the server sends them whole."""


class Resynced(msgspec.Struct, frozen=True):
    """The result of a poll: all statuses and open requests of some directories.

    `requests` is complete for the sessions of `directories` (None: all), so other requests in the store are no longer
    open. A session without an entry in `statuses` is idle, except those in `unknown`, which could not be read.
    `unreadable`: number of open requests that could not be parsed. `problem`: why a list could not be read; its
    directories are then not in `directories`. `not_read`: ids of open requests that were too many to read.
    """

    statuses: dict[str, SessionStatus]
    requests: tuple[Request, ...]
    directories: frozenset[str] | None = None
    unreadable: int = 0
    problem: str = ""
    not_read: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


class SessionsListed(msgspec.Struct, frozen=True):
    """A page of the session list, newest first. Says nothing about other sessions."""

    sessions: tuple[Session, ...]


class MessagesLoaded(msgspec.Struct, frozen=True):
    """A page of a transcript, oldest first.

    `how`: *newest* replaces the transcript from the page's first message on; *older* is added at the start.
    `cursor` requests the page before this one; None if there is none. `up_to_date`: growing parts are complete so
    far; other servers return their beginning only, or nothing.
    """

    session_id: str
    messages: tuple[FullMessage, ...]
    cursor: str | None
    how: Literal["newest", "older"] = "newest"
    up_to_date: bool = False


Event: TypeAlias = (
    Connected
    | Heartbeat
    | ServerShuttingDown
    | SessionUpserted
    | SessionRenamed
    | SessionDeleted
    | StatusChanged
    | SessionFailed
    | MessageUpserted
    | MessageRemoved
    | PartUpserted
    | PartRemoved
    | TextDelta
    | RequestOpened
    | QuestionAnswered
    | QuestionRejected
    | PermissionReplied
    | RequestRemoved
    | TodosChanged
    | StreamLost
    | Resynced
    | SessionsListed
    | MessagesLoaded
)
