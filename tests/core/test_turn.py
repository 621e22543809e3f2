"""The table in `tui/core/turn.py`, row by row, then the stories that real servers tell."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from tui.core.held_post import ATTEMPTS_MAX
from tui.core.idle_ending import ANSWER_START_TIMEOUT, BODY_GRACE, HELD_PATIENCE
from tui.core.model import Busy, Failure, Idle, Message, Prompt, Retrying
from tui.core.poll_schedule import IDLE_CONFIRM_DELAY, IDLE_POLL_MAX, POLL_DELAYS, UNSEEN
from tui.core.turn import UNACKNOWLEDGED_TIMEOUT, Turn
from tui.core.turn_inputs import (
    AbortAsked,
    AbortFailed,
    Accepted,
    BodyReceived,
    HeadersReceived,
    Input,
    PaddingReceived,
    PostFailed,
    PostNotSent,
    PostRefused,
    Reconnected,
    Rejected,
    ServerError,
    Snapshot,
    Tick,
)
from tui.core.turn_state import Action, TurnState

PROMPT = Prompt("ses_1", "do it", "msg_1", "prt_1")
BUSY = Snapshot(status=Busy(), stored=True)
IDLE = Snapshot(status=Idle(), stored=True)
ANSWER = Message("msg_2", "ses_1", "assistant", created=1.0, completed=9.0, parent_id="msg_1", final=True)
UNDONE = replace(ANSWER, completed=None, final=False)
BETWEEN = replace(ANSWER, final=False)
ABORTED = replace(ANSWER, failure=Failure("aborted", "aborted"), final=False)
LATER = replace(ANSWER, id="msg_4", parent_id="msg_3")


def sending(*, mimo: bool = False) -> Turn:
    return Turn.begin(PROMPT, 0.0, cancels_on_disconnect=mimo)


def running(*, mimo: bool = False) -> Turn:
    turn = sending(mimo=mimo)
    turn.receive(BUSY, 0.1)
    return turn


def asked(seen: Snapshot) -> Snapshot:
    return replace(seen, polled=True)


def not_there() -> Snapshot:
    return Snapshot(status=Idle(), stored=False, polled=True)


def run(turn: Turn, *steps: tuple[float, Input]) -> list[Action]:
    return [action for now, what in steps for action in turn.receive(what, now)]


@pytest.mark.parametrize("what", [HeadersReceived(), PaddingReceived(1), BUSY])
def test_sending_becomes_running_by_headers_pads_or_the_prompt_seen(what: Input) -> None:
    turn = sending()
    turn.receive(what, 0.5)
    assert turn.state is TurnState.RUNNING


@pytest.mark.parametrize("what", [PostNotSent("refused"), PostRefused("busy (409)")])
def test_a_prompt_that_the_server_does_not_have_is_not_sent(what: Input) -> None:
    turn = sending()
    assert turn.receive(what, 0.5) == ()
    assert turn.state is TurnState.NOT_SENT
    assert turn.reason in ("refused", "busy (409)")


@pytest.mark.parametrize("turn", [sending(), running()])
def test_a_broken_post_is_unknown_and_asks_at_once(turn: Turn) -> None:
    assert turn.receive(PostFailed("reset"), 10) == (Action.ASK,)
    assert turn.state is TurnState.UNKNOWN
    assert not turn.post.held


def test_unknown_asks_several_times_over_five_seconds_and_then_calmly_for_ever() -> None:
    turn = sending()
    turn.receive(PostFailed("reset"), 0)
    times = [now / 10 for now in range(1, 300) if turn.receive(Tick(), now / 10)]
    assert times[: len(POLL_DELAYS) - 1] == list(POLL_DELAYS[1:])
    assert times[len(POLL_DELAYS) - 1 :] == [10.0, 15.0, 20.0, 25.0]


def test_unknown_and_there_is_followed() -> None:
    turn = running()
    turn.receive(PostFailed("reset"), 10)
    turn.receive(asked(BUSY), 10.2)
    assert turn.state is TurnState.RUNNING
    assert turn.receive(Tick(), 14) == ()


def test_one_404_is_no_answer() -> None:
    turn = sending()
    turn.receive(PostFailed("reset"), 0)
    assert turn.receive(not_there(), 0.1) == ()
    assert turn.receive(not_there(), 3.5) == ()
    assert turn.state is TurnState.UNKNOWN


def test_lastingly_not_there_is_posted_again() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()))
    assert turn.receive(not_there(), 5.1) == (Action.POST,)
    assert turn.state is TurnState.SENDING
    assert turn.post.held
    assert turn.post.attempts == 2


def test_an_unanswered_question_to_the_server_is_no_404() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()))
    assert turn.receive(Snapshot(status=Idle(), stored=None, polled=True), 60) == ()
    assert turn.state is TurnState.UNKNOWN


def test_a_prompt_that_nothing_is_heard_of_is_asked_for() -> None:
    turn = sending()
    assert [now for now in range(1, 12) if turn.receive(Tick(), now)] == [UNSEEN, 2 * UNSEEN]


def test_a_post_that_a_starting_server_swallowed_is_let_go_and_sent_again() -> None:
    turn = sending()
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT - 1) == ()
    assert turn.receive(Snapshot(status=Idle(), stored=None, polled=True), UNACKNOWLEDGED_TIMEOUT) == ()
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT) == (Action.CLOSE_POST, Action.ASK)
    assert (turn.state, turn.post.held) == (TurnState.UNKNOWN, False)
    run(turn, (UNACKNOWLEDGED_TIMEOUT + 0.1, not_there()))
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT + 5.1) == (Action.POST,)
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT + 10) == ()
    assert [now for now in range(26, 36) if turn.receive(Tick(), now)] == [31]


def test_a_held_post_whose_prompt_is_there_is_kept_for_ever() -> None:
    turn = sending()
    turn.receive(asked(BUSY), 1)
    assert set(run(turn, *((float(now), Tick()) for now in range(2, 10_000)))) == {Action.ASK}
    assert turn.post.held


def test_it_is_not_posted_again_when_a_later_turn_exists() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()), (5.1, replace(not_there(), has_later_prompt=True)))
    assert turn.state is TurnState.NOT_SENT


def test_it_is_not_posted_again_where_its_id_would_never_be_answered() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()))
    assert turn.receive(replace(not_there(), outrun=True), 5.1) == ()
    assert turn.state is TurnState.NOT_SENT
    assert "has moved on" in turn.reason


@pytest.mark.parametrize(("answer", "state"), [(ABORTED, TurnState.CANCELLED), (UNDONE, TurnState.INTERRUPTED)])
def test_where_it_is_not_known_whether_a_cut_ends_a_turn_the_server_s_record_tells(
    answer: Message, state: TurnState
) -> None:
    turn = Turn.begin(PROMPT, 0.0, cancels_on_disconnect=None)
    idle = asked(replace(IDLE, answer=answer))
    run(turn, (0.1, BUSY), (1, PostFailed("reset")), (1.1, idle), (4.2, idle), (10, idle))
    assert (turn.state, turn.post.cut_at) == (state, 1)


def test_an_answer_that_failed_is_over_though_the_server_keeps_no_time_for_that() -> None:
    """MiMo Code stores the error of an answer, and not when it was completed."""
    turn = running()
    failed = replace(UNDONE, failure=Failure("Bad Request", "provider", 400))
    idle = asked(replace(IDLE, answer=failed))
    run(turn, (1, PostFailed("reset")), (1.1, idle), (4.2, idle))
    assert (turn.state, turn.reason) == (TurnState.FAILED, "Bad Request")


def test_it_is_posted_only_so_often() -> None:
    turn, now, posts = sending(), 0.0, 1
    while not turn.over:
        assert posts <= ATTEMPTS_MAX
        run(turn, (now, PostFailed("502")), (now + 0.1, not_there()))
        posts += Action.POST in turn.receive(not_there(), now + 5.1)
        now += 10
    assert posts == ATTEMPTS_MAX
    assert turn.state is TurnState.NOT_SENT
    assert turn.reason == "502"


def test_a_server_error_of_its_own_is_not_posted_again() -> None:
    turn = sending()
    run(turn, (0, PostFailed("500", again=False)), (0.1, not_there()))
    assert turn.state is TurnState.UNKNOWN
    assert turn.receive(not_there(), 0.3) == ()  # the server has answered: nothing of it is under way any more
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "500")


@pytest.mark.parametrize("answer", [None, UNDONE])
def test_a_stored_prompt_that_the_server_answered_with_an_error_failed_by_that(answer: Message | None) -> None:
    turn = sending()
    stored = asked(replace(IDLE, answer=answer))
    run(turn, (0, PostFailed("the server fails (500): no such directory", again=False)), (0.1, stored))
    for now in range(1, 30):
        turn.receive(stored, float(now))
    assert (turn.state, turn.reason) == (TurnState.FAILED, "the server fails (500): no such directory")


def test_what_the_server_says_of_its_error_is_the_reason() -> None:
    turn = sending()
    run(turn, (0, ServerError(Failure("Agent not found"))), (0, PostFailed("500", again=False)), (0.1, not_there()))
    turn.receive(not_there(), 5.1)
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "Agent not found")


def test_waiting_comes_and_goes_with_the_requests() -> None:
    turn = running()
    turn.receive(replace(BUSY, waiting=True), 5)
    assert (turn.state, turn.waiting_since) == (TurnState.WAITING, 5)
    turn.receive(replace(BUSY, waiting=True, version=7), 8)
    assert (turn.state, turn.waiting_since) == (TurnState.WAITING, 5)
    turn.receive(BUSY, 9)
    assert (turn.state, turn.waiting_since) == (TurnState.RUNNING, None)


def test_what_waited_before_it_was_seen_has_waited_since_it_was_asked() -> None:
    turn = running()
    turn.receive(replace(BUSY, waiting=True, waited=180.0), 5)
    turn.receive(replace(BUSY, waiting=True, waited=183.0, version=7), 8)
    assert (turn.state, turn.waiting_since) == (TurnState.WAITING, -175)


def test_a_provider_retry_is_shown_as_such_until_it_goes_on() -> None:
    turn = running()
    retry = Retrying(3, "429", 1234.0)
    turn.receive(replace(BUSY, status=retry), 5)
    assert (turn.state, turn.retry) == (TurnState.RETRYING, retry)
    turn.receive(BUSY, 9)
    assert (turn.state, turn.retry) == (TurnState.RUNNING, None)


def test_the_body_of_our_own_prompt_ends_it() -> None:
    turn = running()
    assert turn.receive(BodyReceived(ANSWER), 9) == ()
    assert (turn.state, turn.ended) == (TurnState.FINISHED, 9)


def test_a_body_with_a_foreign_parent_proves_nothing() -> None:
    turn = running()
    assert turn.receive(BodyReceived(replace(ANSWER, parent_id="msg_other")), 9) == (Action.ASK,)
    assert not turn.over
    turn.receive(asked(replace(IDLE, has_later_prompt=True, later_answer=LATER)), 9.1)
    assert turn.state is TurnState.FINISHED


def test_the_failure_of_a_later_prompt_is_that_of_one_that_it_took_along() -> None:
    turn = running()
    turn.receive(BodyReceived(replace(ANSWER, parent_id="msg_3")), 9)
    failed = replace(LATER, failure=Failure("400 too long", "provider", 400), final=False)
    turn.receive(asked(replace(IDLE, has_later_prompt=True, later_answer=failed)), 9.1)
    assert (turn.state, turn.reason) == (TurnState.FAILED, "together with a later prompt: 400 too long")


@pytest.mark.parametrize("broken", [UNDONE, replace(ANSWER, final=False, incomplete=True)])
def test_an_answer_that_broke_off_is_not_made_whole_by_a_later_one(broken: Message) -> None:
    turn = running()
    turn.receive(PostFailed("the server went down"), 9)
    seen = asked(replace(IDLE, answer=broken, has_later_prompt=True, later_answer=LATER))
    run(turn, (10, seen), (10 + IDLE_CONFIRM_DELAY, seen))
    assert turn.state in (TurnState.INTERRUPTED, TurnState.ABORTED)


@pytest.mark.parametrize("stored", [None, False])
def test_a_later_answer_says_nothing_of_a_prompt_that_is_not_there(stored: bool | None) -> None:
    """qwen serve forgets the prompts that waited when it is killed, and answers later ones."""
    turn = sending()
    turn.receive(Accepted("prompt_1"), 0)
    later = replace(IDLE, stored=stored, has_later_prompt=True, later_answer=LATER)
    run(turn, (9, later), (9 + IDLE_CONFIRM_DELAY, later))
    assert not turn.over
    run(turn, (12, replace(later, stored=False, polled=True)))
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "the server accepted it, and then lost it")


def test_a_failed_answer_fails_the_turn_with_its_reason() -> None:
    turn = running()
    turn.receive(BodyReceived(replace(ANSWER, failure=Failure("401 bad key", "provider", 401), final=False)), 9)
    assert (turn.state, turn.reason) == (TurnState.FAILED, "401 bad key")


def test_an_aborted_answer_says_who_aborted_it() -> None:
    ours, theirs = running(), running()
    assert ours.receive(AbortAsked(), 3) == ()
    assert not ours.over
    ours.receive(BodyReceived(ABORTED), 3.1)
    theirs.receive(BodyReceived(ABORTED), 3.1)
    assert (ours.state, ours.reason) == (TurnState.ABORTED, "")
    assert (theirs.state, theirs.reason) == (TurnState.ABORTED, "aborted elsewhere")


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("ending", [{"incomplete": True}, {"completed": None}])
def test_an_abort_between_two_tries_of_the_provider_leaves_neither_error_nor_finish(
    ours: bool, ending: dict[str, object]
) -> None:
    turn = running()
    if ours:
        turn.receive(AbortAsked(), 3)
    turn.receive(BodyReceived(replace(ANSWER, final=False, **ending)), 3.1)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "" if ours else "aborted elsewhere")


def test_an_abort_that_failed_explains_no_end() -> None:
    turn = running()
    run(turn, (1, AbortAsked()), (1, AbortFailed()), (2, PostFailed("reset")))
    run(turn, (9, asked(replace(IDLE, answer=UNDONE))), (9 + IDLE_CONFIRM_DELAY, asked(replace(IDLE, answer=UNDONE))))
    assert turn.state is TurnState.INTERRUPTED


def test_an_abort_from_elsewhere_before_any_answer_is_no_failure() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    run(turn, (1, ServerError(Failure("Aborted", "aborted"))), (1, IDLE), (1 + IDLE_CONFIRM_DELAY, asked(IDLE)))
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


def test_a_session_that_stays_idle_is_asked_ever_more_calmly() -> None:
    turn = running()
    turn.receive(IDLE, 0)
    asks = [now for now in range(1, 500) if turn.receive(Tick(), float(now))]
    gaps = [b - a for a, b in pairwise(asks)]
    assert asks[0] == IDLE_CONFIRM_DELAY
    assert gaps == sorted(gaps)
    assert gaps[-1] == IDLE_POLL_MAX


def test_a_silent_post_gets_a_moment_and_then_the_stored_answer_wins() -> None:
    turn = running()
    done = replace(IDLE, answer=ANSWER)
    assert run(turn, (10, done), (10 + BODY_GRACE / 2, done)) == []
    assert not turn.over
    assert turn.receive(done, 10 + BODY_GRACE) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.FINISHED


def test_a_followed_turn_ends_as_soon_as_its_answer_is_complete() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    turn.receive(replace(IDLE, answer=ANSWER), 1.0)
    assert turn.state is TurnState.FINISHED


def test_idle_in_the_middle_is_believed_only_at_a_second_look() -> None:
    turn = running()
    run(turn, (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=UNDONE))))
    assert turn.state is TurnState.UNKNOWN
    assert turn.receive(Tick(), 10.1 + IDLE_CONFIRM_DELAY) == (Action.ASK,)
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 10.2 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server stopped in mid-answer")


def test_idle_that_nobody_asked_for_never_interrupts() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    for now in range(100):
        turn.receive(replace(IDLE, answer=UNDONE), float(now))
    assert not turn.over


def test_busy_again_forgets_the_idle_moment() -> None:
    turn = running()
    run(turn, (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=UNDONE))), (11, BUSY))
    assert turn.receive(Tick(), 14) == ()
    assert turn.state is TurnState.RUNNING


def test_a_held_post_is_a_witness_too() -> None:
    turn = running()
    undone = replace(IDLE, answer=UNDONE)
    run(turn, (10, undone), (10 + HELD_PATIENCE - 1, asked(undone)))
    assert not turn.over
    assert turn.receive(asked(undone), 10 + HELD_PATIENCE) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.INTERRUPTED


@pytest.mark.parametrize("aborted", [False, True])
def test_a_whole_answer_that_its_server_had_no_time_to_close_is_finished(aborted: bool) -> None:
    """opencode stores why the model stopped before it stores when: killed between the two it never says when."""
    unclosed = replace(IDLE, answer=replace(ANSWER, completed=None))
    broken, held = running(), running()
    broken.receive(PostFailed("reset"), 1.0)
    for turn, patience in ((broken, IDLE_CONFIRM_DELAY), (held, HELD_PATIENCE)):
        if aborted:
            turn.receive(AbortAsked(), 1.5)
        run(turn, (2.0, unclosed), (1.9 + patience, asked(unclosed)))
        assert not turn.over
        turn.receive(asked(unclosed), 2.0 + patience)
        assert turn.state is TurnState.FINISHED


def test_an_abort_from_elsewhere_is_told_though_the_post_is_half_open() -> None:
    turn = running()
    aborted = replace(IDLE, answer=replace(ANSWER, final=False, incomplete=True))
    run(turn, (10, aborted), (9.9 + HELD_PATIENCE, asked(aborted)))
    assert not turn.over
    assert turn.receive(asked(aborted), 10 + HELD_PATIENCE) == (Action.CLOSE_POST,)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


def test_a_prompt_without_an_answer_gets_the_time_of_a_cold_start() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, asked(IDLE)), (ANSWER_START_TIMEOUT - 1, asked(IDLE)))
    assert not turn.over
    turn.receive(asked(IDLE), 0.1 + ANSWER_START_TIMEOUT)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server has the prompt but began no answer")


def test_a_prompt_that_is_stored_without_its_words_goes_back() -> None:
    """opencode stores the message before its parts: killed between the two it has a prompt that says nothing."""
    turn = running()
    lost = asked(replace(IDLE, has_no_parts=True))
    run(turn, (1.0, PostFailed("reset")), (2.0, lost), (3.0 + ANSWER_START_TIMEOUT, lost))
    assert (turn.state, turn.reason) == (
        TurnState.NOT_SENT,
        "the server lost its text before storing it",
    )


def test_words_that_were_lost_go_back_whatever_became_of_the_session_since() -> None:
    aborted, answered, told = running(), running(), running()
    aborted.receive(AbortAsked(), 1.0)
    told.receive(ServerError(Failure("context overflow")), 1.0)
    for turn in (aborted, answered, told):
        seen = replace(IDLE, has_no_parts=True, has_later_prompt=True, later_answer=LATER if turn is answered else None)
        run(turn, (1.0, PostFailed("reset")), (2.0, seen), (1.9 + ANSWER_START_TIMEOUT, asked(seen)))
        assert not turn.over
        turn.receive(asked(seen), 2.0 + ANSWER_START_TIMEOUT)
        assert (turn.state, turn.reason) == (
            TurnState.NOT_SENT,
            "the server lost its text before storing it",
        )


def test_an_abort_of_a_held_post_waits_for_the_words_to_be_stored() -> None:
    turn = running()
    lost = replace(IDLE, has_no_parts=True)
    run(turn, (1.0, AbortAsked()), (2.0, lost), (1.9 + HELD_PATIENCE, asked(lost)))
    assert not turn.over
    assert turn.receive(asked(lost), 2.0 + HELD_PATIENCE) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.NOT_SENT


def test_a_turn_does_not_wait_for_a_person_once_its_request_is_closed_and_its_session_idle() -> None:
    """The server was restarted: it has no requests and runs nothing, and keeps a torn answer."""
    turn = running()
    run(turn, (1.0, PostFailed("reset")), (2.0, asked(replace(BUSY, waiting=True))))
    assert (turn.state, turn.checking) == (TurnState.WAITING, False)
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 20.0)
    assert (turn.state, turn.waiting_since, turn.checking) == (TurnState.RUNNING, None, True)
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 20.0 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.checking) == (TurnState.INTERRUPTED, False)


def test_words_of_others_that_were_lost_do_not_come_to_this_prompt() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    lost = asked(replace(IDLE, has_no_parts=True))
    run(turn, (2.0, lost), (3.0 + ANSWER_START_TIMEOUT, lost))
    assert turn.state is TurnState.INTERRUPTED


def test_a_held_post_counts_for_nothing_once_the_line_was_lost_and_the_server_is_idle() -> None:
    """Its socket may be open for ever: the server that held the other end is gone."""
    sure, doubted = running(), running()
    assert doubted.receive(Reconnected(), 0) == (Action.ASK,)
    for turn in (sure, doubted):
        run(turn, (1, asked(IDLE)), (0.9 + HELD_PATIENCE, asked(IDLE)))
        assert not turn.over
    assert sure.receive(asked(IDLE), 1 + HELD_PATIENCE) == ()
    assert not sure.over
    assert doubted.receive(asked(IDLE), 1 + HELD_PATIENCE) == (Action.CLOSE_POST,)
    assert doubted.state is TurnState.INTERRUPTED


def test_a_session_that_is_gone_interrupts() -> None:
    turn = running()
    assert turn.receive(replace(IDLE, stored=True, gone=True), 5) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.INTERRUPTED


def test_a_session_that_is_gone_with_a_prompt_that_it_never_showed_gives_the_prompt_back() -> None:
    """qwen serve stores a session with its first words: what it took before a crash is nowhere afterwards."""
    turn = sending()
    run(turn, (0, Accepted("prompt_1")), (5, replace(IDLE, stored=False, gone=True)))
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "the session no longer exists on the server")


def test_an_error_event_is_kept_but_is_no_end() -> None:
    turn = running()
    turn.receive(ServerError(Failure("context overflow")), 5)
    assert not turn.over
    turn.receive(BodyReceived(ANSWER), 9)
    assert turn.state is TurnState.FINISHED


@pytest.mark.parametrize("turn", [sending(mimo=True), running(mimo=True)])
def test_mimo_ends_the_turn_with_its_post(turn: Turn) -> None:
    assert turn.receive(PostFailed("reset"), 10) == (Action.ASK,)
    assert turn.state is TurnState.UNKNOWN
    turn.receive(asked(replace(IDLE, answer=ABORTED)), 10.1)
    assert (turn.state, turn.reason) == (TurnState.CANCELLED, "reset")


def test_mimo_may_have_ended_the_turn_without_a_word() -> None:
    turn = running(mimo=True)
    run(turn, (10, PostFailed("reset")), (10.1, asked(IDLE)), (11, asked(replace(IDLE, answer=UNDONE))))
    assert not turn.over
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 10.1 + IDLE_CONFIRM_DELAY)
    assert turn.state is TurnState.CANCELLED


def test_mimo_may_have_finished_before_its_post_broke() -> None:
    turn = running(mimo=True)
    run(turn, (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=ANSWER))))
    assert turn.state is TurnState.FINISHED


def test_a_cut_that_was_followed_by_a_new_post_is_forgotten() -> None:
    turn = sending(mimo=True)
    run(turn, (0, PostFailed("reset")), (0.1, not_there()), (5.1, not_there()), (6, BUSY), (7, BodyReceived(ABORTED)))
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


def test_an_abort_of_our_own_is_no_cancellation() -> None:
    turn = running(mimo=True)
    run(turn, (9, AbortAsked()), (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=ABORTED))))
    assert turn.state is TurnState.ABORTED


def test_mimo_says_a_failure_with_white_space_alone() -> None:
    turn = running(mimo=True)
    run(turn, (5, ServerError(Failure("no model"))), (6, PostFailed("only padding", cut=False)))
    assert turn.state is TurnState.UNKNOWN
    run(turn, (6.1, asked(IDLE)), (6.2 + IDLE_CONFIRM_DELAY, asked(IDLE)))
    assert (turn.state, turn.reason) == (TurnState.FAILED, "no model")


@pytest.mark.parametrize(
    ("rejected", "state", "reason"),
    [
        (True, TurnState.ABORTED, "a request was rejected"),
        (False, TurnState.INTERRUPTED, "it ended between two steps; the server gives no reason"),
    ],
)
def test_a_turn_that_ended_in_tool_calls_is_over_when_the_session_is_idle(
    rejected: bool, state: TurnState, reason: str
) -> None:
    """opencode ends a turn so when a permission or a question is rejected, which the call says."""
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    seen = replace(IDLE, answer=replace(ANSWER, final=False), rejected=rejected)
    turn.receive(seen, 1.0)
    assert not turn.over
    turn.receive(asked(seen), 1.0 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.reason) == (state, reason)


def test_two_clocks() -> None:
    turn = running()
    run(turn, (100, PaddingReceived(10)), (200, PaddingReceived(20)))
    assert (turn.post.pads, turn.post.last_pad) == (20, 200)
    turn.receive(PaddingReceived(20), 205)  # no new pad
    assert (turn.post.pads, turn.post.last_pad) == (20, 200)
    assert turn.idle_for(200) == pytest.approx(199.9)
    turn.receive(replace(BUSY, version=5), 250)
    assert turn.idle_for(260) == 10
    turn.receive(replace(BUSY, version=5, waiting=True), 270)
    assert turn.idle_for(1000) == 0


def test_a_turn_that_stands_still_is_asked_for_now_and_then() -> None:
    turn = running()
    asks = [now for now in range(1, 120) if turn.receive(Tick(), float(now))]
    assert asks == [16, 46, 76, 106]
    turn.receive(replace(BUSY, version=1), 120)
    assert turn.receive(Tick(), 134) == ()
    assert not turn.over


def test_a_post_that_stays_open_over_the_end_of_its_turn_and_a_lost_line_is_what_ended_it() -> None:
    """The server saw its end and the client did not; an abort from elsewhere would have come by the POST."""
    turn = sending(mimo=True)
    gone = asked(replace(IDLE, answer=ABORTED))
    run(turn, (1, HeadersReceived()), (2, Reconnected()), (3, gone), (4 + HELD_PATIENCE, gone))
    assert (turn.state, turn.reason) == (TurnState.CANCELLED, "the connection was lost in mid-turn")


def test_where_the_line_was_never_in_doubt_nobody_knows_who_ended_it() -> None:
    """Somebody else may have aborted, and the POST be late; or it is lost, and nothing says so."""
    turn = sending(mimo=True)
    gone = asked(replace(IDLE, answer=ABORTED))
    run(turn, (1, HeadersReceived()), (3, gone), (4 + HELD_PATIENCE, gone))
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server ended it without returning the answer")


@pytest.mark.parametrize(
    ("told", "body", "state", "reason"),
    [
        ([Rejected(here=True)], BodyReceived(ANSWER, rejected=True), TurnState.ABORTED, "you rejected a request"),
        ([Rejected(here=True)], BodyReceived(BETWEEN), TurnState.ABORTED, "you rejected a request"),
        ([Rejected(here=False)], BodyReceived(BETWEEN), TurnState.ABORTED, "a request was rejected elsewhere"),
        ([], BodyReceived(BETWEEN, rejected=True), TurnState.ABORTED, "a request was rejected"),
        ([Rejected(here=True)], BodyReceived(ANSWER), TurnState.FINISHED, ""),  # the agent was told, and went on
    ],
)
@pytest.mark.parametrize("mimo", [False, True])
def test_a_turn_that_a_rejected_request_ended_did_not_finish(
    told: list[Input], body: BodyReceived, state: TurnState, reason: str, mimo: bool
) -> None:
    turn = running(mimo=mimo)
    run(turn, *((5, what) for what in told), (6, body))
    assert (turn.state, turn.reason) == (state, reason)


def test_an_aborted_answer_that_was_never_completed_was_not_interrupted() -> None:
    """MiMo Code stores no time of completion for an aborted answer, though it says that it was aborted."""
    turn = Turn.follow("ses_1", PROMPT.message_id, 0.0)
    aborted = replace(IDLE, answer=replace(ABORTED, completed=None))
    run(turn, (10, aborted), (13, asked(aborted)))
    assert turn.state is TurnState.ABORTED


def test_an_abort_under_a_half_open_post_may_be_the_server_s_own() -> None:
    turn = running()
    turn.cancels_on_disconnect = None
    aborted = replace(IDLE, answer=ABORTED)
    run(turn, (10, aborted), (10 + HELD_PATIENCE, asked(aborted)))
    assert turn.state is TurnState.ABORTED
    assert turn.reason == "aborted by another client or by the server"


def test_an_abort_that_the_post_tells_of_is_somebody_else_s() -> None:
    turn = sending(mimo=True)
    run(turn, (1, HeadersReceived()), (2, BodyReceived(ABORTED)))
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


@pytest.mark.parametrize(("later", "state"), [(True, TurnState.INTERRUPTED), (False, TurnState.WAITING)])
def test_a_turn_that_broke_off_is_over_though_a_later_prompt_keeps_the_session_waiting(
    later: bool, state: TurnState
) -> None:
    turn = running()
    broken_off = replace(ABORTED, failure=Failure("the server was restarted", "interrupted"))
    run(turn, (2, asked(replace(BUSY, answer=broken_off, waiting=True, has_later_prompt=later))))
    assert turn.state is state


def test_a_recovered_prompt_is_asked_for_and_never_posted_again() -> None:
    turn = Turn.recover(PROMPT, 0)
    assert not turn.post.held
    assert run(turn, (0.5, Tick()), (0.6, not_there()), (5.1, not_there())) == [Action.ASK]
    assert turn.state is TurnState.NOT_SENT


@pytest.mark.parametrize(("cancels", "state"), [(True, TurnState.CANCELLED), (False, TurnState.INTERRUPTED)])
def test_a_recovered_turn_that_died_with_its_client_is_told_so_where_the_family_ends_it(
    cancels: bool, state: TurnState
) -> None:
    turn = Turn.recover(PROMPT, 0, cancels_on_disconnect=cancels)
    run(turn, (1, asked(IDLE)), (ANSWER_START_TIMEOUT + 2, asked(IDLE)))
    assert turn.state is state
    assert (turn.reason == "the client exited while sending it") is cancels


def test_a_recovered_prompt_that_arrived_is_followed() -> None:
    turn = Turn.recover(PROMPT, 0)
    turn.receive(asked(BUSY), 1)
    assert turn.state is TurnState.RUNNING


def test_an_ended_turn_moves_no_more() -> None:
    turn = running()
    turn.receive(BodyReceived(ANSWER), 9)
    assert run(turn, (10, PostFailed("late")), (11, asked(IDLE)), (12, Tick())) == []
    assert (turn.state, turn.ended) == (TurnState.FINISHED, 9)
