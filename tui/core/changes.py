"""Notifications of what changed in the store. They carry ids; the values are read from the store."""

from typing import Literal, TypeAlias

import msgspec

from tui.core.model import Answers, Failure, PermissionReply, Request


class SessionsChanged(msgspec.Struct, frozen=True):
    """A session was added, changed or deleted, or its status changed."""

    session_id: str


class TranscriptReset(msgspec.Struct, frozen=True):
    """The transcript was replaced and must be redrawn."""

    session_id: str


class OlderLoaded(msgspec.Struct, frozen=True):
    """`count` messages were added at the start of the transcript."""

    session_id: str
    count: int


class LoadingChanged(msgspec.Struct, frozen=True):
    """Loading of the session's messages began, progressed, or ended."""

    session_id: str


class MessageChanged(msgspec.Struct, frozen=True):
    """A message was added, or changed other than in its parts."""

    session_id: str
    message_id: str


class MessageRemoved(msgspec.Struct, frozen=True):
    session_id: str
    message_id: str


class PartChanged(msgspec.Struct, frozen=True):
    """A part was added or replaced."""

    session_id: str
    message_id: str
    part_id: str


class PartRemoved(msgspec.Struct, frozen=True):
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
    """A request is no longer open. *gone*: the server no longer lists it, for an unknown reason."""

    request: Request
    how: Literal["answered", "rejected", "replied", "gone"]
    answers: Answers = ()
    reply: PermissionReply | None = None


class PlanChanged(msgspec.Struct, frozen=True):
    session_id: str


class FailureSeen(msgspec.Struct, frozen=True):
    """The server reported an error in the session."""

    session_id: str
    failure: Failure


class ConnectionChanged(msgspec.Struct, frozen=True):
    """The connection state changed, or a round trip was measured."""


class TurnChanged(msgspec.Struct, frozen=True):
    """The session's turn changed: state, padding, reason."""

    session_id: str


class TurnEnded(msgspec.Struct, frozen=True):
    """The turn of a prompt ended; repeated if the server resumes the turn and it ends again."""

    session_id: str
    prompt_id: str


class QueueChanged(msgspec.Struct, frozen=True):
    """The session's queue in this client changed, was paused or resumed."""

    session_id: str


class DraftReturned(msgspec.Struct, frozen=True):
    """A prompt that the server does not show became a draft again, in the journal's draft of the session.

    `text` is the prompt, `reason` why it was returned; see `Turn.arrival_unknown` for `may_have_arrived`.
    """

    session_id: str
    text: str
    reason: str
    may_have_arrived: bool = False


class ReturnedPromptFound(msgspec.Struct, frozen=True):
    """The server has a prompt that was returned to the user as not sent: its copy must not be sent again."""

    session_id: str
    text: str


class GivenReply(msgspec.Struct, frozen=True):
    """This client's reply to a request; `what` None rejects it, with the reason `why`."""

    what: Answers | PermissionReply | None
    why: str = ""


class ReplyStatusChanged(msgspec.Struct, frozen=True):
    """The delivery state of a reply.

    *sending* and *retrying* (with the reason) until the server confirms it: *acknowledged*. Otherwise *allowed* (a
    permission was granted; whether by this reply is not recorded), *elsewhere* (another client answered first),
    *expired* (the server no longer has the request), *refused* (the server rejected the reply: the request is still
    open) or *stopped* (the user must fix something first: it is sent again after a manual retry or a reconnect).
    `given` comes with *sending*: an earlier run of the client may have decided it.
    """

    request: Request
    state: Literal["sending", "retrying", "acknowledged", "allowed", "elsewhere", "expired", "refused", "stopped"]
    reason: str = ""
    given: GivenReply | None = None


AbortState: TypeAlias = Literal["unsent", "sending", "retrying", "delivered", "stopped"]


class AbortProgress(msgspec.Struct, frozen=True):
    """The delivery state of an abort whose turn is still open; reported by a `TurnChanged`.

    *unsent* (it cannot be sent now, with the reason), *sending*, *retrying* (an attempt failed, and may have
    arrived), *delivered* (the server accepted it), *stopped* (the user must fix something first).
    """

    state: AbortState
    reason: str = ""


class Notice(msgspec.Struct, frozen=True):
    """A message for the user that has no widget of its own.

    `sticky`: it stays true, and is shown, until the program exits.
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
    | MessageRemoved
    | PartChanged
    | PartRemoved
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
    | ReturnedPromptFound
    | ReplyStatusChanged
    | Notice
)
