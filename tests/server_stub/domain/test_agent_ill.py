"""The agent of a server that is ill: wedged, slow to store, with a model that fails."""

import pytest

from server_stub.domain.agent import Agent
from server_stub.domain.scripted_turn import ScriptedTurn
from server_stub.domain.state import BUSY, ServerState, Session
from tests.server_stub.conftest import HERE, turns_of_the_loop
from tests.server_stub.event_listener import watching
from tests.server_stub.prompting import answers, asked, prompted, saying
from tests.waiting import wait_until


async def test_a_model_error_is_in_the_message_and_an_event(
    agent: Agent, server: ServerState, session: Session
) -> None:
    with watching(server) as witness:
        answer = await (await prompted(agent, session, saying("FAIL 401")))
    assert answer.info["error"]["data"]["message"] == "401 Unauthorized"
    assert witness.of("session.error") == [{"sessionID": session.id, "error": answer.info["error"]}]
    assert witness.kinds[-6:] == [
        *("session.error", "session.status", "session.idle"),
        *("message.updated", "session.status", "session.idle"),
    ]
    assert not agent.is_busy(session)


async def test_wedged_prompts_are_stored_and_do_not_move(agent: Agent, server: ServerState, session: Session) -> None:
    server.wedged = True
    task = await prompted(agent, session, saying("hello"))
    await turns_of_the_loop(20)
    assert len(session.messages) == 1
    assert server.statuses(HERE) == {}
    server.wedged = False
    assert (await task).info["finish"] == "stop"


async def test_words_that_are_not_stored_yet_are_awaited(agent: Agent, server: ServerState, session: Session) -> None:
    server.halfway = True
    task = await prompted(agent, session, saying("hello"))
    await turns_of_the_loop(20)
    [prompt] = session.messages.values()
    assert prompt.parts == {}
    assert server.statuses(HERE) == {}
    server.halfway = False
    assert [part["text"] for part in prompt.parts.values()] == ["hello"]
    assert (await task).info["parentID"] == prompt.info["id"]


async def test_an_answer_that_is_not_stored_whole_has_not_ended(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await asked(agent, server, session)
    server.halfway = True
    server.requests.reply_question(server.requests.questions(HERE)[0]["id"], [["SQLite"]])
    await wait_until(lambda: answers(session)[-1].info.get("finish") == "stop")
    await turns_of_the_loop(20)
    assert "completed" not in answers(session)[-1].info["time"]
    assert server.statuses(HERE) == {session.id: BUSY}
    server.halfway = False
    assert "completed" in (await task).info["time"]


async def test_a_server_ill_in_two_ways_moves_once_it_is_well(
    agent: Agent, server: ServerState, session: Session
) -> None:
    server.halfway = server.wedged = True
    task = await prompted(agent, session, saying("hello"))
    server.halfway = False
    await turns_of_the_loop(20)
    assert server.statuses(HERE) == {}
    server.wedged = False
    assert (await task).info["finish"] == "stop"


async def test_a_broken_script_is_no_success(server: ServerState, session: Session) -> None:
    async def broken(turn: ScriptedTurn) -> None:
        raise LookupError("a mistake in the script")

    agent = Agent(server, lambda text: broken)
    with pytest.raises(LookupError):
        await (await prompted(agent, session, saying("hello")))
    assert not agent.is_busy(session)
    assert server.statuses(HERE) == {}
