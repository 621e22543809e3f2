"""What the app talks to: open, send, answer, abort. It owns the link, the backend, the store and the turns.

It knows no screen and no family's dialect. Whoever shows it subscribes to its changes and reads its store.
"""

from collections.abc import Callable, Mapping

from tui.backends.base import ServerInfo, Traits
from tui.core.changes import Change
from tui.core.health import Line
from tui.core.model import Answers, PermissionReply, Session
from tui.core.store import Store
from tui.core.turn import Turn

Listener = Callable[[Change], None]


class Client:
    """One server, seen by one person."""

    store: Store
    turns: Mapping[str, Turn]
    server: ServerInfo | None
    traits: Traits | None
    address: str

    def subscribe(self, listener: Listener) -> None:
        """`listener` hears every change, synchronously and in order, from the event loop's thread."""
        raise NotImplementedError

    def now(self) -> float:
        """The monotonic clock that all times of `Line` and `Turn` are in, in seconds."""
        raise NotImplementedError

    def line(self) -> Line:
        """The line as it is now."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to connect; returns at once, what comes of it is told by changes."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of everything. Turns go on at the server (where the family allows)."""
        raise NotImplementedError

    def retry_now(self) -> None:
        """Try to connect at once (F5, the terminal's focus), also after *stopped*."""
        raise NotImplementedError

    async def list_sessions(self, search: str = "") -> tuple[Session, ...]:
        """The newest sessions. Raises `NetError`."""
        raise NotImplementedError

    async def new_session(self, title: str = "") -> Session:
        """Create a session on the server. Raises `NetError`."""
        raise NotImplementedError

    async def open_session(self, session_id: str) -> None:
        """Keep the session's transcript from now on and fetch its newest page. Raises `NetError`."""
        raise NotImplementedError

    async def load_older(self, session_id: str) -> bool:
        """Fetch the page before the oldest message; False when there is none. Raises `NetError`."""
        raise NotImplementedError

    def send(self, session_id: str, text: str) -> Turn:
        """Post a prompt and hold its turn. Its fate is in the turn; `TurnChanged` tells when to look."""
        raise NotImplementedError

    async def abort(self, session_id: str) -> None:
        """Abort the session's turn. Raises `NetError`."""
        raise NotImplementedError

    def answer(self, request_id: str, answers: Answers) -> None:
        """Send an answer until the server says that it has it; `AnswerChanged` tells how it fares."""
        raise NotImplementedError

    def reject(self, request_id: str) -> None:
        """Dismiss a question; the agent is told that nobody wants to answer."""
        raise NotImplementedError

    def reply(self, request_id: str, reply: PermissionReply, message: str = "") -> None:
        """Answer a permission; `message` goes with a rejection and lets the agent go on."""
        raise NotImplementedError
