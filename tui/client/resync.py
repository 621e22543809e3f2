"""Refetches state that may be stale after a gap in the event stream: statuses, open requests, transcripts.

The results are delivered as events, in order with the live events (`EventConnection.refetch`).
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from tui.backends.paging import OnBytes
from tui.client.loading import LoadingTracker
from tui.client.ports import Server, Spawn
from tui.client.prompt_queue import PromptQueue
from tui.client.stale_requests import StaleRequestFilter
from tui.core import events as e
from tui.core.known_sessions import IDLE
from tui.core.model import Busy, FullMessage, Idle, Session
from tui.core.page_merge import fitting_page
from tui.core.store import Store
from tui.net.clocks import Clocks
from tui.net.errors import (
    ConnectionLost,
    HttpStatusError,
    InvalidBody,
    NetError,
    NotFound,
    ReadTimeout,
    ResponseTooSlow,
    UnexpectedContentType,
    Unsendable,
)
from tui.net.gather import together
from tui.storage.journal import Journal

log = logging.getLogger(__name__)

FETCH_AGAIN = 3.0
"""Seconds before a failed fetch is retried."""


class SessionApiUnresponsive(NetError):
    """The server answers its health check but not its session API."""

    def __init__(self) -> None:
        super().__init__("healthy, but it reports no session status", "It may be stuck: restart it.")


class Resync:
    """Refetches server state into the store. Every call may raise `NetError`.

    Sessions with prompts in `queue` or drafts in `journal` are fetched too: the server may have deleted them.
    """

    def __init__(
        self, store: Store, journal: Journal, queue: PromptQueue, loadings: LoadingTracker, server: Server
    ) -> None:
        self._store = store
        self._journal = journal
        self._queue = queue
        self._loadings = loadings
        self._server = server
        self._checked: dict[str, int] = {}
        self._stale_filter = StaleRequestFilter(store)

    async def fetch_all(self) -> Sequence[e.Event]:
        """Fetch all state after a gap. Raises `SessionApiUnresponsive` if only the health check answers."""
        self._stale_filter.forget()
        done = self._store.open_sessions()
        try:
            questions = [self._listed(), *map(self._session_or_nothing, done)]
            # statuses must be as new as the messages: fetch them after these, or with the list if there are none
            answers = await together(*questions, *([] if done else [self._fetch_running()]))
            found = [event for told in answers for event in told]
            known = {one.id for event in found if isinstance(event, e.SessionsListed) for one in event.sessions}
            known |= {*done, *self._store.deleted}
            kept = {*self._queue.sessions(), *self._journal.sessions_with_drafts()} - known
            for heads in await together(*map(self._head_or_nothing, kept)):
                found += heads
            resynced = None if done else next(event for event in found if isinstance(event, e.Resynced))
            # sessions may be opened during each of these fetches
            while resynced is None or not set(done).issuperset(self._store.open_sessions()):
                late = [one for one in self._store.open_sessions() if one not in done]
                for told in await together(*map(self._session_or_nothing, late)):
                    found += told
                done = (*done, *late)
                resynced = await self._running(self._places(found))
        except ReadTimeout as error:
            await self._server.backend().ping()  # raises if the health check fails too
            raise SessionApiUnresponsive from error
        # last: the transcripts show how requests ended whose event was missed
        found = [event for event in found if not isinstance(event, e.Resynced)]
        return [*_with_work(found, resynced), resynced]

    async def session(self, session_id: str) -> None:
        """Fetch one session: metadata, newest messages, plan, children and requests; `loadings` gets a failure."""
        await self._server.refetch(functools.partial(self._whole_session, session_id))

    async def failed(self) -> None:
        """Retry the failed fetches of open sessions; `LoadingTracker` records another failure."""
        for session_id in self._loadings.failed():
            if session_id in self._store.open_sessions():
                await self._server.refetch(functools.partial(self._whole_session, session_id))

    async def _whole_session(self, session_id: str) -> Sequence[e.Event]:
        """Fetch a session, and the statuses and requests of its directory."""
        found = await self._session_or_nothing(session_id)
        heads = [event.session for event in found if isinstance(event, e.SessionUpserted)]
        if not heads:
            return found
        running = await self._running([head.directory for head in heads])
        return [*_with_work(found, running), running]

    async def _session_or_nothing(self, session_id: str) -> Sequence[e.Event]:
        """`_session`, or nothing if the fetch fails; `LoadingTracker` records the error for display."""
        return await _alone(session_id, self._session(session_id))

    async def _head_or_nothing(self, session_id: str) -> Sequence[e.Event]:
        async def head() -> Sequence[e.Event]:
            return [await self._fetch_session(session_id)]

        return await _alone(session_id, head())

    async def requests(self) -> None:
        """Fetch statuses and open requests."""
        await self._server.refetch(self._fetch_running)

    async def fetch_messages(self, session_id: str) -> Sequence[FullMessage]:
        """Fetch the statuses, then the newest messages of a session; both are also delivered as events."""
        found: tuple[FullMessage, ...] = ()

        async def fetch() -> Sequence[e.Event]:
            nonlocal found
            session = self._store.sessions.get(session_id)
            resynced = await self._running([] if session is None else [session.directory])
            loaded = fitting_page(await self._server.backend().messages(session_id))
            found = loaded.messages
            return [loaded, resynced]

        await self._server.refetch(fetch)
        return found

    async def check_missed_changes(self) -> None:
        """Fetch statuses and requests, and each open session whose events may be incomplete.

        That is a session that differs from its events, and once each that changed and is idle now. All are fetched
        concurrently, because live events wait meanwhile. If one fetch fails the others are still delivered before
        the error is raised.
        """
        failed: list[NetError] = []
        suspects: set[str] = set()

        async def contents(session_id: str, now: e.Resynced) -> Sequence[e.Event]:
            try:
                head = await self._fetch_session(session_id)
                if isinstance(head, e.SessionDeleted):
                    return [head]
                if not self._is_suspect(session_id, head.session, now):
                    return []
                found = [head, *await self._related_data(session_id)]
            except NetError as error:
                failed.append(error)
                return []
            suspects.add(session_id)
            return found

        async def fetch() -> Sequence[e.Event]:
            resynced = await self._running(self._places())
            async with asyncio.TaskGroup() as together:
                told = [
                    together.create_task(contents(session_id, resynced)) for session_id in self._store.open_sessions()
                ]
            if suspects:
                try:
                    resynced = await self._running(self._places())
                except NetError as error:
                    failed.append(error)
            # last, as in `fetch_all`: the transcripts show how requests ended
            return [*_with_work([event for one in told for event in one.result()], resynced), resynced]

        await self._server.refetch(fetch)
        for session_id in suspects:
            self._checked[session_id] = self._store.session_version(session_id)
        if failed:
            raise failed[-1]

    def _is_suspect(self, session_id: str, head: Session, now: e.Resynced) -> bool:
        """Whether a session differs from its events, or is idle and was not checked since its last change."""
        status, listed = now.statuses.get(session_id, IDLE), {request.id for request in now.requests}
        return (
            head != self._store.sessions.get(session_id)
            or status != self._store.status(session_id)
            or any(request.id not in listed for request in self._store.requests_of(session_id))
            or (isinstance(status, Idle) and self._checked.get(session_id) != self._store.session_version(session_id))
        )

    async def _session(self, session_id: str) -> Sequence[e.Event]:
        """Fetch a session's metadata and contents concurrently; the metadata decides whether it exists."""
        with self._loadings.fetching(session_id, "newest") as on_bytes:
            related_data = asyncio.ensure_future(self._related_data(session_id, on_bytes))
            try:
                head = await self._fetch_session(session_id)
                return [head] if isinstance(head, e.SessionDeleted) else [head, *await related_data]
            finally:
                related_data.cancel()
                await asyncio.gather(related_data, return_exceptions=True)

    async def _related_data(self, session_id: str, on_bytes: OnBytes | None = None) -> Sequence[e.Event]:
        backend = self._server.backend()

        async def children() -> e.Event:
            return e.SessionsListed(await backend.children(session_id))

        async def messages() -> e.Event:
            return fitting_page(await backend.messages(session_id, on_bytes=on_bytes))

        async def todos() -> e.Event:
            return e.TodosChanged(session_id, await backend.todos(session_id))

        return await together(children(), messages(), todos())

    async def _listed(self) -> Sequence[e.Event]:
        """Fetch the newest sessions; nothing if the list cannot be decoded."""
        try:
            return [e.SessionsListed(await self._server.backend().sessions())]
        except InvalidBody as error:
            log.warning("the sessions cannot be listed: %s", error.message)
            return []

    async def _fetch_running(self) -> Sequence[e.Event]:
        return [await self._running(self._places())]

    async def _running(self, places: Sequence[str]) -> e.Resynced:
        """Fetch the statuses and requests of these directories and the default one, without stale requests."""
        backend = self._server.backend()
        return await self._stale_filter.without_stale(backend, await backend.resync(places))

    async def _fetch_session(self, session_id: str) -> e.SessionUpserted | e.SessionDeleted:
        """Fetch the session's metadata; `SessionDeleted` if the server does not have it."""
        try:
            return e.SessionUpserted(await self._server.backend().session(session_id))
        except NotFound:
            return e.SessionDeleted(session_id)

    def _places(self, found: Sequence[e.Event] = ()) -> list[str]:
        """The directories of all sessions whose state may be stale: open, busy, or with requests.

        Those in `found` are included, because the store may not have them yet.
        """
        store = self._store
        sessions = {*store.open_sessions(), *(one.session_id for one in store.requests.values())}
        sessions |= {one for one in store.sessions if not isinstance(store.status(one), Idle)}
        known = (store.sessions.get(session_id) for session_id in sessions)
        new = [event.session for event in found if isinstance(event, e.SessionUpserted)]
        return sorted({session.directory for session in (*known, *new) if session is not None} - {""})


