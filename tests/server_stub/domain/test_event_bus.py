from collections.abc import Callable
from itertools import count

import pytest

from server_stub.domain.event_bus import EventBus


@pytest.fixture
def bus() -> EventBus:
    return EventBus(_ids(), limit=None)


def _ids() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"evt_{next(numbers)}"


def test_a_subscription_gets_events_of_its_directory_and_of_none(bus: EventBus) -> None:
    with bus.subscribe("/a") as a, bus.subscribe() as everywhere:
        bus.publish("one", {}, "/a")
        bus.publish("two", {}, "/b")
        bus.publish("three", {})
    assert [event.payload["type"] for event in a.events] == ["one", "three"]
    assert [event.payload["type"] for event in everywhere.events] == ["one", "two", "three"]


def test_events_are_neither_replayed_nor_kept_after_unsubscribing(bus: EventBus) -> None:
    bus.publish("before", {})
    with bus.subscribe() as subscription:
        pass
    bus.publish("after", {})
    assert not subscription.events
    assert not bus.subscriptions


def test_durable_events_have_a_sync_copy_numbered_per_session(bus: EventBus) -> None:
    with bus.subscribe() as subscription:
        for session in ("ses_a", "ses_b", "ses_a"):
            bus.publish("message.updated", {"sessionID": session, "info": {}}, "/a")
        bus.publish("message.part.delta", {"sessionID": "ses_a"}, "/a")
    first, other, second, delta = subscription.events
    assert first.sync == {
        "type": "sync",
        "syncEvent": {
            "id": "evt_1",
            "type": "message.updated.1",
            "seq": 0,
            "aggregateID": "ses_a",
            "data": {"sessionID": "ses_a", "info": {}},
        },
        "id": "evt_1",
    }
    assert other.sync is not None
    assert other.sync["syncEvent"]["seq"] == 0
    assert second.sync is not None
    assert second.sync["syncEvent"]["seq"] == 1
    assert delta.sync is None


def test_a_muted_bus_drops_events(bus: EventBus) -> None:
    with bus.subscribe() as subscription:
        bus.muted = True
        bus.publish("lost", {})
        bus.muted = False
        bus.publish("heard", {})
    assert [event.payload["type"] for event in subscription.events] == ["heard"]


def test_a_bounded_queue_drops_the_oldest_silently() -> None:
    bus = EventBus(_ids(), limit=3)
    with bus.subscribe() as subscription:
        for number in range(5):
            bus.publish(str(number), {})
    assert [event.payload["type"] for event in subscription.events] == ["2", "3", "4"]
