"""The table in `tui/core/turn.py`, row by row, then sequences recorded from real servers."""

from itertools import pairwise

import pytest
from msgspec.structs import replace

from tui.core.held_post import MAX_ATTEMPTS
from tui.core.model import Busy, Failure, Idle, Message, Prompt, Retrying
from tui.core.poll_schedule import IDLE_CONFIRM_DELAY, MAX_IDLE_POLL, POLL_DELAYS, UNSEEN
from tui.core.turn import UNACKNOWLEDGED_TIMEOUT, Turn
from tui.core.turn_ending_idle import ANSWER_START_TIMEOUT, BODY_TIMEOUT, HELD_POST_TIMEOUT
from tui.core.turn_inputs import (
    AbortFailed,
    AbortRequested,
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
def test_sending_becomes_running_by_headers_padding_or_the_prompt(what: Input) -> None:
    turn = sending()
    turn.receive(what, 0.5)
    assert turn.state is TurnState.RUNNING


@pytest.mark.parametrize("what", [PostNotSent("refused"), PostRefused("busy (409)")])
def test_a_prompt_that_was_not_delivered_is_not_sent(what: Input) -> None:
    turn = sending()
    assert turn.receive(what, 0.5) == ()
    assert turn.state is TurnState.NOT_SENT
    assert turn.reason in ("refused", "busy (409)")


@pytest.mark.parametrize("turn", [sending(), running()])
def test_a_broken_post_is_unknown_and_polls_at_once(turn: Turn) -> None:
    assert turn.receive(PostFailed("reset"), 10) == (Action.POLL,)
    assert turn.state is TurnState.UNKNOWN
    assert not turn.post.held


def test_unknown_polls_over_five_seconds_and_then_at_intervals() -> None:
    turn = sending()
    turn.receive(PostFailed("reset"), 0)
    times = [now / 10 for now in range(1, 300) if turn.receive(Tick(), now / 10)]
    assert times[: len(POLL_DELAYS) - 1] == list(POLL_DELAYS[1:])
    assert times[len(POLL_DELAYS) - 1 :] == [10.0, 15.0, 22.5]


def test_a_prompt_found_by_a_poll_is_followed() -> None:
    turn = running()
    turn.receive(PostFailed("reset"), 10)
    turn.receive(asked(BUSY), 10.2)
    assert turn.state is TurnState.RUNNING
    assert turn.receive(Tick(), 14) == ()


def test_one_404_does_not_repost() -> None:
    turn = sending()
    turn.receive(PostFailed("reset"), 0)
    assert turn.receive(not_there(), 0.1) == ()
    assert turn.receive(not_there(), 3.5) == ()
    assert turn.state is TurnState.UNKNOWN


def test_one_404_after_a_long_outage_does_not_repost() -> None:
    turn = sending()
    turn.receive(PostFailed("reset"), 0)
    assert turn.receive(not_there(), 600) == ()
    assert turn.state is TurnState.UNKNOWN
    assert turn.receive(not_there(), 605) == (Action.POST,)


def test_a_prompt_missing_for_long_is_posted_again() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()))
    assert turn.receive(not_there(), 5.1) == (Action.POST,)
    assert turn.state is TurnState.SENDING
    assert turn.post.held
    assert turn.post.attempts == 2


def test_an_unanswered_poll_is_not_a_404() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()))
    assert turn.receive(Snapshot(status=Idle(), stored=None, polled=True), 60) == ()
    assert turn.state is TurnState.UNKNOWN


def test_an_unacknowledged_prompt_is_polled() -> None:
    turn = sending()
    assert [now for now in range(1, 12) if turn.receive(Tick(), now)] == [UNSEEN, 2 * UNSEEN]


def test_a_post_lost_by_a_starting_server_is_closed_and_sent_again() -> None:
    turn = sending()
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT - 1) == ()
    assert turn.receive(Snapshot(status=Idle(), stored=None, polled=True), UNACKNOWLEDGED_TIMEOUT) == ()
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT) == (Action.CLOSE_POST, Action.POLL)
    assert (turn.state, turn.post.held) == (TurnState.UNKNOWN, False)
    run(turn, (UNACKNOWLEDGED_TIMEOUT + 0.1, not_there()))
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT + 5.1) == (Action.POST,)
    assert turn.receive(not_there(), UNACKNOWLEDGED_TIMEOUT + 10) == ()
    assert [now for now in range(26, 36) if turn.receive(Tick(), now)] == [31]


