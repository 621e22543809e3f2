"""Turns started by the server after an agent has worked in the background: on the stub and on a real server."""

from tests.contract_harness import ContractHarness
from tui.core.model import NotePart, PermissionRequest, QuestionRequest
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


def server_turns(harness: ContractHarness) -> list[Turn]:
    return [turn for turn in harness.client.turns.of(harness.session_id) if turn.prompt is None]


async def start_agent(harness: ContractHarness, report: str) -> None:
    """An agent is working, with permission if the server asks for it, and the turn that started it is over."""
    harness.prompt(f"AGENT ({report})")

    def over_or_asked() -> bool:
        begun = harness.turns(f"AGENT ({report})")  # none while the prompt is still queued here
        return bool(harness.client.store.requests) or any(turn.over for turn in begun[-1:])

    await harness.until(over_or_asked)
    for request in list(harness.client.store.requests.values()):
        if isinstance(request, PermissionRequest):
            harness.client.reply(request, "once")
    assert (await harness.over(f"AGENT ({report})")).state is TurnState.FINISHED


async def its_question_is_answered_before_queued_prompts_are_sent(harness: ContractHarness) -> None:
    await start_agent(harness, "ASK1")
    question = await harness.open_request()
    assert isinstance(question, QuestionRequest)
    await harness.until(lambda: [turn.state for turn in server_turns(harness)] == [TurnState.WAITING])
    harness.prompt("and then this")
    harness.client.answer(question, (("SQLite",),))
    assert (await harness.over("and then this")).state is TurnState.FINISHED
    assert [turn.state for turn in server_turns(harness)] == [TurnState.FINISHED]
    [note] = [part.text for part in harness.parts() if isinstance(part, NotePart)]
    assert note == 'Background agent "general-purpose: look around" completed.'
    assert [tool.answers for tool in harness.tools() if tool.answers] == [(("SQLite",),)]
    assert len(harness.prompts()) == 3
    await harness.matches_server()


async def a_prompt_sent_now_ends_it(harness: ContractHarness) -> None:
    await start_agent(harness, "SLOW")
    await harness.until(lambda: [turn.state for turn in server_turns(harness)] == [TurnState.RUNNING])
    harness.client.prompts.send_now(harness.session_id, "and then this")
    assert (await harness.over("and then this")).state is TurnState.FINISHED
    await harness.until(lambda: [turn.state for turn in server_turns(harness)] == [TurnState.ABORTED])
    await harness.matches_server()


async def after_a_restart_it_has_no_prompt(harness: ContractHarness) -> None:
    await start_agent(harness, "PLAIN")
    await harness.until(lambda: [turn.state for turn in server_turns(harness)] == [TurnState.FINISHED])
    before = [(full.message.id, full.parts) for full in harness.held() if full.message.role == "user"]
    harness.server.crash()
    await harness.lost()
    await harness.server.restart()
    await harness.live()
    await harness.matches_server()
    assert [(full.message.id, full.parts) for full in harness.held() if full.message.role == "user"] == before
    assert [len(parts) for _, parts in before] == [1, 1]


SERVER_TURN_TESTS = (
    its_question_is_answered_before_queued_prompts_are_sent,
    a_prompt_sent_now_ends_it,
    after_a_restart_it_has_no_prompt,
)
