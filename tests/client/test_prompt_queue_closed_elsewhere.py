"""qwen serve: a session with a prompt in the server's own queue is closed by another client."""

import pytest

from tests.client_harness import Meeting, virtually
from tui.core import changes as c
from tui.core.turn_state import TurnState


@pytest.mark.parametrize("running", ["SLOW", "ASK1"])
@virtually("qwen")
async def test_a_prompt_queued_on_the_server_is_returned_if_its_session_closes(meeting: Meeting, running: str) -> None:
    first = meeting.send(running)
    await meeting.until(lambda: first.state in (TurnState.RUNNING, TurnState.WAITING), within=10)
    waits = meeting.send("PLAIN please")
    await meeting.until(lambda: waits.state is TurnState.RUNNING, within=10, what="the prompt to be taken")
    reply = await meeting.http.delete(f"/session/{meeting.session_id}")
    assert reply.status_code == 204
    await meeting.over(waits)
    await meeting.over(first)
    returned = [one.text for one in meeting.told if isinstance(one, c.DraftReturned)]
    assert (waits.state, returned) == (TurnState.NOT_SENT, ["PLAIN please"]), waits
    assert meeting.client.journal.draft(meeting.session_id) == "PLAIN please"
    assert "PLAIN please" not in meeting.words()
    assert first.state is not TurnState.NOT_SENT
