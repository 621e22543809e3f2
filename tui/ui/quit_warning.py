"""Warnings shown before the client quits."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tui.core.sanitize import single_line
from tui.core.store import Store
from tui.core.turn_state import TurnState

if TYPE_CHECKING:
    from tui.client.client import Client

NAMED = 3
"""Maximum sessions named; more are counted."""
TITLE = 40
"""Maximum characters of a session title."""


def warnings(client: "Client", *, demo: bool = False, beginning: bool = False) -> list[str]:
    """Return what continues without the client, and what waits for the next start; may be empty.

    `demo`: the server is part of this program and ends with it. `beginning`: a prompt waits for its session.
    """
    found = []
    turns = client.turns.running()
    if (turns or beginning) and demo:
        return ["A turn runs. The demo server stops when you quit, and the turn with it."]
    sending = [turn for turn in turns if turn.state is TurnState.SENDING]
    if sending or beginning:
        found.append("A prompt is being sent. If it is not delivered, it is restored in the prompt at the next start.")
    turns = [turn for turn in turns if turn not in sending]
    running = len(turns)
    if running:
        ends = client.traits.cancels_on_disconnect if client.traits is not None else False
        up = client.connection_status().up
        where = titles(client.store, (turn.session_id for turn in turns))
        run = ("A turn runs" if up else "A turn ran") if running == 1 else f"{running} turns {'run' if up else 'ran'}"
        it_goes = "it continues" if running == 1 else "they continue"
        goes_on = f"{it_goes.capitalize()} on the server without you; questions stay open."
        if not up:
            goes_on = f"If the server is up, {it_goes} without you; questions stay open."
        what = f"{run}{where}." if up else f"{run}{where} when the connection was lost."
        if ends is None:
            goes_on = "This server may or may not end a turn when you quit."
        elif ends:
            goes_on = "This server ends a turn when you quit."
        found.append(f"{what}\n{goes_on}")
    aborts = [client.aborts.progress(one) for one in {turn.session_id for turn in client.turns.running()}]
    if any(abort is not None and abort.state != "delivered" for abort in aborts):
        found.append(
            "The server has not confirmed the abort.\n"
            "It is saved and will be sent at the next start if the turn is still running."
        )
    waiting = sum(len(client.prompts.waiting(one)) for one in client.prompts.sessions())
    if waiting:
        prompts = "1 queued prompt is" if waiting == 1 else f"{waiting} queued prompts are"
        found.append(f"{prompts} saved for the next start.")
    return found


def titles(store: Store, session_ids: Iterable[str]) -> str:
    """Return ` in “One” and “Other”`: up to three session titles; "" if none has a title."""
    ids = dict.fromkeys(session_ids)
    known = [store.sessions[one] for one in ids if one in store.sessions]
    names = [f"“{single_line(session.title, TITLE)}”" for session in known if session.title.strip()][:NAMED]
    if not names:
        return ""
    if len(ids) > len(names):
        names.append(f"{len(ids) - len(names)} more")
    *first, last = names
    return f" in {', '.join(first)} and {last}" if first else f" in {last}"
