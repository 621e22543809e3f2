"""A signal exits the program in time, even if its screen does not respond."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.terminal import Terminal
from tests.waiting import block_until, wait_until

SCREEN = """
import itertools, os, re, sys, time
from tests.app_harness import open_app
from tests.fake_client import FakeClient

def busy():
    print("busy", file=open(os.environ["BUSY"], "w"), flush=True)
    {work}

app = open_app(FakeClient(), session=None)
app.call_later(app.set_timer, 0.5, busy)
app.run()
"""
WORK = {
    "python": "[None for _ in itertools.count() if False]",
    "a regular expression": "re.fullmatch('(a*)*b', 'a' * 40)",
    "a call that waits": "time.sleep(600)",
}


@pytest.mark.parametrize("work", WORK)
def test_a_signal_exits_a_permanently_busy_screen(work: str, tmp_path: Path) -> None:
    busy = tmp_path / "busy"
    environment = {**os.environ, "BUSY": str(busy), "TERM": "xterm-256color"}
    command = [sys.executable, "-c", SCREEN.format(work=WORK[work])]
    terminal = Terminal(command, env=environment, cwd=Path.cwd())
    try:
        terminal.wait_for("holdfast")
        block_until(busy.exists)
        terminal.send_signal(signal.SIGTERM)
        assert terminal.wait_for_end() == 128 + signal.SIGTERM
        assert terminal.is_cooked()
        assert b"\x1b[?1049l" in terminal.raw
        assert b"\x1b[?25h" in terminal.raw
    finally:
        terminal.close()


async def test_a_signal_exits_while_the_terminal_is_blocked(tmp_path: Path) -> None:
    work = "[app._driver.write('x' * 100_000) for _ in itertools.count()]"
    busy = tmp_path / "busy"
    keys, terminal = pty.openpty()
    process = subprocess.Popen(  # noqa: ASYNC220 (waited for below)
        [sys.executable, "-c", SCREEN.format(work=work)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "BUSY": str(busy), "TERM": "xterm-256color"},
        start_new_session=True,
    )
    try:
        await wait_until(busy.exists)
        process.send_signal(signal.SIGTERM)
        await wait_until(lambda: process.poll() is not None)
        assert process.returncode == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()
        os.close(keys)
        os.close(terminal)
