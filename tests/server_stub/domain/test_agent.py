"""The scripted agent: accepted, repeated and queued prompts, answers, commands, shells and summaries."""

import asyncio

import pytest

from server_stub.domain.agent import Agent, Prompt
from server_stub.domain.api_errors import ApiError
from server_stub.domain.state import ServerState, Session
from tests.server_stub.conftest import HERE, InstantClock, run_loop
from tests.server_stub.event_listener import recording
from tests.server_stub.prompting import answers, start_prompt, start_waiting_turn, text_prompt
from tests.waiting import wait_until


async def test_a_prompt_is_stored_at_once_and_answered(agent: Agent, session: Session) -> None:
    message = agent.accept(session, text_prompt("hello", "msg_mine", "prt_mine"))
    assert session.messages["msg_mine"] is message
    assert list(message.parts) == ["prt_mine"]
    assert session.info["model"] == {"id": "scripted", "providerID": "holdfast", "variant": "default"}
    answer = await agent.answer(session)
    assert answer.info["parentID"] == "msg_mine"
    assert answer.info["finish"] == "stop"
    assert session.info["title"] == "hello"


async def test_statuses_frame_the_turn_and_updates_follow_idle(
    agent: Agent, server: ServerState, session: Session
) -> None:
    with recording(server) as recorder:
        await (await start_prompt(agent, session, text_prompt("hello")))
    status_types = [event["status"]["type"] for event in recorder.of("session.status")]
    assert status_types[0] == "busy"
    assert status_types[-1] == "idle"
    assert status_types.count("idle") == 1
    after = recorder.kinds[recorder.kinds.index("session.idle") + 1 :]
    assert after == ["session.updated", "session.diff", "message.updated"]


