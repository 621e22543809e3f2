"""Turns of a server that assigns its own prompt ids and does not hold the POST."""

import msgspec
import pytest

from tui.core.model import Busy, Failure, Idle, Message, Prompt
from tui.core.poll_schedule import IDLE_CONFIRM_DELAY, POLL_DELAYS
from tui.core.turn import Turn
from tui.core.turn_ending_idle import ANSWER_START_TIMEOUT
from tui.core.turn_inputs import AbortRequested, Accepted, PostFailed, Snapshot, Tick
from tui.core.turn_state import Action, TurnState

PROMPT = Prompt("ses_1", "do it", "ours", "", resume_cursor="place")
ANSWER = Message("theirs:answer", "ses_1", "assistant", created=1.0, completed=9.0, parent_id="theirs", final=True)


def taken() -> Turn:
    turn = Turn.begin(PROMPT, 0.0, once=True)
    assert turn.receive(Accepted("theirs"), 0.1) == ()
    return turn


def test_it_is_followed_by_the_servers_id() -> None:
    turn = taken()
    assert (turn.prompt_id, turn.state, turn.post.held) == ("theirs", TurnState.RUNNING, False)
    turn.receive(Snapshot(Busy(), stored=None), 0.2)
    turn.receive(Snapshot(Idle(), stored=True, answer=ANSWER), 9.0)
    assert turn.state is TurnState.FINISHED


def test_its_answer_has_time_to_begin() -> None:
    turn = taken()
    assert turn.receive(Snapshot(Idle(), stored=None), 0.2) == ()
    turn.receive(Snapshot(Idle(), stored=True, polled=True), 0.2 + ANSWER_START_TIMEOUT - 0.1)
    assert turn.state is TurnState.RUNNING


def test_a_lost_202_is_polled_and_not_posted_again() -> None:
    turn = Turn.begin(PROMPT, 0.0, once=True)
    assert turn.receive(PostFailed("the response was cut off"), 0.5) == (Action.POLL,)
    for after in (*POLL_DELAYS, POLL_DELAYS[-1] + 0.1):
        actions = turn.receive(Snapshot(Idle(), stored=False, polled=True), 0.5 + after)
        assert Action.POST not in actions
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "the response was cut off")


def test_a_lost_202_that_is_found_is_followed() -> None:
    turn = Turn.begin(PROMPT, 0.0, once=True)
    turn.receive(PostFailed("cut"), 0.5)
    turn.receive(Accepted("theirs"), 0.6)
    turn.receive(Snapshot(Busy(), stored=True, polled=True), 0.6)
    assert (turn.prompt_id, turn.state, turn.reason) == ("theirs", TurnState.RUNNING, "")
    assert turn.receive(Tick(), 5.0) == ()


def test_an_accepted_prompt_that_the_server_lost_is_not_sent() -> None:
    """It waited in the server's queue when the server died."""
    turn = taken()
    turn.receive(Snapshot(Idle(), stored=None), 1.0)
    turn.receive(Snapshot(Idle(), stored=False, polled=True), 1.0 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "the server accepted it, and then lost it")


@pytest.mark.parametrize("asked_to", [False, True])
def test_a_turn_reported_lost_by_the_server_is_interrupted(asked_to: bool) -> None:
    turn = taken()
    if asked_to:
        turn.receive(AbortRequested(), 1.0)
    failure = Failure("the server was restarted", "interrupted")
    lost = msgspec.structs.replace(ANSWER, failure=failure, final=False)
    turn.receive(Snapshot(Idle(), stored=True, answer=lost), 9.0)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server was restarted")


def test_after_a_client_crash_it_is_polled_by_its_stored_id() -> None:
    assert Turn.recover(msgspec.structs.replace(PROMPT, server_id="theirs"), 0.0).prompt_id == "theirs"
    assert Turn.recover(PROMPT, 0.0).prompt_id == "ours"
