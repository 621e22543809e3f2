"""How a turn ended, by the answer that the server stored and by what this client knows of aborts and rejections.

For a session that is idle without a complete answer `turn_ending_idle` decides; the table in `turn` lists all ends.
"""

import msgspec

from tui.core.model import Failure, Message
from tui.core.turn_inputs import Rejected
from tui.core.turn_state import TurnState


class Ending(msgspec.Struct, frozen=True):
    """`requested`: the user ended it, so no broken connection did. `failure`: of the provider or the server."""

    state: TurnState
    reason: str = ""
    requested: bool = False
    failure: Failure | None = None


class StopRequests(msgspec.Struct):
    """The aborts and rejections that may have ended a turn.

    `abort_requested`: this client aborts it. `abort_nearby`: an abort sent for another turn may have ended this one.
    """

    abort_requested: bool = False
    abort_nearby: bool = False
    rejected: Rejected | None = None

    @property
    def by_this_client(self) -> bool:
        """Whether this client aborted the turn, or rejected a request of it."""
        return self.abort_requested or (self.rejected is not None and self.rejected.here)

    def by_answer(self, answer: Message, *, rejected: bool, certain: bool) -> Ending:
        """The ending by an answer that the server no longer works on.

        `rejected`: its last call was rejected. `certain`: no broken connection can have aborted the turn.
        """
        if answer.failure is not None:
            return self.by_failure(answer.failure, certain=certain)
        if rejected or (self.rejected is not None and not answer.final):
            return Ending(TurnState.ABORTED, self._who_rejected(), requested=True)
        if answer.final:
            return Ending(TurnState.FINISHED)
        if self.abort_requested or answer.incomplete or answer.completed is None:
            return self._aborted(certain=certain)
        return Ending(TurnState.INTERRUPTED, "it ended between two steps; the server gives no reason")

    def by_later_answer(self, answer: Message, *, certain: bool) -> Ending:
        """The ending if the server went on to a later prompt, whose answer counts for both."""
        if answer.failure is None:
            return Ending(TurnState.FINISHED, "answered together with a later prompt")
        if answer.failure.kind in ("provider", "other"):
            return Ending(TurnState.FAILED, f"together with a later prompt: {answer.failure.message}")
        return self.by_failure(answer.failure, certain=certain)

    def by_failure(self, failure: Failure, *, certain: bool) -> Ending:
        if failure.kind == "aborted":
            return self._aborted(certain=certain)
        if failure.kind == "interrupted":
            return Ending(TurnState.INTERRUPTED, failure.message)
        return Ending(TurnState.FAILED, failure.message, failure=failure)

    def _aborted(self, *, certain: bool) -> Ending:
        """An abort; with servers that abort on a broken connection, its cause is unknown."""
        if self.abort_requested:
            return Ending(TurnState.ABORTED, requested=True)
        if self.abort_nearby:
            return Ending(TurnState.ABORTED, "aborted with another prompt, or by another client")
        who = "aborted elsewhere" if certain else "aborted by another client or by the server"
        return Ending(TurnState.ABORTED, who)

    def _who_rejected(self) -> str:
        if self.rejected is None:
            return "a request was rejected"
        return "you rejected a request" if self.rejected.here else "a request was rejected elsewhere"
