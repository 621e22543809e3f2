"""The event ring of one live session: events numbered from 1, kept for reconnecting readers, sent to current ones.

Never waits for a reader: a slow reader is warned, then evicted. Knows neither HTTP nor the meaning of events.
The limits are those of `qwen serve` 0.24.4 (its `eventBus.ts`, read).
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import dropwhile
from typing import Literal

from server_stub.domain.json_encoding import Json, encode
from server_stub.qwen.compaction import Replay
from server_stub.qwen.stored_transcript import TURN

MAX_READERS = 64
MAX_WAITING = 256
MAX_BYTES_WAITING = 2 * 1024 * 1024
WARN_AT = 0.75
WARN_AGAIN_BELOW = 0.375


class TooManyReaders(Exception):
    """The session has MAX_READERS already."""


@dataclass(frozen=True, slots=True)
class Event:
    body: Json
    data: bytes
    """`body`, encoded once for all readers."""


class Reader:
    """One event stream's queue. `changed` is set when there is something new.

    Only live events count towards the limits; replayed events and the ring's own notices do not.
    """

    def __init__(self, limit: int, when_evicted: Callable[[], None]) -> None:
        self.limit = limit
        self.when_evicted = when_evicted
        self.changed = asyncio.Event()
        self.ended = False
        """No more events follow the queued ones."""
        self.warned = False
        self._waiting: deque[tuple[Event, bool]] = deque()
        self.count = 0
        self.bytes = 0

    def pop_event(self) -> Event | None:
        """The next event, or None if the queue is empty."""
        if not self._waiting:
            self.changed.clear()
            return None
        event, live = self._waiting.popleft()
        if live:
            self.count -= 1
            self.bytes -= len(event.data)
        return event

    def overflow(self, event: Event) -> str | None:
        """The reason why this live event does not fit, if any."""
        if self.count >= self.limit:
            return "queue_overflow"
        if self.count and self.bytes + len(event.data) > MAX_BYTES_WAITING:
            return "queue_bytes_overflow"
        return None

    def put(self, event: Event, *, live: bool = False) -> None:
        self._waiting.append((event, live))
        if live:
            self.count += 1
            self.bytes += len(event.data)
        self.changed.set()

    def fill(self) -> tuple[float, float]:
        """Fill level of events and of bytes; 1 is full."""
        return self.count / self.limit, self.bytes / MAX_BYTES_WAITING

    def end(self) -> None:
        self.ended = True
        self.changed.set()


class EventRing:
    """The last `size` events of one session, with an epoch that is unique to the process."""

    def __init__(self, now: Callable[[], int], size: int, replay: Replay) -> None:
        """`now` returns epoch ms."""
        self.epoch = str(uuid.uuid4())
        self.last_id = 0
        self.replay = replay
        self._now = now
        self._events: deque[Event] = deque(maxlen=size)
        self._readers: set[Reader] = set()
        self._closed = False

    @property
    def readers(self) -> int:
        return len(self._readers)

    def seed(self, updates: list[tuple[str, Json]]) -> None:
        """Number a restored transcript's updates and add them to `replay`, but not to the ring."""
        seeded = []
        for kind, data in updates:
            own = data["update"].get("_meta", {}).get(TURN)
            whose = {} if own is None else {"promptId": own["turnId"]}
            event = self._number({"type": kind, **whose, "data": data})
            seeded.append({**event, "_meta": {"serverTimestamp": data["update"]["timestamp"]}})
        self.replay.seed(seeded)

    def publish(self, kind: str, data: Json, *, prompt_id: str | None = None, originator: str | None = None) -> None:
        """Number an event, keep it and send it to readers. Does nothing once the ring is closed."""
        if self._closed:
            return
        who = {"promptId": prompt_id, "originatorClientId": originator}
        known = {name: value for name, value in who.items() if value is not None}
        body = self._number({"type": kind, **known, "data": data})
        event = Event(body, encode(body))
        self._events.append(event)
        self.replay.ingest(body)
        for reader in list(self._readers):
            self._tell(reader, event)

    def subscribe(
        self,
        cursor: int | None = None,
        epoch: str | None = None,
        limit: int = MAX_WAITING,
        when_evicted: Callable[[], None] = lambda: None,
    ) -> Reader:
        """A reader of all further events, until `unsubscribe`; with a cursor, of the events after it first.

        `epoch` is the epoch of the cursor, if known. Raises TooManyReaders.
        """
        if len(self._readers) >= MAX_READERS:
            raise TooManyReaders
        reader = Reader(limit, when_evicted)
        if self._closed:
            reader.end()
        elif cursor is not None:
            self._replay(reader, cursor, epoch)
        self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: Reader) -> None:
        self._readers.discard(reader)

    def close(self) -> None:
        """End all readers after their queued events."""
        self._closed = True
        for reader in self._readers:
            reader.end()

    def _replay(self, reader: Reader, cursor: int, epoch: str | None) -> None:
        earliest = self._events[0].body["id"] if self._events else self.last_id + 1
        mismatch = epoch is not None and epoch != self.epoch
        lost: Json | None = None
        if mismatch or cursor > self.last_id:
            lost = {"reason": "epoch_reset", **({"detail": "epoch_mismatch"} if mismatch else {})}
        elif earliest > cursor + 1:
            lost = {"reason": "ring_evicted" if self._events else "seeded_replay_not_in_ring"}
        if lost is not None:
            where = {"lastDeliveredId": cursor, "earliestAvailableId": earliest}
            reader.put(self._unnumbered("state_resync_required", {**lost, **where}))
        after = 0 if lost is not None and lost["reason"] == "epoch_reset" else cursor
        replayed = list(dropwhile(lambda event: event.body["id"] <= after, self._events))
        for event in replayed:
            reader.put(event)
        done: Json = {"replayedCount": len(replayed)}
        if replayed:
            last = replayed[-1].body["id"]
            done = {"lastReplayedEventId": last, "lastEventId": last, **done}
        reader.put(self._unnumbered("replay_complete", done))

    def _tell(self, reader: Reader, event: Event) -> None:
        if reader.ended:
            return
        reason = reader.overflow(event)
        if reason is not None:
            detail = {"reason": reason, "droppedAfter": event.body["id"], **self._load(reader)}
            reader.put(self._unnumbered("client_evicted", detail))
            reader.end()
            self.unsubscribe(reader)
            reader.when_evicted()
            return
        reader.put(event, live=True)
        frames, size = reader.fill()
        if max(frames, size) <= WARN_AGAIN_BELOW:
            reader.warned = False
        if not reader.warned and max(frames, size) >= WARN_AT:
            reader.warned = True
            detail = {"lastEventId": event.body["id"], "threshold": _threshold(frames, size), **self._load(reader)}
            reader.put(self._unnumbered("slow_client_warning", detail))

    def _load(self, reader: Reader) -> Json:
        return {
            "queueSize": reader.count,
            "maxQueued": reader.limit,
            "queuedBytes": reader.bytes,
            "maxQueuedBytes": MAX_BYTES_WAITING,
        }

    def _number(self, body: Json) -> Json:
        self.last_id += 1
        return {"id": self.last_id, "v": 1, **body, "_meta": {"serverTimestamp": self._now()}}

    def _unnumbered(self, kind: str, data: Json) -> Event:
        """An event of the ring to one reader, without an id and not kept."""
        body = {"v": 1, "type": kind, "data": data, "_meta": {"serverTimestamp": self._now()}}
        return Event(body, encode(body))


def _threshold(frames: float, size: float) -> Literal["frames", "bytes", "frames_and_bytes"]:
    if frames >= WARN_AT and size >= WARN_AT:
        return "frames_and_bytes"
    return "frames" if frames >= WARN_AT else "bytes"
