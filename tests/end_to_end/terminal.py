"""A terminal for the real command: a pty, the screen that a user would see, and the keys they press.

`pyte` draws the screen; every received byte is also kept, to check for bytes that must never reach a terminal. A thread
reads continuously, so that the program never waits for its reader, and every wait here ends with the byte that fulfils
it.
"""

import os
import re
import signal
import termios
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pexpect
import pyte
from pyte.screens import Char

from tests.processes import end_group
from tests.waiting import MAX_WAIT

KEYS: Mapping[str, str] = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "space": " ",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    **{f"f{number}": f"\x1bO{final}" for number, final in zip(range(1, 5), "PQRS", strict=True)},
    "f5": "\x1b[15~",
    "f6": "\x1b[17~",
    "f7": "\x1b[18~",
    "f8": "\x1b[19~",
    **{f"ctrl+{letter}": chr(ord(letter) - ord("a") + 1) for letter in "abcdefghijklmnopqrstuvwxyz"},
    "focus in": "\x1b[I",
    "focus out": "\x1b[O",
}
"""The bytes that an xterm sends for each key."""


_NOT_FOR_PYTE = re.compile(
    rb"\x1b\[[<=>][0-?]*[ -/]*[@-~]"  # private CSI of xterm and kitty: keyboard protocols
    rb"|\x1b\[[0-?]*\$[@-~]"  # mode queries
    rb"|\x1b\](?![012];)[^\x07\x1b]*(\x07|\x1b\\)"  # OSC except titles, which pyte would take for titles
    rb"|\x1b[PX^_].*?\x1b\\",  # DCS, SOS, PM, APC
    re.DOTALL,
)
_FRAME_END = b"\x1b[?2026l"
_UNFINISHED = re.compile(rb"\x1b(\[[0-?]*[ -/]*|\][^\x07]*|[PX^_].*)?\Z", re.DOTALL)


class Drawing:
    """Bytes in, screen out. Buffers a partial sequence."""

    def __init__(self, columns: int, lines: int) -> None:
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        tail = _UNFINISHED.search(_NOT_FOR_PYTE.sub(b"", data))
        self._rest = tail[0] if tail else b""
        self._stream.feed(_NOT_FOR_PYTE.sub(b"", data).removesuffix(self._rest))

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]


class Replay:
    """The frames of a recording, which may still grow."""

    def __init__(self, columns: int, lines: int) -> None:
        self._drawing = Drawing(columns, lines)
        self._at = 0

    def go_on(self, received: bytes | bytearray, since: int) -> Iterator[str]:
        """Each frame that is new and ends after byte `since`."""
        while self._at < len(received):
            end = received.find(_FRAME_END, self._at)
            end = len(received) if end < 0 else end + len(_FRAME_END)
            self._drawing.feed(bytes(received[self._at : end]))
            self._at = end
            if end > since:
                yield "\n".join(self._drawing.lines())


