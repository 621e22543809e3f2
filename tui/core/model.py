"""Values of a server: sessions, messages, their parts, and requests to the user.

Independent of the server's family. Times are epoch seconds of the server's clock; text is already safe for a
terminal (`tui.core.sanitize`).
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias

import msgspec


class Session(msgspec.Struct, frozen=True):
    """A conversation. `parent_id` is set where a subagent works for another session.

    `agent`, `cost` (US dollars) and `tokens` (input and output) if the server reports them. `undone_from`: the first
    message that is undone, with all after it, until the next prompt removes them; "" if nothing is.
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
    """The model's provider failed; the server retries at `next_at` (epoch seconds)."""

    attempt: int
    message: str
    next_at: float | None


SessionStatus: TypeAlias = Idle | Busy | Retrying


class Failure(msgspec.Struct, frozen=True):
    """Why a turn failed, as reported by the server. `status` is the provider's HTTP status.

    *interrupted*: the server itself was lost during the turn, and reports it afterwards.
    """

    message: str
    kind: Literal["aborted", "interrupted", "provider", "other"] = "other"
    status: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """Tokens and cost (US dollars) of a message, if the server reports them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class Message(msgspec.Struct, frozen=True):
    """One message without its parts. An assistant's `parent_id` is the prompt that it answers.

    `final` is false for an assistant message after which the same turn continues (it ended in tool calls).
    `incomplete`: it was completed without a finish reason, as opencode's are when aborted between two provider
    attempts.
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
        """Whether it is the last answer of its turn."""
        return self.failure is not None or (self.completed is not None and self.final)


Progress: TypeAlias = Literal["streaming", "partial", "broken", "done"]


GAP = "[…]"
"""Marks where characters may be missing."""


class TextPart(msgspec.Struct, frozen=True):
    """Text of a prompt or an answer.

    `state`: *streaming* while deltas arrive without loss, *partial* if some may be missing until the server sends
    the whole part, *broken* if the model's provider failed in mid-part and the text restarts in another part, *done*
    if complete. `gaps`: offsets in the text, ascending, at which characters may be missing.
    """

    id: str
    session_id: str
    message_id: str
    text: str
    state: Progress = "done"
    synthetic: bool = False
    gaps: tuple[int, ...] = ()

    @property
    def marked(self) -> str:
        """The text with a mark at each gap; a gap at the end has none."""
        text = self.text
        for at in reversed(self.gaps):
            if at < len(text):
                text = f"{text[:at]} {GAP} {text[at:]}" if at else f"{GAP} {text}"
        return text


class ReasoningPart(msgspec.Struct, frozen=True):
    """The model's reasoning. `state` as in `TextPart`."""

    id: str
    session_id: str
    message_id: str
    text: str
    state: Progress = "done"


Answers: TypeAlias = tuple[tuple[str, ...], ...]
"""One tuple of labels or custom texts for each question of a request, in order; () is unanswered."""


class ToolPart(msgspec.Struct, frozen=True):
    """One tool call. `output` grows while it runs if the server sends it; `diff` is a unified diff.

    `answers`: the answers to a question tool. `why`: the cause of state *error*, if the server reports it: *failed*
    by itself, *denied* or *rejected* by the user, *cancelled* by the user or an abort, *aborted* with its turn.
    `rejected`: the user rejected its request without a reason, so that the agent cannot continue.
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
    """A file attached to a message."""

    id: str
    session_id: str
    message_id: str
    name: str
    mime: str = ""


class NotePart(msgspec.Struct, frozen=True):
    """An incident of the turn, in one line: a compaction, a subtask, a patch."""

    id: str
    session_id: str
    message_id: str
    text: str


Part: TypeAlias = TextPart | ReasoningPart | ToolPart | FilePart | NotePart


class FullMessage(msgspec.Struct, frozen=True):
    """A message and its parts, in order."""

    message: Message
    parts: tuple[Part, ...]


class Option(msgspec.Struct, frozen=True):
    """One option of a question."""

    label: str
    description: str = ""


class Question(msgspec.Struct, frozen=True):
    """One question of a request. `custom`: a custom answer is allowed."""

    text: str
    header: str
    options: tuple[Option, ...]
    multiple: bool = False
    custom: bool = True


class QuestionRequest(msgspec.Struct, frozen=True):
    """Questions that block a turn until all are answered or the request is rejected.

    `call_id` names the waiting tool call, `message_id` its assistant message; `asked` is when it was asked (epoch
    seconds), if the server reports it.
    """

    id: str
    session_id: str
    questions: tuple[Question, ...]
    message_id: str | None = None
    call_id: str | None = None
    asked: float | None = None


class PermissionRequest(msgspec.Struct, frozen=True):
    """A tool call that waits for permission.

    `action` is the kind (bash, edit); `patterns` what is requested now; `always` what "always" would allow; `detail`
    the command or the diff, if the server sends it; `asked` as in `QuestionRequest`.
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
    """An entry of the agent's plan. `status` as the server names it: pending, in_progress, completed, cancelled."""

    text: str
    status: str
    priority: str = ""


class Prompt(msgspec.Struct, frozen=True):
    """A prompt, with the ids that make repeated posts harmless if the server accepts client ids.

    Otherwise `server_id` is the id that the server assigned, once known, and `resume_cursor` the position in the
    session's events after which the prompt must appear; only its backend reads that.
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
    """An option for a prompt that the server offers: an agent, a model, a command, a file."""

    name: str
    about: str = ""


class Queued(msgspec.Struct, frozen=True):
    """A prompt queued in this client until its session is idle. `id` is this client's own."""

    id: str
    session_id: str
    text: str
