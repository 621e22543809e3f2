"""A connected qwen backend, whose feed is read into a store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from tests.backends.daemon import Daemon, daemon
from tests.waiting import wait_until
from tui.backends.qwen.backend import QwenServe
from tui.core import events as e
from tui.core.model import TextPart
from tui.core.store import Store
from tui.net.errors import NetError
from tui.net.http_client import Http


class Feeding:
    """Reads the feed into a store."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.open_transcript("s1")
        self.events: list[e.Event] = []
        self.bytes = 0
        self.error: NetError | None = None

    def on_bytes(self, count: int) -> None:
        self.bytes += count

    def texts(self) -> list[TextPart]:
        transcript = self.store.transcript("s1")
        assert transcript is not None
        parts = [p for message in transcript.ordered() for p in transcript.parts_of(message.id)]
        return [part for part in parts if isinstance(part, TextPart)]

    def words(self) -> str:
        return "".join(part.text for part in self.texts())

    def states(self) -> list[str]:
        return [part.state for part in self.texts()]

    async def read(self, backend: QwenServe) -> None:
        try:
            async with backend.subscribe(self.on_bytes) as feed, aclosing(feed.events()) as incoming:
                async for event in incoming:
                    self.events.append(event)
                    self.store.apply(event)
        except NetError as error:
            self.error = error


@asynccontextmanager
async def feeding(backend: QwenServe) -> AsyncIterator[Feeding]:
    feed = Feeding()
    task = asyncio.create_task(feed.read(backend))
    try:
        yield feed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def after_handshake(http: Http) -> QwenServe:
    backend = QwenServe(http)
    await backend.handshake()
    return backend


@asynccontextmanager
async def following(**answers: Any) -> AsyncIterator[tuple[Daemon, QwenServe, Feeding]]:
    """A daemon with these answers, its backend, and the feed of its session s1, whose stream is open."""
    async with daemon(**answers) as (server, http):
        backend = await after_handshake(http)
        async with feeding(backend) as feed:
            await backend.messages("s1")
            await wait_until(lambda: server.streams)
            yield server, backend, feed


class Watcher:
    """Observer of a POST that is not held: nothing to observe."""

    def headers(self) -> None: ...
    def padding(self, total: int) -> None: ...
