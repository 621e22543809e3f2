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

from tests.contract_harness import WITHIN, Attached, attached, newcomer
from tui.backends.base import HasCatalog, SessionEditing, Undoing
from tui.core.changes import RequestClosed
from tui.core.model import Answers, Idle, PermissionRequest, QuestionRequest, ReasoningPart
from tui.core.turn_state import TurnState
from tui.net.clocks import Clocks
from tui.net.errors import HttpStatusError
from tui.storage.journal import Journal

Story: TypeAlias = Callable[[Attached, Clocks | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Walk:
    """`alone`: it leaves the server in a state that others do not expect."""

    play: Story
    alone: bool = False

    def __str__(self) -> str:
        return self.play.__name__


WALKS: list[Walk] = []


def walk(story: Story) -> Story:
    """Run this on every family."""
    WALKS.append(Walk(story))
    return story


def walk_alone(story: Story) -> Story:
    """Run this on every family, on a separate server."""
    WALKS.append(Walk(story, alone=True))
    return story


@walk
async def a_prompt_is_answered_and_the_store_is_what_a_newcomer_gets(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("THINK")
    turn = await here.over("THINK")
    assert (turn.state, turn.reason) == (TurnState.FINISHED, "")
    assert here.words() == "THINKDone. Nothing to call, **all** is well."
    assert any("thought19" in part.text for part in here.parts() if isinstance(part, ReasoningPart))
    assert here.held()[-1].message.usage is not None
    await here.is_true()


@walk
async def both_questions_are_answered(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK")
    question = await here.asked()
    assert isinstance(question, QuestionRequest)
    assert [(one.header, one.multiple) for one in question.questions] == [("DB", False), ("Feat", True)]
    assert here.turns("ASK")[-1].state is TurnState.WAITING
    given: Answers = (("SQLite",), ("auth", "search"))
    here.client.answer(question, given)
    assert (await here.over("ASK")).state is TurnState.FINISHED
    [tool] = here.tools()
    assert (tool.state, tool.answers) == ("completed", given)
    assert "SQLite" in here.words()
    assert here.client.store.requests == {}
    await here.is_true()


@walk
async def a_question_is_answered_in_own_words(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK1")
    here.client.answer(await here.asked(), (("my own, words",),))
    assert (await here.over("ASK1")).state is TurnState.FINISHED
    [tool] = here.tools()
    assert tool.answers == (("my own, words",),)
    assert "my own, words" in here.words()


@walk
async def a_question_is_rejected(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK1")
    here.client.reject(await here.asked())
    turn = await here.over("ASK1")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "you rejected a request")
    [tool] = here.tools()
    assert (tool.state, tool.answers) == ("error", None)
    assert here.client.store.requests == {}
    await here.is_true()


@walk
async def a_question_is_rejected_elsewhere(here: Attached, clocks: Clocks | None) -> None:
    """Servers differ in which comes first: the event, or the end of the POST of the turn."""
    here.prompt("ASK1")
    question = await here.asked()
    closed: list[RequestClosed] = []
    here.client.subscribe(lambda change: closed.append(change) if isinstance(change, RequestClosed) else None)
    async with newcomer(here.server) as somebody:
        assert await somebody.reject(question.id, directory=here.client.store.sessions[here.session_id].directory)
    turn = await here.over("ASK1")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "a request was rejected elsewhere")
    assert [one.how for one in closed] == ["rejected"]
    await here.is_true()


@walk
async def a_permission_is_rejected_elsewhere(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SHELL rejected.txt")
    permission = await here.asked()
    directory = here.client.store.sessions[here.session_id].directory
    async with newcomer(here.server) as somebody:
        assert await somebody.reply(permission.id, "reject", "", directory=directory)
    turn = await here.over("SHELL rejected.txt")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "a request was rejected elsewhere")
    await here.is_true()


@walk
async def a_command_runs_once_it_is_allowed(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SHELL made.txt")
    permission = await here.asked()
    assert isinstance(permission, PermissionRequest)
    assert (permission.detail or " ".join(permission.patterns)) == "touch made.txt"
    here.client.reply(permission, "once")
    assert (await here.over("SHELL made.txt")).state is TurnState.FINISHED
    [tool] = here.tools()
    assert tool.state == "completed"
    await here.is_true()
    here.prompt("SHELL other.txt")
    again = await here.asked()
    assert again.id != permission.id
    here.client.reply(again, "once")
    await here.over("SHELL other.txt")


@walk_alone
async def a_command_that_is_always_allowed_asks_once(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SHELL one.txt")
    permission = await here.asked()
    assert isinstance(permission, PermissionRequest)
    assert permission.always
    here.client.reply(permission, "always")
    assert (await here.over("SHELL one.txt")).state is TurnState.FINISHED
    assert here.client.store.requests == {}
    here.prompt("SHELL two.txt")
    assert (await here.over("SHELL two.txt")).state is TurnState.FINISHED


@walk
async def a_command_that_is_refused_does_not_run(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SHELL made.txt")
    here.client.reply(await here.asked(), "reject")
    await here.over("SHELL made.txt")
    [tool] = here.tools()
    assert tool.state == "error"
    assert here.client.store.requests == {}
    await here.is_true()


@walk
async def a_turn_is_cancelled(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SLOW")
    await here.said("word2")
    here.client.abort(here.session_id)
    turn = await here.over("SLOW")
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "")
    assert "word39" not in here.words()
    await here.until(lambda: isinstance(here.client.store.status(here.session_id), Idle), "idle")
    here.prompt("hello")
    assert (await here.over("hello")).state is TurnState.FINISHED
    await here.is_true()


@walk
async def a_cancelled_question_leaves_no_ghost(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK1")
    await here.asked()
    here.client.abort(here.session_id)
    assert (await here.over("ASK1")).state is TurnState.ABORTED
    assert here.client.store.requests == {}
    async with newcomer(here.server) as backend:
        session = here.client.store.sessions[here.session_id]
        await here.until(lambda: not here.client.store.requests, "no request")
        assert (await backend.resync([session.directory])).statuses.get(here.session_id) is None


@walk
async def a_model_s_error_ends_the_turn_with_its_reason(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("FAIL 400")
    turn = await here.over("FAIL 400")
    assert turn.state is TurnState.FAILED
    assert turn.failure is not None
    assert turn.failure.status == 400 or "400" in turn.reason  # if the server's text begins with it, it is shown
    await here.is_true()


@walk
async def a_gap_in_the_stream_loses_nothing_and_doubles_nothing(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SLOW")
    for word in ("word3", "word12", "word25"):
        await here.said(word)
        here.relay.sever("reset", "events")
        await here.until(lambda: here.client.line().state.name != "LIVE", "the loss")
        await here.live()
    assert (await here.over("SLOW")).state is TurnState.FINISHED
    assert here.words() == "SLOW" + "".join(f"word{i} " for i in range(40))
    await here.is_true()


@walk
async def a_cut_of_everything_ends_the_turn_only_where_the_family_says_so(
    here: Attached, clocks: Clocks | None
) -> None:
    here.prompt("SLOW")
    await here.said("word3")
    await here.cut()
    turn = await here.over("SLOW")
    ends = turn.state is TurnState.CANCELLED
    assert turn.state in (TurnState.CANCELLED, TurnState.FINISHED)
    assert ("word39" in here.words()) is not ends
    assert here.traits.cancels_on_disconnect is ends  # known before, or learned now
    await here.is_true()


@walk
async def a_question_that_waited_through_a_gap_is_still_one_question(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK1")
    question = await here.asked()
    here.relay.sever("reset", "events")
    await here.lost()
    await here.live()
    assert await here.asked() == question
    here.client.answer(question, (("SQLite",),))
    assert (await here.over("ASK1")).state is TurnState.FINISHED
    assert len(here.tools()) == 1


@walk
async def who_comes_later_sees_the_turn_and_answers_its_question(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK1")
    question = await here.asked()
    async with attached(here.server, session=here.session_id, clocks=clocks) as other:
        seen = await other.asked()
        assert seen.id == question.id
        await other.until(lambda: other.client.turn(here.session_id), "the turn that others began")
        other.client.answer(seen, (("Postgres",),))
        assert (await here.over("ASK1")).state is TurnState.FINISHED
        await other.until(lambda: "Postgres" in other.words(), "the answer")
    assert here.client.store.requests == {}


@walk
async def a_server_that_is_killed_interrupts_its_turn(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("hello")
    await here.over("hello")
    here.prompt("SLOW")
    await here.said("word3")
    here.server.crash()
    await here.lost()
    await here.server.restart()
    here.client.retry_now()
    await here.live()
    turn = await here.over("SLOW")
    assert turn.state in (TurnState.INTERRUPTED, TurnState.CANCELLED)
    assert turn.reason
    assert len(here.prompts()) == 2
    here.prompt("and on we go")
    assert (await here.over("and on we go")).state is TurnState.FINISHED
    await here.is_true()


@walk
async def a_question_dies_with_its_server(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("ASK1")
    await here.asked()
    here.server.crash()
    await here.lost()
    await here.server.restart()
    here.client.retry_now()
    await here.until(lambda: not here.client.store.requests, "the ghost to go")
    assert (await here.over("ASK1")).state in (TurnState.INTERRUPTED, TurnState.CANCELLED)


@walk
async def sessions_are_listed_named_copied_and_deleted(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("hello")
    await here.over("hello")
    async with newcomer(here.server) as backend:
        assert here.session_id in [one.id for one in await backend.sessions()]
        assert (await backend.session(here.session_id)).title == "a walk"
        assert await backend.sessions(search="no such title") == ()
        assert await backend.children(here.session_id) == ()
        assert backend.traits.edits_sessions is isinstance(backend, SessionEditing)
        assert backend.traits.undoes is isinstance(backend, Undoing)
        assert isinstance(backend, SessionEditing)
        assert (await backend.rename(here.session_id, "a talk")).title == "a talk"
        assert [one.title for one in await backend.sessions(search="talk")] == ["a talk"]
        copy = await backend.fork(here.session_id)
        theirs = (await backend.messages(copy.id)).messages
        assert [full.message.role for full in theirs] == [full.message.role for full in here.held()]
        await backend.delete(copy.id)
        assert copy.id not in [one.id for one in await backend.sessions()]
        with pytest.raises(HttpStatusError) as refused:
            await backend.session(copy.id)
        assert refused.value.status == 404


@walk
async def what_is_offered_is_taken(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("hello")
    await here.over("hello")
    choices = here.client.choices
    agents = [one.name for one in await choices.agents(here.session_id)]
    models = [one.name for one in await choices.models(here.session_id)]
    usual = here.held()[-1].message.model
    assert "plan" in agents
    assert [one for one in await choices.commands(here.session_id) if one.name == "init"]
    choices.choose(here.session_id, agent="plan", model=next(one for one in models if one.endswith(usual)))
    here.prompt("hello again")
    assert (await here.over("hello again")).state is TurnState.FINISHED
    assert here.held()[-1].message.agent in ("plan", "")
    async with newcomer(here.server) as backend:
        assert isinstance(backend, HasCatalog)


@walk
async def a_prompt_that_arrived_though_nobody_said_so_is_not_sent_twice(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("hello")
    await here.over("hello")
    here.relay.cut_after(0, "prompt")
    here.prompt("hello")
    await here.until(lambda: len(here.turns("hello")) == 2, "the second turn")
    second = await here.over("hello")
    assert second.state is (TurnState.CANCELLED if here.traits.cancels_on_disconnect else TurnState.FINISHED)
    await here.is_true()
    assert len(here.prompts()) == 2


@walk
async def a_client_that_ended_within_a_turn_finds_out_what_became_of_it(here: Attached, clocks: Clocks | None) -> None:
    def journal() -> Journal:
        return Journal(folder / "journal.db", "the server", wall=time.time)

    with TemporaryDirectory() as name:
        folder = Path(name)
        async with attached(here.server, journal(), here.session_id, clocks) as first:
            first.prompt("SLOW")
            await first.said("word3")
        async with attached(here.server, journal(), here.session_id, clocks) as second:
            turn = await second.over("SLOW")
            if turn.state is TurnState.CANCELLED:
                assert second.traits.cancels_on_disconnect
                assert (turn.state, turn.reason) == (TurnState.CANCELLED, "the client exited while sending it")
            else:
                assert turn.state is TurnState.FINISHED
                assert second.words() == "SLOW" + "".join(f"word{i} " for i in range(40))
            assert len(second.prompts()) == 1
            await second.is_true()


@walk
async def a_refusal_carries_its_reason_where_the_family_has_a_place_for_it(
    here: Attached, clocks: Clocks | None
) -> None:
    here.prompt("SHELL made.txt")
    here.client.reply(await here.asked(), "reject", "use another name")
    await here.over("SHELL made.txt")
    [tool] = here.tools()
    assert tool.state == "error"
    assert ("use another name" in tool.error) is here.traits.reject_with_reason


@walk
async def a_second_prompt_waits_where_the_family_has_a_queue(here: Attached, clocks: Clocks | None) -> None:
    here.prompt("SLOW")
    await here.said("word2")
    here.client.prompts.send_now(here.session_id, "and then this")
    if here.traits.queues_prompts:
        second = await here.over("and then this")
        assert second.state is TurnState.FINISHED
        assert (await here.over("SLOW")).state is TurnState.FINISHED
        assert len(here.prompts()) == 2
    else:
        second = await here.over("and then this")
        assert (second.state, bool(second.reason)) == (TurnState.NOT_SENT, True)
        assert (await here.over("SLOW")).state is TurnState.FINISHED
        assert len(here.prompts()) == 1
    await here.is_true()


@walk
async def a_client_that_beats_is_seen(here: Attached, clocks: Clocks | None) -> None:
    """A heartbeat is refused by a server that does not ask for one, without any other effect."""
    async with newcomer(here.server) as backend:
        await backend.messages(here.session_id)
        if backend.traits.client_heartbeat:
            await backend.heartbeat(here.session_id)
        assert await backend.ping() < WITHIN
        await backend.leave(here.session_id)
    here.prompt("hello")
    assert (await here.over("hello")).state is TurnState.FINISHED
