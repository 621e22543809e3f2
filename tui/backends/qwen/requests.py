"""Translates qwen serve's questions and permissions, which are one kind of request there. Without I/O.

A request has two forms: `permission_request` on the stream, and `pendingInteractions` in a session's status, which
does not name the waiting tool call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from tui.backends.decoding import UNREADABLE, Id, RawJSON, read, string
from tui.backends.qwen.schema import epoch, tool_output
from tui.core import events as e
from tui.core.memory_size import weight
from tui.core.model import (
    Answers,
    Option,
    PermissionReply,
    PermissionRequest,
    Question,
    QuestionRequest,
    Request,
    ToolPart,
)
from tui.core.open_requests import MAX_REQUESTS
from tui.core.recorded_end import ended
from tui.net.errors import NotSent
from tui.net.json_input import JSON

ONCE = "proceed_once"
CANCEL = "cancel"
"""The options to answer and dismiss a question that is not known here."""
MAX_REQUEST_BYTES = 32 << 20
"""Bytes of the open requests of a session from which on no further one is stored: more than `tui.core` stores."""


class _Option(msgspec.Struct, rename="camel"):
    option_id: str
    kind: str = ""
    name: str = ""
    label: str = ""


class _Choice(msgspec.Struct):
    label: str
    description: str = ""


class _Question(msgspec.Struct, rename="camel"):
    question: str
    header: str = ""
    options: list[_Choice] = []
    multi_select: bool | None = None


class _ToolCall(msgspec.Struct, rename="camel"):
    tool_call_id: Id = ""
    title: str = ""
    kind: str = ""
    raw_input: Any = None
    content: Any = None
    meta: dict[str, Any] | None = msgspec.field(default=None, name="_meta")


class _Asked(msgspec.Struct, rename="camel"):
    request_id: Id
    tool_call: _ToolCall
    options: list[_Option] = []


_Questions = Annotated[list[_Question], msgspec.Meta(min_length=1)]


class _Action(msgspec.Struct):
    type: str = ""
    title: str = ""
    content: Any = None
    input: Any = None


class _Interaction(msgspec.Struct, rename="camel"):
    request_id: Id
    kind: str = ""
    action: _Action = msgspec.field(default_factory=_Action)
    questions: RawJSON = None
    options: list[_Option] = []
    created_at: RawJSON = None


class _Outcome(msgspec.Struct, rename="camel"):
    outcome: str = ""
    option_id: str = ""


class _Resolved(msgspec.Struct, rename="camel"):
    request_id: Id
    outcome: _Outcome = msgspec.field(default_factory=_Outcome)
    voter_client_id: str = ""


class NoSuchOption(NotSent):
    """A reply that the request does not offer, as far as is known here."""

    def __init__(self) -> None:
        super().__init__("the server is not known to offer “always allow” for it", "Allow it once, or deny it.")


MAX_COMMAS = 20
"""Commas that a label may contain and still be found in an answer to a question with several choices."""


@dataclass(frozen=True, slots=True)
class StreamedRequest:
    """An open request, and its option ids by kind (`allow_once`, `reject_once`, …)."""

    request: Request
    options: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        """About the bytes that it takes."""
        return weight((self.request, self.options, self.title, self.input))


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a request ended. `voter` is the client that decided, "" if its turn ended instead."""

    request_id: Id
    option: str | None
    voter: str


def parse_request(session_id: str, message_id: str, data: RawJSON, at: float = 0.0) -> StreamedRequest:
    """The request of a `permission_request`; `message_id` is the message with its tool call.

    `at`: when it was asked (epoch seconds; 0: unknown).
    """
    raw = read(data, _Asked)
    call, meta = raw.tool_call, raw.tool_call.meta or {}
    place: dict[str, Any] = {
        "message_id": message_id or None,
        "call_id": call.tool_call_id or None,
        "asked": at or None,
    }
    request: Request
    if meta.get("qwenInteractionKind") == "user_question":
        given = read(meta.get("qwenQuestions"), _Questions)
        request = QuestionRequest(raw.request_id, session_id, _questions(given), **place)
    else:
        request = PermissionRequest(
            raw.request_id,
            session_id,
            string(meta, "toolName") or call.kind,
            patterns=(call.title,) if call.title else (),
            always=_lasting(raw.options),
            detail=_detail(call.raw_input, call.content),
            **place,
        )
    given_input = call.raw_input if isinstance(call.raw_input, Mapping) else {}
    return StreamedRequest(request, _by_kind(raw.options), call.title, given_input)