def test_a_held_post_with_a_stored_prompt_is_never_closed() -> None:
    turn = sending()
    turn.receive(asked(BUSY), 1)
    assert set(run(turn, *((float(now), Tick()) for now in range(2, 10_000)))) == {Action.POLL}
    assert turn.post.held


def test_a_restored_turn_is_unwatched_until_a_poll_shows_that_it_runs() -> None:
    restored, watched = Turn.recover(PROMPT, 0.0), running()
    run(restored, (1, BUSY))
    run(watched, (1, BUSY))
    assert (restored.unwatched, watched.unwatched) == (True, False)
    run(restored, (2, asked(BUSY)))
    assert not restored.unwatched


def test_the_end_of_a_turn_that_was_not_watched_has_no_time() -> None:
    restored, watched = Turn.recover(PROMPT, 0.0), running()
    for turn in (restored, watched):
        run(turn, (1, PostFailed("reset")), (5, asked(replace(IDLE, answer=ANSWER))))
    assert (restored.state, restored.ended) == (TurnState.FINISHED, None)
    assert (watched.state, watched.ended) == (TurnState.FINISHED, 5)


def test_it_is_not_posted_again_when_a_later_turn_exists() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()), (5.1, replace(not_there(), has_later_prompt=True)))
    assert (turn.state, turn.reason) == (
        TurnState.NOT_SENT,
        "the server does not have it, but has a later prompt",
    )


def test_it_is_not_posted_again_if_its_id_would_not_be_answered() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, not_there()))
    assert turn.receive(replace(not_there(), id_too_low=True), 5.1) == ()
    assert turn.state is TurnState.NOT_SENT
    assert turn.reason == "the server never received it; the session has newer messages"


@pytest.mark.parametrize(("answer", "state"), [(ABORTED, TurnState.CANCELLED), (UNDONE, TurnState.INTERRUPTED)])
def test_without_known_traits_the_servers_record_decides_the_end(answer: Message, state: TurnState) -> None:
    turn = Turn.begin(PROMPT, 0.0, cancels_on_disconnect=None)
    idle = asked(replace(IDLE, answer=answer))
    run(turn, (0.1, BUSY), (1, PostFailed("reset")), (1.1, idle), (4.2, idle), (10, idle))
    assert (turn.state, turn.post.cut_at) == (state, 1)


def test_a_failed_answer_ends_the_turn_without_completion_time() -> None:
    """MiMo Code stores the error of an answer, but no completion time."""
    turn = running()
    failed = replace(UNDONE, failure=Failure("Bad Request", "provider", 400))
    idle = asked(replace(IDLE, answer=failed))
    run(turn, (1, PostFailed("reset")), (1.1, idle), (4.2, idle))
    assert (turn.state, turn.reason) == (TurnState.FAILED, "Bad Request")


def test_the_number_of_posts_is_limited() -> None:
    turn, now, posts = sending(), 0.0, 1
    while not turn.over:
        assert posts <= MAX_ATTEMPTS
        run(turn, (now, PostFailed("502")), (now + 0.1, not_there()))
        posts += Action.POST in turn.receive(not_there(), now + 5.1)
        now += 10
    assert posts == MAX_ATTEMPTS
    assert turn.state is TurnState.NOT_SENT
    assert turn.reason == "502"


def test_a_prompt_is_not_posted_again_after_a_server_error() -> None:
    turn = sending()
    run(turn, (0, PostFailed("500", again=False)), (0.1, not_there()))
    assert turn.state is TurnState.UNKNOWN
    assert turn.receive(not_there(), 0.3) == ()  # the server has responded: nothing is in flight
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "500")


