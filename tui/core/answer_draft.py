"""Drafts of replies to requests. That of a question is a state machine without a screen.

Choosing sends nothing: digits, Space and clicks mark an option, `confirm` (Enter) moves on, and from the last step
it returns `Step.SEND`. A request with one question is sent from that question; several questions end in a review.

    on                  single choice                      multiple choice
    ----------------    -------------------------------    ---------------------------------
    choose (Space…)     marks that row alone               marks or unmarks that row
    confirm (Enter)     marks the row, then moves on       moves on
    custom answer       the row opens the text field (WRITE); its text is the choice, or one more choice
"""

import hashlib
import json
from enum import Enum
from functools import cached_property

import msgspec

from tui.core.model import Answers, PermissionRequest, Question, QuestionRequest
from tui.core.stored_json import decode


class Step(Enum):
    """What the screen must do after a key."""

    STAY = "show the draft"
    WRITE = "open the field of the custom answer"
    SEND = "send the answers"


class _Entry(msgspec.Struct):
    cursor: int = 0
    chosen: set[int] = msgspec.field(default_factory=set)
    words: str = ""
    words_count: bool = False


class _Kept(msgspec.Struct):
    tab: int
    entries: list[_Entry]
    asked: str = ""


class AnswerDraft:
    """The choices and texts of the user for one request."""

    def __init__(self, request: QuestionRequest) -> None:
        self.request = request
        self.tab = 0
        self._entries = [_Entry() for _ in request.questions]

    @classmethod
    def from_bytes(cls, request: QuestionRequest, body: bytes) -> "AnswerDraft":
        """The draft stored by `to_bytes`; an empty one if it was for other questions under the same id."""
        draft = cls(request)
        try:
            kept = decode(body, _Kept)
        except msgspec.DecodeError:
            return draft
        if kept.asked == draft._asked and len(kept.entries) == len(request.questions):
            for question, entry in zip(request.questions, kept.entries, strict=True):
                entry.chosen &= set(range(len(question.options)))
                entry.words_count = entry.words_count and question.custom
                entry.cursor = max(0, min(entry.cursor, len(question.options) + question.custom - 1))
            draft._entries = kept.entries
            draft.go(kept.tab)
        return draft

    def to_bytes(self) -> bytes:
        """The draft as stored in the journal."""
        return msgspec.json.encode(_Kept(self.tab, self._entries, self._asked))

    @cached_property
    def _asked(self) -> str:
        """Names the questions: the draft holds only the numbers of their options."""
        return _digest(self.request.questions)

    @property
    def has_review(self) -> bool:
        return len(self.request.questions) > 1

    @property
    def tabs(self) -> int:
        """The number of tabs, including the review."""
        return len(self.request.questions) + self.has_review

    @property
    def on_review(self) -> bool:
        return self.tab == len(self.request.questions)

    @property
    def question(self) -> Question | None:
        """The question of this tab; None on the review."""
        return None if self.on_review else self.request.questions[self.tab]

    @property
    def rows(self) -> int:
        """The number of rows of this tab: its options, and one for a custom answer if allowed."""
        question = self.question
        return 0 if question is None else len(question.options) + question.custom

    @property
    def cursor(self) -> int:
        return 0 if self.on_review else self._entries[self.tab].cursor

    @property
    def custom_text(self) -> str:
        """The text of the custom answer on this tab."""
        return "" if self.on_review else self._entries[self.tab].words

    def is_custom(self, row: int) -> bool:
        """Whether `row` of this tab is the custom answer."""
        question = self.question
        return question is not None and question.custom and row == len(question.options)

    def is_chosen(self, row: int) -> bool:
        if self.on_review:
            return False
        entry = self._entries[self.tab]
        return entry.words_count if self.is_custom(row) else row in entry.chosen

    def answered(self, index: int) -> bool:
        """Whether the question at `index` has an answer."""
        entry = self._entries[index]
        return bool(entry.chosen) or entry.words_count

    @property
    def sendable(self) -> bool:
        """Whether at least one question has an answer; sending none would be a rejection."""
        return any(self.answered(index) for index in range(len(self._entries)))

    def answers(self) -> Answers:
        return tuple(
            self._answer(question, entry) for question, entry in zip(self.request.questions, self._entries, strict=True)
        )

    def move(self, rows: int) -> None:
        """Move the cursor; it stops at both ends."""
        if self.rows:
            self.point(self.cursor + rows)

    def point(self, row: int) -> None:
        if self.rows:
            self._entries[self.tab].cursor = max(0, min(row, self.rows - 1))

    def go(self, tab: int) -> None:
        self.tab = max(0, min(tab, self.tabs - 1))

    def choose(self, row: int | None = None) -> Step:
        """Mark or unmark `row` (default: the cursor's), without moving on."""
        if row is not None:
            if not 0 <= row < self.rows:
                return Step.STAY
            self.point(row)
        question = self.question
        if question is None or not self.rows:
            return Step.STAY
        entry = self._entries[self.tab]
        if self.is_custom(entry.cursor):
            return self._choose_words(question, entry)
        if not question.multiple:
            entry.chosen, entry.words_count = {entry.cursor}, False
        else:
            entry.chosen ^= {entry.cursor}
        return Step.STAY

    def confirm(self) -> Step:
        """Move on to the next tab, or to sending."""
        question = self.question
        if question is None:
            return Step.SEND if self.sendable else Step.STAY
        entry = self._entries[self.tab]
        if self.is_custom(entry.cursor) and not entry.words_count:
            return Step.WRITE
        if not question.multiple and self.rows:
            self.choose()
        return self._next()

    def write(self, words: str) -> None:
        """Store the text of the custom answer. It counts only after `commit_text`."""
        if not self.on_review:
            entry = self._entries[self.tab]
            entry.words = words
            entry.words_count = entry.words_count and bool(words.strip())

    def commit_text(self) -> Step:
        """The custom answer is confirmed (Enter in its field). Empty text removes it."""
        question = self.question
        if question is None:
            return Step.STAY
        entry = self._entries[self.tab]
        entry.words_count = bool(entry.words.strip())
        if not entry.words_count:
            return Step.STAY
        if question.multiple:
            return Step.STAY
        entry.chosen.clear()
        return self._next()

    def _choose_words(self, question: Question, entry: _Entry) -> Step:
        if entry.words_count and question.multiple:
            entry.words_count = False
            return Step.STAY
        return Step.WRITE

    def _next(self) -> Step:
        if self.has_review:
            self.tab += 1
            return Step.STAY
        return Step.SEND if self.sendable else Step.STAY

    @staticmethod
    def _answer(question: Question, entry: _Entry) -> tuple[str, ...]:
        labels = tuple(option.label for row, option in enumerate(question.options) if row in entry.chosen)
        return (*labels, entry.words.strip()) if entry.words_count else labels


class PermissionDraft(msgspec.Struct):
    """The user's draft of a reply to a permission request."""

    request: PermissionRequest
    cursor: int = 0
    reason: str = ""

    @classmethod
    def from_bytes(cls, request: PermissionRequest, body: bytes) -> "PermissionDraft":
        """The draft stored by `to_bytes`; an empty one if it was for something else under the same id."""
        draft = cls(request)
        try:
            cursor, reason, asked = decode(body, tuple[int, str, str])
        except msgspec.DecodeError:
            return draft
        return cls(request, max(0, cursor), reason) if asked == draft._asked else draft

    def to_bytes(self) -> bytes:
        """The draft as stored in the journal."""
        return msgspec.json.encode((self.cursor, self.reason, self._asked))

    @property
    def _asked(self) -> str:
        return _digest((self.request.patterns, self.request.detail))


def _digest(asked: object) -> str:
    return hashlib.sha256(json.dumps(msgspec.to_builtins(asked)).encode()).hexdigest()
