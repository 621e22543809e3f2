"""Ends the process within a time limit after a signal.

The app is asked to exit in its own loop. If the loop does not respond in time, because a drawing takes too long or the
terminal accepts no output, the terminal is restored and the process ended at once. User input is in the journal by
then.
"""

import os
import signal
import termios
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from types import FrameType
from typing import Any, NoReturn

ENDING = (
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGABRT),
    *(signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU),
)
"""Signals that end a program and by default leave the terminal in raw mode with mouse reports on."""
EXIT_TIMEOUT = 5.0
"""Seconds from the signal to the end of the process. A normal exit takes at most half of that."""
KEYS_FROM, DRAWN_ON = 0, 2
"""File descriptors of the terminal that Textual reads and writes."""
TERMINAL_RESET = (
    "\x1b\\"  # ends a partly written sequence
    "\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[?2048l"
    "\x1b[<u\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h\x1b[23;2t"
)
"""Resets: reports, keyboard protocol, line wrap, style, alternate screen, cursor, window title."""


def end_on(numbers: Sequence[signal.Signals], leave: Callable[[], object], modes: list[Any] | None) -> None:
    """Call `leave` from a signal handler on each of these signals; end the process after EXIT_TIMEOUT anyway.

    `modes`: the terminal's modes before the screen changed them (`termios.tcgetattr`), if known. Call this in the main
    thread, with SIGALRM among `numbers`.
    """
    came: SimpleQueue[int] = SimpleQueue()
    asked: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked and number == signal.SIGALRM:
            _end(asked[0], modes)
        asked.append(number)
        signal.setitimer(signal.ITIMER_REAL, EXIT_TIMEOUT)  # a regex search lets signals in, but no other thread
        came.put(number)  # `put` is safe in a signal handler
        leave()

    def enforce() -> None:
        number = came.get()
        time.sleep(EXIT_TIMEOUT)
        _end(number, modes)

    threading.Thread(target=enforce, name="ends on signals", daemon=True).start()
    for number in numbers:
        signal.signal(number, on_signal)


def _end(number: int, modes: list[Any] | None) -> NoReturn:
    """Restore the terminal and end the process."""
    if modes is not None:
        with suppress(termios.error):  # the terminal was closed
            termios.tcsetattr(KEYS_FROM, termios.TCSANOW, modes)
    os.set_blocking(DRAWN_ON, False)
    with suppress(OSError):  # it accepts no output, or was closed
        os.write(DRAWN_ON, TERMINAL_RESET.encode())
    os.set_blocking(DRAWN_ON, True)  # the shell uses the same terminal
    os._exit(128 + number)
