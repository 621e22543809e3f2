"""`holdfast status` on a server that is idle, busy, waiting, or absent."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from tests.end_to_end.stub import Stub, running_stub
from tests.hostile.runs import attack_server
from tests.waiting import MAX_WAIT
from tui.cli import main as command
from tui.cli import time_limit
from tui.config.settings import settings_file


def invoke(*args: str) -> Result:
    return CliRunner().invoke(command.main, ["status", *args])


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Stub]:
    with running_stub(tmp_path / "home") as stub:
        yield stub


def prompt(stub: Stub, words: str) -> str:
    """Start a turn in a new session, without waiting for it."""
    session = httpx.post(f"{stub.address}/session", json={"title": words}).json()
    body = {"parts": [{"type": "text", "text": words}]}
    assert httpx.post(f"{stub.address}/session/{session['id']}/prompt_async", json=body).status_code == 204
    return str(session["id"])


def test_an_idle_server_exits_with_0(stub: Stub) -> None:
    httpx.post(f"{stub.address}/session", json={"title": "quiet"})
    result = invoke(stub.address)
    assert result.exit_code == 0
    assert result.output.startswith("● live  opencode ")
    assert "○ 1 idle" in result.output


def test_the_ascii_setting_applies_to_it(stub: Stub) -> None:
    httpx.post(f"{stub.address}/session", json={"title": "quiet"})
    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text("ascii = true\n")
    for args in ([stub.address], ["http://127.0.0.1:1"]):
        assert invoke(*args).output.isascii()
    assert invoke(stub.address).output.startswith("* live  opencode ")


def test_the_family_can_be_given(stub: Stub) -> None:
    assert invoke(stub.address, "--family", "mimo").output.startswith("● live  MiMo Code ")


def status_until(good: Callable[[Result], bool], *args: str) -> Result:
    """The first result that satisfies `good`: a prompt takes a moment to start."""
    result = invoke(*args)
    for _ in range(200):
        if good(result):
            return result
        result = invoke(*args)
    raise AssertionError(f"never as hoped for; at last: {result.output}")


def test_an_open_request_exits_with_3(stub: Stub) -> None:
    prompt(stub, "ASK which")
    result = status_until(lambda look: look.exit_code == 3, stub.address)
    assert "? needs your answer" in result.output
    assert "? question: Which database?" in result.output


def test_a_request_of_an_aborted_turn_does_not_count(tmp_path: Path) -> None:
    """MiMo Code keeps the request in its list while the session is busy again."""
    with running_stub(tmp_path / "home", profile="mimo") as stub:
        session_id = prompt(stub, "ASK which")
        status_until(lambda look: look.exit_code == 3, stub.address)
        httpx.post(f"{stub.address}/session/{session_id}/abort").raise_for_status()
        status_until(lambda look: "1 idle" in look.output, stub.address)
        body = {"parts": [{"type": "text", "text": "LONG job"}]}
        httpx.post(f"{stub.address}/session/{session_id}/prompt_async", json=body).raise_for_status()
        assert len(httpx.get(f"{stub.address}/question", timeout=MAX_WAIT).json()) == 1
        result = status_until(lambda look: "idle" not in look.output, stub.address)
        assert (result.exit_code, "● running" in result.output) == (0, True)
        assert result.output.startswith("● live  MiMo Code 0")


def test_the_tool_of_a_permission_is_named_even_if_the_list_lacks_it(tmp_path: Path) -> None:
    with running_stub(tmp_path / "home", profile="qwen") as stub:
        made = {"sessionScope": "thread", "approvalMode": "default"}
        session_id = stub.http.post("/session", json=made).json()["sessionId"]
        body = {"prompt": [{"type": "text", "text": "SHELL made.txt"}]}
        stub.http.post(f"/session/{session_id}/prompt", json=body).raise_for_status()
        result = status_until(lambda look: look.exit_code == 3, stub.address)
        assert "? permission: run_shell_command touch made.txt" in result.output


def test_the_json_output_has_the_same_content(stub: Stub) -> None:
    session_id = prompt(stub, "LONG job")
    glance = json.loads(status_until(lambda look: session_id in look.output, "--json", stub.address).output)
    (session,) = glance["sessions"]
    assert (session["id"], session["state"]) == (session_id, "running")
    assert (glance["requests"], glance["idle"], glance["family"]) == ([], 0, "opencode")


def test_an_unreachable_server_exits_with_4() -> None:
    result = invoke("http://127.0.0.1:1")
    assert result.exit_code == 4
    assert "cannot connect: connection refused" in result.output
    printed = json.loads(invoke("--json", "http://127.0.0.1:1").output)
    assert printed["error"] == "cannot connect: connection refused"


def test_a_password_is_not_sent_in_plain_text_over_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PASSWORD", "s3cret")
    result = invoke("http://198.51.100.7:4096")
    assert result.exit_code == 1
    assert "plain http" in result.output
    assert "s3cret" not in result.output


def test_each_session_and_request_is_one_line(stub: Stub) -> None:
    session = httpx.post(f"{stub.address}/session", json={"title": "one\n● two\tthree\x1b[2J"}).json()
    body = {"parts": [{"type": "text", "text": "SHELL 'a\nb'"}]}
    assert httpx.post(f"{stub.address}/session/{session['id']}/prompt_async", json=body).status_code == 204
    result = status_until(lambda look: look.exit_code == 3, stub.address)
    head, running, asks, *rest = result.output.splitlines()
    assert head.startswith("● live")
    assert running.endswith("needs your answer  one ● two three")
    assert asks.startswith("  ? permission: ")
    assert rest == []


def test_an_endless_response_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of one byte arrive fast enough for each limit of a single response."""
    monkeypatch.setattr(time_limit, "TOTAL", 1.0)
    with attack_server("tiny chunks", "lists", "opencode", tmp_path) as server:
        server.order("arm")
        result = invoke(server.address)
    assert result.exit_code == 4
    assert "■ the server did not respond to every request within 1 s\n  Try again;" in result.output
