"""Event bus: hands each event to its subscribers. Knows no sessions and never waits for a reader.

A durable event changes stored state; `/global/event` sends it a second time as `sync`.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from server_stub.domain.json_encoding import Json

DURABLE = frozenset(
    {
        "session.created",
        "session.updated",
        "session.deleted",
        "message.updated",
        "message.removed",
        "message.part.updated",
        "message.part.removed",
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    payload: Json
    """`{"id", "type", "properties"}`."""
    directory: str | None = None
    """None for events of no directory: `server.connected`, `server.heartbeat`."""
    sync: Json | None = None
    """The durable copy that only `/global/event` sends."""
    last: bool = False
    """A stream of one directory ends after this event."""


class Subscription:
    """One reader's queue. `changed` is set when there are new events or a new heartbeat interval."""

    def __init__(self, directory: str | None, limit: int | None) -> None:
        self.directory = directory
        self.events: deque[Event] = deque(maxlen=limit)
        self.changed = asyncio.Event()

    def wants(self, event: Event) -> bool:
        return self.directory is None or event.directory in (None, self.directory)

    def put(self, event: Event) -> None:
        self.events.append(event)
        self.changed.set()


class EventBus:
    """Hands each event to every subscription that wants it.

    `muted` drops events while streams and their heartbeats go on, a fault seen in production. `listeners` are the
    server's own callbacks: called at once, `muted` or not.
    """

    def __init__(self, new_id: Callable[[], str], limit: int | None, *, shows_ids: bool = True) -> None:
        """`shows_ids`: events carry their ids, and so do their `sync` copies."""
        self._shows_ids = shows_ids
        self._new_id = new_id
        self._limit = limit
        self._sequences: Counter[str] = Counter()
        self.subscriptions: set[Subscription] = set()
        self.listeners: list[Callable[[Event], None]] = []
        self.muted = False

    @contextmanager
    def subscribe(self, directory: str | None = None) -> Iterator[Subscription]:
        """Subscribe to all further events, of one directory or (None) of all."""
        subscription = Subscription(directory, self._limit)
        self.subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self.subscriptions.discard(subscription)

    def event(self, kind: str, properties: Json, directory: str | None = None, *, last: bool = False) -> Event:
        """A new event, not published yet."""
        event_id = self._new_id()
        payload = {"id": event_id, "type": kind, "properties": properties}
        sync = self._sync(payload) if kind in DURABLE else None
        if not self._shows_ids:
            payload = {"type": kind, "properties": properties}
            sync = sync and {name: value for name, value in sync.items() if name != "id"}
        return Event(payload, directory, sync, last)

    def publish(self, kind: str, properties: Json, directory: str | None = None, *, last: bool = False) -> None:
        event = self.event(kind, properties, directory, last=last)
        for listener in self.listeners:
            listener(event)
        if self.muted:
            return
        for subscription in self.subscriptions:
            if subscription.wants(event):
                subscription.put(event)

    def refresh_intervals(self) -> None:
        """Make every stream read its heartbeat interval again."""
        for subscription in self.subscriptions:
            subscription.changed.set()

    def _sync(self, payload: Json) -> Json:
        aggregate: str = payload["properties"]["sessionID"]
        sequence = self._sequences[aggregate]
        self._sequences[aggregate] += 1
        return {
            "type": "sync",
            "syncEvent": {
                "id": payload["id"],
                "type": f"{payload['type']}.1",
                "seq": sequence,
                "aggregateID": aggregate,
                "data": payload["properties"],
            },
            "id": payload["id"],
        }
