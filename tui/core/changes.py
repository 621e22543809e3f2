"""What changed in the client's picture. Whoever shows it reads the store; a change tells where to look."""

from typing import Literal, TypeAlias

import msgspec

from tui.core.model import Answers, Failure, PermissionReply, Request


class SessionsChanged(msgspec.Struct, frozen=True):
    """The list of sessions, a title or a status changed."""

    session_id: str | None = None


class TranscriptReset(msgspec.Struct, frozen=True):
    """The transcript was replaced: draw it anew."""

    session_id: str


class OlderLoaded(msgspec.Struct, frozen=True):
    """`count` messages came in front of the transcript."""

    session_id: str
    count: int


class LoadingChanged(msgspec.Struct, frozen=True):
    """The fetching of the session's messages began, came further, or ended."""

    session_id: str


class MessageChanged(msgspec.Struct, frozen=True):
    """A message is new, or its head (not its parts) changed."""

    session_id: str
    message_id: str


class MessageGone(msgspec.Struct, frozen=True):
    session_id: str
    message_id: str


class PartChanged(msgspec.Struct, frozen=True):
    """A part is new or was replaced."""

    session_id: str
    message_id: str
    part_id: str


class PartGone(msgspec.Struct, frozen=True):
    session_id: str
    message_id: str
    part_id: str


class TextAppended(msgspec.Struct, frozen=True):
    """`delta` was appended to a text or reasoning part."""

    session_id: str
    message_id: str
    part_id: str
    delta: str


class RequestsChanged(msgspec.Struct, frozen=True):
    """A request opened, or closed other than by `RequestClosed`."""


class RequestClosed(msgspec.Struct, frozen=True):
    """A request is not open any more. *gone*: the server no longer has it and did not say why."""

    request: Request
    how: Literal["answered", "rejected", "replied", "gone"]
    answers: Answers = ()
    reply: PermissionReply | None = None


class PlanChanged(msgspec.Struct, frozen=True):
    session_id: str


class FailureSeen(msgspec.Struct, frozen=True):
    """The server told of an error in the session."""

    session_id: str
    failure: Failure


class ConnectionChanged(msgspec.Struct, frozen=True):
    """The line went into another state, or a round trip was measured."""


class TurnChanged(msgspec.Struct, frozen=True):
    """The session's turn moved: state, pads, reason."""

    session_id: str


class TurnEnded(msgspec.Struct, frozen=True):
    """The turn of a prompt is over; told again if the server takes it up once more and it ends then."""

    session_id: str
    prompt_id: str


class QueueChanged(msgspec.Struct, frozen=True):
    """The prompts that wait in this client for the session changed, or are held or released."""

    session_id: str


class DraftReturned(msgspec.Struct, frozen=True):
    """A prompt that the server does not have is a draft again: the journal's draft of the session holds it.

    `text` is the prompt, `reason` why it came back.
    """

    session_id: str
    text: str
    reason: str


class Given(msgspec.Struct, frozen=True):
    """What this client answers a request; `what` None rejects it. `why` goes along with a rejection."""

    what: Answers | PermissionReply | None
    why: str = ""


class ReplyStatusChanged(msgspec.Struct, frozen=True):
    """How the sending of an answer fares.

    *sending* and *retrying* (with the reason) until the server says that it has it: *acknowledged*. Otherwise
    *allowed* (a permission was granted, and whether by this reply is not recorded), *elsewhere* (another client
    answered first), *expired* (the server does not have the request any more),
    *refused* (the server said no: the request is still open) or *stopped* (a person has to mend something first:
    it is sent again once they have the line tried, or it is up again). `given` comes with *sending*: an earlier
    run of the client may have decided it.
    """

    request: Request
    state: Literal["sending", "retrying", "acknowledged", "allowed", "elsewhere", "expired", "refused", "stopped"]
    reason: str = ""
    given: Given | None = None


AbortState: TypeAlias = Literal["unsent", "sending", "retrying", "delivered", "stopped"]


class AbortProgress(msgspec.Struct, frozen=True):
    """How an abort stands whose turn is not over; not a change by itself, a `TurnChanged` tells of it.

    *unsent* (it cannot be sent now, with the reason), *sending*, *retrying* (a try failed, and may
    have arrived all the same), *delivered* (the server took it), *stopped* (a person has to mend something first).
    """

    state: AbortState
    reason: str = ""


class Notice(msgspec.Struct, frozen=True):
    """Something the person should know that belongs to no widget of its own.

    `stays`: it is true for as long as the program runs, and is shown that long.
    """

    text: str
    severity: Literal["information", "warning", "error"] = "information"
    sticky: bool = False


Change: TypeAlias = (
    SessionsChanged
    | TranscriptReset
    | OlderLoaded
    | LoadingChanged
    | MessageChanged
    | MessageGone
    | PartChanged
    | PartGone
    | TextAppended
    | RequestsChanged
    | RequestClosed
    | PlanChanged
    | FailureSeen
    | ConnectionChanged
    | TurnChanged
    | TurnEnded
    | QueueChanged
    | DraftReturned
    | ReplyStatusChanged
    | Notice
)