class Terminal:
    """One run of a command in a terminal of `columns` × `lines`. Closing it ends all its processes."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, columns: int = 120, lines: int = 40
    ) -> None:
        self.started = time.monotonic()
        with warnings.catch_warnings():
            # forking with threads warns from Python 3.12 on; this child only replaces itself by the command
            warnings.simplefilter("ignore", DeprecationWarning)
            self._child = pexpect.spawn(
                command[0],
                list(command[1:]),
                env=dict(env),
                cwd=str(cwd),
                dimensions=(lines, columns),
                timeout=None,
            )
        self._drawing = Drawing(columns, lines)
        self._size = (columns, lines)
        self._received = bytearray()
        self._ended = False
        self._news = threading.Condition()  # of an RLock: a condition may read what the lock guards
        self._reader = threading.Thread(target=self._read, name=f"reads {command[0]}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        pid = self._child.pid
        assert isinstance(pid, int)
        return pid

    @property
    def raw(self) -> bytes:
        """Every byte that the terminal has received so far."""
        with self._news:
            return bytes(self._received)

    @property
    def title(self) -> str:
        with self._news:
            return self._drawing.screen.title

    @property
    def ended(self) -> bool:
        """Whether the other end is closed."""
        with self._news:
            return self._ended

    def screen(self) -> list[str]:
        """The current lines of the screen, without trailing blanks."""
        with self._news:
            return self._drawing.lines()

    def text(self) -> str:
        return "\n".join(self.screen())

    def cells(self) -> list[list[Char]]:
        """A copy of the screen with its colours, cell by cell."""
        with self._news:
            screen = self._drawing.screen
            return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]

    def press(self, *keys: str) -> None:
        """Press keys by their name in `KEYS`, or single characters."""
        for key in keys:
            assert key in KEYS or len(key) == 1, f"no key {key!r}: text goes through type()"
            self._child.send(KEYS.get(key, key))

    def type(self, text: str) -> None:
        self._child.send(text)

    def resize(self, columns: int, lines: int) -> None:
        with self._news:
            self._drawing.screen.resize(lines, columns)
        self._child.setwinsize(lines, columns)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the command itself, not to its children."""
        os.kill(self.pid, number)

    def wait_for(self, wanted: str | re.Pattern[str], *, within: float = MAX_WAIT) -> re.Match[str]:
        """Return once the screen shows `wanted` (a regular expression is searched in all lines together)."""
        pattern = re.compile(re.escape(wanted)) if isinstance(wanted, str) else wanted
        found: list[re.Match[str]] = []

        def shown() -> bool:
            found.extend(match for match in [pattern.search("\n".join(self._drawing.lines()))] if match)
            return bool(found)

        self._wait(shown, within, f"shows no {pattern.pattern!r}")
        return found[0]

    def frames(self, since: int) -> list[str]:
        """The frames that the screen has shown since `raw` had that many bytes; for a terminal of one size.

        It finds a short-lived state even if this process did not check at that moment.
        """
        return list(Replay(*self._size).go_on(self.raw, since))

    def wait_until_gone(self, unwanted: str, *, within: float = MAX_WAIT) -> None:
        """Return once no line of the screen contains `unwanted`."""
        self._wait(
            lambda: not any(unwanted in line for line in self._drawing.lines()),
            within,
            f"still shows {unwanted!r}",
        )

    def wait_until_quiet(self, seconds: float = 0.3, *, within: float = MAX_WAIT) -> None:
        """Return once no output has come for this time: the drawn frame is complete."""
        with self._news:
            deadline = time.monotonic() + within
            while self._news.wait(seconds):
                if time.monotonic() > deadline:
                    raise AssertionError(f"after {within:g} s the terminal is still being drawn")

    def wait_for_bytes(self, wanted: bytes, *, within: float = MAX_WAIT) -> None:
        """Return once the terminal has received `wanted`."""
        self._wait(lambda: wanted in self._received, within, f"has not received {wanted!r}")

    def wait_for_end(self, *, within: float = MAX_WAIT) -> int:
        """The command's exit status, negative for the signal that ended it."""
        self._wait(lambda: self._ended, within, "goes on")
        self._child.wait()
        status = self._child.exitstatus if self._child.signalstatus is None else -self._child.signalstatus
        assert isinstance(status, int)
        return status

    def is_stopped(self) -> bool:
        """Whether the command's process is stopped by a signal (Linux)."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def is_cooked(self) -> bool:
        """Whether the line discipline echoes and edits lines, as a shell expects it."""
        flags = termios.tcgetattr(self._child.child_fd)[3]
        return bool(flags & termios.ECHO and flags & termios.ICANON)

    def close(self) -> None:
        """End all processes of the command."""
        end_group(self.pid)
        self._reader.join(timeout=MAX_WAIT)
        leftover = self._reader.is_alive()
        self._child.wait()
        self._child.close(force=True)
        assert not leftover, "a process outside the command's group still holds the terminal"

    def _wait(self, condition: Callable[[], bool], within: float, complaint: str) -> None:
        with self._news:
            met = False

            def over() -> bool:
                nonlocal met
                met = condition()
                return met or self._ended

            self._news.wait_for(over, within)
            if not met:
                after = "at its end" if self._ended else f"after {within:g} s"
                raise AssertionError(f"{after} the terminal {complaint}:\n" + "\n".join(self._drawing.lines()))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._child.child_fd, 65536)
            except OSError:  # EIO: the other end is closed (Linux)
                data = b""
            with self._news:
                self._received += data
                self._drawing.feed(data)
                self._ended = not data
                self._news.notify_all()
            if not data:
                return
