"""The sessions that the client knows: as last listed, with status, ancestors and version; deleted ones too.

Their number is limited: a server may have very many.
"""

from collections.abc import Container, Mapping
from typing import TypeVar

from tui.core.model import Idle, Session, SessionStatus
from tui.core.session_tree import SessionTree

T = TypeVar("T")

IDLE = Idle()
MAX_SESSIONS = 10_000
"""Limit of stored sessions, newest first; others are found by a search on the server."""
MAX_STATES = 2 * MAX_SESSIONS
"""Limit of stored statuses and deletions, which include those of unknown sessions."""


class KnownSessions:
    """A session is *shown* if it is known or open; of others only the status is stored."""

    def __init__(self, open_sessions: Container[str]) -> None:
        self.by_id: dict[str, Session] = {}
        """Read only."""
        self.deleted: dict[str, Session] = {}
        """Deleted sessions as last known, or with their id only; read only."""
        self.tree = SessionTree()
        self.changes = 0
        """The number of changes of any session."""
        self._open = open_sessions
        self._statuses: dict[str, SessionStatus] = {}
        self._versions: dict[str, int] = {}

    def is_shown(self, session_id: str) -> bool:
        return session_id in self.by_id or session_id in self._open

    def status(self, session_id: str) -> SessionStatus:
        return self._statuses.get(session_id, IDLE)

    def at_work(self) -> set[str]:
        """The sessions whose status is not idle."""
        return set(self._statuses)

    def version(self, session_id: str) -> int:
        """A number that grows with every change of the session or its descendants."""
        return self._versions.get(session_id, 0)

    def bump_version(self, session_id: str) -> None:
        """Count a change of the session."""
        self.changes += 1
        if self.is_shown(session_id):
            self._versions.update(dict.fromkeys(self.tree.lineage(session_id), self.changes))

    def put(self, session: Session) -> None:
        """Add or replace a session."""
        before = self.tree.lineage(session.id)
        self.by_id[session.id] = session
        self.deleted.pop(session.id, None)
        self.tree.put(session)
        self._pass_version_on(session.id, before)

    def delete(self, session_id: str) -> bool:
        """Count a session as deleted; returns whether it was not yet."""
        before = self.tree.lineage(session_id)
        self.tree.remove(session_id)
        self._pass_version_on(session_id, before)
        session = self.by_id.pop(session_id, None)
        self._statuses.pop(session_id, None)
        if session is None and session_id in self.deleted:
            return False
        self.deleted[session_id] = session or Session(session_id, "")
        forget(self.deleted, MAX_STATES, self._open)
        return True

    def _pass_version_on(self, session_id: str, before: list[str]) -> None:
        """Update the versions of the ancestors of a session, which were `before`."""
        lineage = self.tree.lineage(session_id)
        if lineage != before:
            for ancestor in lineage[1:]:
                self._versions[ancestor] = max(self.version(ancestor), self.version(session_id))

    @property
    def too_many(self) -> bool:
        """Whether there are more than `MAX_SESSIONS`."""
        return len(self.by_id) > MAX_SESSIONS

    def forget_oldest(self, needed: set[str]) -> None:
        """Drop a tenth of the sessions: the oldest that are not needed."""
        oldest = sorted(self.by_id.values(), key=lambda session: session.updated)
        for session in [one for one in oldest if one.id not in needed][: MAX_SESSIONS // 10]:
            del self.by_id[session.id]
            self._versions.pop(session.id, None)
            self.tree.remove(session.id)

    def set_status(self, session_id: str, status: SessionStatus) -> bool:
        """Returns whether the status changed."""
        before = self.status(session_id)
        if isinstance(status, Idle):
            self._statuses.pop(session_id, None)
        elif status != before:
            self._statuses[session_id] = status
            forget(self._statuses, MAX_STATES, self.by_id, self._open)
        if status != before:
            self.bump_version(session_id)
        return status != before

    def set_unshown(self, statuses: Mapping[str, SessionStatus]) -> None:
        """Set the statuses of the sessions that are not shown; if there are very many, of the newest of them."""
        unshown = [(session_id, status) for session_id, status in statuses.items() if not self.is_shown(session_id)]
        kept = dict(unshown[-MAX_STATES:])
        if any(self._statuses.get(session_id) != status for session_id, status in kept.items()):
            self.changes += 1
            self._statuses |= kept
            forget(self._statuses, MAX_STATES, self.by_id, self._open)


def forget(kept: dict[str, T], at_most: int, *needed: Container[str]) -> None:
    """If there are more than `at_most`, drop those and a tenth: the oldest of sessions that are not needed."""
    if len(kept) > at_most:
        old = [one for one in kept if not any(one in some for some in needed)]
        for session_id in old[: len(kept) - at_most + at_most // 10]:
            del kept[session_id]
