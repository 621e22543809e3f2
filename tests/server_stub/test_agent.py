import asyncio
from typing import Any

import pytest

from server_stub.agent import Agent, Prompt
from server_stub.refusals import Refusal
from server_stub.turn import Turn
from server_stub.world import BUSY, Message, Session, World
from tests.server_stub.conftest import HERE, InstantClock, turns_of_the_loop
from tests.server_stub.witness import watching
from tests.waiting import wait_until

Json = dict[str, Any]


@pytest.fixture
def session(world: World) -> Session:
    return world.create_session(HERE)


def saying(text: str, message_id: str | None = None, part_id: str | None = None) -> Prompt:
    part = {"type": "text", "text": text} | ({"id": part_id} if part_id else {})
    return Prompt([part], message_id=message_id)


async def prompted(agent: Agent, session: Session, prompt: Prompt) -> "asyncio.Task[Message]":
    agent.accept(session, prompt)
    return asyncio.ensure_future(agent.answer(session))


async def asked(agent: Agent, world: World, session: Session, text: str = "ASK1") -> "asyncio.Task[Message]":
    """A turn that waits for a person."""
    task = await prompted(agent, session, saying(text))
    await wait_until(lambda: world.requests.questions(HERE))
    return task


def answers(session: Session) -> list[Message]:
    return [message for message in session.messages.values() if message.info["role"] == "assistant"]


async def test_a_prompt_is_stored_at_once_and_answered(agent: Agent, session: Session) -> None:
    message = agent.accept(session, saying("hello", "msg_mine", "prt_mine"))
    assert session.messages["msg_mine"] is message
    assert list(message.parts) == ["prt_mine"]
    assert session.info["model"] == {"id": "scripted", "providerID": "holdfast", "variant": "default"}
    answer = await agent.answer(session)
    assert answer.info["parentID"] == "msg_mine"
    assert answer.info["finish"] == "stop"
    assert session.info["title"] == "hello"


async def test_statuses_frame_the_turn_and_updates_follow_idle(
    agent: Agent, world: World, session: Session
) -> None:
    with watching(world) as witness:
        await (await prompted(agent, session, saying("hello")))
    said = [told["status"]["type"] for told in witness.of("session.status")]
    assert said[0] == "busy"
    assert said[-1] == "idle"
    assert said.count("idle") == 1
    after = witness.kinds[witness.kinds.index("session.idle") + 1 :]
    assert after == ["session.updated", "session.diff", "message.updated"]


class TestTheSameIdsAgain:
    """The table in section 1 of what opencode 1.18.33 was seen to do."""

    async def test_after_the_turn_has_finished(self, agent: Agent, session: Session) -> None:
        first = await (await prompted(agent, session, saying("hello", "msg_1", "prt_1")))
        again = await (await prompted(agent, session, saying("hello", "msg_1", "prt_1")))
        assert again is first
        assert len(session.messages) == 2
        assert len(session.messages["msg_1"].parts) == 1

    async def test_without_part_ids_a_second_text_is_appended(self, agent: Agent, session: Session) -> None:
        await (await prompted(agent, session, saying("hello", "msg_1")))
        await (await prompted(agent, session, saying("hello", "msg_1")))
        assert len(session.messages["msg_1"].parts) == 2
        assert len(answers(session)) == 1

    async def test_while_a_question_is_open_it_joins(self, agent: Agent, world: World, session: Session) -> None:
        first = await prompted(agent, session, saying("ASK1", "msg_1", "prt_1"))
        await wait_until(lambda: world.requests.questions(HERE))
        second = await prompted(agent, session, saying("ASK1", "msg_1", "prt_1"))
        world.requests.reply_question(world.requests.questions(HERE)[0]["id"], [["SQLite"]])
        assert await first is await second
        assert world.requests.questions(HERE) == []
        assert len(answers(session)) == 2  # the round of the question, and the last

    async def test_after_a_later_turn_the_old_prompt_runs_again(self, agent: Agent, session: Session) -> None:
        await (await prompted(agent, session, saying("one", "msg_1", "prt_1")))
        await (await prompted(agent, session, saying("two", "msg_2", "prt_2")))
        again = await (await prompted(agent, session, saying("one", "msg_1", "prt_1")))
        assert again.info["parentID"] == "msg_1"
        assert [answer.info["parentID"] for answer in answers(session)] == ["msg_1", "msg_2", "msg_1"]
        assert next(iter(session.messages)) == "msg_1"  # it keeps its place

    async def test_after_a_turn_that_ended_unfinished_it_runs_again(
        self, agent: Agent, world: World, session: Session
    ) -> None:
        for answered in (1, 2):
            task = await prompted(agent, session, saying("ASK1", "msg_1", "prt_1"))
            await wait_until(lambda: world.requests.questions(HERE))
            world.requests.reject_question(world.requests.questions(HERE)[0]["id"])
            assert (await task).info["parentID"] == "msg_1"
            assert len(answers(session)) == answered

    async def test_in_another_session_nothing_is_stored(
        self, agent: Agent, world: World, session: Session
    ) -> None:
        agent.accept(session, saying("hello", "msg_1"))
        other = world.create_session(HERE)
        with pytest.raises(Refusal) as refusal:
            agent.accept(other, saying("hello", "msg_1"))
        assert refusal.value.status == 500
        assert other.messages == {}