def pending(session_id: str, value: RawJSON) -> StreamedRequest:
    """One of `pendingInteractions`."""
    raw = read(value, _Interaction)
    at = (epoch(raw.created_at) if isinstance(raw.created_at, str) else 0.0) or None
    request: Request
    if raw.kind == "user_question":
        given = read(raw.questions, _Questions)
        request = QuestionRequest(raw.request_id, session_id, _questions(given), asked=at)
    else:
        request = PermissionRequest(
            raw.request_id,
            session_id,
            raw.action.type,
            patterns=(raw.action.title,) if raw.action.title else (),
            always=_lasting(raw.options),
            detail=_detail(raw.action.input, raw.action.content),
            asked=at,
        )
    given_input = raw.action.input if isinstance(raw.action.input, Mapping) else {}
    return StreamedRequest(request, _by_kind(raw.options), raw.action.title, given_input)


def option(asked: StreamedRequest | None, reply: PermissionReply) -> str:
    """The option id for `reply`; of several "always" options the first, which has the smallest scope.

    Raises `NoSuchOption` where "always" is not offered, or what is offered is not known: it is never sent as "once".
    """
    kinds = {"once": "allow_once", "always": "allow_always", "reject": "reject_once"}
    known = None if asked is None else asked.options.get(kinds[reply])
    if known is None and reply == "always":
        raise NoSuchOption
    return known or (CANCEL if reply == "reject" else ONCE)


def resolution(data: RawJSON) -> Resolution:
    """The resolution of a `permission_resolved`; `option` is None for a cancellation."""
    raw = read(data, _Resolved)
    chosen = raw.outcome.option_id if raw.outcome.outcome == "selected" else None
    return Resolution(raw.request_id, chosen, raw.voter_client_id)


def selected(option: str, answers: Answers | None = None) -> dict[str, Any]:
    """A vote. Answers map index → string: one value that is not a string would silently drop all."""
    vote: dict[str, Any] = {"outcome": {"outcome": "selected", "optionId": option}}
    if answers is not None:
        vote["answers"] = {str(index): ", ".join(row) for index, row in enumerate(answers) if row}
    return vote


CANCELLED: Mapping[str, Any] = {"outcome": {"outcome": "cancelled"}}
"""The vote that dismisses a request, which ends the turn."""


def answers_in(raw_output: RawJSON, raw_input: RawJSON) -> Answers | None:
    """The answers to a question tool; None for other tools, and without an answer yet."""
    found = raw_output.get("answers") if isinstance(raw_output, Mapping) else None
    if not isinstance(found, list):
        return None
    known: list[Question | None] = [*_questions_in(raw_input), *([None] * len(found))]
    return tuple(_row(string(item, "answer"), question) for item, question in zip(found, known, strict=False))


def _questions_in(raw_input: RawJSON) -> tuple[Question, ...]:
    found = raw_input.get("questions") if isinstance(raw_input, Mapping) else None
    try:
        return _questions(read(found or [], list[_Question]))
    except UNREADABLE:
        return ()


def _questions(raw: Sequence[_Question]) -> tuple[Question, ...]:
    return tuple(
        Question(
            text=one.question,
            header=one.header,
            options=tuple(Option(choice.label, choice.description) for choice in one.options),
            multiple=bool(one.multi_select),
        )
        for one in raw
    )


