"""opencode's events: together they give what the server has, and each by itself what it says."""

import time
from typing import Any

import msgspec
import pytest

from tests.backends.recording import NAMES, Recording, last_answer, recording, tool_of
from tui.backends.opencode import messages as messages
from tui.backends.opencode import requests as requests
from tui.backends.opencode import schema as wire
from tui.backends.opencode.events import event_of
from tui.core import events as e
from tui.core.model import (
    Busy,
    Failure,
    Idle,
    Retrying,
    Session,
    Todo,
)
from tui.core.store import Store
from tui.core.transcript import Transcript


def replayed(recorded: Recording) -> Store:
    """A store that saw the turn by its events alone."""
    store = Store()
    store.open_transcript(recorded.session_id)
    for frame in recorded.events:
        event = event_of(frame)
        if event is not None:
            store.apply(event)
    return store


def transcript_of(store: Store, session_id: str) -> Transcript:
    transcript = store.transcript(session_id)
    assert transcript is not None
    return transcript


@pytest.mark.parametrize("name", NAMES)
def test_the_events_alone_give_the_transcript_that_the_server_has(name: str) -> None:
    recorded = recording(name)
    by_events = replayed(recorded)
    asked = Store()
    asked.open_transcript(recorded.session_id)
    page = tuple(messages.full_message(item) for item in recorded.answers["messages"])
    asked.apply(e.MessagesLoaded(recorded.session_id, page, None))
    seen, stored = (transcript_of(store, recorded.session_id) for store in (by_events, asked))
    assert len(stored.messages) >= 2
    assert seen.same_as(stored)
    assert by_events.status(recorded.session_id) == Idle()
    assert not by_events.requests


def test_a_permission_that_ends_without_a_reply_that_we_know_is_gone_and_not_granted() -> None:
    frame = {"type": "permission.replied", "properties": {"sessionID": "ses_1", "requestID": "per_1"}}
    assert event_of(frame) == e.RequestGone("ses_1", "per_1")


def test_an_abort_leaves_a_ghost_in_the_list_that_a_resync_does_not_show() -> None:
    recorded = recording("abort")
    assert last_answer(recorded).failure == Failure("Aborted", "aborted")
    assert tool_of(recorded).error == "Tool execution aborted"
    ghosts = requests.all_requests(recorded.answers["questions"], recorded.answers["permissions"])
    assert len(ghosts) == 1
    statuses = wire.statuses(recorded.answers["status"])
    assert statuses == {}
    store = replayed(recorded)
    store.apply(e.Resynced(dict(statuses), ghosts))
    assert not store.requests
    store.apply(e.Resynced({recorded.session_id: Busy()}, ghosts))  # a later turn runs: its ghost is still none of it
    assert not store.requests


def test_what_is_sent_twice_as_sync_and_what_is_unknown_is_passed_over() -> None:
    frames = recording("ask").events
    passed_over = {frame["payload"]["type"] for frame in frames if event_of(frame) is None}
    assert {"sync", "plugin.added", "session.diff"} <= passed_over
    assert event_of({"payload": {"type": "something.new", "properties": 3}}) is None
    assert event_of({}) is None
    assert event_of({"payload": "odd"}) is None


def frame(kind: str, **properties: Any) -> dict[str, Any]:
    """An event as `/event` sends it, without an envelope."""
    return {"id": "evt_1", "type": kind, "properties": properties}


INFO = {"id": "ses_1", "directory": "/a", "parentID": "ses_0"}


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        (frame("server.connected"), e.Connected()),
        (frame("server.heartbeat"), e.Heartbeat()),
        (frame("server.instance.disposed", directory="/a"), e.ServerShuttingDown()),
        (frame("session.created", info=INFO), e.SessionUpserted(Session("ses_1", "", "/a", parent_id="ses_0"))),
        (frame("session.deleted", info=INFO), e.SessionDeleted("ses_1")),
        (frame("session.idle", sessionID="ses_1"), e.StatusChanged("ses_1", Idle())),
        (frame("session.error", error={"name": "Plugin"}), None),
        (frame("session.error", sessionID="s"), e.SessionFailed("s", Failure("unknown"))),
        (frame("message.removed", sessionID="s", messageID="m"), e.MessageRemoved("s", "m")),
        (frame("message.part.removed", sessionID="s", messageID="m", partID="p"), e.PartRemoved("s", "m", "p")),
        (
            frame("message.part.delta", sessionID="s", messageID="m", partID="p", field="text", delta="x"),
            e.TextDelta("s", "m", "p", "x"),
        ),
        (
            frame("todo.updated", sessionID="s", todos=[{"content": "a", "status": "completed", "priority": "high"}]),
            e.TodosChanged("s", (Todo("a", "completed", "high"),)),
        ),
    ],
)
def test_the_other_events(sent: dict[str, Any], event: e.Event | None) -> None:
    assert event_of(sent) == event


@pytest.mark.parametrize(
    "sent",
    [
        frame("session.updated"),
        frame("question.asked", id="que_1", sessionID="s"),
        frame("message.part.delta", sessionID="s", messageID="m", partID="p", delta=3),
        frame("permission.replied", sessionID="s", requestID="p", reply="maybe"),
    ],
)
def test_an_event_without_what_we_build_on_is_refused(sent: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        event_of(sent)


def test_mimo_tells_a_retry_of_the_provider_by_an_event_of_its_own() -> None:
    told = {"sessionID": "ses_1", "attempt": 2, "reason": "scripted 429", "nextDelayMs": 4368, "phase": "request"}
    event = event_of({"type": "session.retry.attempt", "properties": told})
    assert isinstance(event, e.StatusChanged)
    assert isinstance(event.status, Retrying)
    assert (event.status.attempt, event.status.message) == (2, "scripted 429")
    assert event.status.next_at == pytest.approx(time.time() + 4.368, abs=1)
