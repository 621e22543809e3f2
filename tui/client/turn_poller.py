"""Polls the server for the state of turns: one poll per turn at a time, none while the connection is down."""

import logging
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from tui.backends.base import PromptLookup
from tui.backends.paging import PageBudget, contents
from tui.client.ports import Ports
from tui.core import events as e
from tui.core.diagnosis import ResponsivenessTracker
from tui.core.kept_content import cut_large
from tui.core.memory_size import weight
from tui.core.page_merge import fitting_page
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import NetError, ReadTimeout

log = logging.getLogger(__name__)

EVENTS_DUE = 5.0
"""Seconds after the POST of a prompt within which its first event must arrive."""
POLL_WITHOUT_EVENTS = 5.0
"""Seconds between two polls of a server that sends no events."""
MAX_PAGES = 20
"""Maximum number of pages that are fetched to find a prompt."""
OLDER_KEPT = 1 << 20
"""Bytes of one of them, other than the newest, from which on its large parts are cut: it may be of other turns."""


class PollHandler(Protocol):
    """What the results of polls are passed to."""

    def on_lookup(self, turn: Turn, found: PromptLookup) -> None:
        """The prompt was looked up; its session is fetched next."""

    def on_polled(self, turn: Turn, found: PromptLookup) -> None:
        """The store has the turn's session as the server has it."""


class TurnPoller:
    """Fetches the state of turns, and detects from it whether the event stream delivers events."""

    def __init__(self, store: Store, handler: PollHandler, ports: Ports) -> None:
        self._store = store
        self._handler = handler
        self._server = ports.server
        self._spawn = ports.spawn
        self._clock = ports.clocks.mono
        self.responsiveness = ResponsivenessTracker()
        self._events_at_post: dict[str, int] = {}
        """The event count at the POST of each prompt; cleared when the stream is interrupted."""
        self._polling: set[str] = set()
        self._polled_at = 0.0
        self._events_before = 0

    def posted(self, prompt_id: str) -> None:
        """Record the POST of a prompt, whose events are expected from now on."""
        self._events_at_post[prompt_id] = self._server.events

    def ended(self, prompt_id: str) -> None:
        self._events_at_post.pop(prompt_id, None)

    def reconnected(self) -> None:
        """Clear the event counts: after an interruption missing events prove nothing about earlier prompts."""
        self._events_at_post.clear()

    def is_due(self) -> bool:
        """Whether all turns should be polled, because no events arrive."""
        seen = self._server.events
        if seen != self._events_before:
            self._events_before = seen
            self.responsiveness.record_event()
            return False
        without_events = self.responsiveness.no_events_since is not None
        return without_events and self._clock() - self._polled_at >= POLL_WITHOUT_EVENTS

    def poll(self, turn: Turn) -> None:
        """Start a poll of the turn, unless one runs or the connection is down; a reconnect polls every turn."""
        if self._server.synced and turn.prompt_id not in self._polling:
            self._polling.add(turn.prompt_id)
            self._polled_at = self._clock()
            self._spawn(self._poll(turn))

    async def _poll(self, turn: Turn) -> None:
        prompt_id = turn.prompt_id
        try:
            await self.fetch(turn)
        except NetError as error:
            log.info("turn %s: the poll failed: %s", turn.prompt_id, error.message)
            if isinstance(error, ReadTimeout):
                self.responsiveness.no_answer(self._clock(), healthy=await self._is_healthy())
        finally:
            self._polling.discard(prompt_id)

    async def fetch(self, turn: Turn) -> None:
        """Fetch the turn's prompt and session from the server. Raises `NetError`."""
        found = PromptLookup(None)
        pages = PageBudget()
        more = False

        async def fetch() -> Sequence[e.Event]:
            nonlocal found, more
            backend = self._server.backend()
            found = await backend.look_up(turn.session_id, turn.prompt_id, turn.prompt)
            self._handler.on_lookup(turn, found)
            if found.session_gone:
                return ()
            newest = await backend.messages(turn.session_id)
            more = bool(found.stored) and pages.allows(newest.cursor, contents(newest.messages))
            newest = fitting_page(newest)
            session = self._store.sessions.get(turn.session_id)
            return newest, await backend.resync([session.directory] if session is not None else [])

        version, seen = self._store.session_version(turn.session_id), self._server.events
        followed = turn.state in (TurnState.RUNNING, TurnState.WAITING, TurnState.RETRYING)
        followed = followed or self._events_are_due(turn)
        await self._server.refetch(fetch)
        if more:
            await self._fetch_older(turn, pages)
        changed = self._store.session_version(turn.session_id) != version and self._server.events == seen
        missed = (followed and changed) or (bool(found.stored) and self._saw_no_event(turn))
        self.responsiveness.record_poll(self._clock(), missed_events=missed)
        self._handler.on_polled(turn, found)

    async def _fetch_older(self, turn: Turn, pages: PageBudget) -> None:
        """Load older messages until the store has the turn's prompt: each page is stored before the next is read.

        Without its prompt, an ended turn would look as if it had never begun. Raises `NetError`.
        """
        more = True

        async def fetch() -> Sequence[e.Event]:
            nonlocal more
            page = await self._server.backend().messages(turn.session_id, before=cursor)
            more = pages.allows(page.cursor, contents(page.messages))
            now = self._store.transcript(turn.session_id)
            # else it was refetched meanwhile, and the page no longer joins it
            return (_shortened(page),) if now is not None and now.cursor == cursor else ()

        for _ in range(MAX_PAGES):
            transcript = self._store.transcript(turn.session_id)
            cursor = transcript.cursor if transcript is not None else None
            if not more or transcript is None or cursor is None or turn.prompt_id in transcript.messages:
                return
            await self._server.refetch(fetch)

    async def _is_healthy(self) -> bool:
        try:
            await self._server.backend().ping()
        except NetError as error:
            log.info("the health check failed: %s", error.message)
            return False
        return True

    def _saw_no_event(self, turn: Turn) -> bool:
        """Whether no event arrived since the prompt was posted."""
        return self._events_are_due(turn) and self._events_at_post[turn.prompt_id] == self._server.events

    def _events_are_due(self, turn: Turn) -> bool:
        """Whether events must have arrived: `EVENTS_DUE` passed since the POST without an interruption."""
        return turn.prompt_id in self._events_at_post and self._clock() - turn.started >= EVENTS_DUE


def _shortened(page: e.MessagesLoaded) -> e.MessagesLoaded:
    """The page, with its large parts cut if it is large."""
    if sum(map(weight, contents(page.messages))) < OLDER_KEPT:
        return page
    return replace(page, messages=tuple(map(cut_large, page.messages)))
