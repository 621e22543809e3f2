"""Prompts that wait in this client until their session is free: in order, editable, kept over a restart.

After a turn that did not end well what waits is held: what becomes of it is for the person to decide. Where the
person aborts the turn, what waits then is held at once. A prompt that comes after that is no part of it, and stands
before it: the order of the queue is that of sending.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection

from msgspec.structs import replace

from tui.core.model import Queued
from tui.storage.journal import Journal


class PromptQueue:
    """The waiting prompts of all sessions, as the journal has them."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[str, list[Queued]] = defaultdict(list)
        self._held: dict[str, str] = {}
        """Prompts that are held, by their id, and why."""
        self._place = 0

    def restore(self) -> None:
        """Take over what a client that is gone had waiting; held, for its person may have changed their mind."""
        adopted = self._journal.adopt_queue()
        for queued in adopted:
            self._waiting[queued.session_id].append(queued)
        self._write(adopted)
        for session_id in {queued.session_id for queued in adopted}:
            self.hold(session_id, "from an earlier run")

    def sessions(self) -> tuple[str, ...]:
        """The sessions for which something waits."""
        return tuple(session_id for session_id, waiting in self._waiting.items() if waiting)

    def of(self, session_id: str) -> tuple[Queued, ...]:
        return tuple(self._waiting.get(session_id, ()))

    def add(self, session_id: str, text: str) -> Queued:
        """Put a prompt behind those that wait, and before those that are held."""
        queued = Queued(uuid.uuid4().hex, session_id, text)
        waiting = self._waiting[session_id]
        at = next((row for row, other in enumerate(waiting) if other.id in self._held), len(waiting))
        waiting.insert(at, queued)
        self._place += 1
        self._journal.submit(queued, self._place)
        self._write(waiting[at + 1 :])
        return queued

    def move(self, session_id: str, to: str) -> None:
        """Let all that waits for one session wait for another, behind what waits there; what is held stays so."""
        moved = [replace(queued, session_id=to) for queued in self.of(session_id)]
        self._waiting[to] += moved
        self._write(moved)
        self._waiting.pop(session_id, None)

    def find(self, queued_id: str) -> Queued | None:
        return next((q for waiting in self._waiting.values() for q in waiting if q.id == queued_id), None)

    def edit(self, queued_id: str, text: str) -> Queued | None:
        """Change a waiting prompt in its place; None if it was sent meanwhile."""
        old = self.find(queued_id)
        if old is None:
            return None
        waiting = self._waiting[old.session_id]
        new = replace(old, text=text)
        waiting[waiting.index(old)] = new
        self._write(waiting)
        return new

    def remove(self, queued_id: str) -> Queued | None:
        """Take a prompt out of the queue; None if it was sent meanwhile."""
        found = self.sent(queued_id)
        if found is not None:
            self._journal.dequeue(queued_id)
        return found

    def sent(self, queued_id: str) -> Queued | None:
        """Forget a prompt that the journal already has in flight."""
        queued = self.find(queued_id)
        if queued is not None:
            self._waiting[queued.session_id].remove(queued)
            self._held.pop(queued_id, None)
        return queued

    def hold(self, session_id: str, reason: str, *, again: bool = True, only: Collection[str] | None = None) -> None:
        """Send none of the session's waiting prompts until `release`, or none of `only`.

        `again`: what is held already, for this reason from now on.
        """
        for queued in self.of(session_id):
            if (again or queued.id not in self._held) and (only is None or queued.id in only):
                self._held[queued.id] = reason
        if only is not None:
            self._put_held_last(session_id)

    def why_held(self, queued_id: str) -> str:
        """Why the prompt is held; "" when it is not."""
        return self._held.get(queued_id, "")

    def held(self, session_id: str) -> str:
        """Why the first of the session's held prompts is held; "" when none is."""
        return next((self._held[queued.id] for queued in self.of(session_id) if queued.id in self._held), "")

    def held_for(self, session_id: str, reason: str) -> set[str]:
        """The ids of the session's prompts that are held for this."""
        return {queued.id for queued in self.of(session_id) if self._held.get(queued.id) == reason}

    def release(self, session_id: str, reason: str | None = None) -> None:
        """Hold no prompt of the session any more, or (`reason`) none for this reason."""
        for queued in self.of(session_id):
            if reason is None or self._held.get(queued.id) == reason:
                self._held.pop(queued.id, None)

    def next(self, session_id: str) -> Queued | None:
        """The first of the session's prompts that is not held."""
        return next((queued for queued in self.of(session_id) if queued.id not in self._held), None)

    def _put_held_last(self, session_id: str) -> None:
        """The order of the queue is that of sending."""
        ordered = sorted(self.of(session_id), key=lambda queued: queued.id in self._held)
        if ordered != self._waiting[session_id]:
            self._waiting[session_id] = ordered
            self._write(ordered)

    def _write(self, waiting: list[Queued]) -> None:
        if waiting:
            self._journal.enqueue_all(waiting, self._place + 1)
            self._place += len(waiting)
