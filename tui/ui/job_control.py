"""Stopped by the shell and going on again: what Textual's driver leaves open.

The driver takes up the terminal at every SIGCONT. After a SIGSTOP, which nobody can catch, it had never let go of
it: it would read keys with two threads from then on, and never end.
"""

import signal
from collections.abc import Callable
from types import FrameType


def watch_stops(resumed: Callable[[], object]) -> None:
    """Let the driver's SIGCONT follow its SIGTSTP only; `resumed` hears of every other SIGCONT.

    It is called from a signal handler. Call this from the main thread, once the driver has its handlers in place.
    """
    let_go, take_up = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(let_go) or not callable(take_up):
        return  # this driver does not stop
    released = False

    def on_stop(number: int, frame: FrameType | None) -> None:
        nonlocal released
        released = True
        let_go(number, frame)

    def on_continue(number: int, frame: FrameType | None) -> None:
        nonlocal released
        if released:
            released = False
            take_up(number, frame)
        else:
            resumed()

    signal.signal(signal.SIGTSTP, on_stop)
    signal.signal(signal.SIGCONT, on_continue)
