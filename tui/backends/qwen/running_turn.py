"""The running prompt of a qwen serve, and its answer so far: head, text, tool calls, end.

Ids are made of the prompt's id, a segment's number and the tool call's id, so that a stream and the replay of `load`
(see `session_reducer`) have the same ids. Without I/O and clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec.structs import replace

from tui.backends.decoding import shortened, string, unreadable_part
from tui.backends.qwen import requests
from tui.backends.qwen.tool_calls import UNENDED, answer_id, state_of, tool_part
from tui.core import events as e
from tui.core.memory_size import weight
from tui.core.model import Failure, Message, NotePart, ReasoningPart, TextPart, ToolPart
from tui.core.transcript import join_halves

JUST_AFTER = 0.0005
"""Seconds by which an answer follows its prompt in order: less than the server's clock resolution."""
MAX_CALL_BYTES = 16 << 20
"""Bytes of the tool calls of a turn, and of its requests; of further ones less is kept."""
LARGE = 16 << 10
"""Bytes of a call from which on its input and output are dropped where there is no room."""
NOT_KEPT = "… not kept in memory while the turn runs: open the session again to read it"
TEXT_KEPT = 16_000_000
"""Characters of one growing text."""
TEXT_NOT_KEPT = "… the rest of this text is not kept in memory"
MISSING_START = "the server dropped the beginning of this answer; it is complete once the turn has ended"

Kind = Literal["text", "thought"]


@dataclass(slots=True)
class _Segment:
    """A growing text: the last part of the answer, until another part follows."""

    part_id: str
    kind: Kind
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    half: str = ""
    is_full: bool = False


