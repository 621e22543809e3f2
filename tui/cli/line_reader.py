"""Reads typed lines beside an event loop: with GNU readline on a terminal, else as they come.

Lines that arrive in one burst are one text: what is pasted is one prompt.
"""

import asyncio
import os
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from types import ModuleType

from tui.core.sanitize import sanitize

BURST = 0.1
"""Seconds within which a further line belongs to the same text."""
MAX_HISTORY = 1000


class LineReader:
    """Reads standard input in a thread. `interactive`: it is a terminal, and lines are edited there."""

    def __init__(self) -> None:
        self.interactive = os.isatty(0) and os.isatty(1)
        self._editor = _readline() if self.interactive else None
        self._saved = termios.tcgetattr(0) if self.interactive else None
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()

    def start(self, history: Sequence[str]) -> None:
        """Start to read. `history`: what Up finds, oldest first."""
        if self._editor is not None:
            for text in history[-MAX_HISTORY:]:
                with suppress(UnicodeEncodeError):  # characters that the locale lacks
                    self._editor.add_history(" ".join(sanitize(text).splitlines()))
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(errors="replace")
        loop = asyncio.get_running_loop()

        def deliver(line: str | None) -> None:
            with suppress(RuntimeError):  # the loop is closed: the program ends
                loop.call_soon_threadsafe(self._lines.put_nowait, line)

        threading.Thread(target=self._read, args=(deliver,), name="line reader", daemon=True).start()

    async def text(self) -> str | None:
        """The next text, without its last newline; None at the end of the input."""
        line = await self._lines.get()
        if line is None or not self.interactive:
            return line
        lines = [line]
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(BURST):
                    line = await self._lines.get()
                if line is None:
                    self._lines.put_nowait(None)
                    break
                lines.append(line)
        return "\n".join(lines)

    def typed(self) -> str:
        """What is in the editor now."""
        return self._editor.get_line_buffer() if self._editor is not None else ""

    def restore(self) -> None:
        """Give the terminal back as it was: the editor may still be reading."""
        if self._saved is not None:
            with suppress(termios.error):
                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)

    def _read(self, deliver: Callable[[str | None], None]) -> None:
        while True:
            try:
                line = input() if self.interactive else sys.stdin.readline()
            except (EOFError, OSError, ValueError):
                line = None
            if line == "" and not self.interactive:
                line = None
            deliver(None if line is None else sanitize(line).rstrip("\n"))
            if line is None:
                return


def _readline() -> ModuleType | None:
    try:
        import readline
    except ImportError:
        return None
    readline.set_auto_history(True)
    if os.environ.get("TERM") == "dumb":
        readline.parse_and_bind("set enable-bracketed-paste off")
    readline.parse_and_bind("tab: self-insert")
    return readline
