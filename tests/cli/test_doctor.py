"""`holdfast doctor` on a healthy server, on faulty ones, and without a server."""

from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner, Result

from tests.end_to_end.stub import running_stub
from tests.hostile.runs import attack_server
from tui.backends.base import Backend, ServerInfo
from tui.backends.opencode.backend import OpenCode
from tui.cli import main as command
from tui.cli import time_limit
from tui.cli.doctor import PROBE, create_test_session, greeted
from tui.cli.finding import CheckResult
from tui.core.model import Session
from tui.net.errors import NetError
from tui.net.http_client import Http


def verdict(findings: list[CheckResult], what: str) -> str:
    return next(one.verdict for one in findings if one.what == what)


@pytest.mark.parametrize(("skew", "expected"), [(None, "unknown"), (0.4, "good"), (-90.0, "bad")])
def test_clocks_are_compared(skew: float | None, expected: str) -> None:
    backend = OpenCode(Http("http://127.0.0.1:1"))
    assert verdict(greeted(backend, ServerInfo("1", 0.01, skew)), "clock") == expected


def invoke(*args: str) -> Result:
    return CliRunner().invoke(command.main, args)


def test_a_healthy_server_passes(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home") as stub:
        result = invoke("doctor", "--seconds", "0.5", stub.address)
        left = stub.http.get("/session").json()
    assert result.exit_code == 0, result.output
    assert "✓ reachable" in result.output
    assert "✓ sessions" in result.output
    assert "✓ events         a new session was reported within" in result.output
    assert "? heartbeats     none in" in result.output  # no heartbeat in half a second
    assert left == []


def test_a_stream_with_heartbeats_and_no_events_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.cli.doctor.EVENT_TIMEOUT", 0.3)
    with running_stub(tmp_path / "home") as stub:
        stub.arm("mute-events")
        result = invoke("doctor", "--seconds", "0.5", stub.address)
        left = stub.http.get("/session").json()
    assert "✗ events         a session was created, and within 0 s no event reported it" in result.output
    assert "restart the server" in result.output
    assert result.exit_code == 1
    assert left == []


def test_a_silent_session_stream_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_stub(tmp_path / "home", profile="qwen") as stub:
        well = invoke("doctor", "--seconds", "0.5", stub.address)
        monkeypatch.setattr("tui.cli.doctor.EVENT_TIMEOUT", 0.3)
        stub.arm("mute-events")
        silent = invoke("doctor", "--seconds", "0.5", stub.address)
        [place] = stub.http.get("/capabilities").json()["workspaces"]
        left = stub.http.get(f"/workspaces/{place['id']}/sessions").json()["sessions"]
    assert "✓ events         a new title was reported within" in well.output
    assert "✗ events         a session was renamed, and within 0 s no event reported it" in silent.output
    assert (well.exit_code, silent.exit_code) == (0, 1)
    assert left == []


def test_a_failed_cleanup_is_reported(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home") as stub:
        stub.arm("502", target="/session/ses_")
        result = invoke("doctor", "--seconds", "0.5", stub.address)
        [left] = stub.http.get("/session").json()
    assert f"✗ cleanup        the test session ({left['id']}) could not be deleted" in result.output
    assert left["title"] == "holdfast doctor"


@pytest.mark.parametrize(("existing", "title"), [("ses_1", PROBE), ("ses_2", "important work")])
async def test_a_session_that_the_test_did_not_create_is_not_deleted(existing: str, title: str) -> None:
    """As a cache or proxy in between may answer."""

    class Cached:
        async def sessions(self) -> list[Session]:
            return [Session("ses_1", title)]

        async def create_session(self, wanted: str) -> Session:
            return Session(existing, title)

    with pytest.raises(NetError, match="answered the creation of a session with another one"):
        await create_test_session(cast(Backend, Cached()))


def test_a_session_is_created_where_streams_are_per_session(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home", profile="qwen") as stub:
        without = invoke("doctor", "--seconds", "0.5", stub.address)
        [place] = stub.http.get("/capabilities").json()["workspaces"]
        left = stub.http.get(f"/workspaces/{place['id']}/sessions").json()["sessions"]
        session = stub.http.post("/session", json={}).raise_for_status().json()["sessionId"]
        stub.http.post(f"/session/{session}/prompt", json={"prompt": [{"type": "text", "text": "FLOOD 300 5"}]})
        watched = invoke("doctor", "--seconds", "0.5", stub.address)
    assert "? heartbeats     none in" in without.output
    assert left == []
    assert "? heartbeats     none in" in watched.output  # heartbeats are 15 s apart there: none in half a second
    assert "✓ held prompt    none" in watched.output
    assert "✓ family         qwen serve 0" in watched.output
    assert "1 running, no open request\n" in watched.output


def test_an_unreachable_server_fails() -> None:
    result = invoke("doctor", "http://127.0.0.1:1")
    assert result.exit_code == 4
    assert "✗ reachable      cannot connect: connection refused" in result.output
    assert "watch" not in result.output


def test_a_server_that_requires_a_password_is_reachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_stub(tmp_path / "home", env={"HOLDFAST_STUB_PASSWORD": "right"}) as stub:
        without = invoke("doctor", stub.address)
        monkeypatch.setenv("HOLDFAST_PASSWORD", "wrong")
        refused = invoke("doctor", stub.address)
    assert "✓ reachable      it answers" in without.output
    assert "✗ password       a password is required (401)" in without.output
    assert "Set HOLDFAST_PASSWORD" in without.output
    assert "✗ password       password refused (401)" in refused.output
    assert (without.exit_code, refused.exit_code) == (1, 1)


def test_an_unsupported_server_is_reachable(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home") as stub:
        stub.arm("502", times="always")
        result = invoke("doctor", stub.address)
    assert "✓ reachable      it answers" in result.output
    assert "✗ server " in result.output
    assert result.exit_code == 1


def test_an_endless_response_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_limit, "TOTAL", 1.0)
    with attack_server("tiny chunks", "lists", "opencode", tmp_path) as server:
        server.order("arm")
        result = invoke("doctor", "--seconds", "0", server.address)
    assert result.exit_code == 1
    assert "the server did not respond to every request within 1 s" in result.output
