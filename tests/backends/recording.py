"""Recordings of turns of a real opencode 1.18.33, with the paths of its machine replaced.

`events` are the frames of `/global/event` about the session, repetitive ones once; `answers` are response bodies:
`prompt` that of the held POST, `messages` the transcript afterwards.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.backends.opencode.messages import full_message
from tui.core.model import Message, ToolPart

FOLDER = Path(__file__).with_name("recorded")
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@dataclass(frozen=True, slots=True)
class Recording:
    events: list[Any]
    answers: dict[str, Any]

    @property
    def session_id(self) -> str:
        found = self.answers["messages"][0]["info"]["sessionID"]
        assert isinstance(found, str)
        return found

    def of_type(self, kind: str) -> list[Any]:
        """The properties of the events of one type."""
        return [frame["payload"]["properties"] for frame in self.events if frame["payload"]["type"] == kind]


def recording(name: str) -> Recording:
    return Recording(**json.loads((FOLDER / f"{name}.json").read_text()))


def last_answer(recorded: Recording) -> Message:
    return full_message(recorded.answers["messages"][-1]).message


def tool_of(recorded: Recording, answer: str = "messages") -> ToolPart:
    parts = [part for item in recorded.answers[answer] for part in full_message(item).parts]
    return next(part for part in parts if isinstance(part, ToolPart))
