"""Records the events of a server's bus."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server_stub.domain.event_bus import Subscription
from server_stub.domain.state import ServerState

Json = dict[str, Any]


class EventRecorder:
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    @property
    def payloads(self) -> list[Json]:
        return [event.payload for event in self._subscription.events]

    def of(self, kind: str) -> list[Json]:
        """The properties of each event of this type."""
        return [payload["properties"] for payload in self.payloads if payload["type"] == kind]

    @property
    def kinds(self) -> list[str]:
        return [payload["type"] for payload in self.payloads]

    def forget(self) -> None:
        self._subscription.events.clear()


@contextmanager
def recording(server: ServerState) -> Iterator[EventRecorder]:
    with server.bus.subscribe() as subscription:
        yield EventRecorder(subscription)
