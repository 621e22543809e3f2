"""Each fault of a live connection is named on the screen, with what to do."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.steps import connect, send
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.processes import free_port
from tests.waiting import block_until

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]


def session_of(server: Stub) -> str:
    [session] = server.http.get("/session").json()
    return str(session["id"])


def set_short_timeouts(home: Path, **seconds: float) -> None:
    """Write a settings file with shorter stall timeouts."""
    folder = home / ".config/holdfast"
    folder.mkdir(parents=True)
    table = "\n".join(f"{name} = {value}" for name, value in seconds.items())
    (folder / "settings.toml").write_text(f"[patience]\n{table}\n")


def test_heartbeats_without_events_are_reported_and_polling_continues(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    server.arm("mute-events")
    terminal.type("LONG")
    terminal.press("enter")
    terminal.wait_for("heartbeats but no events")
    terminal.wait_for("run holdfast doctor")
    terminal.wait_for("python train.py")  # found by polling, as no event reported it
    terminal.wait_for("● live")


def test_a_stored_prompt_without_an_answer_is_reported(holdfast: Holdfast, stub: StartStub, home: Path) -> None:
    set_short_timeouts(home, not_begun_after=2)
    server = stub()
    server.arm("wedged")
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "PLAIN words")
    terminal.wait_for(re.compile(r"the server has the prompt, but no answer has started for \ds"))
    terminal.wait_for("Wait, or abort with Esc Esc and send it again.")


def test_a_busy_turn_without_progress_is_reported(holdfast: Holdfast, stub: StartStub, home: Path) -> None:
    set_short_timeouts(home, still_after=3)
    terminal = holdfast(stub().address)
    connect(terminal)
    send(terminal, "LONG")
    terminal.wait_for(re.compile(r"no progress for \ds, though connected"))
    terminal.wait_for("Perhaps long reasoning or a hanging command. Wait, or abort with Esc Esc.")


def test_an_unresponsive_session_on_a_healthy_server_is_reported(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "LONG")
    terminal.wait_for("python train.py")
    server.arm("hang", target=f"/session/{session_of(server)}/message", times=None)
    server.arm("cut", target="prompt")
    terminal.wait_for("the server answers its health check, but nothing about this session")
    terminal.wait_for("It may be stuck. Wait, or restart it: what it has stored is kept.")


def test_an_unresponsive_status_route_is_reported(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    hanging = server.arm("hang", target="/session/status", times=None)
    server.arm("cut")
    terminal.wait_for("↻ lost: healthy, but it reports no session status")
    server.disarm(hanging)
    terminal.press("f5")
    terminal.wait_for("● live")


def test_suspend_and_resume_redraw_the_screen_and_reconnect(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word2")
    terminal.press("ctrl+z")
    block_until(terminal.is_stopped, what="the client to stop")
    assert terminal.is_cooked()
    before = len(terminal.raw)
    server.arm("cut")
    terminal.send_signal(signal.SIGCONT)
    terminal.wait_for("word20")
    terminal.wait_for("● live")
    assert b"holdfast" in terminal.raw[before:]  # the unchanged header is redrawn too
    terminal.type("typed")
    terminal.wait_for("› typed")
    assert not terminal.is_cooked()
    terminal.press("ctrl+q")
    terminal.wait_for("Quit?")
    terminal.press("enter")
    terminal.wait_for_end()
    assert terminal.is_cooked()


def test_sigstop_and_sigcont_keep_the_terminal_usable(holdfast: Holdfast, stub: StartStub) -> None:
    terminal = holdfast(stub().address)
    connect(terminal)
    terminal.send_signal(signal.SIGSTOP)
    block_until(terminal.is_stopped, what="the client to stop")
    terminal.send_signal(signal.SIGCONT)
    terminal.type("typed")
    terminal.wait_for("› typed")
    terminal.press("ctrl+q")
    terminal.wait_for_end()
    assert terminal.is_cooked()


def test_a_changed_server_version_is_reported(holdfast: Holdfast, stub: StartStub) -> None:
    port = free_port()
    older = stub(profile="opencode-padded", args=("--port", str(port)))
    terminal = holdfast(older.address)
    connect(terminal)
    os.kill(older.pid, signal.SIGKILL)
    terminal.wait_for("↻ lost")
    stub(profile="mimo", args=("--port", str(port)))
    terminal.press("f5")
    terminal.wait_for(re.compile(r"The server is now 0\.1\.15 \(was 1\.\d+\.\d+\)"))


def test_a_changed_password_stops_reconnecting_with_a_hint(holdfast: Holdfast, stub: StartStub) -> None:
    port = free_port()
    older = stub(args=("--port", str(port)), env={"HOLDFAST_STUB_PASSWORD": "sesame"})
    terminal = holdfast(older.address, env={"HOLDFAST_PASSWORD": "sesame"})
    connect(terminal)
    os.kill(older.pid, signal.SIGKILL)
    terminal.wait_for("↻ lost")
    stub(args=("--port", str(port)), env={"HOLDFAST_STUB_PASSWORD": "simsim"})
    terminal.press("f5")
    terminal.wait_for(re.compile(r"■ stopped: .*password"))
    terminal.wait_for("HOLDFAST_PASSWORD")


def test_an_agent_crash_is_reported_as_interrupted(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub(profile="qwen")
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word3")
    server.arm("agent-crash")
    terminal.wait_for("! interrupted: the server's agent stopped during the answer")
    send(terminal, "PLAIN again")
    terminal.wait_for("✓ finished")
