import pytest

from tui.core.connection_status import (
    SHORTEST_LIMIT,
    UNLEARNED_LIMIT,
    ConnectionMonitor,
    ConnectionState,
    ConnectionStatus,
)


def receiving_heartbeats(interval: float, beats: int = 4) -> tuple[ConnectionMonitor, float]:
    """A connection with heartbeats, and the time of the last one."""
    health, now = ConnectionMonitor(), 100.0
    health.connecting(now)
    health.opened(now)
    for _ in range(beats):
        health.received(now)
        health.heartbeat(now)
        now += interval
    return health, now - interval


def test_connecting_until_the_first_byte() -> None:
    health = ConnectionMonitor()
    health.connecting(1.0)
    assert health.view(1.0).state is ConnectionState.CONNECTING
    health.opened(1.5)
    assert health.view(1.6).state is ConnectionState.CONNECTING
    assert health.received(2.0)
    assert health.view(2.0).state is ConnectionState.LIVE


def test_age_is_the_time_since_the_last_byte_of_any_kind() -> None:
    health, last = receiving_heartbeats(10.0)
    health.received(last + 3)
    assert health.view(last + 5).age == 2.0


def test_only_the_byte_that_makes_it_live_returns_true() -> None:
    health, last = receiving_heartbeats(10.0)
    assert not health.received(last + 1)
    health.lost(last + 2, "reset", retry_at=last + 3)
    assert health.received(last + 4)


@pytest.mark.parametrize(("interval", "limit"), [(1.0, SHORTEST_LIMIT), (10.0, 30.0), (15.0, 45.0)])
def test_the_limit_is_three_intervals_and_at_least_ten_seconds(interval: float, limit: float) -> None:
    assert receiving_heartbeats(interval)[0].silence_limit == pytest.approx(limit)


def test_the_limit_is_thirty_seconds_until_the_interval_is_known() -> None:
    assert receiving_heartbeats(1.0, beats=2)[0].silence_limit == UNLEARNED_LIMIT
    assert receiving_heartbeats(1.0, beats=3)[0].silence_limit == SHORTEST_LIMIT


def test_one_odd_gap_does_not_move_the_limit() -> None:
    health, last = receiving_heartbeats(10.0, beats=5)
    health.heartbeat(last + 25)
    assert health.silence_limit == pytest.approx(30.0)


def test_a_silent_loss_resets_the_interval() -> None:
    health, last = receiving_heartbeats(1.0)
    health.lost(last + 10, "silent", retry_at=last + 11, silent=True)
    assert health.silence_limit == UNLEARNED_LIMIT


def test_a_gap_between_two_streams_is_not_an_interval() -> None:
    health, last = receiving_heartbeats(1.0)
    health.lost(last, "reset", retry_at=last)
    health.connecting(last + 50)
    health.opened(last + 50)
    health.heartbeat(last + 50)
    assert max(health.view(last + 50).gaps) == pytest.approx(1.0)


def test_quiet_when_a_heartbeat_is_overdue_and_live_with_the_next_byte() -> None:
    health, last = receiving_heartbeats(10.0)
    assert health.view(last + 14).state is ConnectionState.LIVE
    assert health.view(last + 16).state is ConnectionState.QUIET
    health.received(last + 17)
    assert health.view(last + 17).state is ConnectionState.LIVE


def test_a_heartbeat_every_second_may_be_two_seconds_late() -> None:
    health, last = receiving_heartbeats(1.0)
    assert health.view(last + 2.9).state is ConnectionState.LIVE
    assert health.view(last + 3.1).state is ConnectionState.QUIET


def test_a_loss_has_attempt_countdown_reason_and_duration() -> None:
    health, last = receiving_heartbeats(10.0)
    health.lost(last + 2, "connection reset", retry_at=last + 6)
    health.connecting(last + 6)
    health.lost(last + 6, "connection refused", retry_at=last + 10)
    line = health.view(last + 8)
    assert (line.state, line.attempt, line.retry_in, line.reason) == (
        ConnectionState.RECONNECTING,
        2,
        2.0,
        "connection refused",
    )
    assert line.lost_for == 8.0
    assert line.age is None
    assert not line.up


