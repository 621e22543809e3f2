"""Answers to a request as typed lines: numbers, labels, or a text of one's own. Without I/O."""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from tui.api.values import PendingQuestion, PendingRequest, Reply
from tui.cli.printing import question_lines
from tui.core.model import PermissionReply

PERMISSION: dict[str, PermissionReply] = {
    "1": "once",
    "once": "once",
    "2": "always",
    "always": "always",
    "3": "reject",
    "reject": "reject",
}
NUMBERS = re.compile(r"\d+(?:[\s,]+\d+)*")


@dataclass(frozen=True, slots=True)
class Invalid:
    """A line that looks like an answer and is none. `reason`: one line for the user."""

    reason: str


class Step(Enum):
    """What a line was that completed nothing."""

    NEXT_QUESTION = "another question follows"
    NOT_AN_ANSWER = "neither a number nor a label"


Taken: TypeAlias = Reply | Invalid | Step


@dataclass(slots=True)
class RequestDialog:
    """The answer to one request, question by question."""

    request: PendingRequest
    _answers: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def question(self) -> PendingQuestion | None:
        """The question to be answered next; None for a permission."""
        return self.request.questions[len(self._answers)] if self.request.kind == "question" else None

    @property
    def takes_text(self) -> bool:
        """Whether a text of one's own is an answer."""
        return self.question is not None and self.question.custom

    def lines(self) -> list[str]:
        """The next question, unless it is the first, which the request shows; and what can be typed."""
        question = self.question
        if question is None:
            return ["type 1 to allow once, 2 to always allow, 3 to reject; a reason may follow the 3"]
        lines = question_lines(question, len(self._answers) + 1) if self._answers else []
        ways = []
        if question.choices:
            ways.append("numbers" if question.multiple else "a number")
        if question.custom:
            ways.append("= and a text of your own")
        return [*lines, f"type {', or '.join([*ways, '/reject'])}"]

    def take(self, line: str) -> Taken:
        """Take a line: the complete reply, or what else it is."""
        question = self.question
        if question is None:
            return self._take_permission(line)
        if line.startswith("="):
            text = line[1:].strip()
            if not question.custom:
                return Invalid("this question takes only its options")
            return self._next((text,)) if text else Invalid("no text follows the =")
        labels = [choice.label for choice in question.choices if choice.label.casefold() == line.strip().casefold()]
        if labels:
            return self._next((labels[0],))
        if NUMBERS.fullmatch(line.strip()):
            return self._take_numbers(question, [int(one) for one in re.findall(r"\d+", line)])
        return Step.NOT_AN_ANSWER

    def take_text(self, text: str) -> Reply | Step:
        """Answer the question with a text of one's own; the reply if it is complete."""
        return self._next((text,))

    def _take_permission(self, line: str) -> Taken:
        word, _, reason = line.strip().partition(" ")
        reply = PERMISSION.get(word.casefold())
        if reply is None or (reason and reply != "reject"):
            return Step.NOT_AN_ANSWER
        return Reply(permission=reply, message=reason.strip())

    def _take_numbers(self, question: PendingQuestion, numbers: list[int]) -> Taken:
        by_number = {choice.number: choice.label for choice in question.choices}
        unknown = [number for number in numbers if number not in by_number]
        if unknown:
            return Invalid(f"there is no option {unknown[0]}")
        if len(numbers) > 1 and not question.multiple:
            return Invalid("this question takes one option")
        return self._next(tuple(by_number[number] for number in dict.fromkeys(numbers)))

    def _next(self, answer: tuple[str, ...]) -> Reply | Step:
        self._answers.append(answer)
        complete = len(self._answers) == len(self.request.questions)
        return Reply(answers=tuple(self._answers)) if complete else Step.NEXT_QUESTION
