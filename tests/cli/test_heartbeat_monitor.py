"""Verdicts about the heartbeats of a stream, one per kind of fault."""

import pytest

from tests.fake_time import FakeTime
from tui.cli.heartbeat_monitor import HeartbeatMonitor
from tui.core import events as e
from tui.core.model import Busy, Session


def heartbeats(*times: float, until: float = 30.0, events: int = 0, every: float = 10.0) -> HeartbeatMonitor:
    """A stream opened at 0, with heartbeats at these seconds and this many events, judged at `until`."""
    clock = FakeTime(start=0.0)
    found = HeartbeatMonitor(clock.mono, every)
    if times or events:
        found.on_bytes(20)
    for time in times:
        clock.jump(time - clock.mono())
        found.on_event(e.Heartbeat())
    for _ in range(events):
        found.on_bytes(200)
        found.on_event(e.StatusChanged("ses_1", Busy()))
    clock.jump(until - clock.mono())
    return found


def test_regular_heartbeats_are_good() -> None:
    assert heartbeats(0, 10, 20.1, 30).regularity(30).verdict == "good"


def test_an_overdue_heartbeat_is_irregular() -> None:
    finding = heartbeats(0, 10, 20, 40).regularity(40)
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "20.0 s apart" in finding.found


def test_heartbeats_that_arrive_together_were_buffered() -> None:
    finding = heartbeats(30, 30.001, 30.002).regularity(30)
    assert finding.verdict == "bad"
    assert "buffering" in finding.hint


def test_no_heartbeat_is_bad() -> None:
    assert heartbeats(events=1).regularity(30).verdict == "bad"


def test_one_heartbeat_on_time_is_enough() -> None:
    """qwen serve's second heartbeat is due just as the 30 s end."""
    finding = heartbeats(15.02, until=30.1, every=15).regularity(30)
    assert finding.verdict == "good"
    assert finding.found == "one, 15.0 s after the stream's opening, on time: this server sends one every 15 s"


@pytest.mark.parametrize(("at", "until"), [(25.0, 30.0), (2.0, 30.0)])
def test_one_late_heartbeat_or_a_missing_second_one_is_bad(at: float, until: float) -> None:
    finding = heartbeats(at, until=until, every=15).regularity(30)
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "sends one every 15 s" in finding.found
    assert ("none in the 28 s since" in finding.found) is (at == 2.0)


def test_no_heartbeat_in_less_than_the_interval_is_unknown() -> None:
    finding = heartbeats(events=1, every=15).regularity(15.5)
    assert finding.verdict == "unknown"
    assert "shorter than" in finding.found
    assert "every 15 s: watch longer with --seconds 30" in finding.hint


def test_no_byte_at_all_suggests_a_proxy() -> None:
    finding = heartbeats().regularity(30)
    assert (finding.what, finding.verdict) == ("event stream", "bad")
    assert "proxy" in finding.hint


def test_no_event_is_unknown_where_none_can_be_triggered() -> None:
    found = heartbeats(0, 10, 20)
    found.on_event(e.SessionUpserted(Session("ses_1", "from the list")))
    assert found.delivery().verdict == "unknown"
    assert heartbeats(0, 10, 20, events=3).delivery().verdict == "good"
