"""Turns started by the server after an agent has worked in the background: on the stub and on a real server."""

from tests.contract_harness import Attached
from tui.core.model import NotePart, PermissionRequest, QuestionRequest
from tui.core.turn import Turn
from tui.core.turn_state import TurnState


def own_turns(here: Attached) -> list[Turn]:
    return [turn for turn in here.client.turns.of(here.session_id) if turn.prompt is None]


async def start_agent(here: Attached, report: str) -> None:
    """An agent is working, with permission if the server asks for it, and the turn that started it is over."""
    here.prompt(f"AGENT ({report})")

    def over_or_asked() -> bool:
        begun = here.turns(f"AGENT ({report})")  # none while the prompt is still queued here
        return bool(here.client.store.requests) or any(turn.over for turn in begun[-1:])

    await here.until(over_or_asked)
    for request in list(here.client.store.requests.values()):
        if isinstance(request, PermissionRequest):
            here.client.reply(request, "once")
    assert (await here.over(f"AGENT ({report})")).state is TurnState.FINISHED


async def what_it_asks_is_answered_and_what_is_queued_comes_after_it(here: Attached) -> None:
    await start_agent(here, "ASK1")
    question = await here.asked()
    assert isinstance(question, QuestionRequest)
    await here.until(lambda: [turn.state for turn in own_turns(here)] == [TurnState.WAITING])
    here.prompt("and then this")
    here.client.answer(question, (("SQLite",),))
    assert (await here.over("and then this")).state is TurnState.FINISHED
    assert [turn.state for turn in own_turns(here)] == [TurnState.FINISHED]
    [note] = [part.text for part in here.parts() if isinstance(part, NotePart)]
    assert note == 'Background agent "general-purpose: look around" completed.'
    assert [tool.answers for tool in here.tools() if tool.answers] == [(("SQLite",),)]
    assert len(here.prompts()) == 3
    await here.is_true()


async def a_prompt_that_is_sent_now_ends_it(here: Attached) -> None:
    await start_agent(here, "SLOW")
    await here.until(lambda: [turn.state for turn in own_turns(here)] == [TurnState.RUNNING])
    here.client.prompts.send_now(here.session_id, "and then this")
    assert (await here.over("and then this")).state is TurnState.FINISHED
    await here.until(lambda: [turn.state for turn in own_turns(here)] == [TurnState.ABORTED])
    await here.is_true()


async def after_a_restart_it_is_no_prompt_of_anybody(here: Attached) -> None:
    await start_agent(here, "PLAIN")
    await here.until(lambda: [turn.state for turn in own_turns(here)] == [TurnState.FINISHED])
    before = [(full.message.id, full.parts) for full in here.held() if full.message.role == "user"]
    here.server.crash()
    await here.lost()
    await here.server.restart()
    await here.live()
    await here.is_true()
    assert [(full.message.id, full.parts) for full in here.held() if full.message.role == "user"] == before
    assert [len(parts) for _, parts in before] == [1, 1]


STORIES = (
    what_it_asks_is_answered_and_what_is_queued_comes_after_it,
    a_prompt_that_is_sent_now_ends_it,
    after_a_restart_it_is_no_prompt_of_anybody,
)