async def _alone(session_id: str, work: Awaitable[Sequence[e.Event]]) -> Sequence[e.Event]:
    """The events of one session's fetch; nothing if it fails, except for HTTP 401 and 403, which are raised."""
    try:
        return await work
    except (ReadTimeout, ConnectionLost, ResponseTooSlow, Unsendable, InvalidBody, UnexpectedContentType) as error:
        log.info("session %s could not be fetched: %s", session_id, error.message)
        return []
    except HttpStatusError as refusal:
        if refusal.status in (401, 403):
            raise
        log.info("session %s could not be fetched: %s", session_id, refusal.message)
        return []


def _with_work(events: Sequence[e.Event], running: e.Resynced) -> Iterator[e.Event]:
    """Insert the busy status of each session before its messages, which are interpreted by it."""
    for event in events:
        yield event
        if isinstance(event, e.SessionUpserted):
            status = running.statuses.get(event.session.id)
            if isinstance(status, Busy):
                yield e.StatusChanged(event.session.id, status)


class Fetching:
    """Fetches sessions in the background: one fetch per session at a time, with a pause after a failure."""

    def __init__(
        self,
        store: Store,
        resync: Resync,
        *,
        spawn: Spawn,
        clocks: Clocks,
    ) -> None:
        self._store = store
        self._resync = resync
        self._spawn = spawn
        self._sleep = clocks.sleep
        self._under_way: set[str] = set()

    def fetch(self, session_id: str, then: Callable[[], None]) -> None:
        """Fetch the session's newest messages, then call `then`; does nothing during a fetch of the session."""
        if session_id not in self._under_way:
            self._under_way.add(session_id)
            self._spawn(self._work(session_id, then))

    async def _work(self, session_id: str, then: Callable[[], None]) -> None:
        try:
            self._store.open_transcript(session_id)
            await self._resync.session(session_id)
        except NetError as error:
            log.info("session %s could not be fetched: %s", session_id, error.message)
            await self._sleep(FETCH_AGAIN)
        finally:
            self._under_way.discard(session_id)
        then()
