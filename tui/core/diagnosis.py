"""What may be wrong when the line is live and the turn does not move: detected, named, and what to do.

DEAF       heartbeats come, but events do not: asking showed what no event had told
MUTE       the server answers its health check, but not questions about its sessions
SILENT     it answers neither, and the line is not given up yet
NOT_BEGUN  the server has the prompt, and nothing of an answer
STILL      the turn runs, and nothing of it has changed for minutes
"""

from enum import Enum

import msgspec

from tui.core.turn import Turn
from tui.core.turn_state import TurnState

NOT_BEGUN_AFTER = 60.0
STILL_AFTER = 300.0


class StallTimeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds without any change of a turn after which the screen says so: before its answer begins, and after."""

    not_begun_after: float = NOT_BEGUN_AFTER
    still_after: float = STILL_AFTER


class Kind(Enum):
    NO_EVENTS = "deaf"
    NO_ANSWERS = "mute"
    SILENT = "silent"
    NO_RESPONSE = "not begun"
    STALLED = "still"


class Diagnosis(msgspec.Struct, frozen=True):
    """`since`: seconds for which it has been so, as far as the client can know."""

    kind: Kind
    since: float


DEFAULT_PATIENCE = StallTimeouts()


class ResponsivenessTracker(msgspec.Struct):
    """What asking the server has shown. Fed by whoever asks; times are of the caller's monotonic clock."""

    deaf_since: float | None = None
    mute_since: float | None = None
    silent_since: float | None = None
    _failed: int = 0

    def asked(self, now: float, *, news: bool) -> None:
        """The server answered; `news`: with something that its events should have told and did not."""
        self._failed, self.mute_since, self.silent_since = 0, None, None
        if news and self.deaf_since is None:
            self.deaf_since = now

    def heard(self) -> None:
        """An event came that carries more than a beat."""
        self.deaf_since = None

    def no_answer(self, now: float, *, healthy: bool) -> None:
        """A question about a session was not answered; `healthy`: the health check right after it was."""
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
    """The one thing to say of a running turn, the most telling first; None when nothing is amiss."""
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
