"""Parents and children of sessions."""

from tui.core.model import Session

DEEPEST = 32
"""Limit of generations: real trees have three, and a cycle or an endless chain must end."""


class SessionTree:
    """Parents of the known sessions. A parent need not be known itself."""

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._children: dict[str, dict[str, None]] = {}

    def put(self, session: Session) -> None:
        self.remove(session.id)
        if session.parent_id is not None:
            self._parents[session.id] = session.parent_id
            self._children.setdefault(session.parent_id, {})[session.id] = None

    def remove(self, session_id: str) -> None:
        parent = self._parents.pop(session_id, None)
        if parent is not None:
            siblings = self._children[parent]
            del siblings[session_id]
            if not siblings:
                del self._children[parent]

    def lineage(self, session_id: str) -> list[str]:
        """The session and its ancestors, nearest first."""
        found = [session_id]
        while len(found) < DEEPEST:
            parent = self._parents.get(found[-1])
            if parent is None or parent in found:
                break
            found.append(parent)
        return found

    def family(self, session_id: str) -> set[str]:
        """The session and all its descendants."""
        found, generation = {session_id}, [session_id]
        for _ in range(DEEPEST):
            generation = [
                child for parent in generation for child in self._children.get(parent, ()) if child not in found
            ]
            if not generation:
                break
            found.update(generation)
        return found
