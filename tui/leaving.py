"""What a person should know before the client is left."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.client import Client


def warnings(client: "Client", *, demo: bool = False) -> list[str]:
    """What goes on without the client, and what waits for its return; empty when nothing does.

    `demo`: the server is this program's own, and ends with it.
    """
    found = []
    running = len(client.turns.running())
    if running and demo:
        return ["A turn runs. The demo's server ends with you, and the turn with it."]
    if running:
        ends = client.traits is not None and client.traits.cancels_on_disconnect
        up = client.line().up
        turns = "A turn runs." if running == 1 else f"{running} turns run."
        lost = "A turn ran" if running == 1 else f"{running} turns ran"
        goes_on = "It goes on at the server without you; a question will wait there."
        if not up:
            goes_on = "If the server is up, it goes on without you; a question will wait there."
        what = turns if up else f"{lost} when the line was lost."
        found.append(f"{what} {'This server ends a turn when you leave.' if ends else goes_on}")
    waiting = sum(len(client.prompts.waiting(one)) for one in client.prompts.sessions())
    if waiting:
        prompts = "A prompt waits" if waiting == 1 else f"{waiting} prompts wait"
        found.append(f"{prompts} here: kept, and not sent before you come back.")
    return found
