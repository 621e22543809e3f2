"""Requests of an aborted turn stay listed on the server, even while its unopened session is busy again."""

from collections.abc import Sequence
from typing import cast

from tests.client_harness import ClientHarness, on_virtual_time
from tui.backends.base import Backend
from tui.client.polling import CHECK_INTERVAL
from tui.client.stale_requests import StaleRequestFilter
from tui.core import events as e
from tui.core.model import Busy, FullMessage, Idle, Message, Question, QuestionRequest, ToolPart
from tui.core.store import Store
from tui.net.errors import NetError, ReadTimeout

ASKED = QuestionRequest("que_1", "ses_2", (Question("Which?", "DB", ()),), "msg_2", "call_1")
LISTED = e.Resynced({"ses_2": Busy()}, (ASKED,), frozenset({"/project"}))


class BackendWithCall:
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


async def remaining(stale: StaleRequestFilter, backend: BackendWithCall) -> Sequence[str]:
    found = await stale.without_stale(cast("Backend", backend), LISTED)
    return [request.id for request in found.requests]


async def test_the_request_of_an_ended_call_is_removed() -> None:
    assert await remaining(StaleRequestFilter(Store()), BackendWithCall("error")) == []
    assert await remaining(StaleRequestFilter(Store()), BackendWithCall("running")) == ["que_1"]


async def test_a_request_stays_and_is_checked_again_if_its_call_cannot_be_read() -> None:
    stale, backend = StaleRequestFilter(Store()), BackendWithCall("error")
    backend.error = ReadTimeout(3.0)
    assert await remaining(stale, backend) == ["que_1"]
    backend.error = None
    assert await remaining(stale, backend) == []


async def test_a_request_known_from_events_is_checked_once_and_again_after_a_gap() -> None:
    store, backend = Store(), BackendWithCall("running")
    stale = StaleRequestFilter(store)
    for _ in range(2):
        store.apply(await stale.without_stale(cast("Backend", backend), LISTED))
    assert list(store.requests) == ["que_1"]
    assert backend.looks == 1
    backend.state = "error"  # events report the end, and the answer too
    assert await remaining(stale, backend) == ["que_1"]
    stale.forget()
    assert await remaining(stale, backend) == []


async def test_a_request_closed_by_events_but_still_listed_is_checked() -> None:
    store, backend = Store(), BackendWithCall("running")
    stale = StaleRequestFilter(store)
    store.apply(await stale.without_stale(cast("Backend", backend), LISTED))
    store.apply(e.StatusChanged("ses_2", Idle()))
    backend.state = "error"
    for _ in range(2):
        assert await remaining(stale, backend) == []
    assert backend.looks == 2


async def test_requests_of_open_transcripts_are_left_to_the_store() -> None:
    store, backend = Store(), BackendWithCall("error")
    store.open_transcript("ses_2")
    assert await remaining(StaleRequestFilter(store), backend) == ["que_1"]
    assert backend.looks == 0


@on_virtual_time("mimo")
async def test_an_aborted_request_does_not_reappear_when_the_session_is_busy_again(
    harness: ClientHarness,
) -> None:
    other = (await harness.http.post("/session", json={})).json()["id"]
    store = harness.client.store

    async def prompt(words: str) -> None:
        body = {"parts": [{"type": "text", "text": words}]}
        (await harness.http.post(f"/session/{other}/prompt_async", json=body)).raise_for_status()

    await prompt("ASK1")
    await harness.request()
    await harness.http.post(f"/session/{other}/abort")
    await harness.until(lambda: not store.requests)
    await prompt("LONG")
    await harness.until(lambda: isinstance(store.status(other), Busy))
    assert len(await harness.lists("question")) == 1
    changes = len(harness.changes)
    harness.arm("cut=events,at=json")
    await harness.until(lambda: not harness.synced, within=20)
    await harness.until(lambda: harness.synced, within=60)
    looked = harness.requests_sent.count(("GET", "/question"))
    await harness.until(lambda: harness.requests_sent.count(("GET", "/question")) > looked, within=2 * CHECK_INTERVAL)
    assert isinstance(store.status(other), Busy)
    assert not store.requests
    assert "RequestsChanged" not in [type(one).__name__ for one in harness.changes[changes:]]
