"""What the parts of the client get from each other, as types."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias

import msgspec

from tui.backends.base import Backend
from tui.core.backoff import Backoff
from tui.core.changes import Change
from tui.core.connection_status import ConnectionStatus
from tui.core.events import Event
from tui.net.clocks import Clocks

Emit: TypeAlias = Callable[[Change], None]
"""Reports a change to the subscribers of the client."""

Apply: TypeAlias = Callable[[Event], None]
"""Applies an event to the store, and reports the changes."""

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
"""Starts a task that ends with the client; its failure is reported."""


class Server(Protocol):
    """The server, as reached by `ServerConnection`."""

    up: asyncio.Event
    """Set while the event stream is open and the store is synchronized."""
    closed: bool
    """Whether the client closes: from then on nothing counts as synchronized."""

    @property
    def synced(self) -> bool:
        """Whether the event stream is open and the store is synchronized."""

    @property
    def events(self) -> int:
        """The number of events received, other than heartbeats."""

    def backend(self) -> Backend:
        """The server's backend. Raises `NotConnected` before the first connection."""

    def status(self) -> ConnectionStatus:
        """The current status of the connection."""

    def server_now(self) -> float:
        """The server's time in epoch seconds; the local time while the clock skew is unknown."""

    async def refetch(self, fetch: Callable[[], Awaitable[Sequence[Event]]]) -> None:
        """Apply the events that `fetch` returns, in order with the live events. Raises `NetError`."""

    async def pause(self, seconds: float) -> None:
        """Wait `seconds` or until the client reconnects; while the connection is stopped, until it reconnects."""


class Ports(msgspec.Struct, frozen=True):
    """What most parts of the client need to reach each other, the server, and the time."""

    server: Server
    emit: Emit
    apply: Apply
    spawn: Spawn
    clocks: Clocks

    def backoff(self) -> Backoff:
        """A new sequence of retry delays."""
        return Backoff(self.clocks.random)