async def test_a_prompt_while_busy_is_answered_next_and_both_get_that_answer(
    agent: Agent, world: World, session: Session
) -> None:
    first = await prompted(agent, session, saying("SLOW", "msg_1"))
    await turns_of_the_loop(3)
    assert answers(session)
    with watching(world) as witness:
        second = await prompted(agent, session, saying("hello", "msg_2"))
        assert agent.is_busy(session)
        assert await first is await second
    assert (await first).info["parentID"] == "msg_2"
    assert "word39" in list(answers(session)[0].parts.values())[1]["text"]
    assert witness.kinds.count("session.idle") == 1
    assert not agent.is_busy(session)


async def test_who_stops_waiting_does_not_stop_the_turn(agent: Agent, world: World, session: Session) -> None:
    task = await asked(agent, world, session)
    task.cancel()
    await asyncio.wait({task})
    assert world.statuses(HERE) == {session.id: {"type": "busy"}}
    world.requests.reply_question(world.requests.questions(HERE)[0]["id"], [["SQLite"]])
    await wait_until(lambda: not agent.is_busy(session))
    assert answers(session)[-1].info["finish"] == "stop"


class TestAbort:
    async def test_is_told_first_and_tidied_up_after(self, agent: Agent, world: World, session: Session) -> None:
        task = await asked(agent, world, session)
        with watching(world) as witness:
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
        assert world.statuses(HERE) == {}

    async def test_leaves_the_question_as_a_ghost(self, agent: Agent, world: World, session: Session) -> None:
        task = await asked(agent, world, session)
        agent.abort(session)
        await task
        [ghost] = world.requests.questions(HERE)
        world.requests.reply_question(ghost["id"], [["SQLite"]])
        assert not agent.is_busy(session)
        assert world.requests.questions(HERE) == []

    async def test_while_the_provider_is_awaited_is_no_error(
        self, agent: Agent, world: World, session: Session
    ) -> None:
        task = await prompted(agent, session, saying("FAIL 429"))
        await wait_until(lambda: session.status["type"] == "retry")
        with watching(world) as witness:
            agent.abort(session)
            answer = await task
        assert witness.kinds == ["message.updated", "session.status", "session.idle"]
        assert "error" not in answer.info
        assert "finish" not in answer.info
        assert "completed" in answer.info["time"]

    async def test_of_an_idle_session_only_says_idle(self, agent: Agent, world: World, session: Session) -> None:
        with watching(world) as witness:
            agent.abort(session)
        assert witness.kinds == ["session.status", "session.idle"]

    async def test_reaches_the_child_session(self, agent: Agent, world: World, session: Session) -> None:
        task = await asked(agent, world, session, "CHILD")
        [child] = world.children(session)
        agent.abort(session)
        await task
        await wait_until(lambda: not agent.is_busy(child))
        assert answers(child)[-1].info["error"]["name"] == "MessageAbortedError"
        assert world.statuses(HERE) == {}

    async def test_a_prompt_at_the_same_instant_is_answered(
        self, agent: Agent, world: World, session: Session
    ) -> None:
        task = await asked(agent, world, session)
        agent.abort(session)
        agent.accept(session, saying("hello", "msg_next"))
        agent.start(session)
        answer = await agent.answer(session)
        assert answer.info["parentID"] == "msg_next"
        assert answer.info["finish"] == "stop"
        assert (await task).info["id"] in session.messages

    async def test_then_the_next_prompt_runs(self, agent: Agent, world: World, session: Session) -> None:
        task = await asked(agent, world, session)
        agent.abort(session)
        answer = await (await prompted(agent, session, saying("hello", "msg_next")))
        await task
        assert answer.info["parentID"] == "msg_next"
        assert answer.info["finish"] == "stop"


