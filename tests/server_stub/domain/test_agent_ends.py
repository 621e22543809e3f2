"""Turns ended by an abort, a dismissed question, or the disposal of their directory."""

import pytest

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError
from server_stub.domain.state import ServerState, Session
from tests.server_stub.conftest import HERE
from tests.server_stub.event_listener import recording
from tests.server_stub.prompting import answers, start_prompt, start_waiting_turn, text_prompt
from tests.waiting import wait_until


class TestAbort:
    async def test_is_published_before_the_parts_are_closed(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        task = await start_waiting_turn(agent, server, session)
        with recording(server) as recorder:
            agent.abort(session)
            answer = await task
        assert recorder.kinds == [
            *("session.error", "session.status", "session.idle"),
            *("message.part.updated", "message.updated"),
            *("session.status", "session.idle"),
        ]
        assert answer.info["error"] == {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
        assert "finish" not in answer.info
        tool = list(answer.parts.values())[-1]
        assert tool["state"]["error"] == "Tool execution aborted"
        assert server.statuses(HERE) == {}

    async def test_leaves_the_question_listed(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await start_waiting_turn(agent, server, session)
        agent.abort(session)
        await task
        [ghost] = server.requests.questions(HERE)
        server.requests.reply_question(ghost["id"], [["SQLite"]])
        assert not agent.is_busy(session)
        assert server.requests.questions(HERE) == []

    async def test_during_a_provider_retry_is_not_an_error(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        task = await start_prompt(agent, session, text_prompt("FAIL 429"))
        await wait_until(lambda: session.status["type"] == "retry")
        with recording(server) as recorder:
            agent.abort(session)
            answer = await task
        assert recorder.kinds == ["message.updated", "session.status", "session.idle"]
        assert "error" not in answer.info
        assert "finish" not in answer.info
        assert "completed" in answer.info["time"]

    async def test_of_an_idle_session_only_publishes_idle(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        with recording(server) as recorder:
            agent.abort(session)
        assert recorder.kinds == ["session.status", "session.idle"]

    async def test_reaches_the_child_session(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await start_waiting_turn(agent, server, session, "CHILD")
        [child] = server.children(session)
        agent.abort(session)
        await task
        await wait_until(lambda: not agent.is_busy(child))
        assert answers(child)[-1].info["error"]["name"] == "MessageAbortedError"
        assert server.statuses(HERE) == {}

    async def test_a_prompt_at_the_same_instant_is_answered(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        task = await start_waiting_turn(agent, server, session)
        agent.abort(session)
        agent.accept(session, text_prompt("hello", "msg_next"))
        agent.start(session)
        answer = await agent.answer(session)
        assert answer.info["parentID"] == "msg_next"
        assert answer.info["finish"] == "stop"
        assert (await task).info["id"] in session.messages

    async def test_then_the_next_prompt_runs(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await start_waiting_turn(agent, server, session)
        agent.abort(session)
        answer = await (await start_prompt(agent, session, text_prompt("hello", "msg_next")))
        await task
        assert answer.info["parentID"] == "msg_next"
        assert answer.info["finish"] == "stop"


async def test_a_dismissed_question_ends_the_turn_without_an_error(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await start_waiting_turn(agent, server, session)
    server.requests.reject_question(server.requests.questions(HERE)[0]["id"])
    answer = await task
    assert answer.info["finish"] == "tool-calls"
    assert "error" not in answer.info
    assert not agent.is_busy(session)


async def test_disposing_ends_turns_and_drops_requests(agent: Agent, server: ServerState, session: Session) -> None:
    task = await start_waiting_turn(agent, server, session)
    with recording(server) as recorder:
        await agent.dispose(HERE)
    assert (await task).info["error"]["name"] == "MessageAbortedError"
    assert server.requests.questions(HERE) == []
    assert server.statuses(HERE) == {}
    assert recorder.kinds == [
        *("session.error", "session.status", "session.idle"),
        *("message.part.updated", "message.updated"),
        *("session.status", "session.idle"),
        "server.instance.disposed",
    ]
    assert recorder.of("server.instance.disposed") == [{"directory": HERE}]


async def test_disposing_publishes_one_abort_per_session(agent: Agent, server: ServerState, session: Session) -> None:
    task = await start_waiting_turn(agent, server, session, "CHILD")
    [child] = server.children(session)
    with recording(server) as recorder:
        await agent.dispose()
    assert [event["sessionID"] for event in recorder.of("session.error")] == [session.id, child.id]
    assert recorder.kinds[-2:] == ["server.instance.disposed", "global.disposed"]
    assert (await task).info["error"]["name"] == "MessageAbortedError"


async def test_disposing_ends_the_run_of_a_deleted_session(agent: Agent, server: ServerState, session: Session) -> None:
    task = await start_waiting_turn(agent, server, session)
    server.delete_session(session)
    await agent.dispose(HERE)
    with pytest.raises(ApiError):
        await task
    assert server.statuses(HERE) == {}


async def test_disposing_one_directory_leaves_the_others_running(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await start_waiting_turn(agent, server, session)
    await agent.dispose("/elsewhere")
    assert not task.done()
    assert len(server.requests.questions(HERE)) == 1
    await agent.dispose()
    assert task.done() or (await task)
