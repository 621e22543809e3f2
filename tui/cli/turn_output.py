"""What `run` and `wait` write to standard output: the answer's text, one JSON object, or a stream of events.

Text is written as UTF-8 bytes, exactly as the server stored it. A failure to write is reported once, by a callback:
the events come from within the client, which must not fail for it.
"""

from collections.abc import Callable
from enum import Enum
from typing import BinaryIO

import msgspec

from tui.api.values import EndEvent, Event, Result, TextEvent
from tui.core.sanitize import single_line


class Format(Enum):
    """The format of standard output."""

    TEXT = "text"
    FINAL = "final"
    JSON = "json"
    STREAM = "stream-json"


class TurnOutput:
    """Writes to `stream`. `on_failure` is called with the first error; nothing is written after it."""

    def __init__(self, stream: BinaryIO, form: Format, *, on_failure: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._form = form
        self._on_failure = on_failure
        self._failed = False

    def event(self, event: Event) -> None:
        """Write what belongs to an event."""
        match self._form, event:
            case Format.TEXT, TextEvent(text=text):
                self._write(text.encode())
            case Format.FINAL, EndEvent(result=result) if result.outcome in ("finished", "denied"):
                self._write(result.final.encode())
            case Format.STREAM, _:
                self._write_json(event)

    def result(self, result: Result) -> None:
        """Write the whole result, if the format is one object."""
        if self._form is Format.JSON:
            self._write_json(result)

    def detached(self, session: str, prompt: str) -> None:
        """Write the ids of a turn that continues, if the format is text."""
        if self._form in (Format.TEXT, Format.FINAL):
            self._write(f"{single_line(session)} {single_line(prompt)}\n".encode())

    def _write_json(self, value: Event | Result) -> None:
        self._write(msgspec.json.encode(value) + b"\n")

    def _write(self, data: bytes) -> None:
        if self._failed or not data:
            return
        try:
            self._stream.write(data)
            self._stream.flush()
        except OSError as error:
            self._failed = True
            self._on_failure(error)
