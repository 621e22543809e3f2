"""What changed in the client's picture. Whoever shows it reads the store; a change tells where to look."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tui.core.model import Answers, Failure, PermissionReply, Request


@dataclass(frozen=True, slots=True)
class SessionsChanged:
    """The list of sessions, a title or a status changed."""

    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class TranscriptReset:
    """The transcript was replaced: draw it anew."""

    session_id: str


@dataclass(frozen=True, slots=True)
class OlderLoaded:
    """`count` messages came in front of the transcript."""

    session_id: str
    count: int


@dataclass(frozen=True, slots=True)
class MessageChanged:
    """A message is new, or its head (not its parts) changed."""

    session_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class MessageGone:
    session_id: str
    message_id: str


@dataclass(frozen=True, slots=True)
class PartChanged:
    """A part is new or was replaced."""

    session_id: str
    message_id: str
    part_id: str


@dataclass(frozen=True, slots=True)
class PartGone:
    session_id: str
    message_id: str
    part_id: str


@dataclass(frozen=True, slots=True)
class TextGrew:
    """`delta` was appended to a text or reasoning part."""

    session_id: str
    message_id: str
    part_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class RequestsChanged:
    """A request opened, or closed other than by `RequestClosed`."""


@dataclass(frozen=True, slots=True)
class RequestClosed:
    """A request is not open any more. *gone*: the server no longer has it and did not say why."""

    request: Request
    how: Literal["answered", "rejected", "replied", "gone"]
    answers: Answers = ()
    reply: PermissionReply | None = None


@dataclass(frozen=True, slots=True)
class PlanChanged:
    session_id: str


@dataclass(frozen=True, slots=True)
class FailureSeen:
    """The server told of an error in the session."""

    session_id: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class LineChanged:
    """The line went into another state, or a round trip was measured."""


@dataclass(frozen=True, slots=True)
class TurnChanged:
    """The session's turn moved: state, pads, reason."""

    session_id: str


@dataclass(frozen=True, slots=True)
class QueueChanged:
    """The prompts that wait in this client for the session changed, or are held or released."""

    session_id: str


@dataclass(frozen=True, slots=True)
class DraftReturned:
    """A prompt that the server does not have is a draft again: the journal's draft of the session holds it.

    `text` is the prompt, `reason` why it came back.
    """

    session_id: str
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerChanged:
    """How the sending of an answer fares.

    *sending* and *retrying* (with the reason) until the server says that it has it: *acknowledged*. Otherwise
    *elsewhere* (somebody else answered first), *expired* (the server does not have the request any more),
    *refused* (the server said no: the request is still open) or *stopped* (the line needs a person first).
    """

    request_id: str
    state: Literal["sending", "retrying", "acknowledged", "elsewhere", "expired", "refused", "stopped"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know that belongs to no widget of its own."""

    text: str
    severity: Literal["information", "warning", "error"] = "information"


Change: TypeAlias = (
    SessionsChanged
    | TranscriptReset
    | OlderLoaded
    | MessageChanged
    | MessageGone
    | PartChanged
    | PartGone
    | TextGrew
    | RequestsChanged
    | RequestClosed
    | PlanChanged
    | FailureSeen
    | LineChanged
    | TurnChanged
    | QueueChanged
    | DraftReturned
    | AnswerChanged
    | Notice
)
