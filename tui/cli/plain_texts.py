"""Longer texts of the plain client, and the numbers of its lists."""

from collections.abc import Sequence
from typing import TypeVar

from tui.backends.base import Traits
from tui.cli.printing import seconds_text, turn_state
from tui.core.changes import DraftReturned
from tui.core.connection_status import ConnectionStatus
from tui.core.sanitize import single_line
from tui.core.turn import Turn

Item = TypeVar("Item")

HELP = """\
A line is sent as a prompt, after the running turn. A \\ at its end continues it on the next line.
While a request is open: a number, a label, or = and custom text answers it.
/new [TITLE]   begin a new session      /sessions      list the newest sessions
/open N | ID   open another session     /status        connection, turn and open requests
/queue         list queued prompts      /resume        send prompts that are paused
/remove N      remove a queued prompt   /draft         send the text that was not sent
/prompt TEXT   send TEXT as a prompt, even if it starts with /
/reject [WHY]  reject the open request  /abort         abort the running turn (Ctrl-C)
/help          this list                /quit          leave (Ctrl-D); a running turn continues"""

REPLY_STATES = {
    "retrying": "no response from the server, trying again",
    "elsewhere": "not accepted: another client answered first",
    "expired": "not accepted: the request is closed",
    "refused": "refused by the server",
    "stopped": "not sent",
}


def status_text(connection: ConnectionStatus, turn: Turn | None, now: float, tool: str) -> str:
    """The connection, and the turn that runs, in which `tool` runs."""
    words = [f"connection {connection.state.value}", single_line(connection.reason)]
    if turn is not None and not turn.over:
        words += [f"turn {turn_state(turn.state.value)} for {seconds_text(now - turn.started)}", single_line(tool)]
    return " · ".join(filter(None, words))


def returned_text(change: DraftReturned) -> str:
    """Why a prompt is a draft again: not sent, or not known to have arrived."""
    quoted = single_line(change.text, 200)
    if change.may_have_arrived:
        return f"unknown whether the server has it: {change.reason}: {quoted}; /draft sends it again and may double it"
    return f"not sent: {change.reason}: {quoted}; /draft sends it"


def turn_without_client(traits: Traits | None) -> str:
    """What becomes of a running turn when the client exits."""
    ends = None if traits is None else traits.cancels_on_disconnect
    if ends is False:
        return "the turn continues on the server"
    return f"this server {'ends' if ends else 'may end'} the turn when the client disconnects"


def numbered(items: Sequence[Item], number: str) -> Item | None:
    """The item that a list shows under `number`, as it was typed; None if there is none."""
    return next((item for place, item in enumerate(items, 1) if str(place) == number), None)
