"""What a server has: sessions, messages, their parts, and the requests that wait for a person.

Values only, in no family's dialect. Times are epoch seconds of the server's clock; text is already
fit for a terminal (`tui.net.text` cleans it where bytes become text).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation. `parent_id` is set where a subagent works for another session."""

    id: str
    title: str
    directory: str = ""
    created: float = 0.0
    updated: float = 0.0
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """No turn runs in the session."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A turn runs."""


@dataclass(frozen=True, slots=True)
class Retrying:
    """The model's provider failed; the server tries it again at `next_at` (epoch seconds)."""

    attempt: int
    message: str
    next_at: float | None


SessionStatus: TypeAlias = Idle | Busy | Retrying


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a turn ended badly, as the server tells it. `status` is the provider's HTTP status.

    *interrupted*: the server itself was lost in the middle of the turn, and says so afterwards.
    """

    message: str
    kind: Literal["aborted", "interrupted", "provider", "other"] = "other"
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and cost (US dollars) of a message, where the server gives them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message without its parts. An assistant's `parent_id` is the prompt that it answers.

    `final` is false for an assistant message after which the same turn goes on (it ended in tool calls).
    `broken_off`: it came to its end without a reason, as opencode's do when they are aborted between two tries of
    the provider.
    """

    id: str
    session_id: str
    role: Literal["user", "assistant"]
    created: float = 0.0
    completed: float | None = None
    parent_id: str | None = None
    failure: Failure | None = None
    final: bool = False
    agent: str = ""
    model: str = ""
    usage: Usage | None = None
    broken_off: bool = False


@dataclass(frozen=True, slots=True)
class TextPart:
    """Words of the prompt or of the agent.

    `state`: *streaming* while deltas come and none was missed, *partial* when some may be missing until the
    server sends the whole, *done* when this is all of it.
    """

    id: str
    session_id: str
    message_id: str
    text: str
    state: Literal["streaming", "partial", "done"] = "done"
    synthetic: bool = False


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What the model thought before it spoke. `state` as in `TextPart`."""

    id: str
    session_id: str
    message_id: str
    text: str
    state: Literal["streaming", "partial", "done"] = "done"


Answers: TypeAlias = tuple[tuple[str, ...], ...]
"""One tuple of labels or own words for each question of a request, in order; () is unanswered."""


@dataclass(frozen=True, slots=True)
class ToolPart:
    """One tool call. `output` grows while it runs where the server shows it; `diff` is a unified diff.

    `answers`: what a question tool was answered, once it was.
    """

    id: str
    session_id: str
    message_id: str
    call_id: str
    tool: str
    state: Literal["pending", "running", "completed", "error"]
    input: Mapping[str, object] = field(default_factory=dict)
    title: str = ""
    output: str = ""
    error: str = ""
    diff: str = ""
    started: float | None = None
    ended: float | None = None
    answers: Answers | None = None


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file that came with a message."""

    id: str
    session_id: str
    message_id: str
    name: str
    mime: str = ""


@dataclass(frozen=True, slots=True)
class NotePart:
    """Something that happened inside the turn, in one line: a compaction, a subtask, a patch."""

    id: str
    session_id: str
    message_id: str
    text: str


Part: TypeAlias = TextPart | ReasoningPart | ToolPart | FilePart | NotePart


@dataclass(frozen=True, slots=True)
class FullMessage:
    """A message and its parts, in order, as one answer of the server holds them."""

    message: Message
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """One offered answer."""

    label: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a request. `custom`: an answer in the person's own words is allowed."""

    text: str
    header: str
    options: tuple[Option, ...]
    multiple: bool = False
    custom: bool = True


@dataclass(frozen=True, slots=True)
class QuestionRequest:
    """Questions that block a turn until all are answered or the request is rejected.

    `call_id` names the tool call that waits; `message_id` the assistant message it stands in.
    """

    id: str
    session_id: str
    questions: tuple[Question, ...]
    message_id: str | None = None
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class PermissionRequest:
    """A tool call that waits for leave.

    `action` is the kind (bash, edit); `patterns` what is asked for now; `always` what a lasting yes would
    cover; `detail` the command or the diff, where the server gives it.
    """

    id: str
    session_id: str
    action: str
    patterns: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    detail: str = ""
    message_id: str | None = None
    call_id: str | None = None


Request: TypeAlias = QuestionRequest | PermissionRequest

PermissionReply: TypeAlias = Literal["once", "always", "reject"]


@dataclass(frozen=True, slots=True)
class Todo:
    """A line of the agent's plan. `status` is the server's word (pending, in_progress, completed, cancelled)."""

    text: str
    status: str
    priority: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt and the ids that make posting it again harmless, where the server takes ids of ours.

    Where it gives its own, `known_as` is the one that it gave, once that is known, and `after` the place in the
    session's events behind which the prompt must show: for its backend alone to read.
    """

    session_id: str
    text: str
    message_id: str
    part_id: str
    agent: str | None = None
    model: str | None = None
    after: str = ""
    known_as: str = ""


@dataclass(frozen=True, slots=True)
class Queued:
    """A prompt that waits in this client for its session to be free. `id` is this client's own."""

    id: str
    session_id: str
    text: str
