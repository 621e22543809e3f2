"""The messages of one open session, and its streaming text.

The cost of a delta does not depend on the length of its message: the pieces are joined when the part is read.
"""

import sys
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Container, Iterator
from operator import attrgetter

from msgspec.structs import replace

from tui.core.events import TextDelta
from tui.core.kept_content import MAX_GROWING, KeptContent, cut
from tui.core.model import Failure, Message, Part, Progress, ReasoningPart, TextPart, ToolPart

_CREATED = attrgetter("created")

DROPPED_AT_ONCE = 500
"""Parts of the oldest message that are dropped at once where there is no room."""


class Transcript:
    """The messages of one open session, oldest first, and their parts."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        """By id, read only; use `put_message` and `drop_message`."""
        self._order: list[Message] = []
        self._by_role: dict[str, list[Message]] = {"user": [], "assistant": []}
        """As `_order`, by role."""
        self._taken: dict[str, int] = {}
        """Order of insertion, which sorts messages of the same time."""
        self._count = 0
        self._failed: dict[str, dict[str, None]] = {}
        """Failure message → ids of the messages that ended with it."""
        self._calls: dict[tuple[str, str], dict[str, None]] = {}
        """(message id, call id) → ids of the parts of this tool call."""
        self._answers: dict[str, list[Message]] = {}
        """Prompt id → its answers, in the same order."""
        self._spent: tuple[int, float] | None = None
        self.parts: dict[str, dict[str, Part]] = {}
        self._unknown: OrderedDict[str, None] = OrderedDict()
        """Ids of messages of which only parts have come."""
        self.cursor: str | None = None
        self.loaded = False
        self._pieces: dict[str, list[str]] = {}
        self._held: dict[str, str] = {}
        self._grown: dict[str, int] = {}
        self._content = KeptContent()
        self.newly_cut: list[Part] = []
        """Parts that were cut to their beginnings since this was emptied..."""
        self.newly_dropped: list[tuple[str, str]] = []
        """...and those that were dropped: message id, part id ("": the message itself)."""
        self.has_dropped = False
        """Whether the oldest content was dropped: there was too much, even of what was cut."""

    def ordered(self) -> list[Message]:
        """By the server's creation time; ids are not ordered."""
        return list(self._order)

    def put_message(self, message: Message) -> None:
        """Add or replace a message."""
        known = self.messages.get(message.id)
        if known is None or known.usage != message.usage:
            self._spent = None
        self._forget_failure(known)
        if message.failure is not None:
            self._failed.setdefault(message.failure.message, {})[message.id] = None
        self.messages[message.id] = message
        self._unknown.pop(message.id, None)
        self._content.put_message(message)
        if known is not None and _sorted_by(known) == _sorted_by(message):
            for order in self._orders(known):
                order[self._place(known, order)] = message
            self._make_room()
            return
        if known is not None:
            self._take_out(known)
        self._count += 1
        self._taken[message.id] = self._count
        for order in self._orders(message):
            insort(order, message, key=_CREATED)
        self._make_room()

    def newest(self) -> Message | None:
        """The newest message."""
        return self._order[-1] if self._order else None

    def index(self, message_id: str) -> int:
        """The number of messages before a stored one."""
        return self._place(self.messages[message_id], self._order)

    def time_for(self, message_id: str) -> float:
        """A time for a message without one: its earlier time, or else that of the newest."""
        known = self.messages.get(message_id) or self.newest()
        return 0.0 if known is None else known.created

    def answer_to(self, prompt_id: str) -> Message | None:
        """The newest assistant message whose parent is `prompt_id`."""
        return next(reversed(self._answers.get(prompt_id, ())), None)

    def prompts_after(self, created: float) -> list[Message]:
        """The user's messages of a later time (epoch seconds), oldest first."""
        prompts = self._by_role["user"]
        return prompts[bisect_right(prompts, created, key=_CREATED) :]

    def prompts_behind(self, message: Message) -> Iterator[Message]:
        """The user's messages after a stored one, oldest first, as a lazy iterator."""
        prompts = self._by_role["user"]
        first = bisect_right(prompts, self._rank(self.messages[message.id]), key=self._rank)
        return (prompts[at] for at in range(first, len(prompts)))

    def answer_before(self, message: Message) -> Message | None:
        """The newest assistant message in front of one that is here."""
        answers = self._by_role["assistant"]
        at = bisect_right(answers, self._rank(self.messages[message.id]), key=self._rank)
        return answers[at - 1] if at else None

    def undone(self, undone_from: str) -> set[str]:
        """The ids of the message `undone_from` and of all after it.

        If it is not stored, it is older than all stored messages. "": nothing is undone.
        """
        if not undone_from:
            return set()
        first = self.messages.get(undone_from)
        return {m.id for m in (self._order if first is None else self._order[self._place(first, self._order) :])}

    def newest_prompt(self) -> Message | None:
        """The newest user message."""
        return next(reversed(self._by_role["user"]), None)

    def newest_answer(self) -> Message | None:
        """The newest assistant message."""
        return next(reversed(self._by_role["assistant"]), None)

    def newest_agent(self) -> str:
        """The agent of the newest answer that names one."""
        return next((message.agent for message in reversed(self._by_role["assistant"]) if message.agent), "")

    def failed_with(self, failure: Failure) -> list[Message]:
        """The answers that ended with this failure, oldest first."""
        failed = [self.messages[message_id] for message_id in self._failed.get(failure.message, ())]
        return sorted(failed, key=self._rank)

    def has_parts(self, message_id: str) -> bool:
        """Whether any part of the message is stored."""
        return bool(self.parts.get(message_id))

    def is_without_parts(self, message: Message) -> bool:
        """Whether it is a prompt whose parts did not come yet."""
        return message.role == "user" and not self.has_parts(message.id)

    def usage_totals(self) -> tuple[int, float]:
        """Tokens (input and output) and US dollars of the stored messages."""
        if self._spent is None:
            usages = [message.usage for message in self._order if message.usage is not None]
            tokens = sum(usage.input_tokens + usage.output_tokens for usage in usages)
            self._spent = tokens, sum(usage.cost for usage in usages)
        return self._spent

    def _forget_failure(self, known: Message | None) -> None:
        if known is not None and known.failure is not None:
            failed = self._failed.get(known.failure.message, {})
            failed.pop(known.id, None)
            if not failed:
                self._failed.pop(known.failure.message, None)

    def _rank(self, message: Message) -> tuple[float, int]:
        return message.created, self._taken[message.id]

    def _place(self, message: Message, order: list[Message]) -> int:
        return bisect_left(order, self._rank(message), key=self._rank)

    def _take_out(self, message: Message) -> None:
        for order in self._orders(message):
            del order[self._place(message, order)]
        if message.parent_id is not None and not self._answers.get(message.parent_id, True):
            del self._answers[message.parent_id]

    def _orders(self, message: Message) -> list[list[Message]]:
        """The lists that contain a message."""
        orders = [self._order, self._by_role[message.role]]
        if message.role == "assistant" and message.parent_id is not None:
            orders.append(self._answers.setdefault(message.parent_id, []))
        return orders

    def part(self, message_id: str, part_id: str) -> Part | None:
        part = self.parts.get(message_id, {}).get(part_id)
        pieces = self._pieces.get(part_id)
        if pieces and isinstance(part, TextPart | ReasoningPart):
            part = replace(part, text=part.text + "".join(pieces))
            self.parts[message_id][part_id] = part
            pieces.clear()
            self._grown.pop(part_id, None)
        return part

    def parts_of(self, message_id: str) -> list[Part]:
        found = (self.part(message_id, part_id) for part_id in list(self.parts.get(message_id, ())))
        return [part for part in found if part is not None]

    def put_part(self, part: Part) -> None:
        self._forget_call(part.message_id, part.id)
        if part.message_id not in self.messages:
            self._unknown.setdefault(part.message_id)
        message = self.messages.get(part.message_id)
        part = self._content.put(part, may_be_cut=message is None or message.role == "assistant")
        self.parts.setdefault(part.message_id, {})[part.id] = part
        if isinstance(part, ToolPart):
            self._calls.setdefault((part.message_id, part.call_id), {})[part.id] = None
        self._forget_growth(part.id)
        self._make_room()

    def _make_room(self) -> None:
        """Cut the oldest large parts; where there are none, drop the oldest messages, part by part."""
        while self._content.is_full and (oldest := self._content.take_oldest_large()) is not None:
            self._cut(*oldest)
        if self._content.is_full:
            while not self._content.has_room and self._drop_oldest():
                self.has_dropped, self.cursor = True, None

    def _cut(self, message_id: str, part_id: str) -> None:
        part = self.part(message_id, part_id)
        if part is not None:
            shorter = self._content.put(cut(part), may_be_cut=False)
            self.parts[message_id][part_id] = shorter
            self.newly_cut.append(shorter)

    def _drop_oldest(self) -> bool:
        """Drop the oldest message, or some of its parts; whether there was any but the newest part."""
        is_newest = not self._unknown and len(self._order) < 2
        message_id = next(iter(self._unknown)) if self._unknown else self._order[0].id if self._order else ""
        parts = list(self.parts.get(message_id, ()))
        if len(parts) <= DROPPED_AT_ONCE and not is_newest:
            self.drop_message(message_id)
            self.newly_dropped.append((message_id, ""))
            return True
        dropped = parts[: min(DROPPED_AT_ONCE, len(parts) - 1)]
        for part_id in dropped:
            self.drop_part(message_id, part_id)
        self.newly_dropped += [(message_id, part_id) for part_id in dropped]
        return bool(dropped)

    def calls(self, message_id: str | None, call_id: str | None) -> list[ToolPart]:
        """The parts of a message for one tool call."""
        parts = self.parts.get(message_id or "", {})
        found = (parts[part_id] for part_id in self._calls.get((message_id or "", call_id or ""), ()))
        return [part for part in found if isinstance(part, ToolPart)]

    def _forget_call(self, message_id: str, part_id: str) -> None:
        part = self.parts.get(message_id, {}).get(part_id)
        if isinstance(part, ToolPart):
            calls = self._calls.get((message_id, part.call_id), {})
            calls.pop(part_id, None)
            if not calls:
                self._calls.pop((message_id, part.call_id), None)

    def append(self, delta: TextDelta) -> str:
        """Append to a streaming part; returns the text that can be shown now ("" if none)."""
        part = self.parts.get(delta.message_id, {}).get(delta.part_id)
        if not isinstance(part, TextPart | ReasoningPart) or part.state == "done":
            return ""  # the complete part arrived first
        had = len(part.text) + self._grown.get(delta.part_id, 0)
        if had >= MAX_GROWING:
            return ""
        news = delta.delta if delta.at is None else delta.delta[max(0, had - delta.at) :]
        ready, held = join_halves(self._held.pop(delta.part_id, ""), news)
        if held:
            self._held[delta.part_id] = held
        if ready:
            self._pieces.setdefault(delta.part_id, []).append(ready)
            self._grown[delta.part_id] = self._grown.get(delta.part_id, 0) + len(ready)
            self._content.grow(delta.message_id, delta.part_id, sys.getsizeof(ready))
            self._make_room()
        return ready

    def drop_message(self, message_id: str) -> None:
        known = self.messages.pop(message_id, None)
        if known is not None:
            self._spent = None
            self._forget_failure(known)
            self._take_out(known)
            del self._taken[message_id]
            self._content.drop(message_id)
        for part_id in list(self.parts.get(message_id, ())):
            self.drop_part(message_id, part_id)
        self.parts.pop(message_id, None)
        self._unknown.pop(message_id, None)

    def drop_part(self, message_id: str, part_id: str) -> None:
        self._forget_call(message_id, part_id)
        self.parts.get(message_id, {}).pop(part_id, None)
        self._forget_growth(part_id)
        self._content.drop(message_id, part_id)

    def _forget_growth(self, part_id: str) -> None:
        self._pieces.pop(part_id, None)
        self._held.pop(part_id, None)
        self._grown.pop(part_id, None)

    def same_as(self, other: "Transcript") -> bool:
        """Whether both have the same messages and parts."""
        if self.messages != other.messages:
            return False
        return all(self.parts_of(message_id) == other.parts_of(message_id) for message_id in self.messages)

    def texts_in(self, states: Container[Progress]) -> list[TextPart | ReasoningPart]:
        """The texts in one of these states; what has just come of them may be missing here."""
        return [
            part
            for parts in self.parts.values()
            for part in parts.values()
            if isinstance(part, TextPart | ReasoningPart) and part.state in states
        ]


def _sorted_by(message: Message) -> tuple[float, str, str | None]:
    """The fields that decide the lists of a message, and its place."""
    return message.created, message.role, message.parent_id


def join_halves(held: str, delta: str) -> tuple[str, str]:
    """Join a held high surrogate with the text after it: (text to show, high surrogate to hold).

    JavaScript servers split deltas between the halves of an emoji. A lone half becomes U+FFFD.
    """
    text = held + delta
    if not text or text.isascii():
        return text, ""
    rest = ""
    if "\ud800" <= text[-1] <= "\udbff":
        text, rest = text[:-1], text[-1]
    if any("\ud800" <= char <= "\udfff" for char in text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text, rest
