"""State kept and lost in a crash, as measured on a real server that was killed."""

import asyncio

from server_stub.domain.agent import Agent, Prompt
from server_stub.domain.clock import PacedClock
from server_stub.domain.profiles import OPENCODE
from server_stub.domain.restart import after_crash
from server_stub.domain.state import ServerState, Session
from server_stub.scenarios.catalog import choose
from tests.waiting import MAX_WAIT, wait_until


async def asking() -> tuple[ServerState, Agent, Session]:
    """A session whose turn waits for an answer."""
    server = ServerState(OPENCODE, PacedClock(100), "/project")
    agent = Agent(server, lambda text: choose(text, "plain"))
    session = server.create_session("/project")
    agent.accept(session, Prompt([{"type": "text", "text": "ASK1"}]))
    agent.start(session)
    await wait_until(lambda: server.requests.questions("/project"))
    return server, agent, session


async def test_sessions_and_messages_are_kept_and_a_tool_stays_running() -> None:
    server, agent, session = await asking()
    found = after_crash(server)
    await agent.end([session])
    kept = found.session(session.id)
    assert kept.info == session.info
    [prompt, answer] = kept.ordered()
    assert (prompt.info["role"], "completed" in answer.info["time"]) == ("user", False)
    assert [part["state"]["status"] for part in answer.parts.values() if part["type"] == "tool"] == ["running"]


async def test_open_requests_and_statuses_are_lost() -> None:
    server, agent, session = await asking()
    assert server.statuses("/project")
    found = after_crash(server)
    assert found.requests.questions("/project") == []
    assert found.statuses("/project") == {}
    await agent.end([session])


async def test_a_prompt_without_stored_parts_is_kept_without_them() -> None:
    """As measured on opencode 1.18.33, killed between storing a message and its parts."""
    server = ServerState(OPENCODE, PacedClock(100), "/project")
    agent, session = Agent(server, lambda text: choose(text, "plain")), server.create_session("/project")
    server.torn_write = True
    agent.accept(session, Prompt([{"type": "text", "text": "PLAIN"}]))
    agent.start(session)
    found = after_crash(server)
    await agent.end([session])
    server.torn_write = False
    [kept] = found.session(session.id).ordered()
    assert (kept.info["role"], kept.parts) == ("user", {})


async def test_an_answer_can_have_a_finish_without_completion_time() -> None:
    """As measured there, too: killed between storing the finish and the completion time."""
    server, agent, session = await asking()
    server.torn_write = True
    server.requests.reply_question(server.requests.questions("/project")[0]["id"], [["SQLite"]])
    await wait_until(lambda: session.ordered()[-1].info.get("finish") == "stop")
    found = after_crash(server)
    assert agent.is_busy(session)
    await agent.end([session])
    answer = found.session(session.id).ordered()[-1]
    assert (answer.info["finish"], "completed" in answer.info["time"]) == ("stop", False)
    assert [part["type"] for part in answer.parts.values()] == ["step-start", "text", "step-finish"]


async def test_runs_of_the_killed_process_do_not_change_the_new_state() -> None:
    server, agent, session = await asking()
    found = after_crash(server)
    await agent.end([session])
    assert [message.info for message in session.ordered()] != [
        message.info for message in found.session(session.id).ordered()
    ]


async def test_a_repeated_prompt_runs_again_with_the_same_user_message() -> None:
    server, agent, session = await asking()
    found = after_crash(server)
    await agent.end([session])
    second_agent, kept = Agent(found, lambda text: choose("PLAIN", "plain")), found.session(session.id)
    prompt = kept.ordered()[0]
    second_agent.accept(kept, Prompt(list(prompt.parts.values()), message_id=prompt.info["id"]))
    answer = await asyncio.wait_for(second_agent.answer(kept), MAX_WAIT)
    assert answer.info["parentID"] == prompt.info["id"]
    assert [message.info["role"] for message in kept.ordered()].count("user") == 1
