"""Lists of very many names, requests and sessions: what is listed, counted, and found by typing."""

from collections.abc import Callable

from textual.widgets import OptionList

from tests import sample_events as sample
from tests.app_harness import app_harness
from tui.core import events as e
from tui.core.model import Busy, CatalogItem, PermissionRequest, Session
from tui.core.open_requests import MAX_REQUESTS
from tui.core.session_state import SessionState
from tui.core.store import Store
from tui.widgets.dialogs.inbox import Inbox
from tui.widgets.dialogs.picker import MAX_LISTED, Picker
from tui.widgets.dialogs.session_picker import MAX_LISTED as SESSIONS_LISTED
from tui.widgets.dialogs.session_picker import SessionPicker

MANY = 2_000


async def test_very_many_names_are_listed_in_part_and_found_by_typing() -> None:
    taken: list[str] = []
    async with app_harness() as harness:
        offered = [CatalogItem(f"name-{at}", "about") for at in range(MANY)]
        await harness.app.push_screen(Picker("Model", offered, taken.append, f"name-{MANY - 1}"))
        await harness.shows(f"and {MANY - MAX_LISTED:,} more", f"name-{MANY - 1}")
        assert harness.app.screen.query_one(OptionList).option_count == MAX_LISTED
        await harness.press(*f"e-{MANY - 3}", "enter")
    assert taken == [f"name-{MANY - 3}"]


async def test_the_inbox_counts_requests_beyond_the_limit() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.StatusChanged(sample.SESSION, Busy()))
        for at in range(MAX_REQUESTS + 25):
            harness.client.feed(e.RequestOpened(PermissionRequest(f"per_{at}", sample.SESSION, "bash")))
        await harness.settled()
        assert harness.main.waiting == MAX_REQUESTS + 25
        await harness.press("f3")
        assert isinstance(harness.app.screen, Inbox)
        await harness.shows(f"{MAX_REQUESTS + 25} waiting", f"the first {MAX_REQUESTS} are listed")


class Counting:
    """How often the state of a session was read."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, session_id: str) -> SessionState:
        self.asked += 1
        return SessionState.IDLE


class NoSessions:
    """A server that lists no sessions and edits none."""

    def fetch(self, search: str, cursor: str | None) -> None: ...
    def rename(self, session: Session) -> None: ...
    def fork(self, session: Session) -> None: ...
    def delete(self, session: Session) -> None: ...


def picker(store: Store, standing_of: Callable[[str], SessionState]) -> SessionPicker:
    return SessionPicker(store, standing_of, lambda: 0.0, None, NoSessions(), edits=False)


async def test_the_session_list_reads_only_the_listed_sessions() -> None:
    standing = Counting()
    async with app_harness() as harness:
        store = Store()
        store.apply(e.SessionsListed(tuple(Session(f"ses_{at}", f"title {at}", updated=at) for at in range(MANY))))
        await harness.app.push_screen(picker(store, standing))
        await harness.shows(f"title {MANY - 1}")
        assert 0 < standing.asked <= 4 * SESSIONS_LISTED


async def test_deeply_nested_sessions_are_listed_once() -> None:
    async with app_harness() as harness:
        store = Store()
        store.apply(e.SessionUpserted(Session("ses_0", "title 0")))
        chain = (Session(f"ses_{at}", f"title {at}", parent_id=f"ses_{at - 1}") for at in range(1, MANY))
        store.apply(e.SessionsListed(tuple(chain)))
        await harness.app.push_screen(picker(store, Counting()))
        await harness.shows("title 0", "title 9")