async def test_a_model_error_is_in_the_message_and_an_event(agent: Agent, world: World, session: Session) -> None:
    with watching(world) as witness:
        answer = await (await prompted(agent, session, saying("FAIL 401")))
    assert answer.info["error"]["data"]["message"] == "401 Unauthorized"
    assert witness.of("session.error") == [{"sessionID": session.id, "error": answer.info["error"]}]
    assert witness.kinds[-6:] == [
        *("session.error", "session.status", "session.idle"),
        *("message.updated", "session.status", "session.idle"),
    ]
    assert not agent.is_busy(session)


async def test_a_dismissed_question_ends_the_turn_without_an_error(
    agent: Agent, world: World, session: Session
) -> None:
    task = await asked(agent, world, session)
    world.requests.reject_question(world.requests.questions(HERE)[0]["id"])
    answer = await task
    assert answer.info["finish"] == "tool-calls"
    assert "error" not in answer.info
    assert not agent.is_busy(session)


async def test_a_childs_question_carries_the_childs_session_only(
    agent: Agent, world: World, session: Session
) -> None:
    task = await asked(agent, world, session, "CHILD")
    [child] = world.children(session)
    [question] = world.requests.questions(HERE)
    assert question["sessionID"] == child.id != session.id
    assert set(world.statuses(HERE)) == {session.id, child.id}
    with watching(world) as witness:
        world.requests.reply_question(question["id"], [["SQLite"]])
        await task
    assert [told["sessionID"] for told in witness.of("session.idle")] == [child.id, session.id]


async def test_an_unknown_agent_is_refused_and_nothing_stored(
    agent: Agent, world: World, session: Session
) -> None:
    with watching(world) as witness, pytest.raises(Refusal) as refusal:
        agent.accept(session, Prompt([], agent="nobody"))
    assert refusal.value.status == 500
    assert session.messages == {}
    [told] = witness.of("session.error")
    assert told["error"]["data"]["message"].startswith('Agent not found: "nobody".')


async def test_an_unknown_model_is_refused_with_the_prompt_stored(
    agent: Agent, world: World, session: Session
) -> None:
    model = {"providerID": "x", "modelID": "y"}
    with watching(world) as witness, pytest.raises(Refusal) as refusal:
        await (await prompted(agent, session, Prompt([], model=model)))
    assert refusal.value.status == 500
    assert len(session.messages) == 1
    assert witness.kinds[-4:] == ["session.status", "session.error", "session.status", "session.idle"]


async def test_wedged_prompts_are_stored_and_do_not_move(agent: Agent, world: World, session: Session) -> None:
    world.wedged = True
    task = await prompted(agent, session, saying("hello"))
    await turns_of_the_loop(20)
    assert len(session.messages) == 1
    assert world.statuses(HERE) == {}
    world.wedged = False
    assert (await task).info["finish"] == "stop"


async def test_words_that_are_not_stored_yet_are_awaited(agent: Agent, world: World, session: Session) -> None:
    world.halfway = True
    task = await prompted(agent, session, saying("hello"))
    await turns_of_the_loop(20)
    [prompt] = session.messages.values()
    assert prompt.parts == {}
    assert world.statuses(HERE) == {}
    world.halfway = False
    assert [part["text"] for part in prompt.parts.values()] == ["hello"]
    assert (await task).info["parentID"] == prompt.info["id"]


async def test_an_answer_that_is_not_stored_whole_has_not_ended(
    agent: Agent, world: World, session: Session
) -> None:
    task = await asked(agent, world, session)
    world.halfway = True
    world.requests.reply_question(world.requests.questions(HERE)[0]["id"], [["SQLite"]])
    await wait_until(lambda: answers(session)[-1].info.get("finish") == "stop")
    await turns_of_the_loop(20)
    assert "completed" not in answers(session)[-1].info["time"]
    assert world.statuses(HERE) == {session.id: BUSY}
    world.halfway = False
    assert "completed" in (await task).info["time"]


async def test_a_server_ill_in_two_ways_moves_once_it_is_well(
    agent: Agent, world: World, session: Session
) -> None:
    world.halfway = world.wedged = True
    task = await prompted(agent, session, saying("hello"))
    world.halfway = False
    await turns_of_the_loop(20)
    assert world.statuses(HERE) == {}
    world.wedged = False
    assert (await task).info["finish"] == "stop"


async def test_disposing_ends_turns_and_forgets_requests(agent: Agent, world: World, session: Session) -> None:
    task = await asked(agent, world, session)
    with watching(world) as witness:
        await agent.dispose(HERE)
    assert (await task).info["error"]["name"] == "MessageAbortedError"
    assert world.requests.questions(HERE) == []
    assert world.statuses(HERE) == {}
    assert witness.kinds == [
        *("session.error", "session.status", "session.idle"),
        *("message.part.updated", "message.updated"),
        *("session.status", "session.idle"),
        "server.instance.disposed",
    ]
    assert witness.of("server.instance.disposed") == [{"directory": HERE}]


