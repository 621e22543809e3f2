"""Suspend and resume by the shell: corrects the signal handlers of Textual's driver.

The driver starts its terminal input at every SIGCONT. After a SIGSTOP, which cannot be caught, or during startup, the
input was never stopped: several threads would then read keys, and the app could not exit.
"""

import os
import signal

from textual.drivers.linux_driver import LinuxDriver


class JobControlDriver(LinuxDriver):
    """Starts the terminal input at SIGCONT only if SIGTSTP stopped it; otherwise reports the resumption to the app.

    It overrides the handlers that Textual's driver sets when it is created, so that they never run.
    """

    _is_suspended = False
    """Whether SIGTSTP stopped the terminal input, and it was not started again."""
    _is_starting = _continued_again = False

    @property
    def _is_started(self) -> bool:
        """Whether the terminal input is running."""
        return self._key_thread is not None and self._key_thread.is_alive() and not self.exit_event.is_set()

    def _sigtstp_application(self, *_: object) -> None:
        if self._is_started and self._auto_restart:
            self._is_suspended = True
            super()._sigtstp_application()
        else:
            os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        if self._is_starting:
            self._continued_again = True
        elif self._is_suspended:
            self._is_starting = True
            try:
                self._start_again()
            finally:
                self._is_starting = False
        elif self._is_started and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._app.post_message, self.SignalResume())

    def _start_again(self) -> None:
        """Start the input. In the background it cannot start, and is tried again at the next SIGCONT."""
        self._continued_again = True
        while self._continued_again and not self._is_started:
            self._continued_again = False
            super()._sigcont_application()
        self._is_suspended = not self._is_started