def test_there_is_no_countdown_during_an_attempt() -> None:
    health, last = receiving_heartbeats(10.0)
    health.lost(last, "reset", retry_at=last + 1)
    health.connecting(last + 1)
    line = health.view(last + 1.5)
    assert line.state is ConnectionState.RECONNECTING
    assert line.retry_in is None


def test_a_proved_stream_resets_the_attempt_count() -> None:
    health, last = receiving_heartbeats(10.0)
    health.lost(last, "reset", retry_at=last + 1)
    health.received(last + 1)
    health.lost(last + 2, "reset", retry_at=last + 3)
    assert health.view(last + 2).attempt == 2
    health.reset_attempts()
    health.lost(last + 4, "reset", retry_at=last + 5)
    assert health.view(last + 4).attempt == 1


def test_a_connection_that_never_was_is_lost_since_the_first_attempt() -> None:
    health = ConnectionMonitor()
    health.connecting(1.0)
    health.lost(2.0, "refused", retry_at=3.0)
    health.connecting(3.0)
    health.lost(4.0, "refused", retry_at=6.0)
    assert health.view(9.0).lost_for == 7.0
    assert health.view(9.0).retry_in == 0.0  # the attempt is due
    health.stopped(9.5, "401", "")
    assert health.view(10.0).lost_for == 8.0


def test_a_connection_stopped_at_once_is_lost_since_then() -> None:
    health = ConnectionMonitor()
    health.connecting(1.0)
    health.stopped(2.0, "401", "")
    assert health.view(5.0).lost_for == 3.0


def test_silence_counts_from_the_last_byte() -> None:
    health = ConnectionMonitor()
    health.opened(1.0)
    assert health.silence(3.0) == 2.0
    health.received(4.0)
    assert health.silence(5.0) == 1.0


def test_stopped_has_reason_and_hint_until_the_next_attempt() -> None:
    health, last = receiving_heartbeats(10.0)
    health.stopped(last + 1, "password refused (401)", "Give the password.")
    line = health.view(last + 60)
    assert (line.state, line.reason, line.hint) == (
        ConnectionState.STOPPED,
        "password refused (401)",
        "Give the password.",
    )
    assert line.retry_in is None
    health.connecting(last + 61)
    assert health.view(last + 61).state is ConnectionState.CONNECTING


def test_the_hint_is_that_of_the_latest_loss() -> None:
    health, last = receiving_heartbeats(10.0)
    health.stopped(last + 1, "password refused (401)", "Give the password.")
    health.connecting(last + 2)
    health.lost(last + 2, "connection refused", "Start it.", retry_at=last + 3)
    assert health.view(last + 2).hint == "Start it."
    health.lost(last + 3, "reset", retry_at=last + 4)
    assert health.view(last + 3).hint == ""


def test_silence_counts_from_the_opening_of_this_stream() -> None:
    health, last = receiving_heartbeats(10.0)
    health.lost(last, "reset", retry_at=last)
    assert health.silence(last + 5) is None
    health.opened(last + 100)
    assert health.silence(last + 104) == 4.0


def test_before_the_first_connection_there_is_nothing_to_show_but_its_state() -> None:
    assert ConnectionMonitor().view(0.0) == ConnectionStatus(ConnectionState.CONNECTING)


def test_an_answer_has_a_round_trip_and_counts_until_the_next_attempt() -> None:
    health = ConnectionMonitor()
    health.connecting(1.0)
    before = health.has_answered
    health.answered(0.2)
    after = health.has_answered
    assert health.view(1.0).round_trip == 0.2
    health.connecting(2.0)
    assert (before, after, health.has_answered) == (False, True, False)
