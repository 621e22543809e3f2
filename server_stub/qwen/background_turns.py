"""Turns that the daemon begins by itself: an agent has worked in the background, and the model is told its report.

Such a turn has no prompt. It says what it is in each update, and its words come whole, at the end of each round
of the model (measured on 0.24.4). What the agent does is not played: it reports what it was started with. Nor is a
report that comes while a turn runs told to that one: it waits for the turn's end.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from server_stub.domain.state import Session
from server_stub.qwen import updates
from server_stub.qwen.stored_transcript import NOTICES, TURN

Json = dict[str, Any]

REPORTS_AFTER = 2.0
"""Seconds from the end of the turn that started it to the agent's report."""


@dataclass(slots=True, eq=False)
class Report:
    """What an agent reports, and the turn that it becomes; `words` are the model's that are not told yet."""

    call_id: str
    label: str
    text: str
    source: str
    id: str = ""
    started_at: int = 0
    spoke: bool = False
    words: str = field(default="")

    def begin(self, session_id: str, now: int) -> None:
        self.id, self.started_at = f"{session_id}########notification{uuid.uuid4()}", now

    @property
    def turn(self) -> Json:
        where = {"turnId": self.id, "taskId": f"general-purpose-{self.call_id}", "kind": "agent"}
        origin = {"toolUseId": self.call_id, "sourceTurnId": self.source}
        return {**where, "startedAt": self.started_at, **origin, "label": self.label}

    def completed(self) -> Json:
        """Said when the work is done, whatever runs then."""
        return self._notice("background_task_completed")

    def opening(self) -> list[Json]:
        began = updates.text_chunk("text", self.label)
        meta = {"source": "background_notification_turn_started", "qwenDiscreteMessage": True}
        return [self._stamped({**began, "_meta": meta}), self._stamped(self._notice("background_notification"))]

    def stored(self) -> Json:
        """What the transcript keeps of it, in the message that the model is told: see `transcript`."""
        return {TURN: self.turn, NOTICES: [self.completed(), self._notice("background_notification")]}

    def told(self, update: Json) -> Iterator[Json]:
        """An update of the turn, as its clients see it: words wait for the end of their round."""
        meta = update.get("_meta", {})
        ends_round = "usage" in meta
        mine = update["sessionUpdate"] == "agent_message_chunk" and "parentToolCallId" not in meta
        if mine and not ends_round:
            self.words += update["content"]["text"]
            return
        if ends_round and self.words:
            yield self._response(self.words)
            self.words, self.spoke = "", True
        yield self._stamped(update)

    def closing(self) -> list[Json]:
        """The last word of a turn in which anything was said."""
        return [self._response("", complete=True)] if self.spoke else []

    def failed(self, message: str) -> Json:
        """All that is said of a provider's error: the turn ends as if there had been none."""
        return self._stamped(updates.text_chunk("text", f"[notification error] {message}"))

    def _notice(self, source: str) -> Json:
        said = updates.text_chunk("text", f'Background agent "general-purpose: {self.label}" completed.')
        task = {**self._task(), "description": f"general-purpose: {self.label}"}
        return {**said, "_meta": {"source": source, "qwenDiscreteMessage": True, "backgroundTask": task}}

    def _response(self, text: str, *, complete: bool = False) -> Json:
        task = {**self._task(), "label": self.label, "turnId": self.id, "turnComplete": complete}
        meta = {"source": "background_notification_response", "qwenDiscreteMessage": True, "backgroundTask": task}
        return self._stamped({**updates.text_chunk("text", text), "_meta": meta})

    def _task(self) -> Json:
        known = {"taskId": f"general-purpose-{self.call_id}", "sourceTurnId": self.source}
        return {**known, "status": "completed", "kind": "agent", "toolUseId": self.call_id}

    def _stamped(self, update: Json) -> Json:
        return {**update, "_meta": {**update.get("_meta", {}), "backgroundTurn": self.turn}}


def started(session: Session, source: str) -> list[Report]:
    """What agents that were started in the background will report, the newest last; `source` started them."""
    calls = [part for message in session.ordered() for part in message.parts.values() if part["type"] == "tool"]
    given = [(part["callID"], part["state"]["input"]) for part in calls if part["tool"] == "task"]
    return [
        Report(call_id, told["description"], told["prompt"], source)
        for call_id, told in given
        if told.get("run_in_background")
    ]
