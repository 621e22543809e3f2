"""opencode's events: all together, and each by itself."""

import time
from typing import Any

import msgspec
import pytest

from tests.backends.recording import NAMES, Recording, last_answer, recording, tool_of
from tui.backends.opencode import messages, requests
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
    """A store that received the turn by its events only."""
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
def test_the_events_alone_produce_the_servers_transcript(name: str) -> None:
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


def test_a_permission_with_an_unknown_reply_is_gone_and_not_granted() -> None:
    frame = {"type": "permission.replied", "properties": {"sessionID": "ses_1", "requestID": "per_1"}}
    assert event_of(frame) == e.RequestRemoved("ses_1", "per_1")


def test_a_resync_ignores_the_request_of_an_aborted_turn() -> None:
    recorded = recording("abort")
    assert last_answer(recorded).failure == Failure("Aborted", "aborted")
    assert tool_of(recorded).error == "Tool execution aborted"
    stale = tuple(map(requests.question, recorded.answers["questions"]))
    assert (recorded.answers["permissions"], len(stale)) == ([], 1)
    statuses = wire.statuses(recorded.answers["status"])
    assert statuses == {}
    store = replayed(recorded)
    store.apply(e.Resynced(dict(statuses), stale))
    assert not store.requests
    store.apply(e.Resynced({recorded.session_id: Busy()}, stale))  # a later turn runs: the request is still stale
    assert not store.requests


def test_sync_copies_and_unknown_events_are_skipped() -> None:
    frames = recording("ask").events
    passed_over = {frame["payload"]["type"] for frame in frames if event_of(frame) is None}
    assert {"sync", "plugin.added", "session.diff"} <= passed_over
    assert event_of({"payload": {"type": "something.new", "properties": 3}}) is None
    assert event_of({}) is None
    assert event_of({"payload": "odd"}) is None


def frame(kind: str, **properties: Any) -> dict[str, Any]:
    """An event as sent by `/event`, without an envelope."""
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
def test_an_event_without_a_required_field_is_refused(sent: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        event_of(sent)


def test_mimos_provider_retry_event() -> None:
    reported = {"sessionID": "ses_1", "attempt": 2, "reason": "scripted 429", "nextDelayMs": 4368, "phase": "request"}
    event = event_of({"type": "session.retry.attempt", "properties": reported})
    assert isinstance(event, e.StatusChanged)
    assert isinstance(event.status, Retrying)
    assert (event.status.attempt, event.status.message) == (2, "scripted 429")
    assert event.status.next_at == pytest.approx(time.time() + 4.368, abs=1)
