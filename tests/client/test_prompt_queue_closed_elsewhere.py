"""qwen serve: a session with a prompt in the server's own queue is closed by another client."""

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.core import changes as c
from tui.core.turn_state import TurnState


@pytest.mark.parametrize("running", ["SLOW", "ASK1"])
@on_virtual_time("qwen")
async def test_a_prompt_queued_on_the_server_is_returned_if_its_session_closes(
    harness: ClientHarness, running: str
) -> None:
    first = harness.send(running)
    await harness.until(lambda: first.state in (TurnState.RUNNING, TurnState.WAITING), within=10)
    waits = harness.send("PLAIN please")
    await harness.until(lambda: waits.state is TurnState.RUNNING, within=10, what="the prompt to be taken")
    reply = await harness.http.delete(f"/session/{harness.session_id}")
    assert reply.status_code == 204
    await harness.over(waits)
    await harness.over(first)
    returned = [one.text for one in harness.changes if isinstance(one, c.DraftReturned)]
    assert (waits.state, returned) == (TurnState.NOT_SENT, ["PLAIN please"]), waits
    assert harness.client.journal.draft(harness.session_id) == "PLAIN please"
    assert "PLAIN please" not in harness.words()
    assert first.state is not TurnState.NOT_SENT
