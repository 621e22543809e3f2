"""Turns that are ended: by an abort, a dismissal, or as their directory is disposed of."""

import pytest

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError
from server_stub.domain.state import ServerState, Session
from tests.server_stub.conftest import HERE
from tests.server_stub.event_listener import watching
from tests.server_stub.prompting import answers, asked, prompted, saying
from tests.waiting import wait_until


class TestAbort:
    async def test_is_told_first_and_tidied_up_after(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await asked(agent, server, session)
        with watching(server) as witness:
            agent.abort(session)
            answer = await task
        assert witness.kinds == [
            *("session.error", "session.status", "session.idle"),
            *("message.part.updated", "message.updated"),
            *("session.status", "session.idle"),
        ]
        assert answer.info["error"] == {"name": "MessageAbortedError", "data": {"message": "Aborted"}}
        assert "finish" not in answer.info
        tool = list(answer.parts.values())[-1]
        assert tool["state"]["error"] == "Tool execution aborted"
        assert server.statuses(HERE) == {}

    async def test_leaves_the_question_as_a_ghost(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await asked(agent, server, session)
        agent.abort(session)
        await task
        [ghost] = server.requests.questions(HERE)
        server.requests.reply_question(ghost["id"], [["SQLite"]])
        assert not agent.is_busy(session)
        assert server.requests.questions(HERE) == []

    async def test_while_the_provider_is_awaited_is_no_error(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        task = await prompted(agent, session, saying("FAIL 429"))
        await wait_until(lambda: session.status["type"] == "retry")
        with watching(server) as witness:
            agent.abort(session)
            answer = await task
        assert witness.kinds == ["message.updated", "session.status", "session.idle"]
        assert "error" not in answer.info
        assert "finish" not in answer.info
        assert "completed" in answer.info["time"]

    async def test_of_an_idle_session_only_says_idle(self, agent: Agent, server: ServerState, session: Session) -> None:
        with watching(server) as witness:
            agent.abort(session)
        assert witness.kinds == ["session.status", "session.idle"]

    async def test_reaches_the_child_session(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await asked(agent, server, session, "CHILD")
        [child] = server.children(session)
        agent.abort(session)
        await task
        await wait_until(lambda: not agent.is_busy(child))
        assert answers(child)[-1].info["error"]["name"] == "MessageAbortedError"
        assert server.statuses(HERE) == {}

    async def test_a_prompt_at_the_same_instant_is_answered(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        task = await asked(agent, server, session)
        agent.abort(session)
        agent.accept(session, saying("hello", "msg_next"))
        agent.start(session)
        answer = await agent.answer(session)
        assert answer.info["parentID"] == "msg_next"
        assert answer.info["finish"] == "stop"
        assert (await task).info["id"] in session.messages

    async def test_then_the_next_prompt_runs(self, agent: Agent, server: ServerState, session: Session) -> None:
        task = await asked(agent, server, session)
        agent.abort(session)
        answer = await (await prompted(agent, session, saying("hello", "msg_next")))
        await task
        assert answer.info["parentID"] == "msg_next"
        assert answer.info["finish"] == "stop"


async def test_a_dismissed_question_ends_the_turn_without_an_error(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await asked(agent, server, session)
    server.requests.reject_question(server.requests.questions(HERE)[0]["id"])
    answer = await task
    assert answer.info["finish"] == "tool-calls"
    assert "error" not in answer.info
    assert not agent.is_busy(session)


async def test_disposing_ends_turns_and_forgets_requests(agent: Agent, server: ServerState, session: Session) -> None:
    task = await asked(agent, server, session)
    with watching(server) as witness:
        await agent.dispose(HERE)
    assert (await task).info["error"]["name"] == "MessageAbortedError"
    assert server.requests.questions(HERE) == []
    assert server.statuses(HERE) == {}
    assert witness.kinds == [
        *("session.error", "session.status", "session.idle"),
        *("message.part.updated", "message.updated"),
        *("session.status", "session.idle"),
        "server.instance.disposed",
    ]
    assert witness.of("server.instance.disposed") == [{"directory": HERE}]


async def test_disposing_tells_each_session_once_that_it_is_aborted(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await asked(agent, server, session, "CHILD")
    [child] = server.children(session)
    with watching(server) as witness:
        await agent.dispose()
    assert [told["sessionID"] for told in witness.of("session.error")] == [session.id, child.id]
    assert witness.kinds[-2:] == ["server.instance.disposed", "global.disposed"]
    assert (await task).info["error"]["name"] == "MessageAbortedError"


async def test_disposing_ends_what_runs_in_a_deleted_session(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await asked(agent, server, session)
    server.delete_session(session)
    await agent.dispose(HERE)
    with pytest.raises(ApiError):
        await task
    assert server.statuses(HERE) == {}


async def test_disposing_one_directory_leaves_the_others_running(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await asked(agent, server, session)
    await agent.dispose("/elsewhere")
    assert not task.done()
    assert len(server.requests.questions(HERE)) == 1
    await agent.dispose()
    assert task.done() or (await task)
