"""Aborting turns: one is sent until the turn that it is meant for is over, also by a later run of the client.

A server aborts whatever runs in a session. So before each try the turn must still be what the server works on: as
the event stream tells at the moment the person asks for it, and for each later try as the server says when asked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tui.client.retry_until_settled import until_settled
from tui.client.turn_record import Position
from tui.client.turns import TurnTracker
from tui.core.backoff import Backoff
from tui.core.changes import AbortProgress, AbortState, Notice, TurnChanged
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import ConnectFailed, HttpStatusError, NetError
from tui.storage.journal import Journal

log = logging.getLogger(__name__)

SEND_AGAIN = 10.0
"""Seconds after which an abort that the server has taken is sent again, if the turn still runs by then."""

IDLE_FOR = 15.0
"""Seconds for which a server that shows the prompt must have worked on nothing, until an abort is sent all the
same: one that just started may begin late, and one that never begins may hold the request open for ever."""

WAITS_FOR: Mapping[Position, str] = {
    "unseen": "the server does not show the prompt yet",
    "behind": "the server is running an earlier prompt",
    "idle": "the server is idle",
    "passed": "the server is running a later prompt",
}
"""Why an abort is not sent at this moment, by the first that is so of one of its turns."""


class NotSent(NetError):
    """The abort cannot be sent at this moment."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "")


@dataclass(slots=True, eq=False)
class PendingAbort:
    """One abort of a session. `fresh`: the turns ran by the event stream just now, no need to ask for them."""

    session_id: str
    turns: list[Turn]
    fresh: bool
    may_have_arrived: bool = False
    idle_since: float | None = None
    """Since when the server is idle, whenever it was asked."""
    moot: bool = False
    """The server works on something else by now."""
    progress: AbortProgress = field(default_factory=lambda: AbortProgress("sending"))
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Something changed: no need to wait any longer."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def open(self) -> list[Turn]:
        return [] if self.moot else [turn for turn in self.turns if not turn.over]


