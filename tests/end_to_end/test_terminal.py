"""Tests of the terminal harness itself."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.end_to_end.terminal import Drawing, Terminal
from tests.processes import clean_environment

Run = Callable[[str], Terminal]


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    with ExitStack() as running:

        def start(program: str) -> Terminal:
            terminal = Terminal(
                [sys.executable, "-c", program], env=clean_environment(home), cwd=home, columns=60, lines=10
            )
            running.callback(terminal.close)
            return terminal

        yield start


TEXTUAL_OUTPUT = (
    b"\x1b[?1049h\x1b[?2048$p\x1b[>1u\x1b[?25l\x1b[2;3Hhello\x1b[<u"
    b"\x1bP+q544e\x1b\\\x1b]22;default\x07\x1b]2;title\x07\x1b[0m!"
)


@pytest.mark.parametrize("cut", range(len(TEXTUAL_OUTPUT)))
def test_private_sequences_are_not_drawn_at_any_split(cut: int) -> None:
    drawing = Drawing(20, 3)
    drawing.feed(TEXTUAL_OUTPUT[:cut])
    drawing.feed(TEXTUAL_OUTPUT[cut:])
    assert drawing.lines() == ["", "  hello!", ""]
    assert drawing.screen.title == "title"


def test_wait_for_accepts_text_and_multiline_patterns(run: Run) -> None:
    terminal = run("print('first'); print('second'); input()")
    terminal.wait_for("second")
    assert terminal.wait_for(re.compile(r"first\n(\w+)"))[1] == "second"
    assert terminal.screen()[:2] == ["first", "second"]


def test_a_failed_wait_prints_the_screen(run: Run) -> None:
    terminal = run("print('only this'); input()")
    with pytest.raises(AssertionError, match=r"after 0.2 s the terminal shows no 'that'(?s:.*)only this"):
        terminal.wait_for("that", within=0.2)


def test_a_wait_fails_when_the_command_exits(run: Run) -> None:
    terminal = run("print('only this')")
    with pytest.raises(AssertionError, match="at its end the terminal shows no 'that'"):
        terminal.wait_for("that")


def test_keys_and_text_reach_the_command(run: Run) -> None:
    terminal = run("print('got', ascii(input())); print('got', ascii(input()))")
    terminal.type("some words")
    terminal.press("enter")
    terminal.wait_for("got 'some words'")
    terminal.press("x", "up", "enter")
    terminal.wait_for(r"got 'x\x1b[A'")


def test_an_unknown_key_is_refused(run: Run) -> None:
    terminal = run("input()")
    with pytest.raises(AssertionError, match="no key 'retrun'"):
        terminal.press("retrun")


def test_raw_output_contains_undrawn_bytes(run: Run) -> None:
    terminal = run(r"print('a\x1b]52;c;aGk=\x07b'); input()")
    terminal.wait_for("ab")
    assert b"\x1b]52;c;aGk=\x07" in terminal.raw


def test_a_resize_reaches_the_command(run: Run) -> None:
    terminal = run(
        "import os, signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: os.write(1, b'%d %d' % os.get_terminal_size()))\n"
        "print('ready', flush=True)\n"
        "while True: signal.pause()"
    )
    terminal.wait_for("ready")
    terminal.resize(80, 24)
    terminal.wait_for("80 24")
    assert len(terminal.screen()) == 24


@pytest.mark.parametrize(
    ("program", "status"),
    [("raise SystemExit(3)", 3), (f"import os; os.kill(os.getpid(), {signal.SIGTERM})", -signal.SIGTERM)],
)
def test_wait_for_end_returns_the_exit_status(run: Run, program: str, status: int) -> None:
    assert run(program).wait_for_end() == status


def test_raw_and_cooked_mode_are_distinguished(run: Run) -> None:
    terminal = run("import tty; print('cooked'); input(); tty.setraw(0); print('raw'); input()")
    terminal.wait_for("cooked")
    assert terminal.is_cooked()
    terminal.press("enter")
    terminal.wait_for("raw")
    assert not terminal.is_cooked()


def test_close_ends_child_processes_of_the_command(home: Path) -> None:
    program = "import subprocess, sys; subprocess.Popen(['sleep', '600']); print('started'); input()"
    terminal = Terminal([sys.executable, "-c", program], env=clean_environment(home), cwd=home)
    terminal.wait_for("started")
    terminal.close()  # fails when a process still holds the terminal


def test_a_screen_is_quiet_once_output_stops(run: Run) -> None:
    terminal = run("print('words', flush=True); input()")
    terminal.wait_for("words")
    terminal.wait_until_quiet(0.1)
    busy = run("import time\nwhile True: print('x', flush=True); time.sleep(0.02)")
    with pytest.raises(AssertionError, match="still being drawn"):
        busy.wait_until_quiet(30, within=0.1)


def test_earlier_frames_are_available(run: Run) -> None:
    terminal = run(r"print('a\x1b[?2026l\rb\x1b[?2026l\rc', flush=True); input()")
    terminal.wait_for("c")
    assert [frame.split() for frame in terminal.frames(0)] == [["a"], ["b"], ["c"]]
    assert [frame.split() for frame in terminal.frames(terminal.raw.index(b"c"))] == [["c"]]
