"""What can be heard of one turn: from its POST, from the event stream, by asking, from the person, from the clock.

Plain values, for `tui.core.turn` to weigh: none of them is the truth by itself.
"""

from typing import TypeAlias

import msgspec

from tui.core.model import Failure, Message, SessionStatus


class HeadersReceived(msgspec.Struct, frozen=True):
    """The server answered the POST with headers, before the result."""


class PaddingReceived(msgspec.Struct, frozen=True):
    """Padding came on the POST; `total` bytes of it so far."""

    total: int


class BodyReceived(msgspec.Struct, frozen=True):
    """The POST returned a whole message. It may belong to another prompt: `message.parent_id` tells.

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
    """The POST ended without a result that can be used: what became of the turn is unknown.

    `cut`: the connection went, rather than the server ending the answer. `again`: posting again may help;
    else the server has answered, and stores nothing of the prompt after that.
    """

    reason: str
    cut: bool = True
    again: bool = True


class Snapshot(msgspec.Struct, frozen=True):
    """What is known of the turn at this moment: from events, or (`asked`) from asking the server just now.

    `stored`: the prompt is on the server; None is not known. `wordless`: what is stored there has none of its
    words. `answer`: the newest assistant message whose parent is the prompt. `later`: another prompt came after
    this one in the session; `later_answer`: the first complete answer to such a one. `gone`: the session itself is
    not there any more. `waiting`: requests of the session or its children are open, the first of them for `waited`
    seconds, as far as the server tells. `mark` changes whenever anything of the turn changed. `others_failure`:
    the error that came meanwhile is how another prompt's answer ended, before this one or since. `outrun`: the
    server decides by the order of ids what it answers, and the session has an answer above the prompt: posted now,
    it would not be answered. `rejected`: the last that `answer` has is a call that a person rejected.
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
    outrun: bool = False
    rejected: bool = False


class AbortAsked(msgspec.Struct, frozen=True):
    """The person asks to abort."""


class AbortFailed(msgspec.Struct, frozen=True):
    """What the person asked for never reached the server, or it said no: the turn is not being aborted."""


class AbortNearby(msgspec.Struct, frozen=True):
    """An abort was sent for another turn of the session. It names no turn, and may end this one."""


class Rejected(msgspec.Struct, frozen=True):
    """A request of the turn was rejected; `here`: by this client."""

    here: bool


class ServerError(msgspec.Struct, frozen=True):
    """A `session.error` came while the turn runs. Kept as a reason; not an end by itself."""

    failure: Failure


class Activity(msgspec.Struct, frozen=True):
    """An event of the session came that changes no state, such as a piece of text."""


class TraitsKnown(msgspec.Struct, frozen=True):
    """What the server does with a turn when the POST that holds it breaks: ends it, or not; None: not known."""

    cancels_on_disconnect: bool | None


class Disconnected(msgspec.Struct, frozen=True):
    """The event stream is lost: when the turn ends now, only the server's record can tell."""


class Reconnected(msgspec.Struct, frozen=True):
    """The event stream was gone and is back. A POST that was open meanwhile may be dead without a word."""


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
    | AbortAsked
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
