"""A listening socket that can be closed at any moment and reopened on the same port.

asyncio's own server drops a connection that it is accepting while being closed, and leaves its socket open.
"""

import asyncio
import socket
from collections.abc import Callable


class Listener:
    """Accepts connections on 127.0.0.1 while open; `make` returns a protocol for each."""

    def __init__(self, make: Callable[[], asyncio.Protocol], port: int = 0) -> None:
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._accepting: set[asyncio.Task[None]] = set()
        self._open = True
        self._socket = socket.create_server(("127.0.0.1", port), backlog=100)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Accept no more connections, including those in the backlog."""
        self._open = False
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        accepted, _ = self._socket.accept()
        # asyncio does so itself for sockets that say that they are TCP, which those of create_server do not; else
        # the second write of an answer waits 40 ms for an acknowledgement, and on virtual time for ever
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.ensure_future(self._attach(accepted))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)

    async def _attach(self, accepted: socket.socket) -> None:
        transport, _ = await self._loop.connect_accepted_socket(self._make, accepted)
        if not self._open:
            transport.abort()