def test_a_prompt_that_the_server_accepted_without_an_answer_may_arrive_later() -> None:
    turn = sending()
    run(turn, (0, PostFailed("empty", again=False, accepted=True)), (0.1, not_there()), (1.0, not_there()))
    assert turn.receive(not_there(), 3.6) == ()
    assert not turn.over
    turn.receive(asked(BUSY), 4.0)
    assert turn.state is TurnState.RUNNING


def test_an_accepted_prompt_that_never_arrives_is_not_posted_again() -> None:
    turn = sending()
    run(turn, (0, PostFailed("empty", again=False, accepted=True)), (0.1, not_there()), (1.0, not_there()))
    assert turn.receive(not_there(), 5.1) == ()
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "empty")


def test_an_accepted_prompt_whose_error_the_server_reported_is_not_waited_for() -> None:
    turn = sending()
    run(turn, (0, ServerError(Failure("Agent not found"))), (0, PostFailed("empty", again=False, accepted=True)))
    run(turn, (0.1, not_there()), (0.4, not_there()))
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "Agent not found")


@pytest.mark.parametrize("answer", [None, UNDONE])
def test_a_stored_prompt_fails_with_the_servers_error_response(answer: Message | None) -> None:
    turn = sending()
    stored = asked(replace(IDLE, answer=answer))
    run(turn, (0, PostFailed("server error (500): no such directory", again=False)), (0.1, stored))
    for now in range(1, 30):
        turn.receive(stored, float(now))
    assert (turn.state, turn.reason) == (TurnState.FAILED, "server error (500): no such directory")


def test_the_servers_error_event_is_the_reason() -> None:
    turn = sending()
    run(turn, (0, ServerError(Failure("Agent not found"))), (0, PostFailed("500", again=False)), (0.1, not_there()))
    turn.receive(not_there(), 5.1)
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "Agent not found")


def test_waiting_follows_the_requests() -> None:
    turn = running()
    turn.receive(replace(BUSY, waiting=True), 5)
    assert (turn.state, turn.waiting_since) == (TurnState.WAITING, 5)
    turn.receive(replace(BUSY, waiting=True, version=7), 8)
    assert (turn.state, turn.waiting_since) == (TurnState.WAITING, 5)
    turn.receive(BUSY, 9)
    assert (turn.state, turn.waiting_since) == (TurnState.RUNNING, None)


def test_waiting_counts_from_when_the_request_was_asked() -> None:
    turn = running()
    turn.receive(replace(BUSY, waiting=True, waited=180.0), 5)
    turn.receive(replace(BUSY, waiting=True, waited=183.0, version=7), 8)
    assert (turn.state, turn.waiting_since) == (TurnState.WAITING, -175)


def test_a_provider_retry_lasts_until_the_turn_continues() -> None:
    turn = running()
    retry = Retrying(3, "429", 1234.0)
    turn.receive(replace(BUSY, status=retry), 5)
    assert (turn.state, turn.retry) == (TurnState.RETRYING, retry)
    turn.receive(BUSY, 9)
    assert (turn.state, turn.retry) == (TurnState.RUNNING, None)


def test_the_body_of_its_post_ends_the_turn() -> None:
    turn = running()
    assert turn.receive(BodyReceived(ANSWER), 9) == ()
    assert (turn.state, turn.ended) == (TurnState.FINISHED, 9)


def test_a_body_of_another_prompt_does_not_end_the_turn() -> None:
    turn = running()
    assert turn.receive(BodyReceived(replace(ANSWER, parent_id="msg_other")), 9) == (Action.POLL,)
    assert not turn.over
    turn.receive(asked(replace(IDLE, has_later_prompt=True, later_answer=LATER)), 9.1)
    assert turn.state is TurnState.FINISHED


def test_the_failure_of_a_later_prompt_fails_the_joined_one() -> None:
    turn = running()
    turn.receive(BodyReceived(replace(ANSWER, parent_id="msg_3")), 9)
    failed = replace(LATER, failure=Failure("400 too long", "provider", 400), final=False)
    turn.receive(asked(replace(IDLE, has_later_prompt=True, later_answer=failed)), 9.1)
    assert (turn.state, turn.reason) == (TurnState.FAILED, "together with a later prompt: 400 too long")


