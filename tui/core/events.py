"""What a backend can say has happened, in no family's dialect. `Store.apply` is the only reader."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

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


@dataclass(frozen=True, slots=True)
class Connected:
    """The server's first word on an event stream. Proves nothing yet: some servers close right after it."""


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat: the line lives. Says nothing about any turn."""


@dataclass(frozen=True, slots=True)
class ServerLeaving:
    """The server (or one instance of it) is about to end the stream: a reconnection is due."""


@dataclass(frozen=True, slots=True)
class SessionUpserted:
    session: Session


@dataclass(frozen=True, slots=True)
class SessionDeleted:
    session_id: str


@dataclass(frozen=True, slots=True)
class StatusChanged:
    session_id: str
    status: SessionStatus


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """An error of a session. Not always the end of its turn (a context overflow compacts and goes on)."""

    session_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class MessageUpserted:
    message: Message


@dataclass(frozen=True, slots=True)
class MessageRemoved:
    session_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class PartUpserted:
    part: Part


@dataclass(frozen=True, slots=True)
class PartRemoved:
    session_id: str
    message_id: str
    part_id: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text for a text or reasoning part. `delta` may hold half of a surrogate pair at either end.

    `at`: how many characters of the part come before it, where that is known. Then what a fetched page already
    holds is not appended a second time; such a delta is whole characters.
    """

    session_id: str
    message_id: str
    part_id: str
    delta: str
    at: int | None = None


@dataclass(frozen=True, slots=True)
class RequestOpened:
    request: Request


@dataclass(frozen=True, slots=True)
class QuestionAnswered:
    session_id: str
    request_id: str
    answers: Answers


@dataclass(frozen=True, slots=True)
class QuestionRejected:
    session_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class PermissionReplied:
    session_id: str
    request_id: str
    reply: PermissionReply


@dataclass(frozen=True, slots=True)
class RequestGone:
    """The server no longer has the request open, and does not say why."""

    session_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class TodosChanged:
    session_id: str
    todos: tuple[Todo, ...]


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The event stream is gone: what streams now may miss words until the server sends it whole."""


@dataclass(frozen=True, slots=True)
class Resynced:
    """What the server answered when asked anew: all statuses and open requests of some directories.

    `requests` is complete for the sessions of `directories` (all of them when that is None), so whatever the
    store holds beyond it is gone. A session that `statuses` does not name is idle.
    """

    statuses: dict[str, SessionStatus]
    requests: tuple[Request, ...]
    directories: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class SessionsListed:
    """A page of the session list, newest first. Says nothing about sessions that it does not hold."""

    sessions: tuple[Session, ...]


@dataclass(frozen=True, slots=True)
class MessagesLoaded:
    """A page of a transcript, oldest first.

    `how`: *newest* replaces the transcript from the page's first message on; *older* goes in front.
    `cursor` asks for the page before this one, None when there is none.
    """

    session_id: str
    messages: tuple[FullMessage, ...]
    cursor: str | None
    how: Literal["newest", "older"] = "newest"


Event: TypeAlias = (
    Connected
    | Beat
    | ServerLeaving
    | SessionUpserted
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
