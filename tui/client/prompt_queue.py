"""The client-side queue of prompts per session: ordered, editable, persistent across restarts.

After a turn that did not finish normally the queued prompts are held until the user releases, sends or removes them;
an abort by the user holds them at once. A prompt that is added later is not held and is placed before the held ones:
the queue is always in sending order.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection

from msgspec.structs import replace

from tui.core.model import Queued
from tui.storage.journal import Journal


class PromptQueue:
    """The queued prompts of all sessions, mirrored in the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: dict[str, list[Queued]] = defaultdict(list)
        self._held: dict[str, str] = {}
        """The reason of each held prompt, by its id."""
        self._place = 0

    def restore(self) -> None:
        """Adopt the queued prompts of clients that no longer run, and hold them until the user releases them."""
        adopted = self._journal.adopt_queue()
        for queued in adopted:
            self._waiting[queued.session_id].append(queued)
        self._write(adopted)
        for session_id in {queued.session_id for queued in adopted}:
            self.hold(session_id, "from an earlier run")

    def sessions(self) -> tuple[str, ...]:
        """The sessions with queued prompts."""
        return tuple(session_id for session_id, waiting in self._waiting.items() if waiting)

    def of(self, session_id: str) -> tuple[Queued, ...]:
        return tuple(self._waiting.get(session_id, ()))

    def add(self, session_id: str, text: str) -> Queued:
        """Append a prompt to the queue, before the held prompts."""
        queued = Queued(uuid.uuid4().hex, session_id, text)
        waiting = self._waiting[session_id]
        at = next((row for row, other in enumerate(waiting) if other.id in self._held), len(waiting))
        waiting.insert(at, queued)
        self._place += 1
        self._journal.submit(queued, self._place)
        self._write(waiting[at + 1 :])
        return queued

    def move(self, session_id: str, to: str) -> None:
        """Move a session's queue to the end of another session's queue; held prompts stay held."""
        moved = [replace(queued, session_id=to) for queued in self.of(session_id)]
        self._waiting[to] += moved
        self._write(moved)
        self._waiting.pop(session_id, None)

    def find(self, queued_id: str) -> Queued | None:
        return next((q for waiting in self._waiting.values() for q in waiting if q.id == queued_id), None)

    def edit(self, queued_id: str, text: str) -> Queued | None:
        """Change a queued prompt in place and return it; None if it was sent meanwhile."""
        old = self.find(queued_id)
        if old is None:
            return None
        waiting = self._waiting[old.session_id]
        new = replace(old, text=text)
        waiting[waiting.index(old)] = new
        self._write(waiting)
        return new

    def remove(self, queued_id: str) -> Queued | None:
        """Remove a prompt from the queue and the journal; None if it was sent meanwhile."""
        found = self.sent(queued_id)
        if found is not None:
            self._journal.dequeue(queued_id)
        return found

    def sent(self, queued_id: str) -> Queued | None:
        """Remove a prompt that the journal already has in flight; None if it is not queued."""
        queued = self.find(queued_id)
        if queued is not None:
            self._waiting[queued.session_id].remove(queued)
            self._held.pop(queued_id, None)
        return queued

    def hold(self, session_id: str, reason: str, *, again: bool = True, only: Collection[str] | None = None) -> None:
        """Hold the session's queued prompts (with `only`: those ids) until `release`.

        `again`: also replace the reason of prompts that are held already.
        """
        for queued in self.of(session_id):
            if (again or queued.id not in self._held) and (only is None or queued.id in only):
                self._held[queued.id] = reason
        if only is not None:
            self._put_held_last(session_id)

    def why_held(self, queued_id: str) -> str:
        """The reason why the prompt is held; "" if it is not."""
        return self._held.get(queued_id, "")

    def held(self, session_id: str) -> str:
        """The reason of the session's first held prompt; "" if none is held."""
        return next((self._held[queued.id] for queued in self.of(session_id) if queued.id in self._held), "")

    def held_for(self, session_id: str, reason: str) -> set[str]:
        """The ids of the session's prompts that are held for `reason`."""
        return {queued.id for queued in self.of(session_id) if self._held.get(queued.id) == reason}

    def release(self, session_id: str, reason: str | None = None) -> None:
        """Release all held prompts of the session, or only those held for `reason`."""
        for queued in self.of(session_id):
            if reason is None or self._held.get(queued.id) == reason:
                self._held.pop(queued.id, None)

    def next(self, session_id: str) -> Queued | None:
        """The session's first queued prompt that is not held, or None."""
        return next((queued for queued in self.of(session_id) if queued.id not in self._held), None)

    def _put_held_last(self, session_id: str) -> None:
        """Move held prompts to the end, so that the queue is in sending order."""
        ordered = sorted(self.of(session_id), key=lambda queued: queued.id in self._held)
        if ordered != self._waiting[session_id]:
            self._waiting[session_id] = ordered
            self._write(ordered)

    def _write(self, waiting: list[Queued]) -> None:
        if waiting:
            self._journal.enqueue(waiting, self._place + 1)
            self._place += len(waiting)