@pytest.mark.parametrize("broken", [UNDONE, replace(ANSWER, final=False, incomplete=True)])
def test_an_incomplete_answer_is_not_completed_by_a_later_one(broken: Message) -> None:
    turn = running()
    turn.receive(PostFailed("the server went down"), 9)
    seen = asked(replace(IDLE, answer=broken, has_later_prompt=True, later_answer=LATER))
    run(turn, (10, seen), (10 + IDLE_CONFIRM_DELAY, seen))
    assert turn.state in (TurnState.INTERRUPTED, TurnState.ABORTED)


@pytest.mark.parametrize("stored", [None, False])
def test_a_later_answer_does_not_end_a_missing_prompt(stored: bool | None) -> None:
    """When killed, qwen serve loses waiting prompts, and then answers later ones."""
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


def test_an_aborted_answer_names_who_aborted_it() -> None:
    own_turn, other_turn = running(), running()
    assert own_turn.receive(AbortRequested(), 3) == ()
    assert not own_turn.over
    own_turn.receive(BodyReceived(ABORTED), 3.1)
    other_turn.receive(BodyReceived(ABORTED), 3.1)
    assert (own_turn.state, own_turn.reason) == (TurnState.ABORTED, "")
    assert (other_turn.state, other_turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


@pytest.mark.parametrize("own_turn", [True, False])
@pytest.mark.parametrize("ending", [{"incomplete": True}, {"completed": None}])
def test_an_abort_between_provider_attempts_has_no_error_and_no_finish(
    own_turn: bool, ending: dict[str, object]
) -> None:
    turn = running()
    if own_turn:
        turn.receive(AbortRequested(), 3)
    turn.receive(BodyReceived(replace(ANSWER, final=False, **ending)), 3.1)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "" if own_turn else "aborted elsewhere")


def test_a_failed_abort_does_not_explain_the_end() -> None:
    turn = running()
    run(turn, (1, AbortRequested()), (1, AbortFailed()), (2, PostFailed("reset")))
    run(turn, (9, asked(replace(IDLE, answer=UNDONE))), (9 + IDLE_CONFIRM_DELAY, asked(replace(IDLE, answer=UNDONE))))
    assert turn.state is TurnState.INTERRUPTED


def test_an_abort_elsewhere_before_any_answer_is_not_a_failure() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    run(turn, (1, ServerError(Failure("Aborted", "aborted"))), (1, IDLE), (1 + IDLE_CONFIRM_DELAY, asked(IDLE)))
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


def test_polls_of_an_idle_session_become_less_frequent() -> None:
    turn = running()
    turn.receive(IDLE, 0)
    asks = [now for now in range(1, 500) if turn.receive(Tick(), float(now))]
    gaps = [b - a for a, b in pairwise(asks)]
    assert asks[0] == IDLE_CONFIRM_DELAY
    assert gaps == sorted(gaps)
    assert gaps[-1] == MAX_IDLE_POLL


def test_the_stored_answer_wins_over_a_silent_post_after_a_delay() -> None:
    turn = running()
    done = replace(IDLE, answer=ANSWER)
    assert run(turn, (10, done), (10 + BODY_TIMEOUT / 2, done)) == []
    assert not turn.over
    assert turn.receive(done, 10 + BODY_TIMEOUT) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.FINISHED


def test_a_followed_turn_ends_as_soon_as_its_answer_is_complete() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    turn.receive(replace(IDLE, answer=ANSWER), 1.0)
    assert turn.state is TurnState.FINISHED


def test_idle_in_mid_answer_needs_a_second_poll() -> None:
    turn = running()
    run(turn, (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=UNDONE))))
    assert turn.state is TurnState.UNKNOWN
    assert turn.receive(Tick(), 10.1 + IDLE_CONFIRM_DELAY) == (Action.POLL,)
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 10.2 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server stopped during the answer")


def test_idle_by_events_alone_never_interrupts() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    for now in range(100):
        turn.receive(replace(IDLE, answer=UNDONE), float(now))
    assert not turn.over


