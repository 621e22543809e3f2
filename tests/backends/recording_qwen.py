"""Recordings of sessions of a real qwen serve 0.24.4, with the paths of its machine replaced.

`session` is the response to `POST /session`; `events` are the frames of its stream from the start; `loads` are
responses to `load` at named moments; `status` is the session's status while a request was open.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tui.backends.decoding import read
from tui.backends.qwen import schema as wire
from tui.backends.qwen.session_reducer import SessionReducer, picture
from tui.core import events as e
from tui.core.model import FullMessage

FOLDER = Path(__file__).with_name("recorded_qwen")
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@dataclass(frozen=True, slots=True)
class Recording:
    session: dict[str, Any]
    events: list[Any]
    loads: dict[str, Any]
    status: dict[str, Any]

    @property
    def session_id(self) -> str:
        found = self.session["sessionId"]
        assert isinstance(found, str)
        return found

    def frames(self) -> list[wire.Frame]:
        return [read(raw, wire.Frame) for raw in self.events]

    def reduce(self, frames: list[wire.Frame] | None = None) -> tuple[SessionReducer, list[e.Event]]:
        """The reducer's state after the stream, and all resulting events."""
        reducer = SessionReducer(self.session_id)
        return reducer, [event for frame in frames or self.frames() for event in reducer.take(frame)]

    def streamed(self) -> tuple[FullMessage, ...]:
        return picture(self.session_id, self.reduce()[1])

    def loaded(self, moment: str) -> tuple[SessionReducer, list[e.Event]]:
        response = read(self.loads[moment], wire.Loaded)
        reducer = SessionReducer(self.session_id, response.terminals())
        frames = [read(raw, wire.Frame) for raw in (*response.compacted_replay, *response.live_journal)]
        events = [event for frame in frames for event in reducer.take(frame)]
        return reducer, events if response.has_active_prompt else [*events, *reducer.finish()]


def recording(name: str) -> Recording:
    return Recording(**json.loads((FOLDER / f"{name}.json").read_text()))
