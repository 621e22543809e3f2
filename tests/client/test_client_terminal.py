"""A command that the user must run at a terminal, with the stub's MiMo Code."""

import pytest

from tests.client_harness import ClientHarness, on_virtual_time
from tui.backends.opencode.mimo import MimoCode
from tui.core.model import Answers, QuestionRequest
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.credentials import BasicAuth
from tui.net.http_client import Http


async def waiting(harness: ClientHarness) -> tuple[Turn, QuestionRequest]:
    turn = harness.send("INTERACTIVE name")
    harness.client.reply(await harness.request(), "once")

    def question() -> list[QuestionRequest]:
        return [one for one in harness.client.store.requests.values() if isinstance(one, QuestionRequest)]

    await harness.until(question, within=60, what="the command")
    await harness.until(lambda: turn.state is TurnState.WAITING, what="the turn to wait for a person")
    return turn, question()[0]


@on_virtual_time("mimo")
async def test_a_terminal_command_waits_for_its_output_from_the_user(harness: ClientHarness) -> None:
    turn, request = await waiting(harness)
    assert request.session_id == harness.session_id
    harness.client.answer(request, (("Ada",),))
    assert (await harness.outcome(request.id)).state == "acknowledged"
    assert (await harness.over(turn)).state is TurnState.FINISHED
    assert harness.tool().output == "Ada"
    assert await harness.lists("bash-interactive") == []


@on_virtual_time("mimo")
async def test_a_rejected_terminal_command_lets_the_agent_continue(harness: ClientHarness) -> None:
    turn, request = await waiting(harness)
    harness.client.reject(request)
    assert (await harness.outcome(request.id)).state == "acknowledged"
    assert (await harness.over(turn)).state is TurnState.FINISHED
    assert "did not run" in harness.tool().output


@on_virtual_time("mimo")
async def test_a_terminal_command_is_listed_for_a_later_client(harness: ClientHarness) -> None:
    """Events reach only connected clients; the list does not name the session."""
    _, request = await waiting(harness)
    http = Http(f"http://127.0.0.1:{harness.server.port}", credentials=BasicAuth("mimocode", "secret"))
    newcomer = MimoCode(http)
    try:
        await newcomer.handshake()
        assert request in (await newcomer.resync([])).requests
    finally:
        await newcomer.close()


@pytest.mark.parametrize("given", [(("Ada",),), None])
@on_virtual_time("mimo")
async def test_the_result_of_a_command_is_found_after_a_lost_acknowledgement(
    harness: ClientHarness, given: Answers | None
) -> None:
    turn, request = await waiting(harness)
    harness.arm("mute-events")
    harness.arm("cut=/bash-interactive/,at=headers")
    if given is None:
        harness.client.reject(request)
    else:
        harness.client.answer(request, given)
    assert (await harness.outcome(request.id)).state == "acknowledged"
    assert (await harness.over(turn)).state is TurnState.FINISHED
