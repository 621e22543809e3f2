import pytest

from tests import sample_events as sample
from tests.app_harness import app_harness
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
    async with app_harness(size=size) as harness:
        harness.run_turn()
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS))
        await harness.shows("plan 2 of 4 · now: write the migration", "F6 all")
        assert "run the tests" not in harness.text
        await harness.press("f6")
        await harness.shows("✓ read the [store]", "▸ write the migration", "· run the tests", "× tell the moon")
        await harness.press("f6")
        await harness.hides("run the tests")


async def test_the_key_without_a_plan_shows_a_notice() -> None:
    async with app_harness() as harness:
        await harness.press("f6")
        await harness.shows("This session has no plan.")


async def test_the_plan_of_an_ended_turn_shows_where_it_stopped() -> None:
    async with app_harness() as harness:
        turn = harness.run_turn()
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS))
        await harness.shows("plan 2 of 4 · now: write the migration")
        turn.state, turn.ended = TurnState.ABORTED, harness.client.now()
        harness.client.turn_moved(turn)
        await harness.shows("plan 2 of 4 · stopped at: write the migration")
        assert harness.main.plan.is_running  # Textual's: it still handles messages


async def test_a_plan_without_a_turn_is_shown_as_stopped() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS))
        await harness.shows("plan 2 of 4 · stopped at: write the migration")


async def test_the_plan_of_an_ended_turn_is_not_current_in_the_next() -> None:
    async with app_harness() as harness:
        turn = harness.run_turn()
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS))
        await harness.shows("now: write the migration")
        turn.state, turn.ended = TurnState.ABORTED, harness.client.now()
        harness.run_turn()
        await harness.shows("plan 2 of 4 · in progress: write the migration")
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS))  # unchanged: read again, not written again
        await harness.pilot.pause()
        assert "in progress: write the migration" in harness.text
        harness.client.feed(e.TodosChanged(sample.SESSION, (*TODOS, Todo("tell the sun", "pending"))))
        await harness.shows("plan 2 of 5 · now: write the migration")


async def test_a_plan_during_another_clients_turn_is_in_progress() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS), e.StatusChanged(sample.SESSION, Busy()))
        await harness.shows("plan 2 of 4 · in progress: write the migration")


async def test_a_completed_plan_is_hidden() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS))
        await harness.shows("plan 2 of 4")
        harness.client.feed(e.TodosChanged(sample.SESSION, TODOS[:1]))
        await harness.hides("plan ")


async def test_each_session_has_its_own_plan() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.session("ses_2", "Other")), e.TodosChanged("ses_2", TODOS))
        await harness.pilot.pause()
        assert "plan" not in harness.text
        await harness.press("f2", *"other", "enter")
        await harness.shows("plan 2 of 4")


async def test_a_long_plan_is_truncated_with_a_count() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.TodosChanged(sample.SESSION, tuple(Todo(f"step {row}", "pending") for row in range(30))))
        await harness.press("f6")
        await harness.shows("plan 0 of 30", "step 11", "… 18 more")
        assert "step 12" not in harness.text


async def test_tokens_and_cost_are_in_the_header() -> None:
    async with app_harness() as harness:
        used = Message(sample.ANSWER, sample.SESSION, "assistant", 2.0, usage=Usage(1200, 34, 0.5))
        harness.client.feed(e.MessageUpserted(used))
        await harness.shows("1.2k tokens · $0.50")
        session = sample.session()
        harness.client.feed(e.SessionUpserted(type(session)(session.id, session.title, tokens=900, cost=0.25)))
        await harness.shows("900 tokens · $0.25")


async def test_a_child_session_follows_its_parent_in_the_header() -> None:
    async with app_harness() as harness:
        harness.client.feed(e.SessionUpserted(sample.child("ses_c", sample.SESSION, "explore")))
        await harness.press("f2", *"explore", "enter")
        await harness.shows("Move the store to SQLite › explore")
