"""`GET /session/:id/events`: one session's events, after those that the reader has missed."""

import asyncio
import re
import uuid
from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from server_stub.domain.api_errors import ApiError
from server_stub.domain.state import ServerState
from server_stub.qwen.daemon import Daemon
from server_stub.qwen.event_ring import MAX_READERS, MAX_WAITING, Event, EventRing, Reader, TooManyReaders
from server_stub.qwen.routes.request import refusal

RETRY = b"retry: 3000\n\n"
HEARTBEAT = b": heartbeat\n\n"
CURSOR = re.compile(r"[0-9]+")
EPOCH = re.compile(r"[\w-]{1,64}", re.ASCII)
QUEUE_SIZES = range(16, 2049)
"""Range of `?maxQueued=`."""

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
}


def routes(daemon: Daemon, abort_connection: Callable[[Scope], None]) -> list[Route]:
    async def events(request: Request) -> Response:
        """Events of one session; an invalid cursor is ignored."""
        limit = _queue_size(request.query_params.get("maxQueued"))
        ring = daemon.session(request.path_params["sid"]).ring
        cursor = request.headers.get("last-event-id", "")
        epoch = request.headers.get("x-qwen-event-epoch", "")
        stream = EventStream(daemon.server, ring, lambda: abort_connection(request.scope))
        try:
            stream.reader = ring.subscribe(
                int(cursor) if CURSOR.fullmatch(cursor) else None,
                epoch if EPOCH.fullmatch(epoch) else None,
                limit,
                stream.on_evicted,
            )
        except TooManyReaders as full:
            raise _too_many() from full
        return stream

    return [Route("/session/{sid}/events", events)]


class EventStream(Response):
    """The events of a session for one reader, until one of them ends or the reader is evicted as too slow."""

    reader: Reader

    def __init__(self, server: ServerState, ring: EventRing, abort_connection: Callable[[], None]) -> None:
        ids = {"x-qwen-event-epoch": ring.epoch, "x-qwen-sse-stream-id": str(uuid.uuid4())}
        super().__init__(headers=HEADERS | ids)
        del self.headers["content-length"]
        self._server = server
        self._ring = ring
        self._abort_connection = abort_connection
        self._writing = False

    def on_evicted(self) -> None:
        """Abort the connection if a write blocks, even within a frame."""
        if self._writing:
            self._abort_connection()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        left = asyncio.create_task(_disconnection(receive))
        sent = asyncio.create_task(self._send_events(send))
        try:
            await asyncio.wait({left, sent}, return_when=asyncio.FIRST_COMPLETED)
            if sent.done():
                sent.result()
        finally:
            self._ring.unsubscribe(self.reader)
            left.cancel()
            sent.cancel()

    async def _send_events(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": self.raw_headers})
        await self._write(send, RETRY)
        loop = asyncio.get_running_loop()
        last_beat = loop.time()
        while True:
            while (event := self.reader.pop_event()) is not None:
                if not self._server.bus.muted:
                    await self._write(send, _frame(event))
            if self.reader.ended:
                break
            due = last_beat + self._server.heartbeat_ms / 1000
            if loop.time() >= due:
                last_beat = loop.time()
                await self._write(send, HEARTBEAT)
                continue
            try:
                async with asyncio.timeout_at(due):  # not `wait_for`: in 3.11 it may swallow a cancellation
                    await self.reader.changed.wait()
            except TimeoutError:
                continue
        await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send, data: bytes) -> None:
        self._writing = True
        await send({"type": "http.response.body", "body": data, "more_body": True})
        self._writing = False


def _frame(event: Event) -> bytes:
    identity = f"id: {event.body['id']}\n" if "id" in event.body else ""
    return f"{identity}event: {event.body['type']}\ndata: ".encode() + event.data + b"\n\n"


def _queue_size(text: str | None) -> int:
    if text is None:
        return MAX_WAITING
    if not text.isdecimal():
        raise refusal("`maxQueued` must be a decimal integer", code="invalid_max_queued")
    if int(text) not in QUEUE_SIZES:
        span = f"[{QUEUE_SIZES.start}, {QUEUE_SIZES.stop - 1}]"
        raise refusal(f"`maxQueued` must be in {span}", code="invalid_max_queued")
    return int(text)


def _too_many() -> ApiError:
    error = f"EventBus subscriber limit reached ({MAX_READERS})"
    body = {"error": error, "code": "subscriber_limit_exceeded", "limit": MAX_READERS}
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, body, {"Retry-After": "5"})


async def _disconnection(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