@dataclass(slots=True)
class RunningTurn:
    """Each method handles an update and returns the resulting events. `prompt_blocks`: how many the prompt has."""

    session_id: str
    prompt_id: str
    created: float
    server_initiated: bool = False
    """The server started it itself: a note takes the place of the prompt."""
    prompt_blocks: int = 0
    permission_requests: dict[str, requests.StreamedRequest] = field(default_factory=dict)
    """The requests to the user, by tool call."""
    concluded: bool = False
    """The last update was text of the answer: otherwise a tool call would follow."""
    ended: bool = False
    failed: Failure | None = None
    """An error reported before the end, which will not repeat it."""
    _message: Message | None = None
    _segment: _Segment | None = None
    _segments: int = 0
    _calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    _weights: dict[str, int] = field(default_factory=dict)
    """The bytes of each call, and..."""
    _large: dict[str, None] = field(default_factory=dict)
    """...the large ones, in the order of their latest updates."""
    _requests_weight: int = 0
    _total: int = 0
    _unreadable: int = 0
    _notices: int = 0

    @property
    def answer_id(self) -> str:
        return answer_id(self.prompt_id)

    @property
    def has_started(self) -> bool:
        """Whether any part of the answer has arrived."""
        return self._message is not None

    def head(self, **changes: Any) -> list[e.Event]:
        """The answer's message, if it is new or has changed."""
        known = {name: value for name, value in changes.items() if value is not None}
        before = self._message
        new = before or Message(
            self.answer_id, self.session_id, "assistant", self.created + JUST_AFTER, parent_id=self.prompt_id
        )
        self._message = replace(new, **known)
        return [] if self._message == before else [e.MessageUpserted(self._message)]

    def append_text(self, kind: Kind, text: str, *, alone: bool) -> list[e.Event]:
        """More text; `alone`: it is a part of its own."""
        found: list[e.Event] = []
        self.concluded = kind == "text"
        if alone or self._segment is None or self._segment.kind != kind:
            found += self.end_text()
            self._segments += 1
            self._segment = _Segment(f"{self.prompt_id}:{self._segments}", kind)
            found.append(e.PartUpserted(self._words(self._segment, "streaming")))
        found += self._grow(self._segment, text)
        return found + (self.end_text() if alone else [])

    def end_text(self) -> list[e.Event]:
        """End the growing text."""
        segment, self._segment = self._segment, None
        return [] if segment is None else [e.PartUpserted(self._words(segment, "done"))]

    def resumed(self) -> list[e.Event]:
        """The growing text, as streaming: none was missed."""
        return [] if self._segment is None else [e.PartUpserted(self._words(self._segment, "streaming"))]

    def call(self, call_id: str, update: Mapping[str, Any]) -> tuple[list[e.Event], ToolPart]:
        """Handle an update of a tool call; returns the events before it, and the call's part."""
        found = self.head()
        self.concluded = False
        if call_id not in self._calls:
            found += self.end_text()
        given = {name: value for name, value in update.items() if value is not None}
        self._calls[call_id] = self._calls.get(call_id, {}) | given
        part = self._tool(call_id)
        self._weigh(call_id)
        self._make_room()
        return found, part

    def unfinished_calls(self) -> list[str]:
        """The ids of the tool calls without a result."""
        return [call_id for call_id, call in self._calls.items() if state_of(call) in UNENDED]

    def add_request(self, asked: requests.StreamedRequest) -> list[e.Event]:
        """A tool call has a request, which may be the only source of its input."""
        call_id = asked.request.call_id
        if not call_id:
            return []
        if call_id not in self.permission_requests and self._requests_weight < MAX_CALL_BYTES:
            self._requests_weight += asked.weight
            self.permission_requests[call_id] = asked
        return [e.PartUpserted(self._tool(call_id))] if call_id in self._calls else []

    def notice(self, text: str) -> list[e.Event]:
        """A report of a background agent, which started the turn or arrived while it runs."""
        self._notices += 1
        part_id = f"{self.prompt_id}:notice:{self._notices}"
        if self.server_initiated and self._message is None:
            return [e.PartUpserted(NotePart(part_id, self.session_id, self.prompt_id, text))]
        note = NotePart(part_id, self.session_id, self.answer_id, text)
        return [*self.head(), *self.end_text(), e.PartUpserted(note)]

    def unreadable(self, why: Exception) -> list[e.Event]:
        """A placeholder for an unreadable update of the answer."""
        self._unreadable += 1
        part_id = f"{self.prompt_id}:unreadable:{self._unreadable}"
        part = unreadable_part(part_id, self.session_id, self.answer_id, "a part of this answer", why)
        return [*self.head(), *self.end_text(), e.PartUpserted(part)]

    def truncated(self) -> list[e.Event]:
        """A note that the server dropped the beginning of the answer."""
        note = NotePart(f"{self.prompt_id}:torn", self.session_id, self.answer_id, MISSING_START)
        return [*self.head(), e.PartUpserted(note)]

    def end(self, at: float, failure: Failure | None) -> list[e.Event]:
        """End the turn at `at` (epoch seconds; 0: unknown), with its running tool calls."""
        self.ended = True
        failure = failure or self.failed
        found = self.end_text()
        found += [e.PartUpserted(self._tool(call_id)) for call_id in self.unfinished_calls()]
        return [*found, *self.head(completed=at or self.created, failure=failure, final=failure is None)]

    @property
    def kept_bytes(self) -> int:
        """About the bytes of its calls and requests."""
        return self._total + self._requests_weight

    def forget_finished(self) -> None:
        """Drop the calls that can have no more updates, if the turn has ended."""
        for call_id in [one for one, call in self._calls.items() if self.ended and state_of(call) not in UNENDED]:
            self._drop(call_id)

    def cut_calls(self) -> None:
        """Drop the inputs and outputs of all large calls, and the requests."""
        self.permission_requests.clear()
        self._requests_weight = 0
        for call_id in list(self._large):
            self._cut(call_id)

    def _weigh(self, call_id: str) -> None:
        size = weight(self._calls[call_id])
        self._total += size - self._weights.get(call_id, 0)
        self._weights[call_id] = size
        self._large.pop(call_id, None)
        if size >= LARGE:
            self._large[call_id] = None

    def _make_room(self) -> None:
        """Cut the calls that are large, oldest first; then drop those with a result, whose parts have been returned."""
        while self._total > MAX_CALL_BYTES and self._large:
            self._cut(next(iter(self._large)))
        if self._total > MAX_CALL_BYTES:
            for call_id in [one for one, call in self._calls.items() if state_of(call) not in UNENDED]:
                self._drop(call_id)

    def _cut(self, call_id: str) -> None:
        call = self._calls[call_id]
        kept = {name: call[name] for name in ("toolCallId", "status", "kind") if name in call}
        tool = string(call.get("_meta"), "toolName")
        output = [{"type": "content", "content": {"type": "text", "text": NOT_KEPT}}]
        self._calls[call_id] = kept | {"title": shortened(string(call, "title")), "content": output}
        self._calls[call_id] |= {"rawInput": {"…": NOT_KEPT}} if call.get("rawInput") else {}
        self._calls[call_id] |= {"_meta": {"toolName": shortened(tool)}} if tool else {}
        self._weigh(call_id)
        self._large.pop(call_id, None)

    def _drop(self, call_id: str) -> None:
        del self._calls[call_id]
        if (asked := self.permission_requests.pop(call_id, None)) is not None:
            self._requests_weight -= asked.weight
        self._total -= self._weights.pop(call_id, 0)
        self._large.pop(call_id, None)

    def _grow(self, segment: _Segment, text: str) -> list[e.Event]:
        ready, segment.half = join_halves(segment.half, text)
        if not ready:
            return []
        at = segment.length
        if at >= TEXT_KEPT:
            if segment.is_full:
                return []
            segment.is_full, ready = True, f"\n\n{TEXT_NOT_KEPT}"
        segment.pieces.append(ready)
        segment.length += len(ready)
        return [e.TextDelta(self.session_id, self.answer_id, segment.part_id, ready, at)]

    def _words(self, segment: _Segment, state: Literal["streaming", "done"]) -> TextPart | ReasoningPart:
        shape = TextPart if segment.kind == "text" else ReasoningPart
        return shape(segment.part_id, self.session_id, self.answer_id, "".join(segment.pieces), state)

    def _tool(self, call_id: str) -> ToolPart:
        place = (self.session_id, self.answer_id, f"{self.prompt_id}:{call_id}")
        return tool_part(*place, self._calls[call_id], self.permission_requests.get(call_id), ended=self.ended)
