"""What `load` gives of a session's past: ended turns made small, the turn that runs event by event. Pure.

As in `compactionEngine.ts` of qwen 0.24.4 (read, and measured): within an ended turn the chunks of one text become
one event under the last one's id, a tool call and its updates become one `tool_call` in the first one's place, and
of commands and modes only the latest stays. Beyond MOST_BYTES the oldest turns are left out, and that is said.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from server_stub.wire import encode

Json = dict[str, Any]

MOST_BYTES = 4 * 1024 * 1024
"""Of ended turns; the oldest go first, and one always stays."""

TURN_ENDS = ("turn_complete", "turn_error")
TEXTS = ("agent_message_chunk", "agent_thought_chunk")
TOOLS = ("tool_call", "tool_call_update")
LATEST_ONLY = ("available_commands_update", "current_mode_update")


class Replay:
    def __init__(self, most_bytes: int | None = None) -> None:
        self._most_bytes = MOST_BYTES if most_bytes is None else most_bytes
        self._ended: deque[list[Json]] = deque()
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._dropped: list[int] = []
        """Events of each turn that was dropped."""
        self._running: list[Json] = []

    def seed(self, events: Iterable[Json]) -> None:
        """A restored transcript, shown as it is."""
        for event in events:
            self._end([event])

    def ingest(self, event: Json) -> None:
        self._running.append(event)
        if event["type"] in TURN_ENDS:
            self._end(compacted(self._running))
            self._running = []

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
            "fullTranscriptAvailable": True,
        }
        return [{"v": 1, "type": "history_truncated", "data": dropped}, *kept]

    def live_journal(self) -> list[Json]:
        """What came after the last end of a turn; chunks that follow each other are one."""
        journal: list[Json] = []
        for event in self._running:
            last = journal[-1] if journal else None
            if last is not None and _is_plain(last) and _is_plain(event) and _continues(last, event):
                journal[-1] = _joined(last, event)
            else:
                journal.append(event)
        return journal

    def _end(self, turn: list[Json]) -> None:
        self._ended.append(turn)
        self._sizes.append(sum(len(encode(event)) for event in turn))
        self._bytes += self._sizes[-1]
        while self._bytes > self._most_bytes and len(self._ended) > 1:
            self._dropped.append(len(self._ended.popleft()))
            self._bytes -= self._sizes.popleft()


def compacted(events: Iterable[Json]) -> list[Json]:
    """One turn, its end included."""
    kept: list[Json] = []
    places: dict[str, int] = {}
    """Where a tool call, or what only the latest counts of, has its place among `kept`."""
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
    """The chunk that tells what a round has used stands alone as long as its turn runs."""
    return _kind(event) in TEXTS and "usage" not in event["data"]["update"].get("_meta", {})


def _continues(earlier: Json, event: Json) -> bool:
    return _kind(earlier) == _kind(event) and _parent(earlier) == _parent(event)


def _parent(event: Json) -> str | None:
    """The call of the subagent that said it."""
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
