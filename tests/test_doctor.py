"""What a stream's beats show, each sickness by itself; then the command, on a server and where there is none."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.end_to_end.stub import running_stub
from tui import __main__ as command
from tui.backends.base import ServerInfo
from tui.core import events as e
from tui.core.model import Busy
from tui.doctor import Beats, Finding


def beats(*times: float, events: int = 0) -> Beats:
    """A stream that beat at these seconds and carried as many events."""
    clock = iter(times)
    found = Beats(lambda: next(clock))
    for _ in times:
        found.heard(20)
        found.take(e.Beat())
    for _ in range(events):
        found.heard(200)
        found.take(e.StatusChanged("ses_1", Busy()))
    return found


def verdict(findings: list[Finding], what: str) -> str:
    return next(one.verdict for one in findings if one.what == what)


def test_regular_beats_are_good() -> None:
    assert verdict(beats(0, 10, 20.1, 30).findings(30, busy=False), "heartbeats") == "good"


def test_a_beat_that_is_long_overdue_is_not_regular() -> None:
    finding = beats(0, 10, 20, 40).findings(40, busy=False)[0]
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "20.0 s apart" in finding.found


def test_beats_that_arrive_in_a_bunch_were_held_back() -> None:
    finding = beats(30, 30.001, 30.002).findings(30, busy=False)[0]
    assert finding.verdict == "bad"
    assert "buffering" in finding.remedy


def test_no_beat_at_all_is_bad_and_one_is_too_few() -> None:
    assert verdict(beats(events=1).findings(30, busy=False), "heartbeats") == "bad"
    assert verdict(beats(10).findings(15, busy=False), "heartbeats") == "unknown"


def test_not_one_byte_points_at_the_proxy() -> None:
    finding = beats().findings(30, busy=False)[0]
    assert (finding.what, finding.verdict) == ("event stream", "bad")
    assert "proxy" in finding.remedy


@pytest.mark.parametrize(
    ("events", "busy", "expected"), [(3, True, "good"), (0, True, "bad"), (0, False, "unknown")]
)
def test_beats_without_events_are_deaf_only_while_something_runs(events: int, busy: bool, expected: str) -> None:
    assert verdict(beats(0, 10, 20, events=events).findings(30, busy=busy), "events") == expected


@pytest.mark.parametrize(("skew", "expected"), [(None, "unknown"), (0.4, "good"), (-90.0, "bad")])
def test_clocks_are_compared(skew: float | None, expected: str) -> None:
    from tui.backends.opencode import OpenCode
    from tui.doctor import greeted
    from tui.net.http import Http

    backend = OpenCode(Http("http://127.0.0.1:1"))
    assert verdict(greeted(backend, ServerInfo("1", 0.01, skew)), "clock") == expected


def invoke(*args: str) -> Result:
    return CliRunner().invoke(command.main, args)


def test_the_command_on_a_server_that_is_well(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home") as stub:
        result = invoke("doctor", "--seconds", "0.5", stub.address)
    assert result.exit_code == 1, result.output  # half a second hears no beat
    assert "✓ reachable" in result.output
    assert "✓ sessions" in result.output
    assert "✗ heartbeats     none in 0 s" in result.output


def test_the_command_where_nobody_answers() -> None:
    result = invoke("doctor", "http://127.0.0.1:1")
    assert result.exit_code == 4
    assert "✗ reachable      cannot connect: connection refused" in result.output
