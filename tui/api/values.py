"""The values of `tui.api`, which are also the JSON of the commands (`docs/json.md`).

All times are epoch seconds of the server's clock. All texts are safe for a terminal (`tui.core.sanitize`).
"""

from typing import Literal, TypeAlias

import msgspec

from tui.core.model import Answers, PermissionReply

VERSION = 1
"""The version `v` of every JSON object: it changes if a field changes its meaning or is removed."""

Outcome: TypeAlias = Literal[
    "finished",
    "denied",
    "failed",
    "waiting",
    "aborted",
    "interrupted",
    "cancelled",
    "not sent",
    "timeout",
    "detached",
    "cannot connect",
    "unknown",
]
"""How a run ended.

*finished*: the turn finished, and nothing was denied. *denied*: it finished or ended because a permission or question
of it was denied. *failed*: the provider or the server failed. *waiting*: it waits for an answer, and this client was
told not to wait. *aborted*: by a user. *interrupted*: the server ended it without an answer. *cancelled*: the server
ended it because a connection broke. *not sent*: the server does not have the prompt. *timeout*, *detached*: the turn
goes on, and this client left. *cannot connect*: the server cannot be reached; a turn that was sent goes on. *unknown*:
the prompt was posted, the server does not show it, and its family cannot prove that it never had it.
"""


class Usage(msgspec.Struct, frozen=True):
    """Tokens and cost (US dollars) of a turn, as far as the server reports them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class Choice(msgspec.Struct, frozen=True):
    """One option of a question. `number`: from 1, as `answer` takes it."""

    number: int
    label: str
    description: str = ""


class PendingQuestion(msgspec.Struct, frozen=True):
    """One question of a request. `custom`: it also accepts custom text. `multiple`: it takes several choices."""

    header: str
    text: str
    choices: tuple[Choice, ...] = ()
    multiple: bool = False
    custom: bool = True


class UnlistedRequests(msgspec.Struct, frozen=True, kw_only=True):
    """What a list of the open requests lacks.

    `not_listed`: further open requests. `unreadable`: open requests that could not be decoded. `problem`: why a list
    of the server could not be read at all; it may have requests.
    """

    not_listed: int = 0
    unreadable: int = 0
    problem: str = ""


class PendingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that waits for an answer.

    `questions` of a question; `choices`, `action`, `patterns`, `always` and `detail` of a permission, the last four as
    in `PermissionRequest`.
    `asked`: None if the server does not report it. `title`: of the session, "" if unknown.
    """

    id: str
    kind: Literal["question", "permission"]
    session: str
    title: str = ""
    asked: float | None = None
    questions: tuple[PendingQuestion, ...] = ()
    choices: tuple[Choice, ...] = ()
    action: str = ""
    patterns: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    detail: str = ""

    @property
    def summary(self) -> str:
        """The first question, or what is to be allowed, as one line."""
        if self.kind == "permission":
            return f"{self.action} {' '.join(self.patterns)}".strip()
        return self.questions[0].text if self.questions else ""


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A reply to a request: `answers`, one tuple of labels or texts for each question; or `permission`.

    Neither: the question is rejected. `message`: the reason of a rejection, where the server takes one.
    """

    answers: Answers | None = None
    permission: PermissionReply | None = None
    message: str = ""

    @property
    def denies(self) -> bool:
        return self.answers is None and self.permission in (None, "reject")


By: TypeAlias = Literal["caller", "rule", "on-request", "elsewhere"]
"""Who answered: the caller of this API, a rule of `--answers`, the default of `--on-request`, another client."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A reply chosen without a user: `by` whom, and the name of the rule."""

    reply: Reply
    by: By = "caller"
    rule: str = ""


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A request of a turn and how it ended. *open*: it waits; *gone*: the server no longer lists it.

    `reply`: as the server reports it; None: not known. `by`: None while it is open or gone. `rule`: the rule's name.
    """

    request: PendingRequest
    state: Literal["open", "answered", "denied", "gone"]
    reply: Reply | None = None
    by: By | None = None
    rule: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a run. `text`: the stored answer, each of its texts with a newline at its end.

    `prompt`: the server's id of the prompt, or this client's if the server has none. `final`: the last text alone.
    `started`: when the server stored the prompt; `ended`: when it completed the answer; None: not recorded.
    `reason`: one line, "" if there is nothing to say.
    """

    v: int = VERSION
    session: str
    prompt: str
    outcome: Outcome
    reason: str = ""
    text: str = ""
    final: str = ""
    requests: tuple[RequestRecord, ...] = ()
    usage: Usage = Usage()
    started: float | None = None
    ended: float | None = None


class ConnectionEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="connection"):
    """The connection changed. `retry_in`: seconds until the next attempt, if one is planned."""

    v: int = VERSION
    time: float
    state: Literal["connecting", "live", "quiet", "lost", "stopped"]
    reason: str = ""
    hint: str = ""
    retry_in: float | None = None


class TurnEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="turn"):
    """The state of a turn changed, as in `TurnState`."""

    v: int = VERSION
    time: float
    session: str
    prompt: str
    state: str
    reason: str = ""


class TextEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="text"):
    """A text of the answer is complete."""

    v: int = VERSION
    time: float
    session: str
    message: str
    part: str
    text: str


class ToolEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="tool"):
    """The state of a tool call changed. `error`: why it failed."""

    v: int = VERSION
    time: float
    session: str
    message: str
    call: str
    tool: str
    state: Literal["pending", "running", "completed", "error"]
    title: str = ""
    error: str = ""


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="request"):
    """A request opened."""

    v: int = VERSION
    time: float
    request: PendingRequest


class ReplyEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reply"):
    """A request closed, by whomever."""

    v: int = VERSION
    time: float
    record: RequestRecord


class NoticeEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="notice"):
    """A message for the user."""

    v: int = VERSION
    time: float
    text: str
    severity: Literal["information", "warning", "error"] = "information"


class EndEvent(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """A turn ended. Of `run`, the last event, with the whole result; of `events`, `text` and usage are empty."""

    v: int = VERSION
    time: float
    result: Result


Event: TypeAlias = (
    ConnectionEvent | TurnEvent | TextEvent | ToolEvent | RequestEvent | ReplyEvent | NoticeEvent | EndEvent
)


AnswerState: TypeAlias = Literal["taken", "elsewhere", "expired", "refused", "stopped"]


class AnswerOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a reply. *taken*: it is the one that counts. *elsewhere*: another client answered first, with
    `reason` if the server says so. *expired*: the request is not open any more, or unknown. *refused*: the server
    refuses this reply, and the request is still open. *stopped*: the connection needs the user, see `reason`."""

    v: int = VERSION
    request: str
    state: AnswerState
    reason: str = ""
