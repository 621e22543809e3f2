"""Shows the prompts that are being sent in the transcript, until the server's record has them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.client.client import Client
    from tui.widgets.transcript.view import TranscriptView


HELD = "held"
"""Stands for the id of a prompt that waits for its session to be created."""


def show_pending(client: "Client", transcript: "TranscriptView", session_id: str, held: str) -> None:
    """Show each prompt of a running turn that is not stored yet, under the id that the server will use for it.

    `held`: the prompt that waits for its session; "" if none does.
    """
    if held:
        transcript.show_pending(HELD, held)
    else:
        transcript.drop_pending(HELD)
    for turn in client.turns.of(session_id):
        if turn.prompt is None or turn.over:
            continue
        if turn.prompt_id != turn.prompt.message_id:
            transcript.drop_pending(turn.prompt.message_id)
        stored = client.store.transcript(session_id)
        if stored is None or not stored.parts_of(turn.prompt_id):
            transcript.show_pending(turn.prompt_id, turn.prompt.text)