async def test_disposing_tells_each_session_once_that_it_is_aborted(
    agent: Agent, world: World, session: Session
) -> None:
    task = await asked(agent, world, session, "CHILD")
    [child] = world.children(session)
    with watching(world) as witness:
        await agent.dispose()
    assert [told["sessionID"] for told in witness.of("session.error")] == [session.id, child.id]
    assert witness.kinds[-2:] == ["server.instance.disposed", "global.disposed"]
    assert (await task).info["error"]["name"] == "MessageAbortedError"


async def test_disposing_ends_what_runs_in_a_deleted_session(agent: Agent, world: World, session: Session) -> None:
    task = await asked(agent, world, session)
    world.delete_session(session)
    await agent.dispose(HERE)
    with pytest.raises(Refusal):
        await task
    assert world.statuses(HERE) == {}


async def test_disposing_one_directory_leaves_the_others_running(
    agent: Agent, world: World, session: Session
) -> None:
    task = await asked(agent, world, session)
    await agent.dispose("/elsewhere")
    assert not task.done()
    assert len(world.requests.questions(HERE)) == 1
    await agent.dispose()
    assert task.done() or (await task)


async def test_a_command_prompts_with_its_template(agent: Agent, world: World, session: Session) -> None:
    with watching(world) as witness:
        answer = await agent.command(session, "review", "only src")
    prompt = session.messages[answer.info["parentID"]]
    assert [part["text"] for part in prompt.parts.values()] == [
        "Review what has changed and say what is wrong with it.\n\nonly src"
    ]
    assert witness.of("command.executed") == [
        {"name": "review", "sessionID": session.id, "arguments": "only src", "messageID": answer.info["id"]}
    ]
    with pytest.raises(Refusal):
        await agent.command(session, "nothing", "")


async def test_a_shell_of_the_persons_own_asks_nobody_and_no_model(
    agent: Agent, world: World, session: Session
) -> None:
    title = session.info["title"]
    with watching(world) as witness:
        answer = await agent.shell(session, "ls")
    [tool] = answer.parts.values()
    assert tool["state"]["input"]["command"] == "ls"
    assert "finish" not in answer.info
    assert "completed" in answer.info["time"]
    prompt = session.messages[answer.info["parentID"]]
    assert next(iter(prompt.parts.values()))["synthetic"] is True
    assert session.info["title"] == title
    assert witness.of("session.diff") == []
    assert witness.kinds[-2:] == ["session.status", "session.idle"]
    assert not agent.is_busy(session)


async def test_a_prompt_while_a_shell_runs_is_answered_after_it(
    agent: Agent, world: World, session: Session
) -> None:
    shell = asyncio.ensure_future(agent.shell(session, "ls"))
    await wait_until(lambda: answers(session))
    with watching(world) as witness:
        answer = await (await prompted(agent, session, saying("hello", "msg_next")))
        await shell
    assert (answer.info["parentID"], answer.info["finish"]) == ("msg_next", "stop")
    assert witness.kinds.count("session.idle") == 1


async def test_a_summary_ends_with_compacted(agent: Agent, world: World, session: Session) -> None:
    with watching(world) as witness:
        await agent.summarize(session)
    kinds = witness.kinds
    assert "message.updated" not in kinds[kinds.index("session.compacted") : kinds.index("session.idle")]
    [answer] = answers(session)
    assert answer.info["summary"] is True


async def test_a_prompt_after_a_revert_removes_what_was_reverted(
    agent: Agent, world: World, session: Session
) -> None:
    await (await prompted(agent, session, saying("one", "msg_1")))
    await (await prompted(agent, session, saying("two", "msg_2")))
    world.update_session(session, revert={"messageID": "msg_2"})
    await (await prompted(agent, session, saying("three", "msg_3")))
    prompts = [message.info["id"] for message in session.messages.values() if message.info["role"] == "user"]
    assert prompts == ["msg_1", "msg_3"]
    assert "revert" not in session.info


async def test_prompts_of_one_millisecond_keep_their_order(
    agent: Agent, session: Session, clock: InstantClock
) -> None:
    for number in range(3):
        agent.accept(session, saying("hello", f"msg_{number}"))
    answer = await agent.answer(session)
    assert answer.info["parentID"] == "msg_2"


async def test_a_broken_script_is_no_success(world: World, session: Session) -> None:
    async def broken(turn: Turn) -> None:
        raise LookupError("a mistake in the script")

    agent = Agent(world, lambda text: broken)
    with pytest.raises(LookupError):
        await (await prompted(agent, session, saying("hello")))
    assert not agent.is_busy(session)
    assert world.statuses(HERE) == {}
