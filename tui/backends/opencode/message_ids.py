"""Generates ids for prompts, in the form and order of the server's own.

MiMo Code decides by the order of ids which prompts to answer: a prompt whose id sorts below the session's newest
answer is stored and never run, and one whose id is in the server's future is run repeatedly until the server's clock
has reached it (both measured on 0.1.15). So ids are generated above all ids of the session, and not beyond the time
that the server is known to have reached. The form is learned from the server's answers.

Two forms are known; in both, time is counted in 1/4096 ms since 1970:
`msg_` + 12 hex digits of it mod 2^48 + 14 base62 (opencode), `msg_g` + 16 hex digits + 9 base62 (MiMo Code).
"""

import math
import random
import re
import string
import time
from collections.abc import Callable

import msgspec

from tui.core.model import Message

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
PER_SECOND = 4096 * 1000
SHORT = 2**48
"""Modulus of the short form: about 795 days."""
_ID = re.compile(r"[a-z]+_(?:g([0-9a-f]{16})|([0-9a-f]{12}))[0-9A-Za-z]*")
CLOCK_LAG = 2.0
"""Seconds that ids lag behind our clock while the server's is unknown."""
EARLIEST = 1.0
"""Epoch seconds: earlier times mean an unknown time."""
DATE_STEP = 1.0
"""Resolution of a `Date` header in seconds."""


class _Seen(msgspec.Struct):
    """Of one session: the time stamp of the newest id, and whether any id has the long form."""

    newest: int = 0
    long: bool = False


class Ids:
    """Generates ids. It must be fed every message, and every time that the server reports."""

    def __init__(self, *, wall: Callable[[], float] = time.time, mono: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._mono = mono
        self._seen: dict[str, _Seen] = {}
        self._long = False
        self._formed = -math.inf
        self._ahead: float | None = None
        """Lower bound of the server's clock minus our monotonic clock."""
        self._dated: float | None = None
        """The same, by the last Date header."""

    def dated(self, date: float) -> None:
        """The server sent a Date, in whole epoch seconds."""
        self._dated = date - self._mono()
        if self._ahead is not None and self._dated <= self._ahead <= self._dated + DATE_STEP:
            return  # known more precisely, and the clock was not set back
        self._ahead = self._dated

    def saw(self, message: Message) -> None:
        """The server sent a message."""
        found = _ID.fullmatch(message.id)
        if found is None:
            return
        timed = message.created >= EARLIEST
        stored = round((message.created if timed else self._server_time()) * PER_SECOND)
        if found[1]:
            stamp = int(found[1], 16)
        else:
            stamp = stored + (int(found[2], 16) - stored + SHORT // 2) % SHORT - SHORT // 2
        if message.role == "user":
            stamp = min(stamp, stored)  # another client with a clock ahead may have generated it
        elif not timed or message.created >= self._formed:
            self._long = bool(found[1])
            self._formed = message.created if timed else self._formed
        seen = self._seen.setdefault(message.session_id, _Seen())
        seen.newest = max(seen.newest, stamp)
        seen.long = seen.long or bool(found[1])
        if not timed:
            return
        ahead = message.created - self._mono()
        if self._dated is not None:
            ahead = min(ahead, self._dated + DATE_STEP)  # stored before the server's clock was set back
        self._ahead = ahead if self._ahead is None else max(self._ahead, ahead)

    def new(self, session_id: str) -> tuple[str, str]:
        """Ids of a message and its part, above all ids seen or generated in the session."""
        seen = self._seen.setdefault(session_id, _Seen())
        seen.newest = max(seen.newest + 1, int(self._server_time() * PER_SECOND))
        message_id = self._id("msg", seen)
        seen.newest += 1
        return message_id, self._id("prt", seen)

    def _server_time(self) -> float:
        """A lower bound of the server's time."""
        return self._wall() - CLOCK_LAG if self._ahead is None else self._mono() + self._ahead

    def _id(self, prefix: str, seen: _Seen) -> str:
        if self._long or seen.long:
            return f"{prefix}_g{seen.newest:016x}{_chance(9)}"
        return f"{prefix}_{seen.newest % SHORT:012x}{_chance(14)}"


def _chance(length: int) -> str:
    return "".join(random.choices(BASE62, k=length))
