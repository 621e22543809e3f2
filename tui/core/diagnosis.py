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


DEFAULT_PATIENCE = StallTimeouts()


class ResponsivenessTracker(msgspec.Struct):
    """Tracks answered and unanswered polls. Times are seconds of the caller's monotonic clock."""

    deaf_since: float | None = None
    mute_since: float | None = None
    silent_since: float | None = None
    _failed: int = 0

    def asked(self, now: float, *, news: bool) -> None:
        """The server answered a poll; `news`: with changes that no event has reported."""
        self._failed, self.mute_since, self.silent_since = 0, None, None
        if news and self.deaf_since is None:
            self.deaf_since = now

    def heard(self) -> None:
        """An event other than a heartbeat arrived."""
        self.deaf_since = None

    def no_answer(self, now: float, *, healthy: bool) -> None:
        """A request about a session was not answered; `healthy`: the health check right after it was."""
        self._failed += 1
        if self._failed < 2:
            return
        if healthy:
            self.silent_since = None
            self.mute_since = now if self.mute_since is None else self.mute_since
        else:
            self.mute_since = None
            self.silent_since = now if self.silent_since is None else self.silent_since


def diagnose(
    turn: Turn,
    witness: ResponsivenessTracker,
    now: float,
    *,
    answer_begun: bool,
    patience: StallTimeouts = DEFAULT_PATIENCE,
) -> Diagnosis | None:
    """The most specific diagnosis of a running turn; None if there is none."""
    if turn.over:
        return None
    if witness.silent_since is not None:
        return Diagnosis(Kind.SILENT, now - witness.silent_since)
    if witness.mute_since is not None:
        return Diagnosis(Kind.NO_ANSWERS, now - witness.mute_since)
    if witness.deaf_since is not None:
        return Diagnosis(Kind.NO_EVENTS, now - witness.deaf_since)
    if turn.state is not TurnState.RUNNING:
        return None
    still = turn.idle_for(now)
    if not answer_begun and still >= patience.not_begun_after:
        return Diagnosis(Kind.NO_RESPONSE, still)
    return Diagnosis(Kind.STALLED, still) if still >= patience.still_after else None
