"""Frames and their order as recorded from `qwen serve` 0.24.4; limits as in its source."""

from typing import Any

import pytest

from server_stub.qwen.compaction import Replay
from server_stub.qwen.event_ring import MAX_BYTES_WAITING, MAX_READERS, EventRing, Reader, TooManyReaders

Json = dict[str, Any]


@pytest.fixture
def ring() -> EventRing:
    return EventRing(lambda: 1_795_000_000_000, size=5, replay=Replay(100, 10_000))


def publish(ring: EventRing, count: int) -> None:
    for _ in range(count):
        ring.publish("session_update", {"update": {"sessionUpdate": "plan"}})


def taken(reader: Reader) -> list[Json]:
    bodies = []
    while (event := reader.pop_event()) is not None:
        bodies.append(event.body)
    return bodies


def ids_or_types(reader: Reader) -> list[Any]:
    """Ids, or the type of events without one."""
    return [body.get("id", body["type"]) for body in taken(reader)]


def test_an_event_names_its_originator() -> None:
    ring = EventRing(lambda: 1_795_000_000_000, size=8000, replay=Replay(100, 10_000))
    reader = ring.subscribe()
    ring.publish("turn_complete", {"stopReason": "end_turn"}, prompt_id="p", originator="client_a")
    ring.publish("session_closed", {})
    meta = {"serverTimestamp": 1_795_000_000_000}
    assert taken(reader) == [
        {
            "id": 1,
            "v": 1,
            "type": "turn_complete",
            "promptId": "p",
            "originatorClientId": "client_a",
            "data": {"stopReason": "end_turn"},
            "_meta": meta,
        },
        {"id": 2, "v": 1, "type": "session_closed", "data": {}, "_meta": meta},
    ]


def test_a_reader_without_a_cursor_gets_new_events(ring: EventRing) -> None:
    publish(ring, 3)
    reader = ring.subscribe()
    publish(ring, 2)
    assert ids_or_types(reader) == [4, 5]


def test_a_cursor_replays_later_events_and_marks_the_end(ring: EventRing) -> None:
    publish(ring, 4)
    reader = ring.subscribe(2, ring.epoch)
    publish(ring, 1)
    bodies = taken(reader)
    assert [body.get("id") for body in bodies] == [3, 4, None, 5]
    assert bodies[2]["type"] == "replay_complete"
    assert bodies[2]["data"] == {"lastReplayedEventId": 4, "lastEventId": 4, "replayedCount": 2}


def test_a_cursor_at_the_end_has_nothing_to_replay(ring: EventRing) -> None:
    publish(ring, 4)
    [done] = taken(ring.subscribe(4, ring.epoch))
    assert (done["type"], done["data"]) == ("replay_complete", {"replayedCount": 0})


def test_the_epoch_is_optional(ring: EventRing) -> None:
    publish(ring, 3)
    assert ids_or_types(ring.subscribe(1)) == [2, 3, "replay_complete"]


@pytest.mark.parametrize(
    ("cursor", "epoch", "lost"),
    [
        (1, "another", {"reason": "epoch_reset", "detail": "epoch_mismatch", "lastDeliveredId": 1}),
        (9, None, {"reason": "epoch_reset", "lastDeliveredId": 9}),
    ],
)
def test_a_cursor_of_another_epoch_gets_the_whole_ring(
    ring: EventRing, cursor: int, epoch: str | None, lost: Json
) -> None:
    publish(ring, 2)
    first, *rest = taken(ring.subscribe(cursor, epoch))
    assert (first["type"], first["data"]) == ("state_resync_required", {**lost, "earliestAvailableId": 1})
    assert [body.get("id", body["type"]) for body in rest] == [1, 2, "replay_complete"]


def test_lost_events_are_reported_and_the_rest_replayed(ring: EventRing) -> None:
    publish(ring, 8)
    first, *rest = taken(ring.subscribe(2, ring.epoch))
    assert first["data"] == {"reason": "ring_evicted", "lastDeliveredId": 2, "earliestAvailableId": 4}
    assert [body.get("id", body["type"]) for body in rest] == [4, 5, 6, 7, 8, "replay_complete"]


