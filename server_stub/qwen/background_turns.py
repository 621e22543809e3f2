"""Turns that the daemon starts by itself, when a background agent reports to the model.

Such a turn has no prompt. Every update names the turn, and its text is sent whole, at the end of each round
of the model (measured on 0.24.4). The agent's work is not played: it reports the prompt it was started with. A
report during a running turn waits for the turn's end.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from server_stub.domain.json_encoding import Json
from server_stub.domain.state import Session
from server_stub.qwen import updates
from server_stub.qwen.stored_transcript import NOTICES, TURN

REPORTS_AFTER = 2.0
"""Seconds from the end of the turn that started an agent to its report."""


@dataclass(slots=True, eq=False)
class Report:
    """An agent's report, and the turn that it starts; `words` is the model's text not sent yet."""

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
        """The update sent when the agent has finished."""
        return self._notice("background_task_completed")

    def opening(self) -> list[Json]:
        began = updates.text_chunk("text", self.label)
        meta = {"source": "background_notification_turn_started", "qwenDiscreteMessage": True}
        return [self._stamped({**began, "_meta": meta}), self._stamped(self._notice("background_notification"))]

    def stored(self) -> Json:
        """The fields that the transcript stores in the message of the report; see `stored_transcript`."""
        return {TURN: self.turn, NOTICES: [self.completed(), self._notice("background_notification")]}

    def translate(self, update: Json) -> Iterator[Json]:
        """The updates that clients get for an update of the turn: text is held until the end of its round."""
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
        """The last update of a turn that has sent text."""
        return [self._response("", complete=True)] if self.spoke else []

    def failed(self, message: str) -> Json:
        """The update after a provider's error: its only sign, since the turn ends as if completed."""
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
    """Reports of the session's background agents, the newest last; `source` is the prompt that started them."""
    calls = [part for message in session.ordered() for part in message.parts.values() if part["type"] == "tool"]
    tasks = [(part["callID"], part["state"]["input"]) for part in calls if part["tool"] == "task"]
    return [
        Report(call_id, task["description"], task["prompt"], source)
        for call_id, task in tasks
        if task.get("run_in_background")
    ]
