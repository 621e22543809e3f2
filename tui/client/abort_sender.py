"""Sends aborts, and repeats each until its turns are over, also in a later run of the client.

A server aborts whatever runs in a session. Before each try the turn must therefore be what the server works on: by
the event stream at the moment of the user's request, and by a poll of the server before each later try.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from tui.client.pending_aborts import PendingAbort, PendingAborts
from tui.client.ports import Ports
from tui.client.prompt_dispatcher import PromptDispatcher
from tui.client.reply_sender import ReplySender
from tui.client.retry_until_settled import until_settled
from tui.client.turn_snapshot import Position
from tui.client.turns import TurnTracker
from tui.core import events as e
from tui.core.changes import AbortProgress, AbortState, Notice, TurnChanged
from tui.core.connection_status import ConnectionState
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import ConnectFailed, HttpStatusError, NetError
from tui.storage.journal import Journal

log = logging.getLogger(__name__)

SEND_AGAIN = 10.0
"""Seconds after which an abort that the server accepted is sent again, if the turn still runs."""

IDLE_FOR = 15.0
"""Seconds for which a server that shows the prompt must be idle before an abort is sent anyway: a server that just
started may begin the turn late, and one that never begins it may hold the request open forever."""

WAITS_FOR: Mapping[Position, str] = {
    "unseen": "the server does not show the prompt yet",
    "behind": "the server is running an earlier prompt",
    "idle": "the server is idle",
    "passed": "the server is running a later prompt",
}
"""Why an abort is not sent now: the first entry that applies to one of its turns."""


class NotSent(NetError):
    """The abort cannot be sent at this moment."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "")


