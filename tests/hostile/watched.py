"""The client observed from outside: its terminal output, its memory, and the delay of its key echoes."""

import os
import re
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.recording import NeverShown, Recording

COMMAND: Final = (sys.executable, "-m", "tui")
OVERGROWN: Final = 900 << 20
"""Bytes at which a program is killed to protect the machine."""
LOOK_EVERY: Final = 0.004
TYPE_EVERY: Final = 0.06
"""Seconds between an echo and the next key."""
UNANSWERED: Final = 20.0
"""Seconds after which a key counts as not echoed."""
CLEAR: Final = "\x15"
"""Deletes the text of the prompt field."""
KEYS: Final = tuple(chr(point) for point in range(0x1CD, 0x530) if unicodedata.category(chr(point)) in ("Lu", "Ll"))
"""Letters that no server sends, each typed once: its appearance is an echo."""
FAILURE_OUTPUT: Final = re.compile(r"Traceback|failed and was redrawn|failed and was closed|itself failed|Error:")
"""Output of a client that has failed."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Watched(Recording):
    """One run of a program in a terminal. If it grows past OVERGROWN it is killed, and `overgrown` is set."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        super().__init__(command, env=env, cwd=cwd)
        self._child.delaybeforesend = None  # pexpect waits 50 ms before each key
        self.overgrown = False
        self.begins = 0.0
        """Its longest echo in seconds during the start, if measured."""
        self._peak = 0
        self._over = threading.Event()
        self._guard = threading.Thread(target=self._watch, name="watches the memory", daemon=True)
        self._guard.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._guard.join()
        super().__exit__(kind, error, trace)

    @property
    def raw(self) -> bytes:
        """All received bytes."""
        return b"".join(data for _, data in list(self.pieces))

    @property
    def ended(self) -> bool:
        """Whether it has exited."""
        return not self._child.isalive()

    def memory(self) -> int:
        """Its current memory in bytes; 0 once it has exited."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def forget_peak(self) -> None:
        """Reset `peak`."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        self._peak = 0

    def peak(self) -> int:
        """Its maximum memory in bytes since then."""
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        except OSError:
            found = None
        return max(self._peak, int(found[1]) << 10 if found is not None else 0)

    def processor(self) -> tuple[float, float]:
        """Total seconds for which its main thread ran, and for which it waited for a processor."""
        try:
            ran, waited = Path(f"/proc/{self.pid}/schedstat").read_text().split()[:2]
        except (OSError, ValueError):
            return 0.0, 0.0
        return int(ran) / 1e9, int(waited) / 1e9

    def work(self) -> float:
        """Seconds of processor time of all its threads; 0 once it has exited."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def exit_status(self, *, within: float) -> int | None:
        """Its exit status, negative for a signal; None if it still runs after so many seconds."""
        deadline = time.perf_counter() + within
        while self._child.isalive():
            if time.perf_counter() > deadline:
                return None
            time.sleep(LOOK_EVERY)
        status = self._child.exitstatus if self._child.signalstatus is None else -self._child.signalstatus
        return None if status is None else int(status)

    def shows(self, pattern: re.Pattern[str], *, within: float) -> bool:
        """Whether its screen shows that in time."""
        try:
            self.wait_for(pattern, within=within)
        except NeverShown:
            return False
        return True

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            now = self.memory()
            self._peak = max(self._peak, now)
            if now > OVERGROWN:
                self.overgrown = True
                os.kill(self.pid, signal.SIGKILL)
                return


class TypingThread:
    """Types into a client in a separate thread, one key after the other, and measures each echo.

    Nothing is deleted before the end: a question takes the focus only from an empty prompt, and an editing key may be
    handled after a letter that was typed later. The time for which the client waited for a processor and the delay of
    this thread are subtracted: both are caused by the machine. The client's own computing counts.
    """

    def __init__(self, client: Watched) -> None:
        self.client = client
        self._keys = cycle(KEYS)
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="types", daemon=True)
        self.echoes: list[float] = []
        """Seconds, in order; infinite if there was no echo."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if not self.client.ended:
            self.client.type(CLEAR)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No letter is typed inside: one right behind Enter would make a paste of both."""
        with self._turn:
            yield

    @property
    def longest(self) -> float:
        return max(self.echoes, default=0.0)

    def _work(self) -> None:
        while not self._stop.wait(TYPE_EVERY) and not self.client.ended:
            with self._turn:
                took = self._press(next(self._keys))
            if took is not None:
                self.echoes.append(took)

    def _press(self, key: str) -> float | None:
        """Seconds until the echo; None if the client has exited or was closed meanwhile."""
        client, wanted = self.client, key.encode()
        first, (ran, waited), pressed = len(client.pieces), client.processor(), time.perf_counter()
        tail, late, looked = b"", 0.0, pressed
        try:
            client.type(key)
        except OSError:
            return None
        while time.perf_counter() - pressed < UNANSWERED:
            for moment, data in client.pieces[first:]:
                first += 1
                if wanted in tail + data:
                    took, (ran_now, waited_now) = moment - pressed, client.processor()
                    return max(0.0, min(ran_now - ran, took), took - (waited_now - waited) - late)
                tail = data[-4:]
            if client.ended:
                return None
            time.sleep(LOOK_EVERY)
            now = time.perf_counter()
            late, looked = late + max(0.0, now - looked - 2 * LOOK_EVERY), now
        return float("inf")


def poll(condition: Callable[[], bool], *, within: float) -> bool:
    """Whether the condition becomes true in time."""
    deadline = time.perf_counter() + within
    while not condition():
        if time.perf_counter() > deadline:
            return False
        time.sleep(LOOK_EVERY)
    return True
