"""Loss, recovery and stop of the connection, as shown on the screen."""

import re
from collections.abc import Callable

import pytest

from tests.end_to_end.steps import connect, send, wait_for_request
from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.processes import free_port
from tests.waiting import block_until

Holdfast = Callable[..., Terminal]
StartStub = Callable[..., Stub]


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_broken_event_stream_is_shown_and_reopened(holdfast: Holdfast, stub: StartStub, fault: str) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    down = server.arm("502", target="/global/event", times="always")  # so that the loss lasts until it is shown
    server.arm(fault, target="/global/event", times=1)
    terminal.wait_for(re.compile(r"↻ lost: .+ · (try \d+ in \d+s|reconnecting) · F5 now"))
    server.disarm(down)
    terminal.wait_for("● live")


def test_a_question_of_an_outage_is_shown_after_reconnecting(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "PLAIN first")
    terminal.wait_for("✓ finished")
    down = server.arm("502", target="/global/event", times="always")
    server.arm("cut", target="/global/event", times=1)
    terminal.wait_for("↻ lost")
    [session] = server.http.get("/session").json()
    prompt = {"parts": [{"type": "text", "text": "ASK1 from elsewhere"}]}
    server.http.post(f"/session/{session['id']}/prompt_async", json=prompt).raise_for_status()
    assert "Which database?" not in terminal.text()
    server.disarm(down)
    terminal.press("f5")
    terminal.wait_for("● live")
    terminal.wait_for("you          ASK1 from elsewhere")
    wait_for_request(terminal, "Which database?")


def test_a_refused_password_stops_reconnecting_until_fixed(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    refusal = server.arm("401")
    terminal = holdfast(server.address)
    terminal.wait_for(re.compile(r"■ stopped: .*password.* · fix it, then F5"))
    refused = server.times_applied(refusal)
    terminal.press("f5")
    block_until(lambda: server.times_applied(refusal) > refused, what="F5 to ask again")
    terminal.wait_for("■ stopped")
    server.disarm(refusal)
    terminal.press("f5")
    terminal.wait_for("● live")


def test_the_password_is_taken_from_either_variable(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub(env={"HOLDFAST_STUB_PASSWORD": "sesame"})
    without = holdfast(server.address)
    without.wait_for(re.compile(r"■ stopped: .*password"))
    connect(holdfast(server.address, env={"HOLDFAST_PASSWORD": "sesame"}))
    connect(holdfast(server.address, env={"OPENCODE_SERVER_PASSWORD": "sesame"}))


def test_without_a_server_the_screen_says_what_to_start(holdfast: Holdfast) -> None:
    terminal = holdfast(f"http://127.0.0.1:{free_port()}")
    terminal.wait_for("No server at 127.0.0.1:")
    terminal.wait_for("opencode serve")
    terminal.wait_for("holdfast --demo")


def test_a_server_started_later_is_found(holdfast: Holdfast, stub: StartStub) -> None:
    port = free_port()
    terminal = holdfast(f"http://127.0.0.1:{port}")
    terminal.wait_for("No server at")
    stub(args=("--port", str(port)))
    terminal.press("f5")
    terminal.wait_for("● live")


def test_focus_of_the_terminal_retries_at_once(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    down = server.arm("502", times="always")
    terminal = holdfast(server.address)
    terminal.wait_for(re.compile(r"try \d+ in ([7-9]|1\d)s"))
    before = len(terminal.raw)
    server.disarm(down)
    terminal.press("focus out", "focus in")
    terminal.wait_for("● live")
    assert [frame for frame in terminal.frames(before) if re.search(r"try \d+ in [1-3]s", frame)] == []


def test_heartbeats_are_drawn_at_the_servers_interval(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    config = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
    server.http.patch("/global/config", json=config).raise_for_status()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.wait_for(re.compile(r"● live 0s +\d+ ms [▁▂▃▅▇]{3}"))


def test_missing_heartbeats_are_shown_on_an_open_connection(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub()
    config = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
    server.http.patch("/global/config", json=config).raise_for_status()
    terminal = holdfast(server.address)
    connect(terminal)
    terminal.wait_for(re.compile(r"ms [▁▂▃▅▇]{3}"))
    server.arm("stall")
    terminal.wait_for(re.compile(r"◐ quiet \ds"))
    terminal.wait_for(re.compile(r"↻ lost: no data for \d+ s"))


def test_a_crashed_server_is_shown_as_lost_and_its_turn_as_unknown(holdfast: Holdfast, stub: StartStub) -> None:
    server = stub(profile="opencode")
    terminal = holdfast(server.address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word3")
    server.arm("cut", target="all", times="always")
    terminal.wait_for("↻ lost")
    terminal.wait_for(re.compile(r"turn 0:\d\d · unknown"))