class AbortSender:
    """Sends the `pending` aborts, and rejects the `replies` to the requests of the turns that they end."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        turns: TurnTracker,
        prompts: PromptDispatcher,
        replies: ReplySender,
        pending: PendingAborts,
        ports: Ports,
    ) -> None:
        self._store = store
        self._journal = journal
        self._turns = turns
        self._prompts = prompts
        self._replies = replies
        self._pending = pending
        self._ports = ports

    def ask(self, session_id: str) -> None:
        """Start an abort of the session's running turns, and hold its queued prompts; does nothing if none runs."""
        meant = self._turns.abortable(session_id)
        if meant:
            server = self._ports.server
            live = server.synced and server.status().state is ConnectionState.LIVE
            self._add(session_id, meant, fresh=live)
            self._prompts.hold_for_abort(session_id)

    def restore(self) -> None:
        """Load the pending aborts of earlier runs from the journal. Their prompts must be restored first."""
        for session_id, prompt_id, tried in self._journal.adopt_aborts():
            turn = self._turns.find(session_id, prompt_id) or self._turns.follow(session_id, prompt_id)
            if tried:
                self._turns.abort_requested([turn])
            self._add(session_id, [turn], fresh=False, tried=tried)

    def resume(self) -> None:
        """Retry all pending aborts at once, after the user returned or the client reconnected."""
        for abort in self._pending.by_session.values():
            abort.wake.set()

    def _add(self, session_id: str, turns: list[Turn], *, fresh: bool, tried: bool = False) -> None:
        abort = self._pending.by_session.get(session_id)
        if abort is None:
            abort = self._pending.by_session[session_id] = PendingAbort(session_id, [], fresh, tried)
            self._ports.spawn(self._pursue(abort))
        abort.turns += [turn for turn in turns if turn not in abort.turns]
        self._save(abort)
        abort.wake.set()

    async def _pursue(self, abort: PendingAbort) -> None:
        """Retry until the abort is settled; after a permanent error, wait for the user or a reconnect."""
        while abort.open:
            try:
                await until_settled(
                    lambda: self._try(abort),
                    backoff=self._ports.backoff(),
                    pause=lambda seconds: self._pause_for(abort, seconds),
                    failed=lambda error: self._failed(abort, error),
                )
            except HttpStatusError as refusal:
                if refusal.status != 401:
                    self._refused(abort, refusal)
                    break
                self._report(abort, "stopped", refusal.message)
                await self._woken(abort)
            except NetError as error:
                self._report(abort, "stopped", error.message)
                await self._woken(abort)
        if abort.superseded or any(turn.state in (TurnState.FINISHED, TurnState.FAILED) for turn in abort.turns):
            arrived = abort.progress.state == "delivered" or abort.may_have_arrived
            before = "it could be aborted" if arrived else "the abort reached the server"
            self._ports.emit(Notice(f"The turn ended by itself before {before}.", "warning"))
        self._journal.settle_abort(map(_key, abort.turns))
        del self._pending.by_session[abort.session_id]
        abort.settled.set()
        self._ports.emit(TurnChanged(abort.session_id))

    async def _try(self, abort: PendingAbort) -> None:
        """Send the abort if its turn runs, and wait for the turn's end; may be called again. Raises `NetError`."""
        abort.wake.clear()
        if not self._ports.server.synced:
            raise NotSent("no connection")
        fresh, abort.fresh = abort.fresh, False
        for turn in abort.open if not fresh else ():
            await self._turns.fetch(turn)
        at = [self._turns.position(turn) for turn in abort.open]
        if at and all(one == "passed" for one in at):  # the session runs a later prompt: do not abort it
            abort.superseded = True
        elif "running" in at or self._stays_idle(abort, at):
            await self._send(abort)
        elif abort.open:
            raise NotSent(next(why for position, why in WAITS_FOR.items() if position in at))

    def _stays_idle(self, abort: PendingAbort, at: Sequence[Position]) -> bool:
        """Whether the server has been idle for `IDLE_FOR`: an abort then ends no other turn."""
        if not at or any(one != "idle" for one in at):
            abort.idle_since = None
        elif abort.idle_since is None:
            abort.idle_since = self._ports.clocks.mono()
        return abort.idle_since is not None and self._ports.clocks.mono() - abort.idle_since >= IDLE_FOR

    async def _send(self, abort: PendingAbort) -> None:
        tried = abort.may_have_arrived
        self._turns.abort_requested(abort.open)  # the POST of the turn may return before this one does
        self._save(abort, tried=True)
        if abort.progress.state != "delivered":
            self._report(abort, "sending")
        try:
            await self._post(abort.session_id)
        except NetError as error:
            refused = isinstance(error, HttpStatusError) and error.status < 500
            abort.may_have_arrived = tried or not (refused or isinstance(error, ConnectFailed))
            if not abort.may_have_arrived:
                self._turns.abort_failed(abort.open)
                self._save(abort, tried=False)
            raise
        abort.may_have_arrived = True
        self._report(abort, "delivered")
        await self._pause_for(abort, SEND_AGAIN)

    async def _post(self, session_id: str) -> None:
        """Send an abort and reject the requests of the aborted turns. Raises `NetError`."""
        left = {request.id: request for request in self._store.requests_of(session_id)}
        await self._ports.server.backend().abort(session_id)
        self._turns.poll_all()
        left |= {request.id: request for request in self._store.requests_of(session_id)}
        for request in left.values():  # stale now, but the server keeps them in its list
            self._ports.apply(e.RequestRemoved(request.session_id, request.id))
            self._ports.spawn(self._replies.reject_stale(request))

    def _failed(self, abort: PendingAbort, error: NetError) -> None:
        log.info("abort in %s: %s; trying again", abort.session_id, error.message)
        if abort.progress.state != "delivered":
            unsent = isinstance(error, NotSent) and not abort.may_have_arrived
            self._report(abort, "unsent" if unsent else "retrying", error.message)

    def _refused(self, abort: PendingAbort, refusal: HttpStatusError) -> None:
        if abort.open:
            self._prompts.abort_refused(abort.session_id)
            self._ports.emit(Notice(f"The server refused the abort: {refusal.message}\n{refusal.hint}", "warning"))

    def _report(self, abort: PendingAbort, state: AbortState, reason: str = "") -> None:
        if abort.progress != (progress := AbortProgress(state, reason)):
            abort.progress = progress
            self._ports.emit(TurnChanged(abort.session_id))

    def _save(self, abort: PendingAbort, *, tried: bool | None = None) -> None:
        mark = abort.may_have_arrived if tried is None else tried
        self._journal.post_abort(abort.session_id, map(_key, abort.open), tried=mark)

    async def _pause_for(self, abort: PendingAbort, seconds: float) -> None:
        """Wait `seconds`, or until `wake` is set after the last try began."""
        waits = [asyncio.ensure_future(self._ports.server.pause(seconds)), asyncio.create_task(abort.wake.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    async def _woken(self, abort: PendingAbort) -> None:
        await abort.wake.wait()


def _key(turn: Turn) -> str:
    """The turn's id in the journal: the client's id for its own prompts, since the server's may not be known yet."""
    return turn.prompt.message_id if turn.prompt is not None else turn.prompt_id
