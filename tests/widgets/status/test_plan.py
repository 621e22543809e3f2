import pytest

from tests import sample_events as talk
from tests.app_harness import on_stage
from tui.core import events as e
from tui.core.model import Busy, Message, Todo, Usage
from tui.core.turn_state import TurnState

TODOS = (
    Todo("read the [store]", "completed"),
    Todo("write the migration", "in_progress"),
    Todo("run the tests", "pending"),
    Todo("tell the moon", "cancelled"),
)


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_the_plan_is_one_line_and_expanded_by_a_key(size: tuple[int, int]) -> None:
    async with on_stage(size=size) as stage:
        stage.run_turn()
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS))
        await stage.shows("plan 2 of 4 · now: write the migration", "F6 all")
        assert "run the tests" not in stage.text
        await stage.press("f6")
        await stage.shows("✓ read the [store]", "▸ write the migration", "· run the tests", "× tell the moon")
        await stage.press("f6")
        await stage.hides("run the tests")


async def test_the_key_without_a_plan_shows_a_notice() -> None:
    async with on_stage() as stage:
        await stage.press("f6")
        await stage.shows("This session has no plan.")


async def test_the_plan_of_an_ended_turn_shows_where_it_stopped() -> None:
    async with on_stage() as stage:
        turn = stage.run_turn()
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS))
        await stage.shows("plan 2 of 4 · now: write the migration")
        turn.state, turn.ended = TurnState.ABORTED, stage.client.now()
        stage.client.turn_moved(turn)
        await stage.shows("plan 2 of 4 · stopped at: write the migration")
        assert stage.main.plan.is_running  # Textual's: it still handles messages


async def test_a_plan_without_a_turn_is_shown_as_stopped() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS))
        await stage.shows("plan 2 of 4 · stopped at: write the migration")


async def test_the_plan_of_an_ended_turn_is_not_current_in_the_next() -> None:
    async with on_stage() as stage:
        turn = stage.run_turn()
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS))
        await stage.shows("now: write the migration")
        turn.state, turn.ended = TurnState.ABORTED, stage.client.now()
        stage.run_turn()
        await stage.shows("plan 2 of 4 · in progress: write the migration")
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS))  # unchanged: read again, not written again
        await stage.pilot.pause()
        assert "in progress: write the migration" in stage.text
        stage.client.feed(e.TodosChanged(talk.SESSION, (*TODOS, Todo("tell the sun", "pending"))))
        await stage.shows("plan 2 of 5 · now: write the migration")


async def test_a_plan_during_another_clients_turn_is_in_progress() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS), e.StatusChanged(talk.SESSION, Busy()))
        await stage.shows("plan 2 of 4 · in progress: write the migration")


async def test_a_completed_plan_is_hidden() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS))
        await stage.shows("plan 2 of 4")
        stage.client.feed(e.TodosChanged(talk.SESSION, TODOS[:1]))
        await stage.hides("plan ")


async def test_each_session_has_its_own_plan() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.session("ses_2", "Other")), e.TodosChanged("ses_2", TODOS))
        await stage.pilot.pause()
        assert "plan" not in stage.text
        await stage.press("f2", *"other", "enter")
        await stage.shows("plan 2 of 4")


async def test_a_long_plan_is_truncated_with_a_count() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.TodosChanged(talk.SESSION, tuple(Todo(f"step {row}", "pending") for row in range(30))))
        await stage.press("f6")
        await stage.shows("plan 0 of 30", "step 11", "… 18 more")
        assert "step 12" not in stage.text


async def test_tokens_and_cost_are_in_the_header() -> None:
    async with on_stage() as stage:
        used = Message(talk.ANSWER, talk.SESSION, "assistant", 2.0, usage=Usage(1200, 34, 0.5))
        stage.client.feed(e.MessageUpserted(used))
        await stage.shows("1.2k tokens · $0.50")
        session = talk.session()
        stage.client.feed(e.SessionUpserted(type(session)(session.id, session.title, tokens=900, cost=0.25)))
        await stage.shows("900 tokens · $0.25")


async def test_a_child_session_follows_its_parent_in_the_header() -> None:
    async with on_stage() as stage:
        stage.client.feed(e.SessionUpserted(talk.child("ses_c", talk.SESSION, "explore")))
        await stage.press("f2", *"explore", "enter")
        await stage.shows("Move the store to SQLite › explore")
