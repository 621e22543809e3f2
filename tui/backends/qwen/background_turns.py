"""Turns that qwen serve starts by itself, when a background agent reports to the model.

Such a turn has no prompt of the user; it has an id of the server's, named in each of its events. Its start is sent
in an update of the server's own, and on load as a user message: here it is a note in place of a prompt. A report
within a running turn is a note in that answer. A prompt sent meanwhile ends such a turn: the prompt is echoed, then
the turn's last events and its end arrive (measured on 0.24.4).

Without I/O and state.
"""

from collections.abc import Mapping
from typing import Any

from tui.backends.decoding import string
from tui.backends.numbers import moment
from tui.backends.qwen import schema as wire
from tui.core.model import Failure

TASK_COMPLETED = "background_task_completed"
"""Sent when the agent has finished; the notice repeats it when the model receives the report."""
BEGINS = "background_notification_turn_started"
NOTICE = "background_notification"
FAILED = "[notification error] "
"""Prefix of the text that is the only sign of an error in such a turn."""


def source(update: wire.Update) -> str:
    """The source that the server names in this update: one of the above, or another."""
    return string(update.meta, "source")


def began(data: object) -> float | None:
    """The start in epoch seconds, if the event with this `data` belongs to such a turn."""
    update = _of(data, "update")
    turn = _of(_of(update, "_meta"), "backgroundTurn") or _of(data, "backgroundTurn")
    return (moment(turn.get("startedAt")) or 0.0) if turn else None


def failure(text: str) -> Failure | None:
    """The error in a text of such a turn; None if it is part of the answer."""
    return wire.failure(text.removeprefix(FAILED)) if text.startswith(FAILED) else None


def _of(value: object, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
