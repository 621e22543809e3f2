"""The agent under faults: a wedged server, withheld writes, a failing model."""

import pytest

from server_stub.domain.agent import Agent
from server_stub.domain.scripted_turn import ScriptedTurn
from server_stub.domain.state import BUSY, ServerState, Session
from tests.server_stub.conftest import HERE, run_loop
from tests.server_stub.event_listener import recording
from tests.server_stub.prompting import answers, start_prompt, start_waiting_turn, text_prompt
from tests.waiting import wait_until


async def test_a_model_error_is_stored_in_the_message_and_published(
    agent: Agent, server: ServerState, session: Session
) -> None:
    with recording(server) as recorder:
        answer = await (await start_prompt(agent, session, text_prompt("FAIL 401")))
    assert answer.info["error"]["data"]["message"] == "401 Unauthorized"
    assert recorder.of("session.error") == [{"sessionID": session.id, "error": answer.info["error"]}]
    assert recorder.kinds[-6:] == [
        *("session.error", "session.status", "session.idle"),
        *("message.updated", "session.status", "session.idle"),
    ]
    assert not agent.is_busy(session)


async def test_a_wedged_server_stores_prompts_and_begins_none(
    agent: Agent, server: ServerState, session: Session
) -> None:
    server.wedged = True
    task = await start_prompt(agent, session, text_prompt("hello"))
    await run_loop(20)
    assert len(session.messages) == 1
    assert server.statuses(HERE) == {}
    server.wedged = False
    assert (await task).info["finish"] == "stop"


async def test_a_turn_waits_for_the_prompts_text_to_be_stored(
    agent: Agent, server: ServerState, session: Session
) -> None:
    server.torn_write = True
    task = await start_prompt(agent, session, text_prompt("hello"))
    await run_loop(20)
    [prompt] = session.messages.values()
    assert prompt.parts == {}
    assert server.statuses(HERE) == {}
    server.torn_write = False
    assert [part["text"] for part in prompt.parts.values()] == ["hello"]
    assert (await task).info["parentID"] == prompt.info["id"]


async def test_a_turn_ends_only_after_its_answer_is_completely_stored(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await start_waiting_turn(agent, server, session)
    server.torn_write = True
    server.requests.reply_question(server.requests.questions(HERE)[0]["id"], [["SQLite"]])
    await wait_until(lambda: answers(session)[-1].info.get("finish") == "stop")
    await run_loop(20)
    assert "completed" not in answers(session)[-1].info["time"]
    assert server.statuses(HERE) == {session.id: BUSY}
    server.torn_write = False
    assert "completed" in (await task).info["time"]


async def test_a_server_with_two_faults_resumes_after_both_are_lifted(
    agent: Agent, server: ServerState, session: Session
) -> None:
    server.torn_write = server.wedged = True
    task = await start_prompt(agent, session, text_prompt("hello"))
    server.torn_write = False
    await run_loop(20)
    assert server.statuses(HERE) == {}
    server.wedged = False
    assert (await task).info["finish"] == "stop"


async def test_an_exception_in_a_script_reaches_the_waiter(server: ServerState, session: Session) -> None:
    async def broken(turn: ScriptedTurn) -> None:
        raise LookupError("a mistake in the script")

    agent = Agent(server, lambda text: broken)
    with pytest.raises(LookupError):
        await (await start_prompt(agent, session, text_prompt("hello")))
    assert not agent.is_busy(session)
    assert server.statuses(HERE) == {}
