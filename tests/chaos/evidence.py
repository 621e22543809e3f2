"""The shown reasons for the end of a turn, and the evidence that the server must have for each of them.

`docs/evidence.md` explains each row. `invariants` compares the states of turns with the server's messages; this module
checks the reasons.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.chaos.server_record import Stored
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


@dataclass(frozen=True, slots=True)
class Case:
    """An ended turn, and the server's record of it.

    `stored`: its prompt exists; `answers` to it, oldest first, and `later_answers` to the first later prompt with a
    complete answer; `later`: other prompts exist; `asked`: the user asked to abort it; `others_abort`: another client
    aborted something. `ends_on_disconnect`: this server aborts a turn whose connection breaks.
    """

    turn: Turn
    stored: bool
    answers: tuple[Stored, ...]
    later_answers: tuple[Stored, ...]
    later: bool
    asked: bool
    others_abort: bool
    ends_on_disconnect: bool = False

    @property
    def last(self) -> Stored | None:
        return self.answers[-1] if self.answers else None

    @property
    def broken(self) -> bool:
        """The server has no finished answer."""
        return self.last is None or not self.last.final or self.last.failure is not None

    @property
    def rejected(self) -> bool:
        """One of its calls failed because the user did not allow it."""
        return any(piece.call is not None and piece.call.rejected for one in self.answers for piece in one.pieces)


@dataclass(frozen=True, slots=True)
class Row:
    """A reason (as a pattern) shown for a state, and the evidence for it."""

    state: TurnState
    reason: str
    holds: Callable[[Case], bool]

    def shows(self, turn: Turn) -> bool:
        return turn.state is self.state and re.fullmatch(self.reason, turn.reason, re.DOTALL) is not None


def _failed(case: Case) -> bool:
    return not case.answers or _has_error(case.answers[-1])


def _has_error(answer: Stored) -> bool:
    return answer.failure in ("provider", "other") or answer.unexplained


S = TurnState
BY_WHOM_UNKNOWN = "aborted by another client or by the server"
"""Shown if it is unknown whether the server aborts a turn whose connection broke; it names that cause too."""
ROWS = (
    Row(S.FINISHED, "", lambda case: case.last is not None and case.last.final and case.last.failure is None),
    Row(
        S.FINISHED,
        "answered together with a later prompt",
        lambda case: bool(case.later_answers) and case.later_answers[-1].failure is None,
    ),
    Row(
        S.FAILED,
        "together with a later prompt: .+",
        lambda case: bool(case.later_answers) and _has_error(case.later_answers[-1]),
    ),
    Row(S.FAILED, ".+", _failed),
    Row(S.ABORTED, "", lambda case: case.asked and case.broken),
    Row(S.ABORTED, "aborted elsewhere", lambda case: case.broken and case.others_abort),
    Row(S.ABORTED, "aborted with another prompt, or by another client", lambda case: case.broken),
    Row(S.ABORTED, BY_WHOM_UNKNOWN, lambda case: case.broken),
    Row(
        S.ABORTED,
        "you rejected a request|a request was rejected elsewhere|a request was rejected",
        lambda case: case.rejected,
    ),
    Row(S.INTERRUPTED, "the session no longer exists on the server", lambda case: not case.stored),
    Row(S.INTERRUPTED, "the server has the prompt but began no answer", lambda case: case.stored and case.broken),
    Row(S.INTERRUPTED, "the server stopped during the answer", lambda case: bool(case.answers) and case.broken),
    Row(
        S.INTERRUPTED,
        "it ended between two steps; the server gives no reason",
        lambda case: case.last is not None and case.last.between_steps,
    ),
    Row(S.INTERRUPTED, "the server ended it without returning the answer", lambda case: case.broken),
    Row(
        S.INTERRUPTED,
        ".+",
        lambda case: case.last is not None and (case.last.failure == "interrupted" or case.last.unexplained),
    ),
    Row(S.CANCELLED, ".+", lambda case: case.broken and case.ends_on_disconnect),
    Row(
        S.NOT_SENT,
        "the server does not have it, but has a later prompt",
        lambda case: not case.stored and case.later,
    ),
    Row(S.NOT_SENT, ".*", lambda case: not case.stored),
)
"""The first row that shows an end decides which evidence counts."""


def unsupported_claim(case: Case) -> str | None:
    """The shown text about the turn's end that has no evidence, or None."""
    row = next((row for row in ROWS if row.shows(case.turn)), None)
    shown = f"{case.turn.state.value} ({case.turn.reason})"
    if row is None:
        return f"is shown as {shown}, of which no evidence is named"
    return None if row.holds(case) else f"is shown as {shown}; of it the server has {case}"
