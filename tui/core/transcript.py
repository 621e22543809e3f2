"""The messages of one open session, and the text that still grows in them.

A delta costs the same however long its message is: its pieces are joined when somebody reads the part.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from itertools import islice
from math import isnan
from operator import attrgetter

from msgspec.structs import replace

from tui.core.events import TextDelta
from tui.core.model import Failure, Message, Part, ReasoningPart, TextPart

_CREATED = attrgetter("created")


class Transcript:
    """The messages of one open session, oldest first, and their parts."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        """By id, to be read; `put_message` and `drop_message` change it."""
        self._order: list[Message] = []
        self._answers: dict[str, dict[str, None]] = {}
        """The ids of the answers to each prompt."""
        self._spent: tuple[int, float] | None = None
        self.parts: dict[str, dict[str, Part]] = {}
        self.cursor: str | None = None
        self.loaded = False
        self._pieces: dict[str, list[str]] = {}
        self._held: dict[str, str] = {}
        self._grown: dict[str, int] = {}

    def ordered(self) -> list[Message]:
        """By the server's time of creation; ids tell nothing about order."""
        return list(self._order)

    def put_message(self, message: Message) -> None:
        """Take in a message, or another state of one that is here."""
        if isnan(message.created):
            message = replace(message, created=0.0)  # it has no place in any order
        known = self.messages.get(message.id)
        if known is None or (known.parent_id, known.usage) != (message.parent_id, message.usage):
            self._unlist(known)
            if message.role == "assistant" and message.parent_id is not None:
                self._answers.setdefault(message.parent_id, {})[message.id] = None
        self.messages[message.id] = message
        if known is not None and known.created == message.created:
            self._order[self._place(known)] = message
            return
        if known is not None:
            del self._order[self._place(known)]
        insort(self._order, message, key=_CREATED)

    def answer_to(self, prompt_id: str) -> Message | None:
        """The newest assistant message whose parent is `prompt_id`."""
        answers = (self.messages[message_id] for message_id in self._answers.get(prompt_id, ()))
        return max(answers, key=_CREATED, default=None)

    def prompts_after(self, created: float) -> list[Message]:
        """The user's messages of a later time (epoch seconds), oldest first."""
        return [m for m in self._order[bisect_right(self._order, created, key=_CREATED) :] if m.role == "user"]

    def prompts_behind(self, message: Message) -> Iterator[Message]:
        """The user's messages behind one that is here, oldest first; no more are looked at than are taken."""
        behind = islice(self._order, self._place(message) + 1, None)
        return (other for other in behind if other.role == "user")

    def undone(self, undone_from: str) -> set[str]:
        """The ids of the message `undone_from` and of all after it.

        Where that is not here, it is older than all that is. "": nothing is undone.
        """
        if not undone_from:
            return set()
        first = self.messages.get(undone_from)
        return {m.id for m in (self._order if first is None else self._order[self._place(first) :])}

    def newest_prompt(self) -> Message | None:
        """The user's message that came last."""
        return next((message for message in reversed(self._order) if message.role == "user"), None)

    def newest_answer(self) -> Message | None:
        """The agent's message that came last."""
        return next((message for message in reversed(self._order) if message.role == "assistant"), None)

    def failed_with(self, failure: Failure) -> list[Message]:
        """The answers that ended with this failure, oldest first."""
        return [m for m in self._order if m.failure is not None and m.failure.message == failure.message]

    def has_parts(self, message_id: str) -> bool:
        """Whether anything of the message's content is here."""
        return bool(self.parts.get(message_id))

    def spent(self) -> tuple[int, float]:
        """Tokens, in and out, and US dollars of the messages that are here."""
        if self._spent is None:
            usages = [message.usage for message in self._order if message.usage is not None]
            tokens = sum(usage.input_tokens + usage.output_tokens for usage in usages)
            self._spent = tokens, sum(usage.cost for usage in usages)
        return self._spent

    def _unlist(self, known: Message | None) -> None:
        """Forget what is kept of a message beside itself."""
        self._spent = None
        if known is not None and known.parent_id is not None:
            self._answers.get(known.parent_id, {}).pop(known.id, None)

    def _place(self, message: Message) -> int:
        at = bisect_left(self._order, message.created, key=_CREATED)
        while self._order[at].id != message.id:
            at += 1
        return at

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
        self.parts.setdefault(part.message_id, {})[part.id] = part
        self._forget_growth(part.id)

    def append(self, delta: TextDelta) -> str:
        """Append to a part that streams; the text that can be shown now ("" if there is none)."""
        part = self.parts.get(delta.message_id, {}).get(delta.part_id)
        if not isinstance(part, TextPart | ReasoningPart) or part.state == "done":
            return ""  # the whole part came first: the delta is old news
        had = len(part.text) + self._grown.get(delta.part_id, 0)
        news = delta.delta if delta.at is None else delta.delta[max(0, had - delta.at) :]
        ready, held = join_halves(self._held.pop(delta.part_id, ""), news)
        if held:
            self._held[delta.part_id] = held
        if ready:
            self._pieces.setdefault(delta.part_id, []).append(ready)
            self._grown[delta.part_id] = self._grown.get(delta.part_id, 0) + len(ready)
        return ready

    def drop_message(self, message_id: str) -> None:
        known = self.messages.pop(message_id, None)
        if known is not None:
            self._unlist(known)
            del self._order[self._place(known)]
        for part_id in self.parts.pop(message_id, {}):
            self._forget_growth(part_id)

    def drop_part(self, message_id: str, part_id: str) -> None:
        self.parts.get(message_id, {}).pop(part_id, None)
        self._forget_growth(part_id)

    def _forget_growth(self, part_id: str) -> None:
        self._pieces.pop(part_id, None)
        self._held.pop(part_id, None)
        self._grown.pop(part_id, None)

    def same_as(self, other: "Transcript") -> bool:
        """The same messages and parts, as a reader would see them."""
        if self.messages != other.messages:
            return False
        return all(self.parts_of(message_id) == other.parts_of(message_id) for message_id in self.messages)

    def streaming(self) -> list[TextPart | ReasoningPart]:
        return [
            part
            for parts in self.parts.values()
            for part in parts.values()
            if isinstance(part, TextPart | ReasoningPart) and part.state == "streaming"
        ]


def join_halves(held: str, delta: str) -> tuple[str, str]:
    """Join a held high surrogate with what follows: (text to show, high surrogate to hold).

    JavaScript servers cut deltas between the halves of an emoji. A half without its other half becomes U+FFFD.
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
