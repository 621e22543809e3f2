"""Decides how a turn has ended whose session is idle: finished, failed, interrupted, aborted or not sent.

For a stored, complete answer `turn_ending` decides. Without state.
"""

import msgspec

from tui.core.held_post import HeldPost
from tui.core.model import Failure
from tui.core.poll_schedule import IDLE_CONFIRM_DELAY
from tui.core.turn_ending import Ending, StopRequests
from tui.core.turn_inputs import Snapshot
from tui.core.turn_state import TurnState

ANSWER_START_TIMEOUT = 6.0
"""Seconds that a server may take to begin an answer; until then "idle, no answer" says nothing."""
BODY_TIMEOUT = 3.0
"""Seconds that a held POST gets to deliver what the event stream already reports as complete."""
HELD_POST_TIMEOUT = 15.0
"""Seconds that a held POST gets to end where the session is idle and the answer is not complete."""


class IdleSnapshot(msgspec.Struct, frozen=True):
    """A snapshot of a turn whose session has been idle `for_seconds`, with what this client knows beside it.

    `own`: the prompt is this client's. `failure`: an error that the server sent meanwhile. `certain`: as in
    `StopRequests`.
    """

    seen: Snapshot
    for_seconds: float
    post: HeldPost
    stops: StopRequests
    own: bool
    failure: Failure | None
    certain: bool

    def ending(self) -> Ending | None:
        """How the turn ended; None if that is not known yet."""
        seen, answer = self.seen, self.seen.answer
        if answer is None and seen.has_no_parts and self.own:
            return self._without_text()
        if answer is not None and answer.ended and not self._body_may_arrive:
            return self._by_answer()
        may_be_merged = answer is None or (answer.completed is not None and not answer.incomplete)
        if seen.later_answer is not None and may_be_merged and seen.stored and not self._body_may_arrive:
            return self.stops.by_later_answer(seen.later_answer, certain=self.certain)
        if not seen.polled or self.for_seconds < IDLE_CONFIRM_DELAY:
            return None
        return self._without_answer() if answer is None else self._by_answer_so_far()

    @property
    def _body_may_arrive(self) -> bool:
        return self.post.held and self.for_seconds < BODY_TIMEOUT

    def _without_text(self) -> Ending | None:
        """opencode stores a message before its text: killed between the two, it has a prompt without text.

        Whatever the session did since, an abort or an answer to a later prompt, no model read that text.
        """
        if not self.seen.polled or self.for_seconds < (HELD_POST_TIMEOUT if self.post.held else ANSWER_START_TIMEOUT):
            return None
        if self.post.alive and not self.stops.abort_requested:
            return None
        return Ending(TurnState.NOT_SENT, "the server did not store the prompt's text")

    def _without_answer(self) -> Ending | None:
        held = self.post.held
        if self.seen.stored is False and self.own and not held:
            return Ending(TurnState.NOT_SENT, "the server accepted it, and then lost it")
        if self.stops.abort_requested and not self._body_may_arrive:
            return Ending(TurnState.ABORTED)
        if self.failure is not None and not held:
            return self.stops.by_failure(self.failure, certain=self.certain)
        if self.post.alive or self.for_seconds < (HELD_POST_TIMEOUT if held else ANSWER_START_TIMEOUT):
            return None
        return self._interrupted("the server has the prompt but began no answer")

    def _by_answer_so_far(self) -> Ending | None:
        """opencode stores an answer's completion time after the answer, or never."""
        answer = self.seen.answer
        assert answer is not None
        if not self.post.held and (answer.completed is not None or answer.final):
            return self._by_answer()
        if self.stops.abort_requested and not answer.final and not self._body_may_arrive:
            return Ending(TurnState.ABORTED)
        if self.post.held and self.for_seconds < HELD_POST_TIMEOUT:
            return None
        if answer.final or answer.incomplete or answer.failure is not None:
            return self._by_answer()
        return self._interrupted("the server stopped during the answer")

    def _by_answer(self) -> Ending:
        assert self.seen.answer is not None
        return self.stops.by_answer(self.seen.answer, rejected=self.seen.rejected, certain=self.certain)

    def _interrupted(self, reason: str) -> Ending:
        if self.post.error:
            return Ending(TurnState.FAILED, self.post.error)
        return Ending(TurnState.INTERRUPTED, reason)
