"""The attacking server: healthy, on raw sockets, until it is armed; then it runs one attack on one route.

`python -m tests.hostile.server ATTACK ROUTE FAMILY` prints its address, then a line for each request (`GET /path`),
`attacked NAME` whenever an attack starts on a route of that name, and `sent NAME` once it was sent completely or the
client has disconnected. On standard input it takes `arm` (which also ends the open event streams, so that the client
refetches everything) and `disarm`; it exits at the end of its input, and after LIFETIME seconds in any case. One
response of an attack is at most LARGEST bytes and LONGEST seconds.
"""

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final
from urllib.parse import urlsplit

from tests.hostile import documents
from tests.hostile.attacks import ATTACKS, Attack
from tests.hostile.exchange import Exchange, Request, Spent

LIFETIME: Final = 600.0
PREPARED_BYTES: Final = 64 << 20
"""Bytes of events generated in advance: generating them takes longer than sending them."""
HEARTBEAT: Final = 3.0
"""Seconds between two heartbeats of a healthy event stream."""


class Server:
    """Responds as a server of `family`, and runs `attack` on `route` while it is armed."""

    def __init__(self, attack: Attack, route: str, family: str) -> None:
        self.armed = False
        self._attack = attack
        self._route = route
        self._family = family
        self._streams: set[asyncio.StreamWriter] = set()
        self._documents = {name: made() for name, made in attack.documents.items()}
        self._first, self._more = _begun(attack.frames() if attack.frames is not None else iter(()))

    async def serve(self) -> None:
        """Run until standard input ends."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, limit=1 << 20)
        say(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        loop = asyncio.get_running_loop()
        orders = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
        while order := await orders.readline():
            self.armed = order.strip() == b"arm"
            if self.armed and self._route != "prompt":
                for stream in self._streams:
                    stream.close()
            say(f"{order.decode().strip()}ed")

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                say(f"{request.method} {request.path}")
                if not await self._answer(Exchange(request, writer, self._family)):
                    break
        except (OSError, Spent, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has disconnected, or a limit was reached
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, exchange: Exchange) -> bool:
        """Respond to one request; returns whether to keep the connection."""
        found = documents.look_up(self._family, exchange.request.method, urlsplit(exchange.request.path).path)
        if found is None:
            await exchange.respond(b'{"name":"NotFoundError","data":{"message":"no route"}}', status="404 Not Found")
            return True
        name, document = found
        kind = documents.kind(name)
        attack = self._attack if self.armed and kind == self._route else None
        if attack is not None and attack.wire is not None and attack.is_on(name):
            with announced(name):
                return await attack.wire(exchange)
        if attack is not None and name in attack.documents:
            with announced(name):
                await exchange.respond(self._documents[name], headers=attack.headers)
            return True
        if name == "events":
            await self._stream(exchange, attack)
            return False
        await exchange.respond(documents.encode(document))
        return True

    async def _stream(self, exchange: Exchange, attack: Attack | None) -> None:
        """An event stream: a healthy start, then the frames of the attack, then heartbeats."""
        self._streams.add(exchange.writer)
        try:
            await exchange.head("text/event-stream", length=None)
            qwen = self._family == "qwen"
            greeting = b"retry: 3000\n\n" if qwen else documents.sse({"payload": frame("server.connected")})
            await exchange.chunk(greeting)
            if attack is not None and attack.frames is not None:
                await asyncio.sleep(attack.after)
                with announced("events"):
                    for data in chain(self._first, self._more):
                        await exchange.chunk(data)
            heartbeat = b": heartbeat\n\n" if qwen else documents.sse({"payload": frame("server.heartbeat")})
            while True:
                await asyncio.sleep(HEARTBEAT)
                await exchange.chunk(heartbeat)
        finally:
            self._streams.discard(exchange.writer)


def _begun(frames: Iterator[bytes]) -> tuple[list[bytes], Iterator[bytes]]:
    """Frames up to PREPARED_BYTES bytes generated in advance, and an iterator over the rest."""
    first: list[bytes] = []
    while sum(map(len, first)) < PREPARED_BYTES and (data := next(frames, None)) is not None:
        first.append(data)
    return first, frames


def frame(kind: str) -> Mapping[str, documents.JSON]:
    return {"id": "evt_1", "type": kind, "properties": {}}


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request with its body; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = (*first.split(" "), "", "")[:3]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


@contextlib.contextmanager
def announced(name: str) -> Iterator[None]:
    """Print where an attack on the route of this name starts and ends."""
    say(f"attacked {name}")
    try:
        yield
    finally:
        say(f"sent {name}")


def say(line: str) -> None:
    """Print one line to the test, which may have exited."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError:
        sys.exit(0)


def main(arguments: Sequence[str]) -> None:
    name, route, family = arguments
    server = Server(ATTACKS[name], route, family)

    async def run() -> None:
        async with asyncio.timeout(LIFETIME):
            await server.serve()

    began = time.monotonic()
    with contextlib.suppress(TimeoutError, KeyboardInterrupt):
        asyncio.run(run())
    assert time.monotonic() - began < LIFETIME + 5


if __name__ == "__main__":
    main(sys.argv[1:])
