"""`/event` and `/global/event`: server-sent events with heartbeats, without replay."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from server_stub.domain.event_bus import Event, Subscription
from server_stub.domain.json_encoding import Json, encode
from server_stub.domain.state import ServerState
from server_stub.http.directory import directory_of

Frame = Callable[[Event], list[Json]]

LATE_BY = 0.02
"""Seconds. Real opencode 1.18.33 and MiMo Code 0.1.15 send the body of a held POST 2 to 15 ms before events."""

HEADERS = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
    "x-content-type-options": "nosniff",
}


def routes(server: ServerState) -> list[Route]:
    async def event(request: Request) -> StreamingResponse:
        """Events of one directory; ends when its instance is disposed."""
        return _stream(server, directory_of(request, server), lambda event: [event.payload])

    async def global_event(request: Request) -> StreamingResponse:
        """Events of every directory; durable ones are sent a second time as `sync`."""
        return _stream(server, None, _global_frames)

    return [Route("/event", event, methods=["GET"]), Route("/global/event", global_event, methods=["GET"])]


def _stream(server: ServerState, directory: str | None, frames: Frame) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        with server.bus.subscribe(directory) as subscription:
            yield _encode(frames(server.bus.event("server.connected", {})))
            async for event in _with_heartbeats(server, subscription):
                yield _encode(frames(event))
                if event.last and directory is not None:
                    return

    return StreamingResponse(body(), headers=HEADERS)


async def _with_heartbeats(server: ServerState, subscription: Subscription) -> AsyncIterator[Event]:
    """Events as they are published, and `server.heartbeat` at the interval configured at that moment."""
    loop = asyncio.get_running_loop()
    last_beat = loop.time()
    while True:
        if subscription.events and server.late_events:
            await asyncio.sleep(LATE_BY)
        for _ in range(len(subscription.events)):
            yield subscription.events.popleft()
        if subscription.events:
            continue
        subscription.changed.clear()
        due = last_beat + server.heartbeat_ms / 1000
        if loop.time() >= due:
            last_beat = loop.time()
            yield server.bus.event("server.heartbeat", {})
        else:
            try:
                async with asyncio.timeout_at(due):  # not `wait_for`: in 3.11 it may swallow a cancellation
                    await subscription.changed.wait()
            except TimeoutError:
                continue


def _global_frames(event: Event) -> list[Json]:
    if event.directory is None:
        return [{"payload": event.payload}]
    where = {"directory": event.directory, "project": "global"}
    frames: list[Json] = [{**where, "payload": event.payload}]
    if event.sync is not None:
        frames.append({**where, "payload": event.sync})
    return frames


def _encode(frames: list[Json]) -> bytes:
    return b"".join(b"data: " + encode(frame) + b"\n\n" for frame in frames)
