"""A TCP relay between client and server that injects network faults.

It knows connections and bytes, and of HTTP only the first line of each connection, by which a fault selects its target:
the event stream, a held prompt, or everything. A fault on one side acts as on a network: the other side learns of it
from its socket, or not at all.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Iterable
from typing import Literal, TypeAlias

from tests.chaos.listener import Listener

Which: TypeAlias = Literal["all", "events", "prompt"]
How: TypeAlias = Literal["close", "reset", "half-open"]

LINES: dict[Which, re.Pattern[bytes]] = {
    "all": re.compile(rb""),
    "events": re.compile(rb"GET (/global|/session/[^/]+)?/event"),
    "prompt": re.compile(rb"POST /session/[^/]+/(message|prompt) "),
}
NO_LINGER = struct.pack("ii", 1, 0)
PROOFS = re.compile(
    rb'"type": ?"(?!server\.connected|replay_complete|state_resync_required)|^: heartbeat', re.MULTILINE
)
"""In the bytes of an event stream: what proves more than an accepted connection."""


class Relay:
    """Listens on a port of 127.0.0.1 (0: a free one); `upstream` is the server's port there."""

    def __init__(self, upstream: int, port: int = 0) -> None:
        self.upstream = upstream
        self.port = port
        self.latency = 0.0
        """Delay in seconds of each piece of bytes, in both directions."""
        self.connections: set[Connection] = set()
        self.proofs: list[float] = []
        """Times at which something of `PROOFS` was sent to the client."""
        self._stalled: set[Which] = set()
        self._cut_after: dict[Which, int] = {}
        self._listener: Listener | None = None
        self._latest = 0.0

    def accept(self) -> None:
        """Accept connections, on the same port each time."""
        if self._listener is None:
            self._listener = Listener(lambda: Connection(self).near, self.port)
            self.port = self._listener.port

    def refuse(self) -> None:
        """Refuse new connections; open ones stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def sever(self, how: How, which: Which = "all") -> None:
        """Close all open connections. *half-open*: the server sees the end, the client keeps a socket without data."""
        for connection in self._those(which):
            connection.sever(how)

    def stall(self, which: Which = "all") -> None:
        """Keep sockets open without passing data, until `flow`."""
        self._stalled.add(which)

    def flow(self) -> None:
        self._stalled.clear()
        for connection in list(self.connections):
            connection.flow()

    def cut_after(self, count: int, which: Which) -> None:
        """Cut the next connection of this kind after `count` bytes to the client."""
        self._cut_after[which] = count

    def calm(self) -> None:
        """Stop all faults. Cut or half-open connections stay as they are."""
        self.latency = 0.0
        self._cut_after.clear()
        self.flow()

    def close(self) -> None:
        self.refuse()
        for connection in list(self.connections):
            connection.sever("reset")

    def stalls(self, connection: "Connection") -> bool:
        return any(connection.is_a(which) for which in self._stalled)

    def to_server(self, data: bytes) -> bytes:
        """The bytes as they are passed to the server."""
        return data

    def take_cut(self, connection: "Connection") -> int | None:
        """The limit of bytes that this connection may carry to the client, if any."""
        for which in list(self._cut_after):
            if connection.is_a(which):
                return self._cut_after.pop(which)
        return None

    def due(self) -> float:
        """When bytes sent now arrive; never before those sent earlier."""
        self._latest = max(self._latest, asyncio.get_running_loop().time() + self.latency)
        return self._latest

    def _those(self, which: Which) -> Iterable["Connection"]:
        return [connection for connection in self.connections if connection.is_a(which)]


class Connection:
    """One connection of the client (`near`) and its connection to the server (`far`)."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self.near = _End(self, to_client=True)
        self.far = _End(self, to_client=False)
        self.head = b""
        self._budget: int | None = None
        self._connecting: asyncio.Task[None] | None = None

    def is_a(self, which: Which) -> bool:
        return LINES[which].match(self.head) is not None

    def opened(self) -> None:
        self._relay.connections.add(self)
        self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, "127.0.0.1", self._relay.upstream)
        except OSError:
            self.sever("reset")

    def came(self, data: bytes, end: "_End") -> None:
        """Bytes arrived at one end: forward them to the other when due."""
        if end is self.near:
            if not self.head:
                self.head = data[:200]
                self._budget = self._relay.take_cut(self)
            self.far.send(self._relay.to_server(data), self._relay.due())
            return
        if self.is_a("events") and PROOFS.search(data):
            self._relay.proofs.append(asyncio.get_running_loop().time())
        if self._budget is not None and len(data) >= self._budget:
            self.near.send(data[: self._budget], self._relay.due())
            self.near.flow(whatever=True)
            self.sever("close")
            return
        if self._budget is not None:
            self._budget -= len(data)
        self.near.send(data, self._relay.due())

    def lost(self, end: "_End") -> None:
        """One end closed: close the other once pending bytes have arrived."""
        other = self.far if end is self.near else self.near
        other.finish(self._relay.due())
        if end is self.near:
            self._relay.connections.discard(self)
            if self._connecting is not None:
                self._connecting.cancel()

    def flow(self) -> None:
        for end in (self.near, self.far):
            end.flow()

    def stalls(self) -> bool:
        return self._relay.stalls(self)

    def sever(self, how: How) -> None:
        match how:
            case "half-open":
                self.near.deaf = True
                self.far.end("close")
            case "close" | "reset":
                self.near.end(how)
                self.far.end(how)


class _End(asyncio.Protocol):
    """One socket of a connection, and the bytes waiting to be sent on it."""

    def __init__(self, connection: Connection, *, to_client: bool) -> None:
        self._connection = connection
        self._to_client = to_client
        self._transport: asyncio.Transport | None = None
        self._waiting: list[tuple[float, bytes | None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self.deaf = False
        """Drop pending bytes and the end silently."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._over:
            transport.abort()
        elif self._to_client:
            self._connection.opened()
        self.flow()

    def data_received(self, data: bytes) -> None:
        self._connection.came(data, self)

    def connection_lost(self, error: Exception | None) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._connection.lost(self)

    def send(self, data: bytes, due: float) -> None:
        if not self.deaf:
            self._waiting.append((due, data))
            self.flow()

    def finish(self, due: float) -> None:
        """Close after all pending bytes are sent."""
        if not self.deaf and not self._over:
            self._waiting.append((due, None))
            self.flow()

    def flow(self, *, whatever: bool = False) -> None:
        """Send what is due; `whatever` else, at once."""
        if self._transport is None or self._over or (self._connection.stalls() and not whatever):
            return
        now = asyncio.get_running_loop().time()
        while self._waiting and (whatever or self._waiting[0][0] <= now):
            _, data = self._waiting.pop(0)
            if data is None:
                self.end("close")
                return
            self._transport.write(data)
        if self._waiting:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0], self.flow)

    def end(self, how: Literal["close", "reset"]) -> None:
        self._over = True
        if self._transport is None or self._transport.is_closing():
            return
        if how == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self._transport.abort()
        else:
            self._transport.close()
