"""The prompt that runs on a qwen serve, and its answer as far as it came: head, words, tool calls, end.

Ids are made of the prompt's id, a segment's number and the tool call's id, so that a stream and what `load` keeps
of it (see `qwen_fold`) give the same. No network, no clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec.structs import replace

from tui.backends.decoding import unreadable_part
from tui.backends.qwen import requests as requests
from tui.backends.qwen.tool_calls import UNENDED, answer_id, state_of, tool_part
from tui.core import events as e
from tui.core.model import Failure, Message, NotePart, ReasoningPart, TextPart, ToolPart
from tui.core.transcript import join_halves

JUST_AFTER = 0.0005
"""Seconds by which an answer follows its prompt in the order of messages: less than the server's clock counts."""
TORN = "the server has dropped the beginning of this answer; it is shown whole once the turn has ended"

Kind = Literal["text", "thought"]


@dataclass(slots=True)
class _Segment:
    """Words that grow: the last part of the answer, as long as nothing else is shown after them."""

    part_id: str
    kind: Kind
    pieces: list[str] = field(default_factory=list)
    length: int = 0
    half: str = ""


@dataclass(slots=True)
class RunningTurn:
    """Each method takes in what came and gives what it means; `said` counts the blocks of the prompt."""

    session_id: str
    prompt_id: str
    created: float
    server_initiated: bool = False
    """The server began it itself: there is no prompt, and a note stands in its place."""
    said: int = 0
    permission_requests: dict[str, requests.Asked] = field(default_factory=dict)
    """What was asked of a person, by tool call."""
    concluded: bool = False
    """What came of it last are words of the answer: a model that has more to do calls a tool after them."""
    ended: bool = False
    failed: Failure | None = None
    """An error that was told before the end, which will not tell it."""
    _message: Message | None = None
    _segment: _Segment | None = None
    _segments: int = 0
    _calls: dict[str, dict[str, Any]] = field(default_factory=dict)
    _unreadable: int = 0
    _notices: int = 0

    @property
    def answer_id(self) -> str:
        return answer_id(self.prompt_id)

    @property
    def begun(self) -> bool:
        """Whether anything of the answer came."""
        return self._message is not None

    def head(self, **changes: Any) -> list[e.Event]:
        """The head of the answer, where it is new or changes."""
        known = {name: value for name, value in changes.items() if value is not None}
        before = self._message
        new = before or Message(
            self.answer_id, self.session_id, "assistant", self.created + JUST_AFTER, parent_id=self.prompt_id
        )
        self._message = replace(new, **known)
        return [] if self._message == before else [e.MessageUpserted(self._message)]

    def say(self, kind: Kind, text: str, *, alone: bool) -> list[e.Event]:
        """More words; `alone`: they go together with no others."""
        found: list[e.Event] = []
        self.concluded = kind == "text"
        if alone or self._segment is None or self._segment.kind != kind:
            found += self.close_words()
            self._segments += 1
            self._segment = _Segment(f"{self.prompt_id}:{self._segments}", kind)
            found.append(e.PartUpserted(self._words(self._segment, "streaming")))
        found += self._grow(self._segment, text)
        return found + (self.close_words() if alone else [])

    def close_words(self) -> list[e.Event]:
        """Nothing more comes to the words that grow."""
        segment, self._segment = self._segment, None
        return [] if segment is None else [e.PartUpserted(self._words(segment, "done"))]

    def resumed(self) -> list[e.Event]:
        """The words that grow, as they are: none was missed."""
        return [] if self._segment is None else [e.PartUpserted(self._words(self._segment, "streaming"))]

    def call(self, call_id: str, update: Mapping[str, Any]) -> tuple[list[e.Event], ToolPart]:
        """An update of a tool call: what comes before the call is told, and the call as it is now."""
        found = self.head()
        self.concluded = False
        if call_id not in self._calls:
            found += self.close_words()
        given = {name: value for name, value in update.items() if value is not None}
        self._calls[call_id] = self._calls.get(call_id, {}) | given
        return found, self._tool(call_id)

    def unfinished_calls(self) -> list[str]:
        """The ids of the calls for which no result came."""
        return [call_id for call_id, call in self._calls.items() if state_of(call) in UNENDED]

    def ask(self, asked: requests.Asked) -> list[e.Event]:
        """A tool call waits for a person: what it is given may be known by that alone."""
        call_id = asked.request.call_id
        if not call_id:
            return []
        self.permission_requests[call_id] = asked
        return [e.PartUpserted(self._tool(call_id))] if call_id in self._calls else []

    def notice(self, text: str) -> list[e.Event]:
        """What came of work in the background: the turn began with it, or is told of it while it runs."""
        self._notices += 1
        part_id = f"{self.prompt_id}:notice:{self._notices}"
        if self.server_initiated and self._message is None:
            return [e.PartUpserted(NotePart(part_id, self.session_id, self.prompt_id, text))]
        note = NotePart(part_id, self.session_id, self.answer_id, text)
        return [*self.head(), *self.close_words(), e.PartUpserted(note)]

    def unreadable(self, why: Exception) -> list[e.Event]:
        """Something of the answer cannot be read: that is said in its place."""
        self._unreadable += 1
        part_id = f"{self.prompt_id}:unreadable:{self._unreadable}"
        part = unreadable_part(part_id, self.session_id, self.answer_id, "a part of this answer", why)
        return [*self.head(), *self.close_words(), e.PartUpserted(part)]

    def torn(self) -> list[e.Event]:
        """The server has not kept its beginning: that is said in its place."""
        note = NotePart(f"{self.prompt_id}:torn", self.session_id, self.answer_id, TORN)
        return [*self.head(), e.PartUpserted(note)]

    def end(self, at: float, failure: Failure | None) -> list[e.Event]:
        """Its turn is over, at `at` (epoch seconds; 0 is not known): what still ran then runs no more."""
        self.ended = True
        failure = failure or self.failed
        found = self.close_words()
        found += [e.PartUpserted(self._tool(call_id)) for call_id in self.unfinished_calls()]
        return [*found, *self.head(completed=at or self.created, failure=failure, final=failure is None)]

    def _grow(self, segment: _Segment, text: str) -> list[e.Event]:
        ready, segment.half = join_halves(segment.half, text)
        if not ready:
            return []
        at = segment.length
        segment.pieces.append(ready)
        segment.length += len(ready)
        return [e.TextDelta(self.session_id, self.answer_id, segment.part_id, ready, at)]

    def _words(self, segment: _Segment, state: Literal["streaming", "done"]) -> TextPart | ReasoningPart:
        shape = TextPart if segment.kind == "text" else ReasoningPart
        return shape(segment.part_id, self.session_id, self.answer_id, "".join(segment.pieces), state)

    def _tool(self, call_id: str) -> ToolPart:
        place = (self.session_id, self.answer_id, f"{self.prompt_id}:{call_id}")
        return tool_part(*place, self._calls[call_id], self.permission_requests.get(call_id), ended=self.ended)
