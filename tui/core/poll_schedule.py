"""When to poll the server for a turn. All times are seconds of the caller's monotonic clock."""

import msgspec

POLL_DELAYS = (0.0, 0.3, 1.0, 2.0, 3.5, 5.0)
"""Seconds after a failed POST at which the server is polled; a starting instance shows the prompt after 1.5 s."""
UNSEEN = 5.0
"""Seconds between two polls for a prompt that was posted and that the server has not shown yet."""
IDLE_CONFIRM_DELAY = 2.0
"""Seconds after which "idle, but not complete" is believed: updates follow the first idle of an abort."""
MAX_IDLE_POLL = 30.0
"""Seconds between two polls of a session that stays idle under a held POST, at most."""
UNKNOWN_POLL_MAX = 10.0
"""Seconds between two polls for a prompt whose POST failed, at most."""
STILL_AFTER = 15.0
STALLED_POLL_INTERVAL = 30.0
"""Seconds without a change after which a running turn is polled, and between two such polls. An event stream may
send heartbeats and no events; polling is the third source."""


class PollSchedule(msgspec.Struct):
    """Three schedules, of which the first that applies is used: after a failed POST, in an idle session, in silence.

    `failed_at`: when the POST failed, until the prompt was found. `missing`: polls since then that did not find it.
    `idle_since`: when the session was first seen idle. `next_poll`: of a prompt not seen yet, or an idle session.
    """

    failed_at: float | None = None
    missing: int = 0
    idle_since: float | None = None
    next_poll: float = 0.0
    _after_failure: float = 0.0
    """Seconds after the POST failed at which the next poll is due."""
    _last_still: float = -STALLED_POLL_INTERVAL

    def posted(self, now: float) -> None:
        """The prompt was posted (inf: it will be later)."""
        self.next_poll = now + UNSEEN

    def post_failed(self, now: float) -> None:
        """The POST failed: the first poll is made now, `due` schedules the others."""
        self.failed_at, self._after_failure, self.missing = now, POLL_DELAYS[1], 0

    def idle(self, now: float) -> float:
        """The session is idle. Returns for how many seconds it has been."""
        if self.idle_since is None:
            self.idle_since, self.next_poll = now, now + IDLE_CONFIRM_DELAY
        return now - self.idle_since

    def due(self, now: float, sending: bool, last_activity: float) -> bool:
        """Whether to poll now; counts the poll as made."""
        if self.failed_at is not None:
            return self._due_after_failure(now - self.failed_at)
        if self.idle_since is not None:
            if now < self.next_poll:
                return False
            self.next_poll = now + _growing(IDLE_CONFIRM_DELAY, now - self.idle_since, MAX_IDLE_POLL)
            return True
        if sending:
            if now < self.next_poll:
                return False
            self.next_poll = now + UNSEEN
            return True
        if now - last_activity < STILL_AFTER or now - self._last_still < STALLED_POLL_INTERVAL:
            return False
        self._last_still = now
        return True

    def _due_after_failure(self, elapsed: float) -> bool:
        """At `POLL_DELAYS`, then, while the server does not show the prompt, at growing intervals.

        Times that have passed, as while the process was suspended, are not made up for.
        """
        if elapsed < self._after_failure:
            return False
        later = next((delay for delay in POLL_DELAYS if delay > elapsed), None)
        self._after_failure = elapsed + _growing(POLL_DELAYS[-1], elapsed, UNKNOWN_POLL_MAX) if later is None else later
        return True


def _growing(least: float, elapsed: float, most: float) -> float:
    """Seconds until the next poll of what has not changed for so many seconds."""
    return min(max(least, elapsed / 2), most)
