"""States of the connection to the server's event stream.

Fed with the times of bytes, heartbeats and losses; returns a `ConnectionStatus` to show. It reads no clock and knows
no turns: a live connection does not mean that a turn makes progress.

    CONNECTING ──bytes──▶ LIVE ◀──bytes──▶ QUIET     (quiet by the age of the last byte alone)
        │                  │                │
        └──────lost────────┴──────lost──────┴──▶ RECONNECTING ──connecting──▶ RECONNECTING ──bytes──▶ LIVE
    any ──stopped──▶ STOPPED ──connecting──▶ CONNECTING
"""

from collections import deque
from enum import Enum

import msgspec

UNLEARNED_LIMIT = 30.0
"""Seconds without a byte until the stream counts as dead, before the heartbeat interval is known."""
SHORTEST_LIMIT = 10.0
"""Seconds. Terminals can stall for half a second; a shorter limit gives false alarms."""
HEARTBEATS_PER_LIMIT = 3
HEARTBEATS_STORED = 8
HEARTBEATS_TO_LEARN = 2


class ConnectionState(Enum):
    CONNECTING = "connecting"
    LIVE = "live"
    QUIET = "quiet"
    RECONNECTING = "lost"
    STOPPED = "stopped"


class ConnectionStatus(msgspec.Struct, frozen=True):
    """The connection at one moment, for display. All times in seconds.

    `age` since the last byte of this stream, `round_trip` of the last short request, `gaps` between the newest
    heartbeats (oldest first), `retry_in` until the next attempt (None during one), `lost_for` since the connection
    was last alive. `answers`: a server responded to the failed attempt.
    """

    state: ConnectionState
    age: float | None = None
    round_trip: float | None = None
    gaps: tuple[float, ...] = ()
    interval: float | None = None
    attempt: int = 0
    retry_in: float | None = None
    reason: str = ""
    hint: str = ""
    lost_for: float | None = None
    answers: bool = False

    @property
    def up(self) -> bool:
        return self.state in (ConnectionState.LIVE, ConnectionState.QUIET)


class ConnectionMonitor:
    """Tracks the event stream's connection."""

    def __init__(self) -> None:
        self._state = ConnectionState.CONNECTING
        self._last_byte: float | None = None
        self._last_beat: float | None = None
        self._gaps: deque[float] = deque(maxlen=HEARTBEATS_STORED)
        self._round_trip: float | None = None
        self._attempt = 0
        self._retry_at: float | None = None
        self._reason = ""
        self._remedy = ""
        self._answers = False
        self.has_answered = False
        """Whether anything answered since the newest try began."""
        self._down_since: float | None = None
        self._opened_at: float | None = None

    @property
    def interval(self) -> float | None:
        """The server's heartbeat interval in seconds, once known."""
        if len(self._gaps) < HEARTBEATS_TO_LEARN:
            return None
        ordered, middle = sorted(self._gaps), len(self._gaps) // 2
        return (ordered[middle] + ordered[-middle - 1]) / 2  # the median; `statistics` is slow to import

    @property
    def silence_limit(self) -> float:
        """Seconds without a byte after which the stream counts as dead."""
        interval = self.interval
        if interval is None:
            return UNLEARNED_LIMIT
        return max(SHORTEST_LIMIT, HEARTBEATS_PER_LIMIT * interval)

    @property
    def has_received(self) -> bool:
        """Whether the open stream has delivered a byte."""
        return self._state is ConnectionState.LIVE

    def silence(self, now: float) -> float | None:
        """Seconds since this stream opened or its last byte; None without a stream."""
        if self._opened_at is None:
            return None
        return now - max(self._opened_at, self._last_byte or self._opened_at)

    def connecting(self, now: float) -> None:
        """A connection attempt begins."""
        if self._state is ConnectionState.STOPPED:
            self._state = ConnectionState.CONNECTING
            self._down_since = now
            self._attempt = 0
        self._retry_at = None
        self._opened_at = None
        self.has_answered = False

    def opened(self, now: float) -> None:
        """The server responded with an event stream. Its first byte makes the connection live."""
        self._opened_at = now
        self._last_beat = None

    def received(self, now: float) -> bool:
        """Bytes of any kind arrived. True if they made the connection live."""
        revived = self._state is not ConnectionState.LIVE
        self._last_byte = now
        self._state = ConnectionState.LIVE
        self._down_since = None
        self._reason = self._remedy = ""
        return revived

    def heartbeat(self, now: float) -> None:
        """A heartbeat arrived."""
        if self._last_beat is not None:
            self._gaps.append(now - self._last_beat)
        self._last_beat = now

    def reset_attempts(self) -> None:
        """An event proved that the stream works: resets the attempt count."""
        self._attempt = 0

    def answered(self, round_trip: float) -> None:
        """A short request was answered after `round_trip` seconds."""
        self._round_trip = round_trip
        self.has_answered = True

    def lost(
        self,
        now: float,
        reason: str,
        hint: str = "",
        *,
        retry_at: float,
        silent: bool = False,
        answers: bool = False,
    ) -> None:
        """The stream ended or an attempt failed.

        `silent`: no byte arrived for too long. `answers`: a server responded to the attempt.
        """
        self._answers = answers
        if silent:
            self._gaps.clear()  # the heartbeat interval itself may have changed
        if self._down_since is None:
            self._down_since = self._last_byte if self._last_byte is not None else now
        self._state = ConnectionState.RECONNECTING
        self._opened_at = None
        self._attempt += 1
        self._retry_at = retry_at
        self._reason = reason
        self._remedy = hint

    def stopped(self, now: float, reason: str, hint: str) -> None:
        """No automatic retry: the user must act."""
        if self._down_since is None:
            self._down_since = now
        self._state = ConnectionState.STOPPED
        self._opened_at = None
        self._retry_at = None
        self._reason = reason
        self._remedy = hint

    def view(self, now: float) -> ConnectionStatus:
        """The connection at `now`."""
        state = self._state
        age = None if self._last_byte is None else max(0.0, now - self._last_byte)
        interval = self.interval
        if state is ConnectionState.LIVE and age is not None:
            expected = interval if interval is not None else UNLEARNED_LIMIT / HEARTBEATS_PER_LIMIT
            if age > max(1.5 * expected, expected + 2):
                state = ConnectionState.QUIET
        return ConnectionStatus(
            state=state,
            age=age if state in (ConnectionState.LIVE, ConnectionState.QUIET) else None,
            round_trip=self._round_trip,
            gaps=tuple(self._gaps),
            interval=interval,
            attempt=self._attempt,
            retry_in=None if self._retry_at is None else max(0.0, self._retry_at - now),
            reason=self._reason,
            hint=self._remedy,
            answers=self._answers,
            lost_for=None if self._down_since is None else max(0.0, now - self._down_since),
        )
