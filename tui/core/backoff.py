"""Retry delays: exponential backoff with jitter.

500 ms, doubling, at most 30 s, ±25 % jitter: the values of opencode's proposal for its event stream.
"""

from collections.abc import Callable

BASE = 0.5
CAP = 30.0
JITTER = 0.25
MAX_RETRY_AFTER = 300.0
"""Seconds; the limit for `Retry-After`. The user can always retry at once."""


class Backoff:
    """Delays in seconds that double with each attempt until `reset`.

    `random` returns a number in [0, 1). `base` may be set by a stream's `retry:` field.
    """

    def __init__(self, random: Callable[[], float], *, base: float = BASE) -> None:
        self._random = random
        self.base = base
        self.attempt = 0

    def next(self, *, at_least: float = 0.0) -> float:
        """The delay before the next attempt; at least `at_least` (a `Retry-After`)."""
        delay = min(CAP, self.base * 2.0 ** min(self.attempt, 16))
        self.attempt += 1
        jittered = delay * (1.0 + JITTER * (2.0 * self._random() - 1.0))
        return max(jittered, min(at_least, MAX_RETRY_AFTER))

    def reset(self) -> None:
        """The connection works: the next delay starts at `base`."""
        self.attempt = 0
