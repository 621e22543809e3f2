"""Turns that qwen serve begins by itself: an agent worked in the background, and the model hears what came of it.

Nobody wrote a prompt for such a turn; it stands under an id of the server's, and each of its events says so. What
it began with is told in a line of the server's own, and from the disk as if the user said it: here it is a note in
the place of a prompt. Told within a turn that runs, it is a note in that answer. A prompt that comes meanwhile
ends such a turn: the prompt is echoed, then the last of the turn comes, and its end (measured on 0.24.4).

No network, no memory.
"""

from collections.abc import Mapping
from typing import Any

from tui.backends.numbers import moment
from tui.backends.qwen import schema as wire
from tui.core.model import Failure

SAID_AGAIN = "background_task_completed"
"""Comes when the work is done, whatever runs then; the notice says the same where the model hears of it."""
BEGINS = "background_notification_turn_started"
NOTICE = "background_notification"
FAILED = "[notification error] "
"""How the words begin that are all the server says of an error in such a turn: it ends as if none had been."""


def source(update: wire.Update) -> str:
    """What the server says of itself in this update: one of the above, or else nothing that counts here."""
    return wire.string(update.meta, "source")


def began(data: object) -> float | None:
    """When the turn began, in epoch seconds, should the event with this `data` be of one that the server began."""
    update = _of(data, "update")
    turn = _of(_of(update, "_meta"), "backgroundTurn") or _of(data, "backgroundTurn")
    return (moment(turn.get("startedAt")) or 0.0) if turn else None


def failure(text: str) -> Failure | None:
    """The error that these words of such a turn tell; None where they are the answer's."""
    return wire.failure(text.removeprefix(FAILED)) if text.startswith(FAILED) else None


def _of(value: object, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}
