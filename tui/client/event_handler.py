"""Applies the server's events to the store, and passes the changes to turns, prompts, replies and aborts."""

import asyncio
import logging
from collections.abc import Sequence

from tui.backends.base import Backend
from tui.client.abort_sender import AbortSender
from tui.client.ports import Ports
from tui.client.prompt_dispatcher import PromptDispatcher
from tui.client.reply_sender import ReplySender
from tui.client.resync import Resync
from tui.client.turns import TurnTracker
from tui.core import events as e
from tui.core.changes import Notice, RequestClosed, TextAppended
from tui.core.store import Store
from tui.net.errors import NetError
from tui.net.pacing import Paced

log = logging.getLogger(__name__)


class EventHandler:
    """What `ServerConnection` reports to; other parts of the client apply the events of their own requests by it."""

    def __init__(
        self,
        store: Store,
        resync: Resync,
        turns: TurnTracker,
        prompts: PromptDispatcher,
        replies: ReplySender,
        aborts: AbortSender,
        ports: Ports,
    ) -> None:
        self._store = store
        self._resync = resync
        self._turns = turns
        self._prompts = prompts
        self._replies = replies
        self._aborts = aborts
        self._server = ports.server
        self._emit = ports.emit
        self._spawn = ports.spawn
        self._reevaluate_soon = Paced(
            self._reevaluate, later=lambda wait, call: asyncio.get_running_loop().call_later(wait, call)
        )
        self._fetches_beyond = False
        self.unreadable = 0
        """The number of open requests that could not be decoded at the last resync."""
        self.problem = ""
        """Why a list of statuses or requests could not be read at the last resync."""

    async def fetch_all(self) -> Sequence[e.Event]:
        return await self._resync.fetch_all()

    def on_handshake(self, backend: Backend) -> None:
        self._turns.set_traits(backend.traits)

    def on_synced(self) -> None:
        self._turns.on_reconnected()
        self._reevaluate()
        self.send_blocked()

    def on_unsynced(self) -> None:
        self._turns.on_connection_lost()

    def send_blocked(self) -> None:
        """Retry at once the aborts and replies that wait for the server or for the user."""
        self._aborts.resume()
        for reply in self._replies.pop_blocked():
            self._spawn(self._replies.send(reply))

    def apply(self, event: e.Event) -> None:
        changes = self._store.apply(event)
        for change in changes:
            self._emit(change)
            if isinstance(change, RequestClosed):
                self._replies.closed(change)
                self._fetch_beyond()
                if change.how == "rejected" or change.reply == "reject":
                    self._turns.rejected(change.request, here=self._replies.rejects(change.request.id))
        if isinstance(event, e.Resynced):
            self._tell_unreadable(event.unreadable)
            self._tell_problem(event.problem)
        if isinstance(event, e.SessionFailed):
            self._turns.failure_seen(event)
        elif isinstance(event, e.TextDelta):
            self._turns.touch(event.session_id)
        elif any(not isinstance(change, TextAppended) for change in changes):
            self._reevaluate_soon()

    def _reevaluate(self) -> None:
        """Update the turns and the queue after changes of the store."""
        if not self._server.closed:
            self._turns.reevaluate()
            self._prompts.dispatch_ready()

    def _fetch_beyond(self) -> None:
        """Fetch the requests beyond the store's limit once it has room for them."""
        if self._store.has_room_for_requests and self._server.synced and not self._fetches_beyond:
            self._fetches_beyond = True
            self._spawn(self._fetch_requests())

    async def _fetch_requests(self) -> None:
        try:
            await self._resync.requests()
        except NetError as error:
            log.info("the requests beyond those that are kept: %s", error.message)
        finally:
            self._fetches_beyond = False

    def _tell_unreadable(self, count: int) -> None:
        """Report open requests that cannot be displayed, again only when their number grows."""
        before, self.unreadable = self.unreadable, count
        if count > before:
            what = "1 request that waits" if count == 1 else f"{count} requests that wait"
            self._emit(Notice(f"{what} for an answer cannot be shown. Answer in another client.", "warning"))

    def _tell_problem(self, problem: str) -> None:
        """Report once per reason that the server's list of running turns and requests cannot be read."""
        before, self.problem = self.problem, problem
        if problem and problem != before:
            what = f"The session status cannot be read: {problem}."
            self._emit(Notice(f"{what} Sessions are shown as last known, updated by events.", "warning"))
