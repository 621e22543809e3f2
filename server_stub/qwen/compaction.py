"""Replay journals for `load`: ended turns compacted, the running turn event by event. Without I/O.

As in `compactionEngine.ts` of qwen 0.24.4 (read, and measured): within an ended turn the chunks of one text become
one event under the last chunk's id, a tool call and its updates become one `tool_call` in the first one's place, and
of commands and modes only the latest remains. Beyond MAX_BYTES the oldest turns are dropped, with a notice.

So are the first events of a running turn that outgrows its journal; it is complete again once it has ended. The real
journal may grow with free memory; this one has fixed limits, as the real one if its command line sets them.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from server_stub.domain.json_encoding import Json, encode
from server_stub.qwen.stored_transcript import record_of

MAX_BYTES = 4 * 1024 * 1024
"""Limit of ended turns; the oldest are dropped first, and one is always kept."""
MAX_JOURNAL_BYTES = 8 * 1024 * 1024
CHUNKS_AN_ENTRY = 256
"""Limits of the running turn: bytes of its journal (one entry is always kept), and chunks per entry."""

TURN_ENDS = ("turn_complete", "turn_error")
TEXTS = ("agent_message_chunk", "agent_thought_chunk")
TOOLS = ("tool_call", "tool_call_update")
LATEST_ONLY = ("available_commands_update", "current_mode_update")


@dataclass(slots=True)
class _Entry:
    event: Json
    count: int
    """Number of merged events."""
    size: int
    """Their size in bytes."""


class CompactionJournal:
    """The kept events of the running turn; adjacent chunks are merged into one entry."""

    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._entries: deque[_Entry] = deque()
        self._bytes = 0
        self._dropped = 0

    def clear(self) -> None:
        self._entries.clear()
        self._bytes = self._dropped = 0

    def append(self, event: Json) -> None:
        size = len(encode(event))
        last = self._entries[-1] if self._entries else None
        if last is not None and self._fits(last, event, size):
            last.event = _joined(last.event, event)
            last.count += 1
            last.size += size
        else:
            self._entries.append(_Entry(event, 1, size))
        self._bytes += size
        while len(self._entries) > self._most_entries or (self._bytes > self._most_bytes and len(self._entries) > 1):
            dropped = self._entries.popleft()
            self._bytes -= dropped.size
            self._dropped += dropped.count

    def events(self, prompt_id: str | None, record_id: str | None) -> list[Json]:
        """`prompt_id` is the running prompt's, `record_id` the last one seen."""
        kept = [entry.event for entry in self._entries]
        if not self._dropped:
            return kept
        dropped: Json = {
            "reason": "replay_window_exceeded",
            "scope": "live_journal",
            "truncatedEvents": self._dropped,
            "retainedEvents": sum(entry.count for entry in self._entries),
            "maxBytes": self._most_bytes,
            "maxEvents": self._most_entries,
            **({} if record_id is None else {"recordId": record_id}),
            "fullTranscriptAvailable": True,
        }
        runs = {} if prompt_id is None else {"promptId": prompt_id}
        return [{"v": 1, "type": "history_truncated", "data": dropped, **runs}, *kept]

    def _fits(self, last: _Entry, event: Json, size: int) -> bool:
        room = last.count < CHUNKS_AN_ENTRY and last.size + size <= self._most_bytes
        return room and _is_plain(last.event) and _is_plain(event) and _continues(last.event, event)


