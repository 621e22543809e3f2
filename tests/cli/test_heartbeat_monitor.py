"""What a stream's beats show, each sickness by itself."""

import pytest

from tests.fake_time import FakeTime
from tui.cli.heartbeat_monitor import HeartbeatMonitor
from tui.core import events as e
from tui.core.model import Busy, Session


def beats(*times: float, until: float = 30.0, events: int = 0, every: float = 10.0) -> HeartbeatMonitor:
    """A stream that was opened at 0, beat at these seconds, carried as many events and is judged at `until`."""
    clock = FakeTime(start=0.0)
    found = HeartbeatMonitor(clock.mono, every)
    if times or events:
        found.heard(20)
    for time in times:
        clock.jump(time - clock.mono())
        found.take(e.Heartbeat())
    for _ in range(events):
        found.heard(200)
        found.take(e.StatusChanged("ses_1", Busy()))
    clock.jump(until - clock.mono())
    return found


def test_regular_beats_are_good() -> None:
    assert beats(0, 10, 20.1, 30).regularity(30).verdict == "good"


def test_a_beat_that_is_long_overdue_is_not_regular() -> None:
    finding = beats(0, 10, 20, 40).regularity(40)
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "20.0 s apart" in finding.found


def test_beats_that_arrive_in_a_bunch_were_held_back() -> None:
    finding = beats(30, 30.001, 30.002).regularity(30)
    assert finding.verdict == "bad"
    assert "buffering" in finding.hint


def test_no_beat_at_all_is_bad() -> None:
    assert beats(events=1).regularity(30).verdict == "bad"


def test_one_beat_that_comes_when_it_is_due_is_enough() -> None:
    """qwen serve's second one is due as the half minute ends."""
    finding = beats(15.02, until=30.1, every=15).regularity(30)
    assert finding.verdict == "good"
    assert finding.found == "one, 15.0 s after the stream's opening, on time: this server sends one every 15 s"


@pytest.mark.parametrize(("at", "until"), [(25.0, 30.0), (2.0, 30.0)])
def test_one_beat_that_comes_late_or_has_no_second_in_time_is_not(at: float, until: float) -> None:
    finding = beats(at, until=until, every=15).regularity(30)
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "sends one every 15 s" in finding.found
    assert ("none in the 28 s since" in finding.found) is (at == 2.0)


def test_no_beat_in_less_than_their_interval_says_nothing_of_the_server() -> None:
    finding = beats(events=1, every=15).regularity(15.5)
    assert finding.verdict == "unknown"
    assert "shorter than" in finding.found
    assert "every 15 s: watch longer with --seconds 30" in finding.hint


def test_not_one_byte_points_at_the_proxy() -> None:
    finding = beats().regularity(30)
    assert (finding.what, finding.verdict) == ("event stream", "bad")
    assert "proxy" in finding.hint


def test_no_event_says_nothing_where_none_can_be_called_forth() -> None:
    found = beats(0, 10, 20)
    found.take(e.SessionUpserted(Session("ses_1", "from the list")))
    assert found.delivery().verdict == "unknown"
    assert beats(0, 10, 20, events=3).delivery().verdict == "good"
