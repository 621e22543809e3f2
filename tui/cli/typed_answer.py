"""Answers to a request as typed lines: numbers, labels, or a text of one's own. Without I/O."""

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from tui.api.choices import NUMBERS, REPLIES, UnknownChoice, answer_to, labels
from tui.api.errors import InvalidChoice
from tui.api.values import PendingQuestion, PendingRequest, Reply
from tui.cli.printing import question_lines


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
    """The answer to one request, question by question. After a complete reply it begins again."""

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
            ways.append("= and custom text")
        return [*lines, f"type {', or '.join([*ways, '/reject'])}"]

    def take(self, line: str) -> Taken:
        """Take a line: the complete reply, or what else it is."""
        question = self.question
        if question is None:
            return self._take_permission(line)
        is_text = line.startswith("=")
        try:
            answer = answer_to(question, (), (line[1:].strip(),)) if is_text else answer_to(question, (line,), ())
        except InvalidChoice as error:
            is_prompt = isinstance(error, UnknownChoice) and not NUMBERS.fullmatch(line.strip())
            return Step.NOT_AN_ANSWER if is_prompt else Invalid(error.message)
        return self._next(answer)

    def take_text(self, text: str) -> Reply | Step:
        """Answer the question with a text of one's own; the reply if it is complete."""
        return self._next((text,))

    def _take_permission(self, line: str) -> Taken:
        word, _, reason = line.strip().partition(" ")
        try:
            (label,) = labels(self.request.choices, word)
        except InvalidChoice:
            return Step.NOT_AN_ANSWER
        if reason and label != "reject":
            return Step.NOT_AN_ANSWER
        return Reply(permission=REPLIES[label], message=reason.strip())

    def _next(self, answer: tuple[str, ...]) -> Reply | Step:
        self._answers.append(answer)
        if len(self._answers) < len(self.request.questions):
            return Step.NEXT_QUESTION
        answers, self._answers = tuple(self._answers), []
        return Reply(answers=answers)