def _row(answer: str, question: Question | None) -> tuple[str, ...]:
    """One answer as labels. They are matched with the options, since a label may contain a comma."""
    if not answer:
        return ()
    if question is None or not question.multiple:
        return (answer,)
    labels = {option.label for option in question.options}
    commas = max((label.count(", ") for label in labels), default=0)
    pieces = answer.split(", ")
    row: list[str] = []
    at = 0
    while at < len(pieces):
        longest = range(min(len(pieces), at + 1 + min(commas, MAX_COMMAS)), at, -1)
        end = next((end for end in longest if ", ".join(pieces[at:end]) in labels), None)
        if end is None:
            rest = ", ".join(pieces[at:])
            return (*row, rest) if rest else tuple(row)
        row.append(", ".join(pieces[at:end]))
        at = end
    return tuple(row)


def _by_kind(options: Sequence[_Option]) -> dict[str, str]:
    return {option.kind: option.option_id for option in reversed(options)}


def _lasting(options: Sequence[_Option]) -> tuple[str, ...]:
    """The scope of "always", in the server's words: "Always Allow in project: touch *"."""
    label = next((one.name or one.label for one in options if one.kind == "allow_always"), "")
    return (label,) if label else ()


def _detail(given: RawJSON, content: RawJSON) -> str:
    """The command, or the diff of an edit."""
    return string(given, "command") or tool_output(content, None).diff or string(given, "file_path", "url", "path")


class OpenRequests:
    """The open requests of one session; each method returns the resulting events.

    The event that resolves a question does not contain its answers: the next update of its tool call does. Their number
    and size are limited: of one that is not stored, the list of sessions has the options.
    """

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self.open: dict[str, StreamedRequest] = {}
        self._weights: dict[str, int] = {}
        self._total = 0

    def opened(self, asked: StreamedRequest) -> list[e.Event]:
        self._drop(asked.request.id)
        if len(self.open) < MAX_REQUESTS and self._total < MAX_REQUEST_BYTES:
            self.open[asked.request.id] = asked
            self._weights[asked.request.id] = asked.weight
            self._total += asked.weight
        return [e.RequestOpened(asked.request)]

    def resolved(self, data: JSON) -> list[e.Event]:
        """Handle a `permission_resolved`."""
        end = resolution(data)
        asked = self.open.get(end.request_id)
        if asked is None:
            return [e.RequestRemoved(self._session_id, end.request_id)]
        chosen = end.option not in (None, option(asked, "reject"))
        told_by_call = isinstance(asked.request, QuestionRequest) if chosen else not end.voter
        if told_by_call and asked.request.call_id:
            return []  # its tool call follows with the answers or the rejection
        return self._closed(asked, end)

    def answered(self, part: ToolPart) -> list[e.Event]:
        """Close the requests of this call if it has ended."""
        waiting = [one for one in self.open.values() if one.request.call_id == part.call_id]
        if not waiting or part.state not in ("completed", "error"):
            return []
        for one in waiting:
            self._drop(one.request.id)
        return [ended(one.request, part) for one in waiting]

    def all_gone(self) -> list[e.Event]:
        """Close all requests: their turn has ended."""
        gone: list[e.Event] = [e.RequestRemoved(self._session_id, request_id) for request_id in self.open]
        for request_id in list(self.open):
            self._drop(request_id)
        return gone

    def _drop(self, request_id: str) -> None:
        self.open.pop(request_id, None)
        self._total -= self._weights.pop(request_id, 0)

    def _closed(self, asked: StreamedRequest, end: Resolution) -> list[e.Event]:
        request = asked.request
        self._drop(request.id)
        if not end.voter:
            return [e.RequestRemoved(request.session_id, request.id)]
        if isinstance(request, PermissionRequest):
            return [e.PermissionReplied(request.session_id, request.id, _reply(asked, end.option))]
        return [e.QuestionRejected(request.session_id, request.id)]


def _reply(asked: StreamedRequest, chosen: str | None) -> PermissionReply:
    if chosen is None or chosen == option(asked, "reject"):
        return "reject"
    return "once" if chosen == option(asked, "once") else "always"
