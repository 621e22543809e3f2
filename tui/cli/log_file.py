"""The log file of `--log`: limited in size, one line per message, without terminal control sequences.

Log messages may contain any text of a server, such as the reason phrases that httpx logs, and users read the file in
a terminal.
"""

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from tui.core.sanitize import sanitize, single_line
from tui.net.credentials import redact

MAX_FILE_BYTES = 5_000_000
"""Maximum bytes of the file; it then replaces `FILE.1`, and a new file is started."""
MAX_LINE_CHARACTERS = 2_000
"""Maximum characters of a message."""
MAX_TRACEBACK_CHARACTERS = 20_000
"""Maximum characters of a traceback, of which the end is kept."""
COUNTED_FOR = 10.0
"""Seconds for which repeats of a written line are only counted."""
REMEMBERED = 200
"""Number of lines tracked for repeats."""


class LogFile(RotatingFileHandler):
    """Appends to `path` with mode 0600. `now` returns seconds. `secrets` are redacted."""

    def __init__(self, path: Path, now: Callable[[], float] = time.monotonic, secrets: Sequence[str] = ()) -> None:
        super().__init__(path, maxBytes=MAX_FILE_BYTES, backupCount=1, encoding="utf-8", delay=True)
        self.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s", secrets))
        self._now = now
        self._written: OrderedDict[tuple[str, int, str], tuple[float, int]] = OrderedDict()
        """By name, level and message of recent lines: the time of writing, and the repeats since."""

    def emit(self, record: logging.LogRecord) -> None:
        now = self._now()
        line = (record.name, record.levelno, single_line(record.getMessage(), MAX_LINE_CHARACTERS))
        at, more = self._written.pop(line, (now - COUNTED_FOR, 0))
        if now - at < COUNTED_FOR:
            self._written[line] = at, more + 1
            return
        self._written[line] = now, 0
        if more:
            record = logging.makeLogRecord({**record.__dict__, "msg": _counted(line[2], more), "args": None})
        super().emit(record)
        if len(self._written) > REMEMBERED:
            self._tell_count(*self._written.popitem(last=False))

    def close(self) -> None:
        while self._written:
            self._tell_count(*self._written.popitem(last=False))
        super().close()

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop a line that cannot be written; `logging` would print the error over the screen."""

    def _tell_count(self, line: tuple[str, int, str], counted: tuple[float, int]) -> None:
        name, level, message = line
        if counted[1]:
            record = logging.LogRecord(name, level, "", 0, _counted(message, counted[1]), None, None)
            super().emit(record)

    def _open(self) -> TextIOWrapper:
        return open(self.baseFilename, "a", encoding=self.encoding, errors="replace", opener=_for_its_owner)


class OneLine(logging.Formatter):
    """Formats a message as one line; tracebacks are indented, so that no text can imitate a log line."""

    def __init__(self, form: str, secrets: Sequence[str]) -> None:
        super().__init__(form)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = single_line(record.message, MAX_LINE_CHARACTERS)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        text = sanitize(super().formatException(ei)[-MAX_TRACEBACK_CHARACTERS:]).expandtabs(4)
        return "\n".join(f"    {line}" for line in text.split("\n"))


def _counted(message: str, more: int) -> str:
    return f"{message} (repeated {more} {'time' if more == 1 else 'times'} before this)"


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