def test_a_cursor_just_before_the_ring_has_lost_nothing(ring: EventRing) -> None:
    publish(ring, 8)
    assert ids_or_types(ring.subscribe(3, ring.epoch)) == [4, 5, 6, 7, 8, "replay_complete"]


def test_a_restored_transcript_is_not_in_the_ring(ring: EventRing) -> None:
    ring.seed([("session_update", {"update": {"sessionUpdate": "plan", "timestamp": 77}})] * 3)
    assert ring.last_id == 3
    assert [body["_meta"]["serverTimestamp"] for body in ring.replay.compacted_replay()] == [77] * 3
    assert ids_or_types(ring.subscribe(3, ring.epoch)) == ["replay_complete"]
    first, *_ = taken(ring.subscribe(1, ring.epoch))
    assert first["data"] == {
        "reason": "seeded_replay_not_in_ring",
        "lastDeliveredId": 1,
        "earliestAvailableId": 4,
    }
    publish(ring, 1)
    first, *rest = taken(ring.subscribe(1, ring.epoch))
    assert first["data"]["reason"] == "ring_evicted"
    assert [body.get("id") for body in rest] == [4, None]


def test_a_slow_reader_is_warned_again_after_it_has_caught_up(ring: EventRing) -> None:
    reader = ring.subscribe(limit=16)
    publish(ring, 13)
    bodies = taken(reader)
    [at] = [index for index, body in enumerate(bodies) if body["type"] == "slow_client_warning"]
    assert bodies[at - 1]["id"] == 12
    warning = bodies[at]["data"]
    assert warning.pop("queuedBytes") > 0
    assert warning == {
        "lastEventId": 12,
        "threshold": "frames",
        "queueSize": 12,
        "maxQueued": 16,
        "maxQueuedBytes": MAX_BYTES_WAITING,
    }
    publish(ring, 11)
    assert "slow_client_warning" not in ids_or_types(reader)
    publish(ring, 12)
    assert ids_or_types(reader).count("slow_client_warning") == 1


def test_a_reader_that_reads_nothing_is_evicted(ring: EventRing) -> None:
    gone: list[bool] = []
    reader = ring.subscribe(limit=16, when_evicted=lambda: gone.append(True))
    publish(ring, 16)
    assert not gone
    publish(ring, 3)
    assert gone == [True]
    assert (ring.readers, reader.ended) == (0, True)
    last = taken(reader)[-1]
    assert last["type"] == "client_evicted"
    assert (last["data"]["reason"], last["data"]["droppedAfter"]) == ("queue_overflow", 17)


def test_the_queue_is_limited_in_bytes_too(ring: EventRing) -> None:
    reader = ring.subscribe()
    for _ in range(3):
        ring.publish("huge", {"text": "x" * (MAX_BYTES_WAITING // 2 - 200)})
    kinds = [body["type"] for body in taken(reader)]
    assert kinds == ["huge", "huge", "slow_client_warning", "client_evicted"]


def test_replayed_events_do_not_count(ring: EventRing) -> None:
    publish(ring, 5)
    reader = ring.subscribe(0, ring.epoch, limit=3)
    publish(ring, 2)
    assert ids_or_types(reader) == [1, 2, 3, 4, 5, "replay_complete", 6, 7]


def test_the_number_of_readers_is_limited(ring: EventRing) -> None:
    readers = [ring.subscribe() for _ in range(MAX_READERS)]
    with pytest.raises(TooManyReaders):
        ring.subscribe()
    ring.unsubscribe(readers[0])
    assert not ring.subscribe().ended


def test_a_closed_ring_ends_readers_after_their_queued_events(ring: EventRing) -> None:
    reader = ring.subscribe()
    publish(ring, 1)
    ring.close()
    publish(ring, 1)
    assert (ids_or_types(reader), reader.ended) == ([1], True)
    assert ring.subscribe(0, ring.epoch).ended
