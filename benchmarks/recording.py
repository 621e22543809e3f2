"""Runs a program in a terminal and records its output with timestamps.

The screen is not drawn during a measurement; its content at a given time is computed on request.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import pexpect
import pyte

from tests.end_to_end.terminal import KEYS, Drawing
from tests.processes import end_group
from tests.waiting import MAX_WAIT

COLUMNS, LINES = 120, 40
LOOK_EVERY = 0.02
"""Seconds between two checks for new output."""

Shown = Callable[[pyte.Screen], bool]


class NeverShown(Exception):
    """The screen did not reach the expected state in time."""


class Recording:
    """One run of a command in a pty. `started` is the time of the spawn; all times are of `perf_counter`."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> None:
        self.pieces: list[tuple[float, bytes]] = []
        self._drawing = Drawing(COLUMNS, LINES)
        self._drawn = 0
        self.started = time.perf_counter()
        self._child = pexpect.spawn(
            command[0], list(command[1:]), env=dict(env), cwd=str(cwd), dimensions=(LINES, COLUMNS), timeout=None
        )
        self.pid: int = self._child.pid
        self._reader = threading.Thread(target=self._read, name=f"reads {command[0]}", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_group(self.pid)
        self._reader.join(timeout=5)
        self._child.close(force=True)

    def type(self, text: str) -> None:
        self._child.send(text)

    def press(self, key: str) -> None:
        """Send a key by its name in `KEYS`."""
        self._child.send(KEYS[key])

    def text(self) -> str:
        """The current text of the screen."""
        for _, data in self.pieces[self._drawn :]:
            self._drawing.feed(data)
            self._drawn += 1
        return "\n".join(self._drawing.lines())

    def wait_for(self, wanted: str | re.Pattern[str], *, within: float = MAX_WAIT) -> float:
        """The time when the screen showed `wanted`; draws output as it arrives. Raises `NeverShown`."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted
        return self._wait(lambda _: pattern.search("\n".join(self._drawing.lines())) is not None, within, 0.0)

    def moment(self, shown: Shown, *, within: float = MAX_WAIT, quiet: float = 0.3) -> float:
        """The time when `shown` became true; draws only after `quiet` seconds without output. Raises `NeverShown`."""
        return self._wait(shown, within, quiet)

    def longest_gap(self, start: float, end: float) -> float:
        """The longest time without output between `start` and `end`, in seconds."""
        return longest_gap([moment for moment, _ in self.pieces if start < moment < end], start, end)

    def _wait(self, shown: Shown, within: float, quiet: float) -> float:
        deadline = time.perf_counter() + within
        if self._drawn and shown(self._drawing.screen):
            return time.perf_counter()
        while time.perf_counter() < deadline:
            if len(self.pieces) == self._drawn or time.perf_counter() - self.pieces[-1][0] < quiet:
                time.sleep(LOOK_EVERY)
                continue
            moment, data = self.pieces[self._drawn]
            self._drawn += 1
            self._drawing.feed(data)
            if shown(self._drawing.screen):
                return moment
        raise NeverShown("not in time; the screen is\n" + self.text())

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._child.child_fd, 65536)
            except OSError:  # EIO: the other end is closed (Linux)
                return
            if not data:
                return
            self.pieces.append((time.perf_counter(), data))


def longest_gap(moments: Sequence[float], start: float, end: float) -> float:
    """The longest interval between consecutive moments, including `start` and `end`."""
    edges = [start, *moments, end]
    return max(late - early for early, late in pairwise(edges))


def painted(screen: pyte.Screen) -> bool:
    """Whether any cell has text or a background color."""
    return any(cell.bg != "default" or cell.data != " " for line in screen.buffer.values() for cell in line.values())


def worded(screen: pyte.Screen) -> bool:
    """Whether the screen shows any letter."""
    return any(any(map(str.isalpha, line)) for line in screen.display)
