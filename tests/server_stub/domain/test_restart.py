"""What the stub forgets in a crash and what it keeps: as seen on a real server that was killed."""

import asyncio

from server_stub.domain.agent import Agent, Prompt
from server_stub.domain.clock import PacedClock
from server_stub.domain.profiles import OPENCODE
from server_stub.domain.restart import after_crash
from server_stub.domain.state import ServerState, Session
from server_stub.scenarios.catalog import choose
from tests.waiting import wait_until


async def asking() -> tuple[ServerState, Agent, Session]:
    """A session whose turn waits for an answer."""
    server = ServerState(OPENCODE, PacedClock(100), "/project")
    agent = Agent(server, lambda text: choose(text, "plain"))
    session = server.create_session("/project")
    agent.accept(session, Prompt([{"type": "text", "text": "ASK1"}]))
    agent.start(session)
    await wait_until(lambda: server.requests.questions("/project"))
    return server, agent, session


async def test_sessions_and_messages_are_kept_and_a_tool_runs_for_ever() -> None:
    server, agent, session = await asking()
    found = after_crash(server)
    await agent.end([session])
    kept = found.session(session.id)
    assert kept.info == session.info
    [prompt, answer] = kept.ordered()
    assert (prompt.info["role"], "completed" in answer.info["time"]) == ("user", False)
    assert [part["state"]["status"] for part in answer.parts.values() if part["type"] == "tool"] == ["running"]


async def test_open_requests_and_statuses_are_forgotten() -> None:
    server, agent, session = await asking()
    assert server.statuses("/project")
    found = after_crash(server)
    assert found.requests.questions("/project") == []
    assert found.statuses("/project") == {}
    await agent.end([session])


async def test_a_prompt_whose_words_were_not_stored_yet_is_kept_without_them() -> None:
    """As seen on opencode 1.18.33 on a busy machine, killed between storing a message and its parts."""
    server = ServerState(OPENCODE, PacedClock(100), "/project")
    agent, session = Agent(server, lambda text: choose(text, "plain")), server.create_session("/project")
    server.halfway = True
    agent.accept(session, Prompt([{"type": "text", "text": "PLAIN"}]))
    agent.start(session)
    found = after_crash(server)
    await agent.end([session])
    server.halfway = False
    [kept] = found.session(session.id).ordered()
    assert (kept.info["role"], kept.parts) == ("user", {})


async def test_an_answer_may_have_ended_and_never_been_completed() -> None:
    """As seen there, too: killed between storing why the model stopped and when the answer was completed."""
    server, agent, session = await asking()
    server.halfway = True
    server.requests.reply_question(server.requests.questions("/project")[0]["id"], [["SQLite"]])
    await wait_until(lambda: session.ordered()[-1].info.get("finish") == "stop")
    found = after_crash(server)
    assert agent.is_busy(session)
    await agent.end([session])
    answer = found.session(session.id).ordered()[-1]
    assert (answer.info["finish"], "completed" in answer.info["time"]) == ("stop", False)
    assert [part["type"] for part in answer.parts.values()] == ["step-start", "text", "step-finish"]


async def test_what_the_dead_process_still_does_is_not_seen() -> None:
    server, agent, session = await asking()
    found = after_crash(server)
    await agent.end([session])
    assert [message.info for message in session.ordered()] != [
        message.info for message in found.session(session.id).ordered()
    ]


async def test_the_same_prompt_posted_again_runs_again_under_the_same_user_message() -> None:
    server, agent, session = await asking()
    found = after_crash(server)
    await agent.end([session])
    again, kept = Agent(found, lambda text: choose("PLAIN", "plain")), found.session(session.id)
    prompt = kept.ordered()[0]
    again.accept(kept, Prompt(list(prompt.parts.values()), message_id=prompt.info["id"]))
    answer = await asyncio.wait_for(again.answer(kept), 5)
    assert answer.info["parentID"] == prompt.info["id"]
    assert [message.info["role"] for message in kept.ordered()].count("user") == 1
