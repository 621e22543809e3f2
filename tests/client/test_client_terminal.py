"""A command that the user must run at a terminal, with the stub's MiMo Code."""

import pytest

from tests.client_harness import Meeting, virtually
from tui.backends.opencode.mimo import MimoCode
from tui.core.model import Answers, QuestionRequest
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.credentials import BasicAuth
from tui.net.http_client import Http


async def waiting(meeting: Meeting) -> tuple[Turn, QuestionRequest]:
    turn = meeting.send("INTERACTIVE name")
    meeting.client.reply(await meeting.request(), "once")

    def question() -> list[QuestionRequest]:
        return [one for one in meeting.client.store.requests.values() if isinstance(one, QuestionRequest)]

    await meeting.until(question, within=60, what="the command")
    await meeting.until(lambda: turn.state is TurnState.WAITING, what="the turn to wait for a person")
    return turn, question()[0]


@virtually("mimo")
async def test_a_terminal_command_waits_for_its_output_from_the_user(meeting: Meeting) -> None:
    turn, request = await waiting(meeting)
    assert request.session_id == meeting.session_id
    meeting.client.answer(request, (("Ada",),))
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    assert (await meeting.over(turn)).state is TurnState.FINISHED
    assert meeting.tool().output == "Ada"
    assert await meeting.lists("bash-interactive") == []


@virtually("mimo")
async def test_a_rejected_terminal_command_lets_the_agent_continue(meeting: Meeting) -> None:
    turn, request = await waiting(meeting)
    meeting.client.reject(request)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    assert (await meeting.over(turn)).state is TurnState.FINISHED
    assert "did not run" in meeting.tool().output


@virtually("mimo")
async def test_a_terminal_command_is_listed_for_a_later_client(meeting: Meeting) -> None:
    """Events reach only connected clients; the list does not name the session."""
    _, request = await waiting(meeting)
    http = Http(f"http://127.0.0.1:{meeting.server.port}", credentials=BasicAuth("mimocode", "secret"))
    newcomer = MimoCode(http)
    try:
        await newcomer.handshake()
        assert request in (await newcomer.resync([])).requests
    finally:
        await newcomer.close()


@pytest.mark.parametrize("given", [(("Ada",),), None])
@virtually("mimo")
async def test_the_result_of_a_command_is_found_after_a_lost_acknowledgement(
    meeting: Meeting, given: Answers | None
) -> None:
    turn, request = await waiting(meeting)
    meeting.arm("mute-events")
    meeting.arm("cut=/bash-interactive/,at=headers")
    if given is None:
        meeting.client.reject(request)
    else:
        meeting.client.answer(request, given)
    assert (await meeting.outcome(request.id)).state == "acknowledged"
    assert (await meeting.over(turn)).state is TurnState.FINISHED
