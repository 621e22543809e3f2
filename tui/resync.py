"""Fetching anew what a gap may have made untrue: statuses, open requests, transcripts.

What is fetched is told as events and takes its place between the live ones (`Link.refetch`).
"""

import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence

from tui.backends.base import Backend
from tui.core import events as e
from tui.core.model import FullMessage, Idle
from tui.core.store import Store
from tui.net.errors import NetError, Refused, Silent

Refetch = Callable[[Callable[[], Awaitable[Sequence[e.Event]]]], Awaitable[None]]


class HalfDead(NetError):
    """The server's health check answers; what matters does not."""

    def __init__(self) -> None:
        super().__init__("healthy, but it does not say what its sessions do", "It may be stuck: restart it.")


class Resync:
    """What is asked of the server to make the store true again. Every call may raise `NetError`.

    `backend` gives the server's backend once it is known; `refetch` is the link's; `kept` names sessions for which
    something was written and not sent, and which the server may have lost meanwhile.
    """

    def __init__(
        self,
        store: Store,
        *,
        backend: Callable[[], Backend],
        refetch: Refetch,
        kept: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._store = store
        self._kept = kept
        self._backend = backend
        self._refetch = refetch
        self._checked: dict[str, int] = {}

    async def everything(self) -> Sequence[e.Event]:
        """What must be known anew after a gap. Raises `HalfDead` when only the health check answers."""
        backend = self._backend()
        done: set[str] = set()
        try:
            listed = await backend.sessions()
            found: list[e.Event] = [e.SessionsListed(listed)]
            known = {*(session.id for session in listed), *self._store.open_sessions(), *self._store.gone}
            found += [await self._head(one) for one in self._kept() if one not in known]
            resynced: e.Event | None = None
            # more may be opened while these are fetched, the last of them too
            while resynced is None or not done.issuperset(self._store.open_sessions()):
                for session_id in [one for one in self._store.open_sessions() if one not in done]:
                    found += await self._session(session_id)
                    done.add(session_id)
                resynced = await backend.resync(self._places())
            # last: what the transcripts record of a request tells how it ended, where that went unheard
            found.append(resynced)
        except Silent as error:
            raise HalfDead from error
        return found

    async def session(self, session_id: str) -> None:
        """Fetch one session: its head, newest messages, plan, children and requests."""
        await self._refetch(functools.partial(self._session, session_id))

    async def messages(self, session_id: str) -> Sequence[FullMessage]:
        """Fetch the newest messages of a session; they are told as events too."""
        found: tuple[FullMessage, ...] = ()

        async def fetch() -> Sequence[e.Event]:
            nonlocal found
            loaded = await self._backend().messages(session_id)
            found = loaded.messages
            return [loaded]

        await self._refetch(fetch)
        return found

    async def news(self) -> None:
        """Fetch statuses and requests, and each open session that its events may have told wrongly.

        That is one that differs from what they told, and once one that changed and has come to rest.
        """
        backend = self._backend()
        suspects: set[str] = set()

        async def fetch() -> Sequence[e.Event]:
            found: list[e.Event] = [await backend.resync(self._places())]
            for session_id in self._store.open_sessions():
                head = await self._head(session_id)
                if isinstance(head, e.SessionDeleted):
                    found.append(head)
                elif head.session != self._store.sessions.get(session_id):
                    suspects.add(session_id)
            return found

        before = {session_id: self._store.status(session_id) for session_id in self._store.open_sessions()}
        await self._refetch(fetch)
        for session_id, status in before.items():
            if session_id in self._store.gone:
                continue
            now, mark = self._store.status(session_id), self._store.mark(session_id)
            if now != status or (isinstance(now, Idle) and self._checked.get(session_id) != mark):
                suspects.add(session_id)
        for session_id in suspects:
            await self.session(session_id)
            self._checked[session_id] = self._store.mark(session_id)

    async def _session(self, session_id: str) -> Sequence[e.Event]:
        backend = self._backend()
        head = await self._head(session_id)
        if isinstance(head, e.SessionDeleted):
            return [head]
        return [
            head,
            e.SessionsListed(await backend.children(session_id)),
            await backend.messages(session_id),
            e.TodosChanged(session_id, await backend.todos(session_id)),
            await backend.resync([head.session.directory]),
        ]

    async def _head(self, session_id: str) -> e.SessionUpserted | e.SessionDeleted:
        """The session as the server has it, or that it has none of that name."""
        try:
            return e.SessionUpserted(await self._backend().session(session_id))
        except Refused as refusal:
            if refusal.status != 404:
                raise
            return e.SessionDeleted(session_id)

    def _places(self) -> list[str]:
        """The directories of all sessions of which something is known that a gap may have made untrue."""
        store = self._store
        sessions = {*store.open_sessions(), *(one.session_id for one in store.requests.values())}
        sessions |= {one for one in store.sessions if not isinstance(store.status(one), Idle)}
        known = (store.sessions.get(session_id) for session_id in sessions)
        return sorted({session.directory for session in known if session is not None} - {""})
