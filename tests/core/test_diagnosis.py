import pytest

from tui.core.diagnosis import NOT_BEGUN_AFTER, STILL_AFTER, Diagnosis, Kind, ResponsivenessTracker, diagnose
from tui.core.model import Busy, Message, Prompt
from tui.core.turn import Turn
from tui.core.turn_inputs import BodyReceived, Snapshot


@pytest.fixture
def turn() -> Turn:
    turn = Turn.begin(Prompt("ses_1", "do it", "msg_1", "prt_1"), 0.0)
    turn.receive(Snapshot(Busy(), stored=True), 0.0)
    return turn


def test_a_new_turn_has_no_diagnosis(turn: Turn) -> None:
    assert diagnose(turn, ResponsivenessTracker(), NOT_BEGUN_AFTER - 1, answer_begun=False) is None
    assert diagnose(turn, ResponsivenessTracker(), STILL_AFTER - 1, answer_begun=True) is None


def test_a_stored_prompt_without_an_answer_gets_no_response(turn: Turn) -> None:
    assert diagnose(turn, ResponsivenessTracker(), 70, answer_begun=False) == Diagnosis(Kind.NO_RESPONSE, 70)


def test_a_turn_without_changes_is_stalled(turn: Turn) -> None:
    assert diagnose(turn, ResponsivenessTracker(), 400, answer_begun=True) == Diagnosis(Kind.STALLED, 400)


def test_waiting_for_the_user_is_not_stalled(turn: Turn) -> None:
    turn.receive(Snapshot(Busy(), stored=True, waiting=True), 1)
    assert diagnose(turn, ResponsivenessTracker(), 4000, answer_begun=True) is None


def test_an_ended_turn_has_no_diagnosis(turn: Turn) -> None:
    turn.receive(BodyReceived(Message("msg_2", "ses_1", "assistant", completed=1.0, parent_id="msg_1", final=True)), 1)
    assert (
        diagnose(turn, ResponsivenessTracker(no_events_since=0, no_answers_since=0), 4000, answer_begun=False) is None
    )


def test_changes_without_events_mean_no_events_until_one_arrives(turn: Turn) -> None:
    responsiveness = ResponsivenessTracker()
    responsiveness.record_poll(10, missed_events=False)
    assert responsiveness.no_events_since is None
    responsiveness.record_poll(20, missed_events=True)
    responsiveness.record_poll(30, missed_events=True)
    assert diagnose(turn, responsiveness, 35, answer_begun=True) == Diagnosis(Kind.NO_EVENTS, 15)
    responsiveness.record_event()
    assert diagnose(turn, responsiveness, 36, answer_begun=True) is None


def test_two_unanswered_polls_mean_no_answers_until_one_is_answered(turn: Turn) -> None:
    responsiveness = ResponsivenessTracker()
    responsiveness.no_answer(10, healthy=True)
    assert diagnose(turn, responsiveness, 11, answer_begun=True) is None
    responsiveness.no_answer(20, healthy=True)
    responsiveness.no_answer(30, healthy=True)
    assert diagnose(turn, responsiveness, 50, answer_begun=False) == Diagnosis(Kind.NO_ANSWERS, 30)
    responsiveness.record_poll(60, missed_events=False)
    assert diagnose(turn, responsiveness, 61, answer_begun=True) is None


def test_a_server_that_fails_its_health_check_is_silent(turn: Turn) -> None:
    responsiveness = ResponsivenessTracker()
    for now, healthy in ((10, True), (20, True), (30, False), (40, False)):
        responsiveness.no_answer(now, healthy=healthy)
    assert diagnose(turn, responsiveness, 50, answer_begun=False) == Diagnosis(Kind.SILENT, 20)
    responsiveness.no_answer(60, healthy=True)
    assert diagnose(turn, responsiveness, 70, answer_begun=False) == Diagnosis(Kind.NO_ANSWERS, 10)
    responsiveness.record_poll(80, missed_events=False)
    assert diagnose(turn, responsiveness, 81, answer_begun=True) is None