class TestRepeatedIds:
    """Repeated ids, as measured on opencode 1.18.33."""

    async def test_after_the_turn_has_finished(self, agent: Agent, session: Session) -> None:
        first = await (await start_prompt(agent, session, text_prompt("hello", "msg_1", "prt_1")))
        again = await (await start_prompt(agent, session, text_prompt("hello", "msg_1", "prt_1")))
        assert again is first
        assert len(session.messages) == 2
        assert len(session.messages["msg_1"].parts) == 1

    async def test_without_part_ids_a_second_text_is_appended(self, agent: Agent, session: Session) -> None:
        await (await start_prompt(agent, session, text_prompt("hello", "msg_1")))
        await (await start_prompt(agent, session, text_prompt("hello", "msg_1")))
        assert len(session.messages["msg_1"].parts) == 2
        assert len(answers(session)) == 1

    async def test_while_a_question_is_open_it_joins_the_turn(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        first = await start_prompt(agent, session, text_prompt("ASK1", "msg_1", "prt_1"))
        await wait_until(lambda: server.requests.questions(HERE))
        second = await start_prompt(agent, session, text_prompt("ASK1", "msg_1", "prt_1"))
        server.requests.reply_question(server.requests.questions(HERE)[0]["id"], [["SQLite"]])
        assert await first is await second
        assert server.requests.questions(HERE) == []
        assert len(answers(session)) == 2  # the round of the question, and the last

    async def test_after_a_later_turn_the_old_prompt_runs_again(self, agent: Agent, session: Session) -> None:
        await (await start_prompt(agent, session, text_prompt("one", "msg_1", "prt_1")))
        await (await start_prompt(agent, session, text_prompt("two", "msg_2", "prt_2")))
        again = await (await start_prompt(agent, session, text_prompt("one", "msg_1", "prt_1")))
        assert again.info["parentID"] == "msg_1"
        assert [answer.info["parentID"] for answer in answers(session)] == ["msg_1", "msg_2", "msg_1"]
        assert next(iter(session.messages)) == "msg_1"  # it keeps its position

    async def test_after_a_turn_that_ended_unfinished_it_runs_again(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        for answered in (1, 2):
            task = await start_prompt(agent, session, text_prompt("ASK1", "msg_1", "prt_1"))
            await wait_until(lambda: server.requests.questions(HERE))
            server.requests.reject_question(server.requests.questions(HERE)[0]["id"])
            assert (await task).info["parentID"] == "msg_1"
            assert len(answers(session)) == answered

    async def test_in_another_session_nothing_is_stored(
        self, agent: Agent, server: ServerState, session: Session
    ) -> None:
        agent.accept(session, text_prompt("hello", "msg_1"))
        other = server.create_session(HERE)
        with pytest.raises(ApiError) as refusal:
            agent.accept(other, text_prompt("hello", "msg_1"))
        assert refusal.value.status == 500
        assert other.messages == {}


async def test_a_prompt_while_busy_is_answered_next_and_both_get_that_answer(
    agent: Agent, server: ServerState, session: Session
) -> None:
    first = await start_prompt(agent, session, text_prompt("SLOW", "msg_1"))
    await run_loop(3)
    assert answers(session)
    with recording(server) as recorder:
        second = await start_prompt(agent, session, text_prompt("hello", "msg_2"))
        assert agent.is_busy(session)
        assert await first is await second
    assert (await first).info["parentID"] == "msg_2"
    assert "word39" in list(answers(session)[0].parts.values())[1]["text"]
    assert recorder.kinds.count("session.idle") == 1
    assert not agent.is_busy(session)


async def test_cancelling_a_wait_does_not_stop_the_turn(agent: Agent, server: ServerState, session: Session) -> None:
    task = await start_waiting_turn(agent, server, session)
    task.cancel()
    await asyncio.wait({task})
    assert server.statuses(HERE) == {session.id: {"type": "busy"}}
    server.requests.reply_question(server.requests.questions(HERE)[0]["id"], [["SQLite"]])
    await wait_until(lambda: not agent.is_busy(session))
    assert answers(session)[-1].info["finish"] == "stop"


async def test_a_childs_question_carries_the_childs_session_only(
    agent: Agent, server: ServerState, session: Session
) -> None:
    task = await start_waiting_turn(agent, server, session, "CHILD")
    [child] = server.children(session)
    [question] = server.requests.questions(HERE)
    assert question["sessionID"] == child.id != session.id
    assert set(server.statuses(HERE)) == {session.id, child.id}
    with recording(server) as recorder:
        server.requests.reply_question(question["id"], [["SQLite"]])
        await task
    assert [event["sessionID"] for event in recorder.of("session.idle")] == [child.id, session.id]


async def test_an_unknown_agent_is_refused_and_nothing_stored(
    agent: Agent, server: ServerState, session: Session
) -> None:
    with recording(server) as recorder, pytest.raises(ApiError) as refusal:
        agent.accept(session, Prompt([], agent="unknown-agent"))
    assert refusal.value.status == 500
    assert session.messages == {}
    [event] = recorder.of("session.error")
    assert event["error"]["data"]["message"].startswith('Agent not found: "unknown-agent".')


async def test_an_unknown_model_is_refused_with_the_prompt_stored(
    agent: Agent, server: ServerState, session: Session
) -> None:
    model = {"providerID": "x", "modelID": "y"}
    with recording(server) as recorder, pytest.raises(ApiError) as refusal:
        await (await start_prompt(agent, session, Prompt([], model=model)))
    assert refusal.value.status == 500
    assert len(session.messages) == 1
    assert recorder.kinds[-4:] == ["session.status", "session.error", "session.status", "session.idle"]


async def test_a_command_prompts_with_its_template(agent: Agent, server: ServerState, session: Session) -> None:
    with recording(server) as recorder:
        answer = await agent.command(session, "review", "only src")
    prompt = session.messages[answer.info["parentID"]]
    assert [part["text"] for part in prompt.parts.values()] == [
        "Review what has changed and say what is wrong with it.\n\nonly src"
    ]
    assert recorder.of("command.executed") == [
        {"name": "review", "sessionID": session.id, "arguments": "only src", "messageID": answer.info["id"]}
    ]
    with pytest.raises(ApiError):
        await agent.command(session, "nothing", "")


async def test_a_user_shell_needs_no_permission_and_no_model(
    agent: Agent, server: ServerState, session: Session
) -> None:
    title = session.info["title"]
    with recording(server) as recorder:
        answer = await agent.shell(session, "ls")
    [tool] = answer.parts.values()
    assert tool["state"]["input"]["command"] == "ls"
    assert "finish" not in answer.info
    assert "completed" in answer.info["time"]
    prompt = session.messages[answer.info["parentID"]]
    assert next(iter(prompt.parts.values()))["synthetic"] is True
    assert session.info["title"] == title
    assert recorder.of("session.diff") == []
    assert recorder.kinds[-2:] == ["session.status", "session.idle"]
    assert not agent.is_busy(session)


async def test_a_prompt_while_a_shell_runs_is_answered_after_it(
    agent: Agent, server: ServerState, session: Session
) -> None:
    shell = asyncio.ensure_future(agent.shell(session, "ls"))
    await wait_until(lambda: answers(session))
    with recording(server) as recorder:
        answer = await (await start_prompt(agent, session, text_prompt("hello", "msg_next")))
        await shell
    assert (answer.info["parentID"], answer.info["finish"]) == ("msg_next", "stop")
    assert recorder.kinds.count("session.idle") == 1


async def test_a_summary_ends_with_compacted(agent: Agent, server: ServerState, session: Session) -> None:
    with recording(server) as recorder:
        await agent.summarize(session)
    kinds = recorder.kinds
    assert "message.updated" not in kinds[kinds.index("session.compacted") : kinds.index("session.idle")]
    [answer] = answers(session)
    assert answer.info["summary"] is True


async def test_a_prompt_after_a_revert_removes_what_was_reverted(
    agent: Agent, server: ServerState, session: Session
) -> None:
    await (await start_prompt(agent, session, text_prompt("one", "msg_1")))
    await (await start_prompt(agent, session, text_prompt("two", "msg_2")))
    server.update_session(session, revert={"messageID": "msg_2"})
    await (await start_prompt(agent, session, text_prompt("three", "msg_3")))
    prompts = [message.info["id"] for message in session.messages.values() if message.info["role"] == "user"]
    assert prompts == ["msg_1", "msg_3"]
    assert "revert" not in session.info


async def test_prompts_of_one_millisecond_keep_their_order(agent: Agent, session: Session, clock: InstantClock) -> None:
    for number in range(3):
        agent.accept(session, text_prompt("hello", f"msg_{number}"))
    answer = await agent.answer(session)
    assert answer.info["parentID"] == "msg_2"