class Replay:
    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._journal = CompactionJournal(most_entries, MAX_JOURNAL_BYTES)
        self._last_record: str | None = None
        self._anchor: str | None = None
        """The first record kept at the first drop, or else the last one dropped then."""
        self._ended: deque[list[Json]] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._dropped: list[int] = []
        """Number of events of each dropped turn."""
        self._running: list[Json] = []

    def seed(self, events: Iterable[Json]) -> None:
        """Add a restored transcript, without compaction."""
        for event in events:
            self._last_record = record_of(event) or self._last_record
            self._end([event])

    def ingest(self, event: Json) -> None:
        self._running.append(event)
        self._journal.append(event)
        if event["type"] in TURN_ENDS:
            self._end(compacted(self._running))
            self._running = []
            self._journal.clear()

    def compacted_replay(self) -> list[Json]:
        kept = [event for turn in self._ended for event in turn]
        if not self._dropped:
            return kept
        dropped: Json = {
            "reason": "replay_window_exceeded",
            "truncatedEvents": sum(self._dropped),
            "retainedEvents": len(kept),
            "maxBytes": self._most_bytes,
            "truncatedTurns": len(self._dropped),
            **({} if self._anchor is None else {"recordId": self._anchor}),
            "fullTranscriptAvailable": True,
        }
        return [{"v": 1, "type": "history_truncated", "data": dropped}, *kept]

    def live_journal(self, prompt_id: str | None = None) -> list[Json]:
        """Events after the last end of a turn; `prompt_id` is the running prompt's."""
        return self._journal.events(prompt_id, self._last_record)

    def _end(self, turn: list[Json]) -> None:
        self._ended.append(turn)
        self._sizes.append(sum(len(encode(event)) for event in turn))
        self._bytes += self._sizes[-1]
        last_dropped: str | None = None
        while self._bytes > self._most_bytes and len(self._ended) > 1:
            dropped = self._ended.popleft()
            last_dropped = next((one for one in map(record_of, reversed(dropped)) if one), last_dropped)
            self._dropped.append(len(dropped))
            self._bytes -= self._sizes.popleft()
        if self._dropped and self._anchor is None:
            kept = (record_of(event) for turn in self._ended for event in turn)
            self._anchor = next((one for one in kept if one), last_dropped)


def compacted(events: Iterable[Json]) -> list[Json]:
    """Compact one turn, including its end."""
    kept: list[Json] = []
    places: dict[str, int] = {}
    """Index in `kept` of each tool call and of each kind that keeps only the latest."""
    for event in events:
        kind = _kind(event)
        key = event["data"]["update"]["toolCallId"] if kind in TOOLS else kind if kind in LATEST_ONLY else None
        if key in places:
            earlier = kept[places[key]]
            kept[places[key]] = _merged_tool(earlier, event) if kind in TOOLS else event
            continue
        if key is not None:
            places[key] = len(kept)
        if kept and kind in TEXTS and _continues(kept[-1], event):
            kept[-1] = _joined(kept[-1], event)
        else:
            kept.append(event)
    return kept


def _kind(event: Json) -> str | None:
    if event["type"] != "session_update":
        return None
    kind: str = event["data"]["update"]["sessionUpdate"]
    return kind


def _is_plain(event: Json) -> bool:
    """A text chunk without usage; a chunk with usage is not merged while its turn runs."""
    return _kind(event) in TEXTS and "usage" not in event["data"]["update"].get("_meta", {})


def _continues(earlier: Json, event: Json) -> bool:
    if _is_discrete(earlier) or _is_discrete(event):
        return False
    return _kind(earlier) == _kind(event) and _parent(earlier) == _parent(event)


def _is_discrete(event: Json) -> bool:
    """A message sent whole, which is never merged."""
    return event["type"] == "session_update" and "qwenDiscreteMessage" in event["data"]["update"].get("_meta", {})


def _parent(event: Json) -> str | None:
    """The call id of the subagent that sent the event."""
    parent: str | None = event["data"]["update"].get("_meta", {}).get("parentToolCallId")
    return parent


def _joined(earlier: Json, later: Json) -> Json:
    before, after = earlier["data"]["update"], later["data"]["update"]
    text = before["content"]["text"] + after["content"]["text"]
    meta = {**before.get("_meta", {}), **after.get("_meta", {})}
    update = {**after, "content": {"type": "text", "text": text}, **({"_meta": meta} if meta else {})}
    return {**later, "data": {**later["data"], "update": update}}


def _merged_tool(earlier: Json, later: Json) -> Json:
    before, after = earlier["data"]["update"], later["data"]["update"]
    given = {name: value for name, value in after.items() if value is not None}
    meta = {**before.get("_meta", {}), **after.get("_meta", {})}
    update = {**before, **given, "_meta": meta, "sessionUpdate": "tool_call"}
    return {**later, "data": {**later["data"], "update": update}}
