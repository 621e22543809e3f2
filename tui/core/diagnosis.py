"""Diagnosis of a turn that makes no progress while the connection is live.

NO_EVENTS    heartbeats arrive, but events do not: a poll found changes that no event reported
NO_ANSWERS   the server answers its health check, but not requests about its sessions
SILENT       it answers neither, and the connection is not lost yet
NO_RESPONSE  the server has the prompt, and no answer has begun
STALLED      the turn runs, and nothing of it has changed for minutes
"""

from enum import Enum

import msgspec

from tui.core.turn import Turn
from tui.core.turn_state import TurnState

NOT_BEGUN_AFTER = 60.0
STILL_AFTER = 300.0


class StallTimeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds without a change of a turn after which the screen reports it: before its answer begins, and after."""

    not_begun_after: float = NOT_BEGUN_AFTER
    still_after: float = STILL_AFTER


class Kind(Enum):
    NO_EVENTS = "no events"
    NO_ANSWERS = "no answers"
    SILENT = "silent"
    NO_RESPONSE = "no response"
    STALLED = "stalled"


class Diagnosis(msgspec.Struct, frozen=True):
    """`since`: seconds since it began, as far as the client knows."""

    kind: Kind
    since: float


DEFAULT_TIMEOUTS = StallTimeouts()


class ResponsivenessTracker(msgspec.Struct):
    """Tracks answered and unanswered polls. Times are seconds of the caller's monotonic clock."""

    no_events_since: float | None = None
    no_answers_since: float | None = None
    silent_since: float | None = None
    _failed: int = 0

    def record_poll(self, now: float, *, missed_events: bool) -> None:
        """The server answered a poll; `missed_events`: with changes that no event has reported."""
        self._failed, self.no_answers_since, self.silent_since = 0, None, None
        if missed_events and self.no_events_since is None:
            self.no_events_since = now

    def record_event(self) -> None:
        """An event other than a heartbeat arrived."""
        self.no_events_since = None

    def no_answer(self, now: float, *, healthy: bool) -> None:
        """A request about a session was not answered; `healthy`: the health check right after it was."""
        self._failed += 1
        if self._failed < 2:
            return
        if healthy:
            self.silent_since = None
            self.no_answers_since = now if self.no_answers_since is None else self.no_answers_since
        else:
            self.no_answers_since = None
            self.silent_since = now if self.silent_since is None else self.silent_since


def diagnose(
    turn: Turn,
    responsiveness: ResponsivenessTracker,
    now: float,
    *,
    answer_begun: bool,
    timeouts: StallTimeouts = DEFAULT_TIMEOUTS,
) -> Diagnosis | None:
    """The most specific diagnosis of a running turn; None if there is none."""
    if turn.over:
        return None
    if responsiveness.silent_since is not None:
        return Diagnosis(Kind.SILENT, now - responsiveness.silent_since)
    if responsiveness.no_answers_since is not None:
        return Diagnosis(Kind.NO_ANSWERS, now - responsiveness.no_answers_since)
    if responsiveness.no_events_since is not None:
        return Diagnosis(Kind.NO_EVENTS, now - responsiveness.no_events_since)
    if turn.state is not TurnState.RUNNING:
        return None
    still = turn.idle_for(now)
    if not answer_begun and still >= timeouts.not_begun_after:
        return Diagnosis(Kind.NO_RESPONSE, still)
    return Diagnosis(Kind.STALLED, still) if still >= timeouts.still_after else None
