"""What `load` gives of a session's past: ended turns made small, the turn that runs event by event. Pure.

As in `compactionEngine.ts` of qwen 0.24.4 (read, and measured): within an ended turn the chunks of one text become
one event under the last one's id, a tool call and its updates become one `tool_call` in the first one's place, and
of commands and modes only the latest stays.
"""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

TURN_ENDS = ("turn_complete", "turn_error")
TEXTS = ("agent_message_chunk", "agent_thought_chunk")
TOOLS = ("tool_call", "tool_call_update")
LATEST_ONLY = ("available_commands_update", "current_mode_update")


class Replay:
    def __init__(self) -> None:
        self._ended: list[Json] = []
        self._running: list[Json] = []

    def seed(self, events: Iterable[Json]) -> None:
        """A restored transcript, shown as it is."""
        self._ended.extend(events)

    def ingest(self, event: Json) -> None:
        self._running.append(event)
        if event["type"] in TURN_ENDS:
            self._ended += compacted(self._running)
            self._running = []

    def compacted_replay(self) -> list[Json]:
        return list(self._ended)

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
