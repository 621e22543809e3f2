"""What a backend can say has happened, in no family's dialect. `Store.apply` is the only reader."""

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
    """The server's first word on an event stream. Proves nothing yet: some servers close right after it."""


class Heartbeat(msgspec.Struct, frozen=True):
    """A heartbeat: the line lives. Says nothing about any turn."""


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
    """An error of a session. Not always the end of its turn (a context overflow compacts and goes on)."""

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
    """More text for a text or reasoning part. `delta` may hold half of a surrogate pair at either end.

    `at`: how many characters of the part come before it, where that is known. Then what a fetched page already
    holds is not appended a second time; such a delta is whole characters.
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


class RequestGone(msgspec.Struct, frozen=True):
    """The server no longer has the request open, and does not say why."""

    session_id: str
    request_id: str


class TodosChanged(msgspec.Struct, frozen=True):
    session_id: str
    todos: tuple[Todo, ...]


class StreamLost(msgspec.Struct, frozen=True):
    """The event stream is gone: what streams now may miss words until the server sends it whole."""


class Resynced(msgspec.Struct, frozen=True):
    """What the server answered when asked anew: all statuses and open requests of some directories.

    `requests` is complete for the sessions of `directories` (all of them when that is None), so whatever the
    store holds beyond it is gone. A session that `statuses` does not name is idle; of those in `unknown` nothing
    could be read, and nothing is said. `unreadable` requests are open beside them of which nothing more is known.
    `problem`: why a list could not be read as a whole, of directories that are then not among these. `beyond`: the
    ids of requests that are open too and were not read, for there are too many.
    """

    statuses: dict[str, SessionStatus]
    requests: tuple[Request, ...]
    directories: frozenset[str] | None = None
    unreadable: int = 0
    problem: str = ""
    beyond: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()


class SessionsListed(msgspec.Struct, frozen=True):
    """A page of the session list, newest first. Says nothing about sessions that it does not hold."""

    sessions: tuple[Session, ...]


class MessagesLoaded(msgspec.Struct, frozen=True):
    """A page of a transcript, oldest first.

    `how`: *newest* replaces the transcript from the page's first message on; *older* goes in front.
    `cursor` asks for the page before this one, None when there is none. `up_to_date`: it has all that there
    is by now of what still grows; other servers give the beginning of that, or nothing.
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
    | RequestGone
    | TodosChanged
    | StreamLost
    | Resynced
    | SessionsListed
    | MessagesLoaded
)
