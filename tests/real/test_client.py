"""The client with a real opencode server, from the user's side. `test_backend_contract` tests the contract."""

import re
from collections.abc import Callable

import pytest

from tests.end_to_end.steps import answer_both_questions, connect, send, wait_for_request
from tests.end_to_end.terminal import Terminal
from tests.real.server import RealServer

pytestmark = pytest.mark.real

Holdfast = Callable[..., Terminal]


def test_both_questions_are_answered_by_keys_and_quoted_back(holdfast: Holdfast, opencode: RealServer) -> None:
    asked_before = len(opencode.model_log())
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "ASK")
    answer_both_questions(terminal)
    terminal.wait_for(re.compile(r"Done\..*SQLite.*auth, search", re.DOTALL))
    terminal.wait_for("answered  DB: SQLite · Feat: auth, search")
    terminal.wait_for(re.compile(r"✓ finished in 0:\d\d"))
    [_, reported] = opencode.model_log()[asked_before:]
    assert "SQLite" in reported.results[-1]
    assert "auth, search" in reported.results[-1]


def test_an_allowed_command_asks_once_and_runs(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "SHELL allowed.txt")
    wait_for_request(terminal, "touch allowed.txt")
    made = opencode.project / "allowed.txt"
    assert not made.exists()
    terminal.press("enter")
    terminal.wait_for("allowed once  bash")
    terminal.wait_for("✓ finished")
    assert made.exists()


def test_a_refused_command_does_not_run(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "SHELL refused.txt")
    wait_for_request(terminal, "touch refused.txt")
    terminal.press("x")
    terminal.wait_for("Reject this permission?")
    terminal.press("enter")
    terminal.wait_for("rejected  bash")
    terminal.wait_until_gone("asks for permission")
    assert not (opencode.project / "refused.txt").exists()


def test_killing_the_server_interrupts_the_turn_and_reconnects(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word3")
    opencode.kill()
    terminal.wait_for("↻ lost", within=3)
    terminal.wait_for(re.compile(r"turn 0:\d\d · unknown"), within=3)
    opencode.restart()
    terminal.press("f5")
    connect(terminal)
    terminal.wait_for("! interrupted")

    send(terminal, "and on we go")
    terminal.wait_for("Nothing to call")
    terminal.wait_for("✓ finished")


def test_esc_twice_aborts_the_turn(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "SLOW")
    terminal.wait_for("word3")
    terminal.press("escape")
    terminal.wait_for("Esc once more aborts the turn")
    terminal.press("escape")
    terminal.wait_for("■ aborted", within=10)
    terminal.wait_for("ready")
    assert "word39" not in terminal.text()


def test_a_model_error_is_shown_with_its_status(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "FAIL 400")
    terminal.wait_for(re.compile(r"✗ failed \(400\).*scripted 400", re.DOTALL))


def test_the_server_retries_an_overloaded_model(holdfast: Holdfast, opencode: RealServer) -> None:
    terminal = holdfast(opencode.address)
    connect(terminal)
    send(terminal, "FAIL 429")
    terminal.wait_for(re.compile(r"model provider error .* the server retries in \ds"))
    terminal.press("escape", "escape")
    terminal.wait_for(re.compile("■ aborted|ready"), within=10)