def test_busy_again_resets_the_idle_time() -> None:
    turn = running()
    run(turn, (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=UNDONE))), (11, BUSY))
    assert turn.receive(Tick(), 14) == ()
    assert turn.state is TurnState.RUNNING


def test_an_open_post_delays_the_end_of_an_idle_turn() -> None:
    turn = running()
    undone = replace(IDLE, answer=UNDONE)
    run(turn, (10, undone), (10 + HELD_POST_TIMEOUT - 1, asked(undone)))
    assert not turn.over
    assert turn.receive(asked(undone), 10 + HELD_POST_TIMEOUT) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.INTERRUPTED


@pytest.mark.parametrize("aborted", [False, True])
def test_a_complete_answer_without_completion_time_is_finished(aborted: bool) -> None:
    """opencode stores the finish before the completion time: killed between the two, it has no completion time."""
    unclosed = replace(IDLE, answer=replace(ANSWER, completed=None))
    broken, held = running(), running()
    broken.receive(PostFailed("reset"), 1.0)
    for turn, patience in ((broken, IDLE_CONFIRM_DELAY), (held, HELD_POST_TIMEOUT)):
        if aborted:
            turn.receive(AbortRequested(), 1.5)
        run(turn, (2.0, unclosed), (1.9 + patience, asked(unclosed)))
        assert not turn.over
        turn.receive(asked(unclosed), 2.0 + patience)
        assert turn.state is TurnState.FINISHED


def test_an_abort_elsewhere_is_reported_with_a_half_open_post() -> None:
    turn = running()
    aborted = replace(IDLE, answer=replace(ANSWER, final=False, incomplete=True))
    run(turn, (10, aborted), (9.9 + HELD_POST_TIMEOUT, asked(aborted)))
    assert not turn.over
    assert turn.receive(asked(aborted), 10 + HELD_POST_TIMEOUT) == (Action.CLOSE_POST,)
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


def test_a_prompt_without_an_answer_waits_for_a_cold_start() -> None:
    turn = sending()
    run(turn, (0, PostFailed("reset")), (0.1, asked(IDLE)), (ANSWER_START_TIMEOUT - 1, asked(IDLE)))
    assert not turn.over
    turn.receive(asked(IDLE), 0.1 + ANSWER_START_TIMEOUT)
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server has the prompt but began no answer")


def test_a_prompt_stored_without_text_is_not_sent() -> None:
    """opencode stores the message before its parts: killed between the two, it has a prompt without text."""
    turn = running()
    lost = asked(replace(IDLE, has_no_parts=True))
    run(turn, (1.0, PostFailed("reset")), (2.0, lost), (3.0 + ANSWER_START_TIMEOUT, lost))
    assert (turn.state, turn.reason) == (
        TurnState.NOT_SENT,
        "the server did not store the prompt's text",
    )


def test_a_prompt_with_lost_text_is_not_sent_whatever_happened_since() -> None:
    aborted, answered, by_event = running(), running(), running()
    aborted.receive(AbortRequested(), 1.0)
    by_event.receive(ServerError(Failure("context overflow")), 1.0)
    for turn in (aborted, answered, by_event):
        seen = replace(IDLE, has_no_parts=True, has_later_prompt=True, later_answer=LATER if turn is answered else None)
        run(turn, (1.0, PostFailed("reset")), (2.0, seen), (1.9 + ANSWER_START_TIMEOUT, asked(seen)))
        assert not turn.over
        turn.receive(asked(seen), 2.0 + ANSWER_START_TIMEOUT)
        assert (turn.state, turn.reason) == (
            TurnState.NOT_SENT,
            "the server did not store the prompt's text",
        )


def test_an_abort_of_a_held_post_waits_for_the_text_to_be_stored() -> None:
    turn = running()
    lost = replace(IDLE, has_no_parts=True)
    run(turn, (1.0, AbortRequested()), (2.0, lost), (1.9 + HELD_POST_TIMEOUT, asked(lost)))
    assert not turn.over
    assert turn.receive(asked(lost), 2.0 + HELD_POST_TIMEOUT) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.NOT_SENT


