"""What a server has: sessions, messages, their parts, and the requests that wait for a person.

Values only, in no family's dialect. Times are epoch seconds of the server's clock; text is already
fit for a terminal (`tui.core.sanitize` cleans it where bytes become text).
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec


class Session(msgspec.Struct, frozen=True):
    """A conversation. `parent_id` is set where a subagent works for another session.

    `agent`, `cost` (US dollars) and `tokens` (in and out, all told) where the server gives them. `undone_from`:
    the message from which on all is undone, until the next prompt removes it for good; "" where nothing is.
    """

    id: str
    title: str
    directory: str = ""
    created: float = 0.0
    updated: float = 0.0
    parent_id: str | None = None
    agent: str = ""
    cost: float = 0.0
    tokens: int = 0
    undone_from: str = ""


class Idle(msgspec.Struct, frozen=True):
    """No turn runs in the session."""


class Busy(msgspec.Struct, frozen=True):
    """A turn runs."""


class Retrying(msgspec.Struct, frozen=True):
    """The model's provider failed; the server tries it again at `next_at` (epoch seconds)."""

    attempt: int
    message: str
    next_at: float | None


SessionStatus: TypeAlias = Idle | Busy | Retrying


class Failure(msgspec.Struct, frozen=True):
    """Why a turn ended badly, as the server tells it. `status` is the provider's HTTP status.

    *interrupted*: the server itself was lost in the middle of the turn, and says so afterwards.
    """

    message: str
    kind: Literal["aborted", "interrupted", "provider", "other"] = "other"
    status: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens and cost (US dollars) of a message, where the server gives them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class Message(msgspec.Struct, frozen=True):
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
    incomplete: bool = False

    @property
    def ended(self) -> bool:
        """Whether it is an answer after which nothing more of its turn comes."""
        return self.failure is not None or (self.completed is not None and self.final)


Progress: TypeAlias = Literal["streaming", "partial", "broken", "done"]


class TextPart(msgspec.Struct, frozen=True):
    """Words of the prompt or of the agent.

    `state`: *streaming* while deltas come and none was missed, *partial* when some may be missing until the
    server sends the whole, *broken* when the model's provider failed in the middle of it and the words begin anew
    in another part, *done* when this is all of it.
    """

    id: str
    session_id: str
    message_id: str
    text: str
    state: Progress = "done"
    synthetic: bool = False


class ReasoningPart(msgspec.Struct, frozen=True):
    """What the model thought before it spoke. `state` as in `TextPart`."""

    id: str
    session_id: str
    message_id: str
    text: str
    state: Progress = "done"


Answers: TypeAlias = tuple[tuple[str, ...], ...]
"""One tuple of labels or own words for each question of a request, in order; () is unanswered."""


class ToolPart(msgspec.Struct, frozen=True):
    """One tool call. `output` grows while it runs where the server shows it; `diff` is a unified diff.

    `answers`: what a question tool was answered, once it was. `why`: how a call in state *error* came to it, as
    far as the server says: *failed* by itself, *denied* or *rejected* by a person, *cancelled* by one or by an
    abort, *aborted* with its turn. `rejected`: a person rejected what it asked for, and gave no reason that the
    agent could go on with.
    """

    id: str
    session_id: str
    message_id: str
    call_id: str
    tool: str
    state: Literal["pending", "running", "completed", "error"]
    input: Mapping[str, object] = msgspec.field(default_factory=dict)
    title: str = ""
    output: str = ""
    error: str = ""
    diff: str = ""
    started: float | None = None
    ended: float | None = None
    answers: Answers | None = None
    why: Literal["failed", "denied", "rejected", "cancelled", "aborted"] = "failed"
    rejected: bool = False


class FilePart(msgspec.Struct, frozen=True):
    """A file that came with a message."""

    id: str
    session_id: str
    message_id: str
    name: str
    mime: str = ""


class NotePart(msgspec.Struct, frozen=True):
    """Something that happened inside the turn, in one line: a compaction, a subtask, a patch."""

    id: str
    session_id: str
    message_id: str
    text: str


Part: TypeAlias = TextPart | ReasoningPart | ToolPart | FilePart | NotePart


class FullMessage(msgspec.Struct, frozen=True):
    """A message and its parts, in order, as one answer of the server holds them."""

    message: Message
    parts: tuple[Part, ...]


class Option(msgspec.Struct, frozen=True):
    """One offered answer."""

    label: str
    description: str = ""


class Question(msgspec.Struct, frozen=True):
    """One question of a request. `custom`: an answer in the person's own words is allowed."""

    text: str
    header: str
    options: tuple[Option, ...]
    multiple: bool = False
    custom: bool = True


class QuestionRequest(msgspec.Struct, frozen=True):
    """Questions that block a turn until all are answered or the request is rejected.

    `call_id` names the tool call that waits; `message_id` the assistant message it stands in; `asked` is when it
    was asked (epoch seconds), where the server tells.
    """

    id: str
    session_id: str
    questions: tuple[Question, ...]
    message_id: str | None = None
    call_id: str | None = None
    asked: float | None = None


class PermissionRequest(msgspec.Struct, frozen=True):
    """A tool call that waits for permission.

    `action` is the kind (bash, edit); `patterns` what is asked for now; `always` what a lasting yes would
    cover; `detail` the command or the diff, where the server gives it; `asked` as in `QuestionRequest`.
    """

    id: str
    session_id: str
    action: str
    patterns: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    detail: str = ""
    message_id: str | None = None
    call_id: str | None = None
    asked: float | None = None


Request: TypeAlias = QuestionRequest | PermissionRequest

PermissionReply: TypeAlias = Literal["once", "always", "reject"]


class Todo(msgspec.Struct, frozen=True):
    """A line of the agent's plan. `status` is the server's word (pending, in_progress, completed, cancelled)."""

    text: str
    status: str
    priority: str = ""


class Prompt(msgspec.Struct, frozen=True):
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
    resume_cursor: str = ""
    server_id: str = ""


class CatalogItem(msgspec.Struct, frozen=True):
    """Something of the server's that can be chosen for a prompt: an agent, a model, a command, a file."""

    name: str
    about: str = ""


class Queued(msgspec.Struct, frozen=True):
    """A prompt that waits in this client for its session to be free. `id` is this client's own."""

    id: str
    session_id: str
    text: str
