from collections.abc import Sequence
from typing import Any, cast

from tui.backends.base import Backend
from tui.core import events as e
from tui.core.model import Session, Todo
from tui.core.store import Store
from tui.resync import Resync


class Fetched:
    """A backend in which a person opens a session while the last thing of all is being fetched."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def sessions(self) -> tuple[Session, ...]:
        return ()

    async def session(self, session_id: str) -> Session:
        return Session(session_id, "a title", "/project")

    async def children(self, session_id: str) -> tuple[Session, ...]:
        return ()

    async def messages(self, session_id: str) -> e.MessagesLoaded:
        return e.MessagesLoaded(session_id, (), None, "newest")

    async def todos(self, session_id: str) -> tuple[Todo, ...]:
        return ()

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        self._store.open_transcript("ses_late")
        return e.Resynced({}, (), frozenset(directories))


async def test_a_session_that_is_opened_at_the_very_end_is_fetched_too() -> None:
    store = Store()
    backend = cast("Backend", Fetched(store))

    async def refetch(fetch: Any) -> None:
        await fetch()

    events = await Resync(store, backend=lambda: backend, refetch=refetch).everything()
    assert [one.session_id for one in events if isinstance(one, e.MessagesLoaded)] == ["ses_late"]
    assert isinstance(events[-1], e.Resynced)
