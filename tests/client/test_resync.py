import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.fake_ports import FakeServer, ignore
from tests.fake_time import FakeTime
from tui.client.loading import LoadingTracker
from tui.client.ports import Apply
from tui.client.prompt_queue import PromptQueue
from tui.client.resync import Resync, SessionApiUnresponsive
from tui.core import changes as c
from tui.core import events as e
from tui.core.model import Busy, FullMessage, Message, Question, QuestionRequest, Session, Todo, ToolPart
from tui.core.store import Store
from tui.net.errors import NetError, ReadTimeout, SchemaMismatch
from tui.storage.journal import Journal


def resync_of(
    store: Store, backend: object, apply: Apply = ignore, *, loadings: LoadingTracker | None = None
) -> Resync:
    """A resync without queued prompts and drafts."""
    journal = cast(Journal, SimpleNamespace(sessions_with_drafts=tuple))
    server = FakeServer(backend, FakeTime(), apply)
    return Resync(store, journal, PromptQueue(journal), loadings or LoadingTracker(ignore), server)


class Fetched:
    """A backend on which the user opens a session during the last fetch."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def sessions(self) -> tuple[Session, ...]:
        return ()

    async def session(self, session_id: str) -> Session:
        return Session(session_id, "a title", "/project")

    async def children(self, session_id: str) -> tuple[Session, ...]:
        return ()

    async def messages(self, session_id: str, **options: Any) -> e.MessagesLoaded:
        return e.MessagesLoaded(session_id, (), None, "newest")

    async def todos(self, session_id: str) -> tuple[Todo, ...]:
        return ()

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        self._store.open_transcript("ses_late")
        return e.Resynced({}, (), frozenset(directories))


async def test_a_session_opened_during_the_last_fetch_is_fetched_too() -> None:
    store = Store()
    backend = Fetched(store)

    events = await resync_of(store, backend).fetch_all()
    assert [one.session_id for one in events if isinstance(one, e.MessagesLoaded)] == ["ses_late"]
    assert isinstance(events[-1], e.Resynced)


class Slow(Fetched):
    """A backend whose messages arrive in pieces; `received` has the number of bytes shown after each."""

    loadings: LoadingTracker

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.received: list[int] = []

    async def messages(self, session_id: str, **options: Any) -> e.MessagesLoaded:
        for count in (100, 200):
            options["on_bytes"](count)
            self.received.append(self.loadings.of(session_id).received)
        return await super().messages(session_id)


async def test_the_bytes_of_a_fetch_are_shown_while_it_runs() -> None:
    backend = Slow(Store())
    backend.loadings = LoadingTracker(ignore)
    await resync_of(Store(), backend, loadings=backend.loadings).session("ses_1")
    assert backend.received == [100, 200]
    assert backend.loadings.of("ses_1").received == 0


def test_the_newest_page_says_nothing_about_a_failed_older_one() -> None:
    loadings = LoadingTracker(ignore)
    with pytest.raises(ReadTimeout), loadings.fetching("ses_1", "older"):
        raise ReadTimeout(1.0)
    with loadings.fetching("ses_1", "newest"):
        pass
    found = loadings.of("ses_1")
    assert (found.failed, found.failed_older) == ("", "no data for 1 s")


class OneFails(Fetched):
    """A backend that fails to return the messages of one session."""

    fails = True

    async def messages(self, session_id: str, **options: Any) -> e.MessagesLoaded:
        if session_id == "ses_1" and self.fails:
            raise ReadTimeout(3.0)
        return await super().messages(session_id)


async def test_a_failed_session_does_not_hold_back_changes_of_others() -> None:
    store = Store()
    store.open_transcript("ses_1")
    store.open_transcript("ses_2")
    backend = OneFails(store)
    came: list[e.Event] = []

    resync = resync_of(store, backend, came.append)
    with pytest.raises(ReadTimeout):
        await resync.check_missed_changes()
    loaded = [one.session_id for one in came if isinstance(one, e.MessagesLoaded)]
    assert ("ses_1" in loaded, "ses_2" in loaded) == (False, True)
    assert isinstance(came[-1], e.Resynced)


class AllHangButOne(Fetched):
    """A backend that returns one session, and times out for each other one."""

    def __init__(self, store: Store, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(store)
        self._sleep = sleep

    async def session(self, session_id: str) -> Session:
        if session_id != "ses_4":
            await self._sleep(5.5)
            raise ReadTimeout(5.5)
        return await super().session(session_id)


async def test_hanging_sessions_time_out_together_and_hold_nothing_back() -> None:
    time, store = FakeTime(), Store()
    for number in range(8):
        store.open_transcript(f"ses_{number}")
    backend = AllHangButOne(store, time.sleep)
    came: list[e.Event] = []

    asking = asyncio.create_task(resync_of(store, backend, came.append).check_missed_changes())
    await time.advance(6)
    assert asking.done()
    with pytest.raises(ReadTimeout):
        await asking
    assert [one.session_id for one in came if isinstance(one, e.MessagesLoaded)] == ["ses_4"]


class AnswersOnce(Fetched):
    """A backend that returns the statuses once, and then times out."""

    asked = 0

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        self.asked += 1
        if self.asked > 1:
            raise ReadTimeout(3.0)
        return e.Resynced({}, (), frozenset(directories))


async def test_fetched_sessions_are_applied_even_if_the_last_request_fails() -> None:
    store = Store()
    store.open_transcript("ses_1")
    backend = AnswersOnce(store)
    came: list[e.Event] = []

    with pytest.raises(ReadTimeout):
        await resync_of(store, backend, came.append).check_missed_changes()
    assert backend.asked > 1
    assert [one.session_id for one in came if isinstance(one, e.MessagesLoaded)] == ["ses_1"]
    assert isinstance(came[-1], e.Resynced)


class Answered(Fetched):
    """A backend on which a question was answered without an event."""

    asked = QuestionRequest("que_1", "ses_1", (Question("Which?", "DB", ()),), "msg_2", "call_1")
    call = ToolPart("prt_1", "ses_1", "msg_2", "call_1", "question", "completed", answers=(("SQLite",),))

    async def messages(self, session_id: str, **options: Any) -> e.MessagesLoaded:
        answer = Message("msg_2", session_id, "assistant", created=2.0, parent_id="msg_1")
        return e.MessagesLoaded(session_id, (FullMessage(answer, (self.call,)),), None, "newest")

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        return e.Resynced({"ses_1": Busy()}, (), frozenset(directories))


async def test_a_missed_answer_is_found_in_its_call() -> None:
    store = Store()
    store.open_transcript("ses_1")
    changes: list[c.Change] = []
    begun: list[e.Event] = [
        e.SessionUpserted(Session("ses_1", "a title", "/project")),
        e.StatusChanged("ses_1", Busy()),
        e.RequestOpened(Answered.asked),
    ]
    for event in begun:
        store.apply(event)
    backend = Answered(store)

    await resync_of(store, backend, lambda event: changes.extend(store.apply(event))).check_missed_changes()
    closed = [one for one in changes if isinstance(one, c.RequestClosed)]
    assert closed == [c.RequestClosed(Answered.asked, "answered", (("SQLite",),))]


async def test_a_busy_status_is_applied_before_the_messages() -> None:
    store = Store()
    store.open_transcript("ses_1")
    backend = Answered(store)

    events = await resync_of(store, backend).fetch_all()
    kinds = [type(one) for one in events]
    assert kinds.index(e.StatusChanged) < kinds.index(e.MessagesLoaded) < kinds.index(e.Resynced)


class SlowBackend(Fetched):
    """A backend with a round trip of 4 s."""

    def __init__(self, store: Store, sleep: Callable[[float], Awaitable[None]]) -> None:
        super().__init__(store)
        self._sleep = sleep
        self.calls = 0

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in ("sessions", "session", "children", "messages", "todos", "resync"):
            return found

        async def call(*given: Any, **options: Any) -> Any:
            self.calls += 1
            await self._sleep(4.0)
            return e.Resynced({}, (), frozenset()) if name == "resync" else await found(*given, **options)

        return call


@pytest.mark.parametrize(("opened", "round_trips", "calls"), [(0, 1, 2), (3, 2, 14)])
async def test_independent_requests_are_sent_concurrently(opened: int, round_trips: int, calls: int) -> None:
    time, store = FakeTime(), Store()
    for number in range(opened):
        store.open_transcript(f"ses_{number}")
    far = SlowBackend(store, time.sleep)

    resync = resync_of(store, far)
    asking = asyncio.create_task(resync.fetch_all())
    await time.advance(4.0 * round_trips + 0.1)
    assert asking.done()
    assert isinstance((await asking)[-1], e.Resynced)
    assert far.calls == calls


class InvalidSessionList(Fetched):
    """A backend whose session list is invalid."""

    async def sessions(self) -> tuple[Session, ...]:
        raise SchemaMismatch("/session", "it is no list")


async def test_an_unreadable_session_list_affects_only_itself() -> None:
    store = Store()
    store.open_transcript("ses_1")
    backend = InvalidSessionList(store)

    events = await resync_of(store, backend).fetch_all()
    assert "ses_1" in [one.session_id for one in events if isinstance(one, e.MessagesLoaded)]
    assert isinstance(events[-1], e.Resynced)


class Unresponsive(Fetched):
    """A backend that stops responding, except for its health check if `healthy`."""

    def __init__(self, store: Store, *, healthy: bool) -> None:
        super().__init__(store)
        self._healthy = healthy

    async def ping(self) -> float:
        if not self._healthy:
            raise ReadTimeout(2.0)
        return 0.0

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        raise ReadTimeout(3.0)


@pytest.mark.parametrize(
    ("healthy", "what"), [(True, SessionApiUnresponsive().message), (False, ReadTimeout(2.0).message)]
)
async def test_a_server_is_reported_healthy_only_if_its_health_check_answers(healthy: bool, what: str) -> None:
    store = Store()
    backend = Unresponsive(store, healthy=healthy)

    with pytest.raises(NetError) as raised:
        await resync_of(store, backend).fetch_all()
    assert raised.value.message == what


async def test_a_failed_session_affects_only_itself_and_is_retried() -> None:
    store = Store()
    store.open_transcript("ses_1")
    store.open_transcript("ses_2")
    failing = OneFails(store)
    changes: list[c.Change] = []
    loadings = LoadingTracker(changes.append)
    came: list[e.Event] = []

    resync = resync_of(store, failing, came.append, loadings=loadings)
    events = await resync.fetch_all()
    assert "ses_2" in [one.session_id for one in events if isinstance(one, e.MessagesLoaded)]
    assert isinstance(events[-1], e.Resynced)
    assert loadings.of("ses_1").failed == "no data for 3 s"
    assert loadings.failed() == ["ses_1"]
    assert c.LoadingChanged("ses_1") in changes
    await resync.failed()
    assert not came
    failing.fails = False
    await resync.failed()
    assert [one.session_id for one in came if isinstance(one, e.MessagesLoaded)] == ["ses_1"]
    assert not loadings.failed()
