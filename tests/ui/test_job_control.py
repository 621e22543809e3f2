"""Signals of the shell's job control: exactly one thread reads the terminal, whenever they come."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.end_to_end.terminal import Terminal
from tests.waiting import block_until

SCREEN = """
import os, signal, threading
from tests.app_harness import open_app
from tests.fake_client import FakeClient
from tui.ui.terminal_input import InputDriver

start = InputDriver.start_application_mode

def start_and_continue(driver):
    for _ in range({before}):
        os.kill(os.getpid(), signal.SIGCONT)
    start(driver)
    for _ in range({after}):
        os.kill(os.getpid(), signal.SIGCONT)
    with open(os.environ["INPUTS"], "a") as inputs:
        print(sum(one.name == "textual-input" for one in threading.enumerate()), file=inputs)

InputDriver.start_application_mode = start_and_continue
open_app(FakeClient(), session=None).run()
"""


def screen(tmp_path: Path, before: int, after: int) -> Terminal:
    environment = {**os.environ, "INPUTS": str(tmp_path / "inputs"), "TERM": "xterm-256color"}
    command = [sys.executable, "-c", SCREEN.format(before=before, after=after)]
    return Terminal(command, env=environment, cwd=Path.cwd())


@pytest.mark.parametrize(("before", "after"), [(3, 0), (0, 3)])
def test_sigcont_during_startup_starts_no_further_input(tmp_path: Path, before: int, after: int) -> None:
    terminal = screen(tmp_path, before, after)
    try:
        terminal.wait_for("holdfast")
        assert (tmp_path / "inputs").read_text() == "1\n"
        terminal.press("ctrl+q")
        terminal.wait_for_end()
        assert terminal.is_cooked()
    finally:
        terminal.close()


def test_a_suspended_screen_starts_its_input_once(tmp_path: Path) -> None:
    terminal = screen(tmp_path, before=2, after=2)
    try:
        terminal.wait_for("holdfast")
        terminal.press("ctrl+z")
        block_until(terminal.is_stopped, what="the screen to stop")
        assert terminal.is_cooked()
        terminal.send_signal(signal.SIGCONT)
        block_until(lambda: (tmp_path / "inputs").read_text() == "1\n1\n", what="the input to start again")
        terminal.type("typed")
        terminal.wait_for("› typed")
        terminal.press("ctrl+q")
        terminal.wait_for_end()
        assert terminal.is_cooked()
    finally:
        terminal.close()
