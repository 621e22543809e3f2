"""What a real opencode 1.18.33 said in one turn, with the paths of its machine replaced.

`events` are the frames of `/global/event` about the session, the repetitive ones once; `answers` holds the bodies
that its routes gave: `prompt` is that of the held POST, `messages` the transcript afterwards.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
