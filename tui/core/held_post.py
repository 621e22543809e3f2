"""State of the POST that carries a prompt and stays open until the turn ends."""

import msgspec

from tui.core.turn_inputs import PostFailed

MAX_ATTEMPTS = 4
"""How often one prompt is posted, with the same ids."""


class HeldPost(msgspec.Struct):
    """`sent_at`: when its latest attempt was sent (inf: not yet). `padding_bytes`: bytes of padding received.

    `maybe_dead`: the event stream was lost while it was open, so it may be dead without a reset.
    `cut_at`, `cut_reason`: when and how its connection broke. `error`: the error with which the server answered it,
    though it may have stored the prompt. `accepted`: it answered with 2xx and nothing else. `complete`: it returned the
    answer. All times are seconds of the caller's monotonic clock.
    """

    held: bool = False
    attempts: int = 0
    sent_at: float = 0.0
    headers_at: float | None = None
    padding_bytes: int = 0
    last_padding: float | None = None
    maybe_dead: bool = False
    cut_at: float | None = None
    cut_reason: str | None = None
    error: str = ""
    accepted: bool = False
    complete: bool = False

    @property
    def alive(self) -> bool:
        """Whether it is open, and nothing suggests that its connection is dead."""
        return self.held and not self.maybe_dead

    def send(self, now: float) -> None:
        """A new attempt is sent now."""
        self.held, self.sent_at, self.maybe_dead = True, now, False
        self.attempts += 1
        self.cut_at = self.cut_reason = None

    def padding(self, total: int, now: float) -> None:
        if total > self.padding_bytes:
            self.padding_bytes, self.last_padding = total, now

    def fail(self, how: PostFailed, now: float) -> None:
        self.held, self.accepted = False, how.accepted
        if how.cut:
            self.cut_reason, self.cut_at = how.reason, now
        if not how.again:
            self.attempts, self.error = MAX_ATTEMPTS, how.reason