def test_waiting_ends_when_the_request_is_closed_and_the_session_idle() -> None:
    """The server was restarted: it has no requests, no run, and an incomplete answer."""
    turn = running()
    run(turn, (1.0, PostFailed("reset")), (2.0, asked(replace(BUSY, waiting=True))))
    assert (turn.state, turn.checking) == (TurnState.WAITING, False)
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 20.0)
    assert (turn.state, turn.waiting_since, turn.checking) == (TurnState.RUNNING, None, True)
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 20.0 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.checking) == (TurnState.INTERRUPTED, False)


def test_lost_text_of_another_client_is_not_returned_here() -> None:
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    lost = asked(replace(IDLE, has_no_parts=True))
    run(turn, (2.0, lost), (3.0 + ANSWER_START_TIMEOUT, lost))
    assert turn.state is TurnState.INTERRUPTED


def test_a_held_post_does_not_count_after_a_reconnect_to_an_idle_server() -> None:
    """Its socket may stay open for ever after the server's process has ended."""
    sure, doubted = running(), running()
    assert doubted.receive(Reconnected(), 0) == (Action.POLL,)
    for turn in (sure, doubted):
        run(turn, (1, asked(IDLE)), (0.9 + HELD_POST_TIMEOUT, asked(IDLE)))
        assert not turn.over
    assert sure.receive(asked(IDLE), 1 + HELD_POST_TIMEOUT) == ()
    assert not sure.over
    assert doubted.receive(asked(IDLE), 1 + HELD_POST_TIMEOUT) == (Action.CLOSE_POST,)
    assert doubted.state is TurnState.INTERRUPTED


def test_a_deleted_session_interrupts_the_turn() -> None:
    turn = running()
    assert turn.receive(replace(IDLE, stored=True, gone=True), 5) == (Action.CLOSE_POST,)
    assert turn.state is TurnState.INTERRUPTED


def test_a_prompt_never_seen_in_a_deleted_session_is_not_sent() -> None:
    """qwen serve stores a session with its first message: a prompt accepted before that is lost in a crash."""
    turn = sending()
    run(turn, (0, Accepted("prompt_1")), (5, replace(IDLE, stored=False, gone=True)))
    assert (turn.state, turn.reason) == (TurnState.NOT_SENT, "the session no longer exists on the server")


def test_an_error_event_does_not_end_the_turn() -> None:
    turn = running()
    turn.receive(ServerError(Failure("context overflow")), 5)
    assert not turn.over
    turn.receive(BodyReceived(ANSWER), 9)
    assert turn.state is TurnState.FINISHED


@pytest.mark.parametrize("turn", [sending(mimo=True), running(mimo=True)])
def test_mimo_ends_the_turn_with_its_post(turn: Turn) -> None:
    assert turn.receive(PostFailed("reset"), 10) == (Action.POLL,)
    assert turn.state is TurnState.UNKNOWN
    turn.receive(asked(replace(IDLE, answer=ABORTED)), 10.1)
    assert (turn.state, turn.reason) == (TurnState.CANCELLED, "reset")


def test_mimo_may_have_ended_the_turn_without_an_error() -> None:
    turn = running(mimo=True)
    run(turn, (10, PostFailed("reset")), (10.1, asked(IDLE)), (11, asked(replace(IDLE, answer=UNDONE))))
    assert not turn.over
    turn.receive(asked(replace(IDLE, answer=UNDONE)), 10.1 + IDLE_CONFIRM_DELAY)
    assert turn.state is TurnState.CANCELLED


def test_mimo_may_have_finished_before_its_post_broke() -> None:
    turn = running(mimo=True)
    run(turn, (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=ANSWER))))
    assert turn.state is TurnState.FINISHED


def test_a_new_post_resets_an_earlier_cut() -> None:
    turn = sending(mimo=True)
    run(turn, (0, PostFailed("reset")), (0.1, not_there()), (5.1, not_there()), (6, BUSY), (7, BodyReceived(ABORTED)))
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


