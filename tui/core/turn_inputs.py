"""Inputs of `tui.core.turn`: from its POST, the event stream, polls, the user and the clock.

Plain values; none of them alone decides how a turn ended.
"""

from typing import TypeAlias

import msgspec

from tui.core.model import Failure, Message, SessionStatus


class HeadersReceived(msgspec.Struct, frozen=True):
    """The server answered the POST with headers, before the result."""


class PaddingReceived(msgspec.Struct, frozen=True):
    """Padding arrived on the POST; `total` bytes so far."""

    total: int


class BodyReceived(msgspec.Struct, frozen=True):
    """The POST returned a complete message. It may belong to another prompt: see `message.parent_id`.

    `rejected` as in `Snapshot`.
    """

    message: Message
    rejected: bool = False


class Accepted(msgspec.Struct, frozen=True):
    """The server has the prompt, does not hold the POST, and calls it `prompt_id` from now on."""

    prompt_id: str


class PostNotSent(msgspec.Struct, frozen=True):
    """No byte of the prompt reached the server."""

    reason: str


class PostRefused(msgspec.Struct, frozen=True):
    """The server answered the POST with an error that proves it did not take the prompt."""

    reason: str


class PostFailed(msgspec.Struct, frozen=True):
    """The POST ended without a usable result: the outcome of the turn is unknown.

    `cut`: the connection broke; otherwise the server ended the response. `again`: posting again may help; otherwise
    the server has responded, and stores nothing of the prompt any more, unless it accepted the POST (`accepted`, 2xx).
    """

    reason: str
    cut: bool = True
    again: bool = True
    accepted: bool = False


class Snapshot(msgspec.Struct, frozen=True):
    """The state of the turn at this moment: by events, or (`polled`) by a poll just now.

    `stored`: the prompt is on the server; None: unknown. `has_no_parts`: it is stored without its text. `answer`: the
    newest assistant message whose parent is the prompt. `has_later_prompt`: the session has a newer prompt;
    `later_answer`: the first complete answer to such a one. `gone`: the session was deleted. `waiting`: requests of the
    session or its children are open, the first of them for `waited` seconds, if the server reports that. `version`
    changes with every change of the turn. `others_failure`: the error that arrived meanwhile belongs to another
    prompt's answer. `id_too_low`: the server answers in order of ids, and the session has an answer with a higher
    id: if posted now, the prompt would not be answered. `rejected`: the last part of `answer` is a tool call that the
    user rejected.
    """

    status: SessionStatus
    stored: bool | None
    answer: Message | None = None
    waiting: bool = False
    waited: float = 0.0
    has_later_prompt: bool = False
    later_answer: Message | None = None
    gone: bool = False
    polled: bool = False
    version: int = 0
    has_no_parts: bool = False
    others_failure: bool = False
    id_too_low: bool = False
    rejected: bool = False


class AbortRequested(msgspec.Struct, frozen=True):
    """The user requests an abort."""


class AbortFailed(msgspec.Struct, frozen=True):
    """The abort was not delivered, or the server rejected it: the turn goes on."""


class AbortNearby(msgspec.Struct, frozen=True):
    """An abort was sent for another turn of the session. Aborts name no turn, so it may end this one."""


class Rejected(msgspec.Struct, frozen=True):
    """A request of the turn was rejected; `here`: by this client."""

    here: bool


class ServerError(msgspec.Struct, frozen=True):
    """A `session.error` arrived during the turn. Kept as a reason; not an end by itself."""

    failure: Failure


class Activity(msgspec.Struct, frozen=True):
    """An event of the session that changes no state, such as a text delta."""


class TraitsKnown(msgspec.Struct, frozen=True):
    """Whether the server ends a turn when its POST breaks; None: unknown."""

    cancels_on_disconnect: bool | None


class Disconnected(msgspec.Struct, frozen=True):
    """The event stream was lost: from now on only the server's record tells when the turn ends."""


class Reconnected(msgspec.Struct, frozen=True):
    """The event stream was reconnected. A POST that was open meanwhile may be dead without an error."""


class Tick(msgspec.Struct, frozen=True):
    """Time passed."""


Input: TypeAlias = (
    HeadersReceived
    | PaddingReceived
    | BodyReceived
    | Accepted
    | PostNotSent
    | PostRefused
    | PostFailed
    | Snapshot
    | AbortRequested
    | AbortFailed
    | AbortNearby
    | Rejected
    | ServerError
    | Activity
    | TraitsKnown
    | Disconnected
    | Reconnected
    | Tick
)
