"""What a stream's beats show, each sickness by itself; then the command, on a server and where there is none."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.end_to_end.stub import running_stub
from tests.fake_time import FakeTime
from tui import __main__ as command
from tui.backends.base import ServerInfo
from tui.core import events as e
from tui.core.model import Busy, Session
from tui.doctor import Beats, Finding


def beats(*times: float, until: float = 30.0, events: int = 0, every: float = 10.0) -> Beats:
    """A stream that was opened at 0, beat at these seconds, carried as many events and is judged at `until`."""
    clock = FakeTime(start=0.0)
    found = Beats(clock.mono, every)
    if times or events:
        found.heard(20)
    for time in times:
        clock.jump(time - clock.mono())
        found.take(e.Beat())
    for _ in range(events):
        found.heard(200)
        found.take(e.StatusChanged("ses_1", Busy()))
    clock.jump(until - clock.mono())
    return found


def verdict(findings: list[Finding], what: str) -> str:
    return next(one.verdict for one in findings if one.what == what)


def test_regular_beats_are_good() -> None:
    assert beats(0, 10, 20.1, 30).regularity(30).verdict == "good"


def test_a_beat_that_is_long_overdue_is_not_regular() -> None:
    finding = beats(0, 10, 20, 40).regularity(40)
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "20.0 s apart" in finding.found


def test_beats_that_arrive_in_a_bunch_were_held_back() -> None:
    finding = beats(30, 30.001, 30.002).regularity(30)
    assert finding.verdict == "bad"
    assert "buffering" in finding.remedy


def test_no_beat_at_all_is_bad() -> None:
    assert beats(events=1).regularity(30).verdict == "bad"


def test_one_beat_that_comes_when_it_is_due_is_enough() -> None:
    """qwen serve's second one is due as the half minute ends."""
    finding = beats(15.02, until=30.1, every=15).regularity(30)
    assert finding.verdict == "good"
    assert finding.found == "one, 15.0 s after the stream's opening, as is due: this server sends one every 15 s"


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
    assert "15 s apart: watch longer, with --seconds 30" in finding.remedy


def test_not_one_byte_points_at_the_proxy() -> None:
    finding = beats().regularity(30)
    assert (finding.what, finding.verdict) == ("event stream", "bad")
    assert "proxy" in finding.remedy


def test_no_event_says_nothing_where_none_can_be_called_forth() -> None:
    found = beats(0, 10, 20)
    found.take(e.SessionUpserted(Session("ses_1", "from the list")))
    assert found.delivery().verdict == "unknown"
    assert beats(0, 10, 20, events=3).delivery().verdict == "good"


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
        left = stub.http.get("/session").json()
    assert result.exit_code == 0, result.output
    assert "✓ reachable" in result.output
    assert "✓ sessions" in result.output
    assert "✓ events         a new session was told of within" in result.output
    assert "? heartbeats     none in" in result.output  # half a second hears no beat
    assert left == []


def test_the_command_on_a_stream_that_beats_and_is_deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.doctor.ARRIVES", 0.3)
    with running_stub(tmp_path / "home") as stub:
        stub.arm("silent")
        result = invoke("doctor", "--seconds", "0.5", stub.address)
        left = stub.http.get("/session").json()
    assert "✗ events         a session was made, and within 0 s no event told of it" in result.output
    assert "restart the server" in result.output
    assert left == []


def test_what_cannot_be_tidied_up_is_said(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home") as stub:
        stub.arm("502", target="/session/ses_")
        result = invoke("doctor", "--seconds", "0.5", stub.address)
        [left] = stub.http.get("/session").json()
    assert f"✗ tidying up     the session made for this ({left['id']}) could not be deleted" in result.output
    assert left["title"] == "holdfast doctor"


def test_the_command_watches_a_session_where_streams_are_opened_by_session(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home", profile="qwen") as stub:
        without = invoke("doctor", "--seconds", "0.5", stub.address)
        [place] = stub.http.get("/capabilities").json()["workspaces"]
        left = stub.http.get(f"/workspaces/{place['id']}/sessions").json()["sessions"]
        session = stub.http.post("/session", json={}).raise_for_status().json()["sessionId"]
        stub.http.post(f"/session/{session}/prompt", json={"prompt": [{"type": "text", "text": "PLAIN"}]})
        watched = invoke("doctor", "--seconds", "0.5", stub.address)
    assert "? heartbeats     none in" in without.output
    assert left == []
    assert "? heartbeats     none in" in watched.output  # 15 s apart there: half a second hears none
    assert "✓ held prompt    none" in watched.output
    assert "✓ family         qwen serve 0" in watched.output
    assert "1 running, no open request\n" in watched.output


def test_the_command_where_nobody_answers() -> None:
    result = invoke("doctor", "http://127.0.0.1:1")
    assert result.exit_code == 4
    assert "✗ reachable      cannot connect: connection refused" in result.output
    assert "watch" not in result.output
