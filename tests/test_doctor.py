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
    assert beats(0, 10, 20.1, 30).regularity(30).verdict == "good"


def test_a_beat_that_is_long_overdue_is_not_regular() -> None:
    finding = beats(0, 10, 20, 40).regularity(40)
    assert (finding.what, finding.verdict) == ("heartbeats", "bad")
    assert "20.0 s apart" in finding.found


def test_beats_that_arrive_in_a_bunch_were_held_back() -> None:
    finding = beats(30, 30.001, 30.002).regularity(30)
    assert finding.verdict == "bad"
    assert "buffering" in finding.remedy


def test_no_beat_at_all_is_bad_and_one_is_too_few() -> None:
    assert beats(events=1).regularity(30).verdict == "bad"
    assert beats(10).regularity(15).verdict == "unknown"


def test_no_beat_in_less_than_their_interval_says_nothing_of_the_server() -> None:
    finding = beats(events=1).regularity(8)
    assert finding.verdict == "unknown"
    assert "shorter than" in finding.found
    assert "--seconds" in finding.remedy


def test_not_one_byte_points_at_the_proxy() -> None:
    finding = beats().regularity(30)
    assert (finding.what, finding.verdict) == ("event stream", "bad")
    assert "proxy" in finding.remedy


def test_no_event_says_nothing_where_none_can_be_called_forth() -> None:
    assert beats(0, 10, 20).delivery().verdict == "unknown"
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
        session = stub.http.post("/session", json={}).raise_for_status().json()["sessionId"]
        stub.http.post(f"/session/{session}/prompt", json={"prompt": [{"type": "text", "text": "PLAIN"}]})
        watched = invoke("doctor", "--seconds", "0.5", stub.address)
    assert "? event stream   it comes by session, and there is none" in without.output
    assert "? heartbeats     none in" in watched.output  # 15 s apart there: half a second hears none
    assert "✓ held prompt    none" in watched.output
    assert "✓ family         qwen serve 0" in watched.output
    assert "1 running, no open request\n" in watched.output


def test_the_command_where_nobody_answers() -> None:
    result = invoke("doctor", "http://127.0.0.1:1")
    assert result.exit_code == 4
    assert "✗ reachable      cannot connect: connection refused" in result.output
    assert "watch" not in result.output
