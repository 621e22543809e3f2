"""Requests of an aborted turn stay listed on the server, even while its unopened session is busy again."""

from collections.abc import Sequence
from typing import cast

from tests.client_harness import Meeting, virtually
from tui.backends.base import Backend
from tui.client.polling import CHECK_EVERY
from tui.client.stale_requests import StaleRequestFilter
from tui.core import events as e
from tui.core.model import Busy, FullMessage, Idle, Message, Question, QuestionRequest, ToolPart
from tui.core.store import Store
from tui.net.errors import NetError, ReadTimeout

ASKED = QuestionRequest("que_1", "ses_2", (Question("Which?", "DB", ()),), "msg_2", "call_1")
LISTED = e.Resynced({"ses_2": Busy()}, (ASKED,), frozenset({"/project"}))


class Asking:
    """A backend whose session has one call, in this state."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.error: NetError | None = None
        self.looks = 0

    async def messages(self, session_id: str) -> e.MessagesLoaded:
        self.looks += 1
        if self.error is not None:
            raise self.error
        call = ToolPart("prt_1", "ses_2", "msg_2", "call_1", "question", self.state)  # type: ignore[arg-type]
        answer = FullMessage(Message("msg_2", session_id, "assistant"), (call,))
        return e.MessagesLoaded(session_id, (answer,), None)


async def left(ghosts: StaleRequestFilter, backend: Asking) -> Sequence[str]:
    found = await ghosts.without_stale(cast("Backend", backend), LISTED)
    return [request.id for request in found.requests]


async def test_the_request_of_an_ended_call_is_removed() -> None:
    assert await left(StaleRequestFilter(Store()), Asking("error")) == []
    assert await left(StaleRequestFilter(Store()), Asking("running")) == ["que_1"]


async def test_a_request_stays_and_is_checked_again_if_its_call_cannot_be_read() -> None:
    ghosts, backend = StaleRequestFilter(Store()), Asking("error")
    backend.error = ReadTimeout(3.0)
    assert await left(ghosts, backend) == ["que_1"]
    backend.error = None
    assert await left(ghosts, backend) == []


async def test_a_request_known_from_events_is_checked_once_and_again_after_a_gap() -> None:
    store, backend = Store(), Asking("running")
    ghosts = StaleRequestFilter(store)
    for _ in range(2):
        store.apply(await ghosts.without_stale(cast("Backend", backend), LISTED))
    assert list(store.requests) == ["que_1"]
    assert backend.looks == 1
    backend.state = "error"  # events report the end, and the answer too
    assert await left(ghosts, backend) == ["que_1"]
    ghosts.forget()
    assert await left(ghosts, backend) == []


async def test_a_request_closed_by_events_but_still_listed_is_checked() -> None:
    store, backend = Store(), Asking("running")
    ghosts = StaleRequestFilter(store)
    store.apply(await ghosts.without_stale(cast("Backend", backend), LISTED))
    store.apply(e.StatusChanged("ses_2", Idle()))
    backend.state = "error"
    for _ in range(2):
        assert await left(ghosts, backend) == []
    assert backend.looks == 2


async def test_requests_of_open_transcripts_are_left_to_the_store() -> None:
    store, backend = Store(), Asking("error")
    store.open_transcript("ses_2")
    assert await left(StaleRequestFilter(store), backend) == ["que_1"]
    assert backend.looks == 0


@virtually("mimo")
async def test_an_aborted_request_does_not_reappear_when_the_session_is_busy_again(
    meeting: Meeting,
) -> None:
    other = (await meeting.http.post("/session", json={})).json()["id"]
    store = meeting.client.store

    async def prompt(words: str) -> None:
        body = {"parts": [{"type": "text", "text": words}]}
        (await meeting.http.post(f"/session/{other}/prompt_async", json=body)).raise_for_status()

    await prompt("ASK1")
    await meeting.request()
    await meeting.http.post(f"/session/{other}/abort")
    await meeting.until(lambda: not store.requests)
    await prompt("LONG")
    await meeting.until(lambda: isinstance(store.status(other), Busy))
    assert len(await meeting.lists("question")) == 1
    told = len(meeting.told)
    meeting.arm("cut=events,at=json")
    await meeting.until(lambda: not meeting.synced, within=20)
    await meeting.until(lambda: meeting.synced, within=60)
    looked = meeting.asked.count(("GET", "/question"))
    await meeting.until(lambda: meeting.asked.count(("GET", "/question")) > looked, within=2 * CHECK_EVERY)
    assert isinstance(store.status(other), Busy)
    assert not store.requests
    assert "RequestsChanged" not in [type(one).__name__ for one in meeting.told[told:]]
