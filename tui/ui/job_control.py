"""Suspend and resume by the shell: corrects the SIGCONT handling of Textual's driver.

The driver starts its terminal input at every SIGCONT. After a SIGSTOP, which cannot be caught, the input was never
stopped: two threads would then read keys, and the app could not exit.
"""

import signal
from collections.abc import Callable
from types import FrameType


def watch_stops(resumed: Callable[[], object]) -> None:
    """Run the driver's SIGCONT handler only after its SIGTSTP handler; call `resumed` on any other SIGCONT.

    `resumed` is called from a signal handler. Call this in the main thread, after the driver has set its handlers.
    """
    let_go, take_up = signal.getsignal(signal.SIGTSTP), signal.getsignal(signal.SIGCONT)
    if not callable(let_go) or not callable(take_up):
        return  # this driver does not support suspending
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
