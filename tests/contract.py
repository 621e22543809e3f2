"""The contract of every family's server with a user, one function each: the same on the stub and on real servers.

Differences between families are taken from their traits, as the client does; no function names a family.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest

from tests.contract_harness import MAX_WAIT, ContractHarness, connected_harness, new_backend
from tui.backends.base import HasCatalog, SessionEditing, Undo
from tui.core.changes import RequestClosed
from tui.core.model import Answers, Idle, PermissionRequest, QuestionRequest, ReasoningPart
from tui.core.turn_state import TurnState
from tui.net.clocks import Clocks
from tui.net.errors import HttpStatusError
from tui.storage.journal import Journal

ContractFunction: TypeAlias = Callable[[ContractHarness, Clocks | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ContractTest:
    """`alone`: it leaves the server in a state that others do not expect."""

    run_scenario: ContractFunction
    alone: bool = False

    def __str__(self) -> str:
        return self.run_scenario.__name__


CONTRACT: list[ContractTest] = []


def contract_test(function: ContractFunction) -> ContractFunction:
    """Run this on every family."""
    CONTRACT.append(ContractTest(function))
    return function


def contract_test_alone(function: ContractFunction) -> ContractFunction:
    """Run this on every family, on a separate server."""
    CONTRACT.append(ContractTest(function, alone=True))
    return function


@contract_test
async def a_prompt_is_answered_and_the_store_equals_the_server(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("THINK")
    turn = await harness.over("THINK")
    assert (turn.state, turn.reason) == (TurnState.FINISHED, "")
    assert harness.words() == "THINKDone. Nothing to call, **all** is well."
    assert any("thought19" in part.text for part in harness.parts() if isinstance(part, ReasoningPart))
    assert harness.held()[-1].message.usage is not None
    await harness.matches_server()


@contract_test
async def both_questions_are_answered(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("ASK")
    question = await harness.open_request()
    assert isinstance(question, QuestionRequest)
    assert [(one.header, one.multiple) for one in question.questions] == [("DB", False), ("Feat", True)]
    assert harness.turns("ASK")[-1].state is TurnState.WAITING
    given: Answers = (("SQLite",), ("auth", "search"))
    harness.client.answer(question, given)
    assert (await harness.over("ASK")).state is TurnState.FINISHED
    [tool] = harness.tools()
    assert (tool.state, tool.answers) == ("completed", given)
    assert "SQLite" in harness.words()
    assert harness.client.store.requests == {}
    await harness.matches_server()


@contract_test
async def a_question_gets_a_custom_answer(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("ASK1")
    harness.client.answer(await harness.open_request(), (("my own, words",),))
    assert (await harness.over("ASK1")).state is TurnState.FINISHED
    [tool] = harness.tools()
    assert tool.answers == (("my own, words",),)
    assert "my own, words" in harness.words()


@contract_test
async def a_question_is_rejected(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("ASK1")
    harness.client.reject(await harness.open_request())
    turn = await harness.over("ASK1")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "you rejected a request")
    [tool] = harness.tools()
    assert (tool.state, tool.answers) == ("error", None)
    assert harness.client.store.requests == {}
    await harness.matches_server()


@contract_test
async def a_question_is_rejected_by_another_client(harness: ContractHarness, clocks: Clocks | None) -> None:
    """Servers differ in which comes first: the event, or the end of the POST of the turn."""
    harness.prompt("ASK1")
    question = await harness.open_request()
    closed: list[RequestClosed] = []
    harness.client.subscribe(lambda change: closed.append(change) if isinstance(change, RequestClosed) else None)
    async with new_backend(harness.server) as second_client:
        assert await second_client.reject(
            question.id, directory=harness.client.store.sessions[harness.session_id].directory
        )
    turn = await harness.over("ASK1")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "a request was rejected elsewhere")
    assert [one.how for one in closed] == ["rejected"]
    await harness.matches_server()


@contract_test
async def a_permission_is_rejected_by_another_client(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SHELL rejected.txt")
    permission = await harness.open_request()
    directory = harness.client.store.sessions[harness.session_id].directory
    async with new_backend(harness.server) as second_client:
        assert await second_client.reply(permission.id, "reject", "", directory=directory)
    turn = await harness.over("SHELL rejected.txt")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "a request was rejected elsewhere")
    await harness.matches_server()


@contract_test
async def a_command_runs_once_it_is_allowed(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SHELL made.txt")
    permission = await harness.open_request()
    assert isinstance(permission, PermissionRequest)
    assert (permission.detail or " ".join(permission.patterns)) == "touch made.txt"
    harness.client.reply(permission, "once")
    assert (await harness.over("SHELL made.txt")).state is TurnState.FINISHED
    [tool] = harness.tools()
    assert tool.state == "completed"
    await harness.matches_server()
    harness.prompt("SHELL other.txt")
    again = await harness.open_request()
    assert again.id != permission.id
    harness.client.reply(again, "once")
    await harness.over("SHELL other.txt")


@contract_test_alone
async def an_always_allowed_command_asks_once(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SHELL one.txt")
    permission = await harness.open_request()
    assert isinstance(permission, PermissionRequest)
    assert permission.always
    harness.client.reply(permission, "always")
    assert (await harness.over("SHELL one.txt")).state is TurnState.FINISHED
    assert harness.client.store.requests == {}
    harness.prompt("SHELL two.txt")
    assert (await harness.over("SHELL two.txt")).state is TurnState.FINISHED


@contract_test
async def a_refused_command_does_not_run(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SHELL made.txt")
    harness.client.reply(await harness.open_request(), "reject")
    await harness.over("SHELL made.txt")
    [tool] = harness.tools()
    assert tool.state == "error"
    assert harness.client.store.requests == {}
    await harness.matches_server()


@contract_test
async def a_turn_is_cancelled(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SLOW")
    await harness.wait_for_word("word2")
    harness.client.abort(harness.session_id)
    turn = await harness.over("SLOW")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")
    assert "word39" not in harness.words()
    await harness.until(lambda: isinstance(harness.client.store.status(harness.session_id), Idle), "idle")
    harness.prompt("hello")
    assert (await harness.over("hello")).state is TurnState.FINISHED
    await harness.matches_server()


@contract_test
async def a_cancelled_question_leaves_no_stale_request(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("ASK1")
    await harness.open_request()
    harness.client.abort(harness.session_id)
    assert (await harness.over("ASK1")).state is TurnState.ABORTED
    assert harness.client.store.requests == {}
    async with new_backend(harness.server) as backend:
        session = harness.client.store.sessions[harness.session_id]
        await harness.until(lambda: not harness.client.store.requests, "no request")
        assert (await backend.resync([session.directory])).statuses.get(harness.session_id) is None


@contract_test
async def a_model_error_ends_the_turn_with_its_reason(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("FAIL 400")
    turn = await harness.over("FAIL 400")
    assert turn.state is TurnState.FAILED
    assert turn.failure is not None
    assert turn.failure.status == 400 or "400" in turn.reason  # if the server's text begins with it, it is shown
    await harness.matches_server()


@contract_test
async def a_gap_in_the_stream_loses_and_duplicates_nothing(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SLOW")
    for word in ("word3", "word12", "word25"):
        await harness.wait_for_word(word)
        harness.relay.sever("reset", "events")
        await harness.until(lambda: harness.client.connection_status().state.name != "LIVE", "the loss")
        await harness.live()
    assert (await harness.over("SLOW")).state is TurnState.FINISHED
    assert harness.words() == "SLOW" + "".join(f"word{i} " for i in range(40))
    await harness.matches_server()


@contract_test
async def cutting_all_connections_ends_the_turn_only_by_the_trait(
    harness: ContractHarness, clocks: Clocks | None
) -> None:
    harness.prompt("SLOW")
    await harness.wait_for_word("word3")
    await harness.cut()
    turn = await harness.over("SLOW")
    ends = turn.state is TurnState.CANCELLED
    assert turn.state in (TurnState.CANCELLED, TurnState.FINISHED)
    assert ("word39" in harness.words()) is not ends
    assert harness.traits.cancels_on_disconnect is ends  # known before, or learned now
    await harness.matches_server()


@contract_test
async def a_question_open_during_a_gap_is_still_one_question(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("ASK1")
    question = await harness.open_request()
    harness.relay.sever("reset", "events")
    await harness.lost()
    await harness.live()
    assert await harness.open_request() == question
    harness.client.answer(question, (("SQLite",),))
    assert (await harness.over("ASK1")).state is TurnState.FINISHED
    assert len(harness.tools()) == 1


@contract_test
async def a_later_client_sees_the_turn_and_answers_its_question(
    harness: ContractHarness, clocks: Clocks | None
) -> None:
    harness.prompt("ASK1")
    question = await harness.open_request()
    async with connected_harness(harness.server, session=harness.session_id, clocks=clocks) as other:
        seen = await other.open_request()
        assert seen.id == question.id
        await other.until(lambda: other.client.turn(harness.session_id), "the turn that others began")
        other.client.answer(seen, (("Postgres",),))
        assert (await harness.over("ASK1")).state is TurnState.FINISHED
        await other.until(lambda: "Postgres" in other.words(), "the answer")
    assert harness.client.store.requests == {}


@contract_test
async def killing_the_server_interrupts_its_turn(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("hello")
    await harness.over("hello")
    harness.prompt("SLOW")
    await harness.wait_for_word("word3")
    harness.server.crash()
    await harness.lost()
    await harness.server.restart()
    harness.client.retry_now()
    await harness.live()
    turn = await harness.over("SLOW")
    assert turn.state in (TurnState.INTERRUPTED, TurnState.CANCELLED)
    assert turn.reason
    assert len(harness.prompts()) == 2
    harness.prompt("and on we go")
    assert (await harness.over("and on we go")).state is TurnState.FINISHED
    await harness.matches_server()


@contract_test
async def a_question_is_lost_with_its_server(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("ASK1")
    await harness.open_request()
    harness.server.crash()
    await harness.lost()
    await harness.server.restart()
    harness.client.retry_now()
    await harness.until(lambda: not harness.client.store.requests, "the stale request to be removed")
    assert (await harness.over("ASK1")).state in (TurnState.INTERRUPTED, TurnState.CANCELLED)


@contract_test
async def sessions_are_listed_renamed_copied_and_deleted(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("hello")
    await harness.over("hello")
    async with new_backend(harness.server) as backend:
        assert harness.session_id in [one.id for one in await backend.sessions()]
        assert (await backend.session(harness.session_id)).title == "contract test"
        assert await backend.sessions(search="no such title") == ()
        assert await backend.children(harness.session_id) == ()
        assert backend.traits.edits_sessions is isinstance(backend, SessionEditing)
        assert backend.traits.undoes is isinstance(backend, Undo)
        assert isinstance(backend, SessionEditing)
        assert (await backend.rename(harness.session_id, "a talk")).title == "a talk"
        assert [one.title for one in await backend.sessions(search="talk")] == ["a talk"]
        copy = await backend.fork(harness.session_id)
        server_messages = (await backend.messages(copy.id)).messages
        assert [full.message.role for full in server_messages] == [full.message.role for full in harness.held()]
        await backend.delete(copy.id)
        assert copy.id not in [one.id for one in await backend.sessions()]
        with pytest.raises(HttpStatusError) as refused:
            await backend.session(copy.id)
        assert refused.value.status == 404


@contract_test
async def catalog_items_can_be_selected(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("hello")
    await harness.over("hello")
    choices = harness.client.choices
    agents = [one.name for one in await choices.agents(harness.session_id)]
    models = [one.name for one in await choices.models(harness.session_id)]
    usual = harness.held()[-1].message.model
    assert "plan" in agents
    assert [one for one in await choices.commands(harness.session_id) if one.name == "init"]
    choices.choose(harness.session_id, agent="plan", model=next(one for one in models if one.endswith(usual)))
    harness.prompt("hello again")
    assert (await harness.over("hello again")).state is TurnState.FINISHED
    assert harness.held()[-1].message.agent in ("plan", "")
    async with new_backend(harness.server) as backend:
        assert isinstance(backend, HasCatalog)


@contract_test
async def a_delivered_prompt_without_acknowledgement_is_not_sent_twice(
    harness: ContractHarness, clocks: Clocks | None
) -> None:
    harness.prompt("hello")
    await harness.over("hello")
    harness.relay.cut_after(0, "prompt")
    harness.prompt("hello")
    await harness.until(lambda: len(harness.turns("hello")) == 2, "the second turn")
    second = await harness.over("hello")
    assert second.state is (TurnState.CANCELLED if harness.traits.cancels_on_disconnect else TurnState.FINISHED)
    await harness.matches_server()
    assert len(harness.prompts()) == 2


@contract_test
async def a_restarted_client_finds_the_result_of_its_turn(harness: ContractHarness, clocks: Clocks | None) -> None:
    def journal() -> Journal:
        return Journal(folder / "journal.db", "the server", wall=time.time)

    with TemporaryDirectory() as name:
        folder = Path(name)
        async with connected_harness(harness.server, journal(), harness.session_id, clocks) as first:
            first.prompt("SLOW")
            await first.wait_for_word("word3")
        async with connected_harness(harness.server, journal(), harness.session_id, clocks) as second:
            turn = await second.over("SLOW")
            if turn.state is TurnState.CANCELLED:
                assert second.traits.cancels_on_disconnect
                assert (turn.state, turn.reason) == (TurnState.CANCELLED, "the client exited while sending it")
            else:
                assert turn.state is TurnState.FINISHED
                assert second.words() == "SLOW" + "".join(f"word{i} " for i in range(40))
            assert len(second.prompts()) == 1
            await second.matches_server()


@contract_test
async def a_denial_has_a_reason_if_the_family_supports_it(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SHELL made.txt")
    harness.client.reply(await harness.open_request(), "reject", "use another name")
    await harness.over("SHELL made.txt")
    [tool] = harness.tools()
    assert tool.state == "error"
    assert ("use another name" in tool.error) is harness.traits.reject_with_reason


@contract_test
async def a_second_prompt_is_queued_if_the_family_has_a_queue(harness: ContractHarness, clocks: Clocks | None) -> None:
    harness.prompt("SLOW")
    await harness.wait_for_word("word2")
    harness.client.prompts.send_now(harness.session_id, "and then this")
    if harness.traits.queues_prompts:
        second = await harness.over("and then this")
        assert second.state is TurnState.FINISHED
        assert (await harness.over("SLOW")).state is TurnState.FINISHED
        assert len(harness.prompts()) == 2
    else:
        second = await harness.over("and then this")
        assert (second.state, bool(second.reason)) == (TurnState.NOT_SENT, True)
        assert (await harness.over("SLOW")).state is TurnState.FINISHED
        assert len(harness.prompts()) == 1
    await harness.matches_server()


@contract_test
async def a_client_with_heartbeats_is_registered(harness: ContractHarness, clocks: Clocks | None) -> None:
    """A heartbeat is refused by a server that does not ask for one, without any other effect."""
    async with new_backend(harness.server) as backend:
        await backend.messages(harness.session_id)
        if backend.traits.client_heartbeat:
            await backend.send_heartbeat(harness.session_id)
        assert await backend.ping() < MAX_WAIT
        await backend.leave(harness.session_id)
    harness.prompt("hello")
    assert (await harness.over("hello")).state is TurnState.FINISHED
