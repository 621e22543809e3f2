"""The aborts that are under way, at most one per session."""

import asyncio

import msgspec

from tui.core.changes import AbortProgress
from tui.core.turn import Turn


class PendingAbort(msgspec.Struct, eq=False):
    """One abort of a session. `fresh`: the event stream showed the turns as running just now, so no poll is needed."""

    session_id: str
    turns: list[Turn]
    fresh: bool
    may_have_arrived: bool = False
    idle_since: float | None = None
    """The time since which every poll found the server idle; None: the last poll did not."""
    superseded: bool = False
    """Whether the server already works on a later prompt, so that the abort must not be sent."""
    progress: AbortProgress = msgspec.field(default_factory=lambda: AbortProgress("sending"))
    wake: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Set to end the current wait early."""
    settled: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    @property
    def open(self) -> list[Turn]:
        return [] if self.superseded else [turn for turn in self.turns if not turn.over]


class PendingAborts:
    """The pending aborts. `AbortSender` adds and removes them; turns and prompts wait for them."""

    def __init__(self) -> None:
        self.by_session: dict[str, PendingAbort] = {}

    def progress(self, session_id: str) -> AbortProgress | None:
        """The progress of the session's pending abort, or None."""
        abort = self.by_session.get(session_id)
        return abort.progress if abort is not None and abort.open else None

    def covers(self, turn: Turn) -> bool:
        """Whether an abort of this turn is pending."""
        abort = self.by_session.get(turn.session_id)
        return abort is not None and turn in abort.turns

    def turn_changed(self, session_id: str) -> None:
        """Retry the session's abort at once if it waited for its turn, or if its turns are over."""
        abort = self.by_session.get(session_id)
        if abort is not None and (abort.progress.state == "unsent" or not abort.open):
            abort.wake.set()

    async def clear(self, turn: Turn) -> bool:
        """Wait until no abort of earlier turns in the session is pending: it would end this turn too.

        Returns False if this turn itself is to be aborted. Its abort waits until the server shows the prompt, so
        the prompt must not wait for the abort; a prompt that the server does not have needs no abort.
        """
        while (abort := self.by_session.get(turn.session_id)) is not None:
            if turn in abort.turns:
                return False
            await abort.settled.wait()
        return True