class AbortSender:
    """The aborts on their way, one a session.

    `post` sends one; `ready` says whether the connection is up and what is known of the sessions is complete,
    `live` whether its events came in time until now; `refused` hears of the sessions whose turns run on, for the
    server refused; `spawn`, `backoff` and `pause` are as for `ReplySender`.
    """

    def __init__(
        self,
        journal: Journal,
        turns: TurnTracker,
        *,
        post: Callable[[str], Awaitable[None]],
        ready: Callable[[], bool],
        live: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        notify: Callable[[TurnChanged | Notice], None],
        refused: Callable[[str], None],
        clock: Callable[[], float],
        backoff: Callable[[], Backoff],
        pause: Callable[[float], Awaitable[None]],
    ) -> None:
        self._journal = journal
        self._turns = turns
        self._post = post
        self._ready = ready
        self._live = live
        self._spawn = spawn
        self._notify = notify
        self._on_refused = refused
        self._clock = clock
        self._backoff = backoff
        self._pause = pause
        self._under_way: dict[str, PendingAbort] = {}

    def progress(self, session_id: str) -> AbortProgress | None:
        """How the session's abort stands; None where none is under way."""
        abort = self._under_way.get(session_id)
        return abort.progress if abort is not None and abort.open else None

    def covers(self, turn: Turn) -> bool:
        """Whether an abort of this turn is under way."""
        abort = self._under_way.get(turn.session_id)
        return abort is not None and turn in abort.turns

    def ask(self, session_id: str) -> bool:
        """The person asks to abort what runs in the session now; false where nothing does."""
        meant = self._turns.abortable(session_id)
        if meant:
            self._take_up(session_id, meant, fresh=self._ready() and self._live())
        return bool(meant)

    def restore(self) -> None:
        """Take up what an earlier run of the client left. Its prompts must have been taken up before."""
        for session_id, prompt_id, tried in self._journal.adopt_aborts():
            turn = self._turns.find(session_id, prompt_id) or self._turns.follow(session_id, prompt_id)
            if tried:
                self._turns.abort_requested([turn])
            self._take_up(session_id, [turn], fresh=False, tried=tried)

    def resume(self) -> None:
        """The person, or the connection, is back: try again at once."""
        for abort in self._under_way.values():
            abort.wake.set()

    def turn_changed(self, session_id: str) -> None:
        abort = self._under_way.get(session_id)
        if abort is not None and (abort.progress.state == "unsent" or not abort.open):
            abort.wake.set()

    async def clear(self, turn: Turn) -> bool:
        """Wait until no abort of turns before this one is under way: it would end this one too.

        False: this one is itself to be aborted. Its abort waits for the server to show the prompt, so the prompt
        must not wait for the abort; and what is not at the server needs none.
        """
        while (abort := self._under_way.get(turn.session_id)) is not None:
            if turn in abort.turns:
                return False
            await abort.settled.wait()
        return True

    def _take_up(self, session_id: str, turns: list[Turn], *, fresh: bool, tried: bool = False) -> None:
        abort = self._under_way.get(session_id)
        if abort is None:
            abort = self._under_way[session_id] = PendingAbort(session_id, [], fresh, tried)
            self._spawn(self._pursue(abort))
        abort.turns += [turn for turn in turns if turn not in abort.turns]
        self._keep(abort)
        abort.wake.set()

    async def _pursue(self, abort: PendingAbort) -> None:
        """Send until it is settled; what stops it waits for the person, or for the connection to come back."""
        while abort.open:
            try:
                await until_settled(
                    lambda: self._try(abort),
                    backoff=self._backoff(),
                    pause=lambda seconds: self._pause_for(abort, seconds),
                    failed=lambda error: self._failed(abort, error),
                )
            except HttpStatusError as refusal:
                if refusal.status != 401:
                    self._refused(abort, refusal)
                    break
                self._tell(abort, "stopped", refusal.message)
                await self._woken(abort)
            except NetError as error:
                self._tell(abort, "stopped", error.message)
                await self._woken(abort)
        if abort.moot or any(turn.state in (TurnState.FINISHED, TurnState.FAILED) for turn in abort.turns):
            arrived = abort.progress.state == "delivered" or abort.may_have_arrived
            before = "it could be aborted" if arrived else "the abort reached the server"
            self._notify(Notice(f"The turn ended by itself before {before}.", "warning"))
        self._journal.settle_abort(map(_key, abort.turns))
        del self._under_way[abort.session_id]
        abort.settled.set()
        self._notify(TurnChanged(abort.session_id))

    async def _try(self, abort: PendingAbort) -> None:
        """Send it if its turn runs, and wait for the turn's end. Raises `NetError`; returns to be called again."""
        abort.wake.clear()
        if not self._ready():
            raise NotSent("no connection")
        fresh, abort.fresh = abort.fresh, False
        for turn in abort.open if not fresh else ():
            await self._turns.fetch(turn)
        at = [self._turns.position(turn) for turn in abort.open]
        if at and all(one == "passed" for one in at):  # what the session does now is not what was meant
            abort.moot = True
        elif "running" in at or self._stays_idle(abort, at):
            await self._send(abort)
        elif abort.open:
            raise NotSent(next(why for position, why in WAITS_FOR.items() if position in at))

    def _stays_idle(self, abort: PendingAbort, at: Sequence[Position]) -> bool:
        """The server works on nothing, and does not begin: an abort ends no other turn there."""
        if not at or any(one != "idle" for one in at):
            abort.idle_since = None
        elif abort.idle_since is None:
            abort.idle_since = self._clock()
        return abort.idle_since is not None and self._clock() - abort.idle_since >= IDLE_FOR

    async def _send(self, abort: PendingAbort) -> None:
        tried = abort.may_have_arrived
        self._turns.abort_requested(abort.open)  # the POST of the turn may return before this one does
        self._keep(abort, tried=True)
        if abort.progress.state != "delivered":
            self._tell(abort, "sending")
        try:
            await self._post(abort.session_id)
        except NetError as error:
            refused = isinstance(error, HttpStatusError) and error.status < 500
            abort.may_have_arrived = tried or not (refused or isinstance(error, ConnectFailed))
            if not abort.may_have_arrived:
                self._turns.abort_failed(abort.open)
                self._keep(abort, tried=False)
            raise
        abort.may_have_arrived = True
        self._tell(abort, "delivered")
        await self._pause_for(abort, SEND_AGAIN)

    def _failed(self, abort: PendingAbort, error: NetError) -> None:
        log.info("abort in %s: %s; trying again", abort.session_id, error.message)
        if abort.progress.state != "delivered":
            unsent = isinstance(error, NotSent) and not abort.may_have_arrived
            self._tell(abort, "unsent" if unsent else "retrying", error.message)

    def _refused(self, abort: PendingAbort, refusal: HttpStatusError) -> None:
        if abort.open:
            self._on_refused(abort.session_id)
            self._notify(Notice(f"The server refused the abort: {refusal.message}\n{refusal.hint}", "warning"))

    def _tell(self, abort: PendingAbort, state: AbortState, reason: str = "") -> None:
        if abort.progress != (progress := AbortProgress(state, reason)):
            abort.progress = progress
            self._notify(TurnChanged(abort.session_id))

    def _keep(self, abort: PendingAbort, *, tried: bool | None = None) -> None:
        mark = abort.may_have_arrived if tried is None else tried
        self._journal.post_abort(abort.session_id, map(_key, abort.open), tried=mark)

    async def _pause_for(self, abort: PendingAbort, seconds: float) -> None:
        """Wait `seconds`, or until there was something new to act on since the last try began."""
        waits = [asyncio.ensure_future(self._pause(seconds)), asyncio.create_task(abort.wake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _woken(self, abort: PendingAbort) -> None:
        await abort.wake.wait()


def _key(turn: Turn) -> str:
    """What the turn is called in the journal: the server's own id of a prompt of ours may not be known yet."""
    return turn.prompt.message_id if turn.prompt is not None else turn.prompt_id
