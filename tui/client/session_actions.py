"""Actions on a whole session: rename, fork, delete, undo, redo, where the server's family supports them."""

from tui.backends.base import SessionEditing, Undo
from tui.client.ports import Ports
from tui.core import events as e
from tui.core.model import Session
from tui.net.errors import NetError


class UnsupportedByServer(NetError):
    """The server's family does not support the action."""

    def __init__(self) -> None:
        super().__init__("this server does not offer that", "Nothing was changed.")


class SessionActions:
    """Changes sessions on the server, and in the store without waiting for the server's event.

    Every call may raise `NetError`.
    """

    def __init__(self, ports: Ports) -> None:
        self._server = ports.server
        self._apply = ports.apply

    async def rename(self, session_id: str, title: str) -> None:
        self._apply(e.SessionUpserted(await self._sessions().rename(session_id, title)))

    async def fork(self, session_id: str) -> Session:
        """Create and return a copy of the session with all its messages."""
        session = await self._sessions().fork(session_id)
        self._apply(e.SessionUpserted(session))
        return session

    async def delete(self, session_id: str) -> None:
        """Delete the session and its children permanently."""
        await self._sessions().delete(session_id)
        self._apply(e.SessionDeleted(session_id))

    async def undo(self, session_id: str, message_id: str) -> None:
        """Undo a message and all after it; `redo` restores them until the next prompt is sent."""
        self._apply(e.SessionUpserted(await self._undoing().undo(session_id, message_id)))

    async def redo(self, session_id: str) -> None:
        self._apply(e.SessionUpserted(await self._undoing().redo(session_id)))

    def _undoing(self) -> Undo:
        backend = self._server.backend()
        if not isinstance(backend, Undo):
            raise UnsupportedByServer
        return backend

    def _sessions(self) -> SessionEditing:
        backend = self._server.backend()
        if not isinstance(backend, SessionEditing):
            raise UnsupportedByServer
        return backend