def test_a_requested_abort_is_not_a_cancellation() -> None:
    turn = running(mimo=True)
    run(turn, (9, AbortRequested()), (10, PostFailed("reset")), (10.1, asked(replace(IDLE, answer=ABORTED))))
    assert turn.state is TurnState.ABORTED


def test_mimo_reports_a_failure_with_white_space_only() -> None:
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
def test_a_turn_that_ended_in_tool_calls_ends_when_idle(rejected: bool, state: TurnState, reason: str) -> None:
    """opencode ends a turn this way when a request is rejected, which its call records."""
    turn = Turn.follow("ses_1", "msg_1", 0.0)
    seen = replace(IDLE, answer=replace(ANSWER, final=False), rejected=rejected)
    turn.receive(seen, 1.0)
    assert not turn.over
    turn.receive(asked(seen), 1.0 + IDLE_CONFIRM_DELAY)
    assert (turn.state, turn.reason) == (state, reason)


def test_turn_and_padding_times() -> None:
    turn = running()
    run(turn, (100, PaddingReceived(10)), (200, PaddingReceived(20)))
    assert (turn.post.padding_bytes, turn.post.last_padding) == (20, 200)
    turn.receive(PaddingReceived(20), 205)  # no new padding
    assert (turn.post.padding_bytes, turn.post.last_padding) == (20, 200)
    assert turn.idle_for(200) == pytest.approx(199.9)
    turn.receive(replace(BUSY, version=5), 250)
    assert turn.idle_for(260) == 10
    turn.receive(replace(BUSY, version=5, waiting=True), 270)
    assert turn.idle_for(1000) == 0


def test_a_turn_without_changes_is_polled_at_intervals() -> None:
    turn = running()
    asks = [now for now in range(1, 120) if turn.receive(Tick(), float(now))]
    assert asks == [16, 46, 76, 106]
    turn.receive(replace(BUSY, version=1), 120)
    assert turn.receive(Tick(), 134) == ()
    assert not turn.over


def test_a_suspect_post_is_the_cause_of_an_abort() -> None:
    """The server saw it close and the client did not; an open POST would have returned another abort."""
    turn = sending(mimo=True)
    gone = asked(replace(IDLE, answer=ABORTED))
    run(turn, (1, HeadersReceived()), (2, Reconnected()), (3, gone), (4 + HELD_POST_TIMEOUT, gone))
    assert (turn.state, turn.reason) == (TurnState.CANCELLED, "the connection was lost during the turn")


def test_without_a_lost_connection_the_cause_of_an_abort_is_unknown() -> None:
    """Another client may have aborted and the POST be late, or the POST is lost without an error."""
    turn = sending(mimo=True)
    gone = asked(replace(IDLE, answer=ABORTED))
    run(turn, (1, HeadersReceived()), (3, gone), (4 + HELD_POST_TIMEOUT, gone))
    assert (turn.state, turn.reason) == (TurnState.INTERRUPTED, "the server ended it without returning the answer")


@pytest.mark.parametrize(
    ("inputs", "body", "state", "reason"),
    [
        ([Rejected(here=True)], BodyReceived(ANSWER, rejected=True), TurnState.ABORTED, "you rejected a request"),
        ([Rejected(here=True)], BodyReceived(BETWEEN), TurnState.ABORTED, "you rejected a request"),
        ([Rejected(here=False)], BodyReceived(BETWEEN), TurnState.ABORTED, "a request was rejected elsewhere"),
        ([], BodyReceived(BETWEEN, rejected=True), TurnState.ABORTED, "a request was rejected"),
        ([Rejected(here=True)], BodyReceived(ANSWER), TurnState.FINISHED, ""),  # the agent got the reason and continued
    ],
)
@pytest.mark.parametrize("mimo", [False, True])
def test_a_turn_ended_by_a_rejection_did_not_finish(
    inputs: list[Input], body: BodyReceived, state: TurnState, reason: str, mimo: bool
) -> None:
    turn = running(mimo=mimo)
    run(turn, *((5, what) for what in inputs), (6, body))
    assert (turn.state, turn.reason) == (state, reason)


