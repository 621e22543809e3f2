"""Input that the focused widget does not use."""

from dataclasses import dataclass

from textual import events
from textual.message import Message


@dataclass
class UnusedInput(Message):
    """A key or paste for the widget that has the focus now: the app dispatches it again, before later input."""

    event: events.Key | events.Paste
