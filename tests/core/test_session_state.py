import pytest

from tests import sample_events as sample
from tui.core import events as e
from tui.core.changes import SessionsChanged
from tui.core.diagnosis import DEFAULT_TIMEOUTS, StallTimeouts
from tui.core.model import Busy, Failure, Idle, Message, Prompt, Retrying
from tui.core.session_state import SessionState, SessionStates
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_state import TurnState

ELSEWHERE = "ses_2"


class Watched:
    """A store, and the states of its sessions."""

    def __init__(self, timeouts: StallTimeouts = DEFAULT_TIMEOUTS) -> None:
        self.store = Store()
        self.turns: dict[str, Turn] = {}
        self.standings = SessionStates(self.store, self.turns.get, timeouts)
        self.now = 100.0
        self.feed(e.SessionsListed((sample.session(), sample.session(ELSEWHERE, "Elsewhere"))))
        self.standings.set_focused(sample.SESSION)

    def feed(self, *events: e.Event) -> None:
        for event in events:
            for change in self.store.apply(event):
                if isinstance(change, SessionsChanged):
                    self.standings.refresh_session(change.session_id, self.now)
            self.standings.refresh(self.now)

    def of(self, session_id: str = ELSEWHERE) -> SessionState:
        return self.standings.of(session_id, self.now)

    def turn(self, state: TurnState) -> None:
        turn = Turn.begin(Prompt(ELSEWHERE, "words", "msg_1", "prt_1"), self.now)
        turn.state = state
        self.turns[ELSEWHERE] = turn


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_an_unknown_session_is_idle(watched: Watched) -> None:
    assert watched.of() is SessionState.IDLE


def test_running_and_retrying_are_the_servers_statuses(watched: Watched) -> None:
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()))
    assert watched.of() is SessionState.RUNNING
    watched.feed(e.StatusChanged(ELSEWHERE, Retrying(2, "429", None)))
    assert watched.of() is SessionState.RETRYING


def test_a_request_of_a_child_makes_its_parent_wait(watched: Watched) -> None:
    watched.feed(
        e.SessionUpserted(sample.session("ses_3")),
        e.SessionUpserted(sample.child("ses_4", ELSEWHERE)),
        e.RequestOpened(sample.asked_in("ses_4")),
    )
    assert watched.of() is SessionState.WAITING
    assert watched.of("ses_3") is SessionState.IDLE


def test_a_turn_that_ended_in_another_session_is_unread_until_read(watched: Watched) -> None:
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()), e.StatusChanged(ELSEWHERE, Idle()))
    assert watched.of() is SessionState.UNREAD
    watched.standings.set_focused(ELSEWHERE)
    watched.standings.set_focused(sample.SESSION)
    assert watched.of() is SessionState.IDLE


def test_a_turn_that_ended_in_the_focused_session_is_read(watched: Watched) -> None:
    watched.feed(e.StatusChanged(sample.SESSION, Busy()), e.StatusChanged(sample.SESSION, Idle()))
    assert watched.of(sample.SESSION) is SessionState.IDLE


@pytest.mark.parametrize(
    ("failure", "standing"),
    [
        (Failure("overloaded", "provider"), SessionState.FAILED),
        (Failure("the server was lost", "interrupted"), SessionState.INTERRUPTED),
        (Failure("aborted", "aborted"), SessionState.UNREAD),
    ],
)
def test_a_failure_shows_when_the_session_is_idle(watched: Watched, failure: Failure, standing: SessionState) -> None:
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()))
    watched.standings.record_failure(ELSEWHERE, failure)
    assert watched.of() is SessionState.RUNNING
    watched.feed(e.StatusChanged(ELSEWHERE, Idle()))
    assert watched.of() is standing
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()))
    watched.feed(e.StatusChanged(ELSEWHERE, Idle()))
    assert watched.of() is SessionState.UNREAD


@pytest.mark.parametrize(
    ("state", "standing"),
    [
        (TurnState.FAILED, SessionState.FAILED),
        (TurnState.NOT_SENT, SessionState.FAILED),
        (TurnState.INTERRUPTED, SessionState.INTERRUPTED),
        (TurnState.CANCELLED, SessionState.INTERRUPTED),
        (TurnState.ABORTED, SessionState.IDLE),
        (TurnState.UNKNOWN, SessionState.RUNNING),
    ],
)
def test_a_followed_turn_decides_the_state(watched: Watched, state: TurnState, standing: SessionState) -> None:
    watched.turn(state)
    assert watched.of() is standing


def test_a_session_without_changes_is_stalled_until_the_next_delta(watched: Watched) -> None:
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()))
    watched.now += 299
    assert watched.of() is SessionState.RUNNING
    watched.now += 1
    assert watched.of() is SessionState.STALLED
    watched.feed(e.TextDelta(ELSEWHERE, "msg_2", "prt_2", "word"))
    assert watched.of() is SessionState.RUNNING


def test_a_followed_turn_stalls_by_its_own_activity(watched: Watched) -> None:
    watched.turn(TurnState.RUNNING)
    watched.now += 300
    assert watched.of() is SessionState.STALLED


def test_the_stall_timeout_is_configurable() -> None:
    watched = Watched(StallTimeouts(still_after=20.0))
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()))
    watched.now += 19
    assert watched.of() is SessionState.RUNNING
    watched.now += 1
    assert watched.of() is SessionState.STALLED


def test_a_deleted_session_is_gone(watched: Watched) -> None:
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()), e.SessionDeleted(ELSEWHERE))
    assert watched.of() is SessionState.GONE


def test_a_late_error_of_an_earlier_answer_changes_nothing(watched: Watched) -> None:
    error = Failure("scripted 401", "provider")
    failed = Message("msg_2", ELSEWHERE, "assistant", 2.0, 3.0, "msg_1", error)
    watched.store.open_transcript(ELSEWHERE)
    watched.feed(e.MessageUpserted(failed))
    watched.standings.record_failure(ELSEWHERE, error)
    assert watched.of() is SessionState.FAILED
    watched.feed(e.StatusChanged(ELSEWHERE, Busy()), e.StatusChanged(ELSEWHERE, Idle()))
    assert watched.of() is SessionState.UNREAD
    watched.feed(e.MessageUpserted(Message("msg_8", ELSEWHERE, "assistant", 5.0, 6.0, "msg_7", final=True)))
    watched.standings.record_failure(ELSEWHERE, error)
    assert watched.of() is SessionState.UNREAD