def test_an_aborted_answer_without_completion_time_is_not_interrupted() -> None:
    """MiMo Code stores no completion time for an aborted answer, but its error."""
    turn = Turn.follow("ses_1", PROMPT.message_id, 0.0)
    aborted = replace(IDLE, answer=replace(ABORTED, completed=None))
    run(turn, (10, aborted), (13, asked(aborted)))
    assert turn.state is TurnState.ABORTED


def test_an_abort_under_a_half_open_post_may_be_the_servers() -> None:
    turn = running()
    turn.cancels_on_disconnect = None
    aborted = replace(IDLE, answer=ABORTED)
    run(turn, (10, aborted), (10 + HELD_POST_TIMEOUT, asked(aborted)))
    assert turn.state is TurnState.ABORTED
    assert turn.reason == "aborted by another client or by the server"


def test_an_abort_returned_by_the_post_happened_elsewhere() -> None:
    turn = sending(mimo=True)
    run(turn, (1, HeadersReceived()), (2, BodyReceived(ABORTED)))
    assert (turn.state, turn.reason) == (TurnState.ABORTED, "aborted elsewhere")


@pytest.mark.parametrize(("later", "state"), [(True, TurnState.INTERRUPTED), (False, TurnState.WAITING)])
def test_an_interrupted_turn_ends_while_a_later_prompt_waits(later: bool, state: TurnState) -> None:
    turn = running()
    broken_off = replace(ABORTED, failure=Failure("the server was restarted", "interrupted"))
    run(turn, (2, asked(replace(BUSY, answer=broken_off, waiting=True, has_later_prompt=later))))
    assert turn.state is state


def test_a_recovered_prompt_is_polled_and_never_posted_again() -> None:
    turn = Turn.recover(PROMPT, 0)
    assert not turn.post.held
    assert run(turn, (0.5, Tick()), (0.6, not_there()), (5.1, not_there())) == [Action.POLL]
    assert turn.state is TurnState.NOT_SENT


@pytest.mark.parametrize(("cancels", "state"), [(True, TurnState.CANCELLED), (False, TurnState.INTERRUPTED)])
def test_a_recovered_turn_was_cancelled_if_the_family_cancels(cancels: bool, state: TurnState) -> None:
    turn = Turn.recover(PROMPT, 0, cancels_on_disconnect=cancels)
    run(turn, (1, asked(IDLE)), (ANSWER_START_TIMEOUT + 2, asked(IDLE)))
    assert turn.state is state
    assert (turn.reason == "the client exited while sending it") is cancels


def test_a_recovered_prompt_that_arrived_is_followed() -> None:
    turn = Turn.recover(PROMPT, 0)
    turn.receive(asked(BUSY), 1)
    assert turn.state is TurnState.RUNNING


def test_an_ended_turn_ignores_inputs() -> None:
    turn = running()
    turn.receive(BodyReceived(ANSWER), 9)
    assert run(turn, (10, PostFailed("late")), (11, asked(IDLE)), (12, Tick())) == []
    assert (turn.state, turn.ended) == (TurnState.FINISHED, 9)


@pytest.mark.parametrize(
    ("turn", "more"),
    [(Turn.begin(PROMPT, 0.0), ""), (Turn.recover(PROMPT, 0.0), ", and whether it had this prompt is unknown")],
)
def test_of_an_earlier_run_it_is_unknown_whether_a_deleted_session_had_the_prompt(turn: Turn, more: str) -> None:
    turn.receive(Snapshot(Idle(), stored=False, gone=True, polled=True), 1.0)
    assert turn.state is TurnState.NOT_SENT
    assert turn.reason == f"the session no longer exists on the server{more}"


@pytest.mark.parametrize(("ended", "at"), [(7.0, 7.0), (None, 5.0)])
def test_the_servers_record_dates_the_end_of_a_turn(ended: float | None, at: float) -> None:
    turn = running()
    run(turn, (1, PostFailed("reset")), (5, asked(replace(IDLE, answer=ANSWER))))
    turn.set_end(3.0, ended)
    assert (turn.took, turn.ended) == (3.0, at)
