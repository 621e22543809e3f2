"""A signal ends the program within a bound, whatever the screen does meanwhile.

The app is asked to leave, in its own loop. Where that loop does not come to it in time, because it draws something
that takes very long or the terminal takes no more bytes, the terminal is given back and the process ended at once.
What was typed and asked for is in the journal by then.
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

ENDED_WITHIN = 5.0
"""Seconds from the signal to the end of the process. Leaving takes half of that at most."""
KEYS_FROM, DRAWN_ON = 0, 2
"""The terminal, as Textual reads and writes it."""
GIVE_BACK = (
    "\x1b\\"  # what was being written when nothing more went out
    "\x1b[?2026l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[?2048l"
    "\x1b[<u\x1b[?7h\x1b[0m\x1b[?1049l\x1b[?25h\x1b[23;2t"
)
"""No reports, no keyboard protocol, line wrap, no style, the first screen, the cursor, the window's title."""


def end_on(
    numbers: Sequence[signal.Signals],
    leave: Callable[[], object],
    modes: list[Any] | None,
    within: float = ENDED_WITHIN,
) -> None:
    """Call `leave` from a signal handler at each of these; the process ends `within` seconds in any case.

    `modes`: those of the terminal before the screen changed them (`termios.tcgetattr`), where they are known. Call
    this from the main thread, with SIGALRM among `numbers`.
    """
    came: SimpleQueue[int] = SimpleQueue()
    asked: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked and number == signal.SIGALRM:
            _end(asked[0], modes)
        asked.append(number)
        signal.setitimer(signal.ITIMER_REAL, within)  # a search for a pattern lets signals in, and no thread
        came.put(number)  # the one queue that a signal handler may put something into
        leave()

    def enforce() -> None:
        number = came.get()
        time.sleep(within)
        _end(number, modes)

    threading.Thread(target=enforce, name="ends on signals", daemon=True).start()
    for number in numbers:
        signal.signal(number, on_signal)


def _end(number: int, modes: list[Any] | None) -> NoReturn:
    """Give the terminal back, and be gone."""
    if modes is not None:
        with suppress(termios.error):  # the terminal has gone
            termios.tcsetattr(KEYS_FROM, termios.TCSANOW, modes)
    os.set_blocking(DRAWN_ON, False)
    with suppress(OSError):  # it takes no bytes, or has gone
        os.write(DRAWN_ON, GIVE_BACK.encode())
    os.set_blocking(DRAWN_ON, True)  # the shell has the same terminal
    os._exit(128 + number)
