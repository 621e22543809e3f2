"""The bytes and their order below were recorded from `qwen serve` 0.24.4."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.types import Message

from server_stub.app import create_app
from server_stub.domain.clock import PacedClock
from server_stub.domain.profiles import QWEN, Profile
from server_stub.domain.state import ServerState
from server_stub.faults.kinds import fault
from server_stub.qwen.compaction import Replay
from server_stub.qwen.event_ring import MAX_READERS, EventRing
from server_stub.qwen.routes.events import EventStream
from tests.server_stub.conftest import InstantClock, Stub
from tests.server_stub.qwen.routes.qwen_client import QwenClient, new_client
from tests.server_stub.serving import serving
from tests.waiting import MAX_WAIT, wait_until

Json = dict[str, Any]

EPOCH = "X-Qwen-Event-Epoch"


@pytest.fixture
def profile() -> Profile:
    return QWEN


@pytest.fixture
async def client(stub_on_a_socket: Stub) -> QwenClient:
    return await new_client(stub_on_a_socket.http)


class Stream:
    """The frames of one event stream, as text between two blank lines."""

    def __init__(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self._chunks = response.aiter_raw()
        self._buffer = b""

    async def frame(self) -> str:
        """The next frame; raises StopAsyncIteration at the end."""
        while b"\n\n" not in self._buffer:
            self._buffer += await anext(self._chunks)
        frame, self._buffer = self._buffer.split(b"\n\n", 1)
        return frame.decode()

    async def event(self) -> Json:
        """The next event."""
        while True:
            lines = (await self.frame()).splitlines()
            for line in lines:
                if line.startswith("data: "):
                    event: Json = json.loads(line.removeprefix("data: "))
                    named = [f"id: {event['id']}"] if "id" in event else []
                    assert lines[:-1] == [*named, f"event: {event['type']}"]
                    return event

    async def until(self, kind: str) -> list[Json]:
        """All events up to and with the next of this type."""
        events = [await self.event()]
        while events[-1]["type"] != kind:
            events.append(await self.event())
        return events


@asynccontextmanager
async def stream(client: QwenClient, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    url = f"{client.base}/events{query}"
    async with client.http.stream("GET", url, headers=headers) as response:
        assert response.status_code == 200
        yield Stream(response)


async def test_a_stream_opens_with_its_epoch_and_retry_time(client: QwenClient) -> None:
    epoch = (await client.load())["eventEpoch"]
    async with stream(client) as opened:
        assert opened.headers["content-type"] == "text/event-stream"
        assert opened.headers["cache-control"] == "no-cache, no-transform"
        assert opened.headers[EPOCH] == epoch
        assert re.fullmatch(r"[0-9a-f-]{36}", opened.headers["x-qwen-sse-stream-id"])
        assert await opened.frame() == "retry: 3000"


async def test_the_events_of_a_turn(client: QwenClient) -> None:
    async with stream(client) as live:
        prompt_id = await client.prompt("PLAIN")
        events = await live.until("turn_complete")
    cursor = events[0]["id"]
    assert [event["id"] for event in events] == list(range(cursor, cursor + len(events)))
    assert {event["promptId"] for event in events} == {prompt_id}
    words = [event["data"]["update"]["content"]["text"] for event in events[1:-1]]
    assert words == ["Done. ", "Nothing ", "to ", "call, ", "**all** ", "is ", "well.", ""]


async def test_a_stream_resumes_after_its_cursor(client: QwenClient) -> None:
    async with stream(client) as first:
        await client.prompt("ASK1")
        seen = (await first.until("permission_request"))[-1]["id"]
        epoch = first.headers[EPOCH]
    await client.post("cancel")
    await client.until("turn_complete")
    async with stream(client, **{"Last-Event-ID": str(seen), EPOCH: epoch}) as second:
        replayed = await second.until("replay_complete")
        assert [event.get("id") for event in replayed[:-1]] == list(range(seen + 1, seen + len(replayed)))
        assert replayed[-2]["type"] == "turn_complete"
        assert replayed[-1]["data"]["replayedCount"] == len(replayed) - 1
        await client.prompt("PLAIN")
        assert (await second.event())["id"] == seen + len(replayed)


async def test_a_cursor_of_another_epoch(client: QwenClient) -> None:
    await client.run_prompt("PLAIN")
    async with stream(client, **{"Last-Event-ID": "3", EPOCH: "another"}) as late:
        first = await late.event()
        assert (first["type"], first["data"]["reason"]) == ("state_resync_required", "epoch_reset")
        assert (await late.event())["id"] == 1


@pytest.mark.parametrize("headers", [{"Last-Event-ID": "x"}, {"Last-Event-ID": "-1"}, {EPOCH: "another"}])
async def test_invalid_cursors_are_ignored(client: QwenClient, headers: dict[str, str]) -> None:
    await client.run_prompt("PLAIN")
    last = (await client.load())["lastEventId"]
    async with stream(client, **headers) as live:
        await client.prompt("PLAIN")
        assert (await live.event())["id"] == last + 1


async def test_heartbeats_are_comments(stub_on_a_socket: Stub, client: QwenClient) -> None:
    assert stub_on_a_socket.server.heartbeat_ms == 15_000
    stub_on_a_socket.server.configure({"server": {"event_stream": {"heartbeat_ms": 20}}})
    async with stream(client) as live:
        assert await live.frame() == "retry: 3000"
        assert [await live.frame() for _ in range(3)] == [": heartbeat"] * 3


async def test_a_closed_session_ends_its_streams(client: QwenClient) -> None:
    async with stream(client) as live:
        await client.prompt("ASK1")
        await live.until("permission_request")
        await client.delete()
        *_, ended, closed = await live.until("session_closed")
        assert (ended["type"], ended["data"]["stopReason"]) == ("turn_complete", "cancelled")
        data = {"sessionId": client.session_id, "reason": "client_close", "closedBy": client.client_id}
        assert closed["data"] == data
        with pytest.raises(StopAsyncIteration):
            await live.frame()


async def test_a_stream_that_ends_stops_no_turn_and_closes_no_session(client: QwenClient) -> None:
    async with stream(client) as live:
        await client.prompt("ASK1")
        await live.until("permission_request")
    assert (await client.get("status")).json()["hasActivePrompt"] is True


async def test_readers_are_counted(stub_on_a_socket: Stub, client: QwenClient) -> None:
    async def listening() -> int:
        status = (await stub_on_a_socket.http.get("/daemon/status?detail=full")).json()
        count: int = status["full"]["sessions"][0]["subscriberCount"]
        return count

    async with stream(client):
        assert await listening() == 1
        await client.post("detach")
        assert (await client.get("status")).status_code == 200, "an open stream keeps its session live"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("1", "`maxQueued` must be in [16, 2048]"),
        ("2049", "`maxQueued` must be in [16, 2048]"),
        ("x", "`maxQueued` must be a decimal integer"),
    ],
)
async def test_max_queued_has_limits(client: QwenClient, asked: str, error: str) -> None:
    refused = await client.get(f"events?maxQueued={asked}")
    assert (refused.status_code, refused.json()) == (400, {"error": error, "code": "invalid_max_queued"})


async def test_the_number_of_readers_is_limited(app: Starlette, client: QwenClient) -> None:
    ring = app.state.daemon.live[client.session_id].ring
    readers = [ring.subscribe() for _ in range(MAX_READERS)]
    refused = await client.get("events")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert refused.json() == {
        "error": "EventBus subscriber limit reached (64)",
        "code": "subscriber_limit_exceeded",
        "limit": 64,
    }
    ring.unsubscribe(readers[0])
    async with stream(client) as live:
        assert await live.frame() == "retry: 3000"


async def test_a_reader_that_reads_nothing_is_disconnected() -> None:
    app = create_app(QWEN, scenario="plain", clock=PacedClock(speed=50))
    async with (
        serving(app) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=MAX_WAIT) as http,
    ):
        app.state.faults.connections = served.server.server_state.connections
        client = await new_client(http)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", served.port))
            slow.sendall(
                f"GET {client.base}/events?maxQueued=16 HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
            )
            ring = app.state.daemon.live[client.session_id].ring
            await wait_until(lambda: ring.readers == 1, what="the stream to open")
            await client.prompt("HUGE 20000")
            await wait_until(lambda: ring.readers == 0, what="the reader to be evicted")
            slow.setblocking(False)
            received = bytearray()

            def ended() -> bool:
                try:
                    while piece := slow.recv(1 << 16):
                        received.extend(piece)
                except BlockingIOError:
                    return False
                except ConnectionResetError:
                    pass  # the connection was aborted, which is fine
                return True

            await wait_until(ended, what="the end of the connection")
            assert b"event: session_update" in received
            assert not received.endswith(b"0\r\n\r\n"), "the connection was cut, the response not terminated"
            await client.post("cancel")


# faults


@asynccontextmanager
async def faulty() -> AsyncIterator[tuple[Starlette, QwenClient]]:
    app = create_app(QWEN, scenario="plain")
    async with (
        serving(app) as served,
        httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=MAX_WAIT) as http,
    ):
        app.state.faults.connections = served.server.server_state.connections
        yield app, await new_client(http)


async def test_a_cut_event_stream() -> None:
    async with faulty() as (app, client), stream(client) as live:
        assert await live.frame() == "retry: 3000"
        app.state.faults.arm(fault("cut"))
        with pytest.raises(httpx.RemoteProtocolError):
            await live.frame()


async def test_a_muted_stream_sends_heartbeats_and_keeps_events() -> None:
    async with faulty() as (app, client):
        app.state.server.configure({"server": {"event_stream": {"heartbeat_ms": 20}}})
        async with stream(client) as live:
            assert await live.frame() == "retry: 3000"
            number = app.state.faults.arm(fault("mute-events")).id
            ended = await client.run_prompt("PLAIN")
            assert [await live.frame() for _ in range(3)] == [": heartbeat"] * 3
            app.state.faults.disarm(number)
        cursor = {"Last-Event-ID": str(ended["id"] - 1)}
        async with stream(client, **cursor) as again:
            assert (await again.event())["type"] == "turn_complete"


async def test_a_prompt_runs_even_if_its_response_is_lost() -> None:
    async with faulty() as (app, client):
        app.state.faults.arm(fault("cut", {"target": "prompt", "at": "headers"}))
        with pytest.raises(httpx.RemoteProtocolError):
            await client.prompt("PLAIN")
        echo, *_ = [e for e in await client.events() if e.get("originatorClientId") == client.client_id]
        assert echo["data"]["update"]["content"]["text"] == "PLAIN"
        await client.until("turn_complete")


async def test_a_wedged_daemon_accepts_prompts_and_begins_none() -> None:
    async with faulty() as (app, client):
        number = app.state.faults.arm(fault("wedged")).id
        prompt_id = await client.prompt("PLAIN")
        await client.until("session_update", 2)
        assert (await client.turn(prompt_id))["state"] == "running"
        assert (await client.kinds())[-1] == "user_message_chunk"
        app.state.faults.disarm(number)
        await client.until("turn_complete")


@pytest.mark.parametrize("rounds", range(6))
async def test_a_reader_that_disconnects_during_an_event_is_removed(clock: InstantClock, rounds: int) -> None:
    """The disconnect follows the event after `rounds` passes of the event loop."""
    ring, left = EventRing(clock.now, 10, Replay(100, 10_000)), asyncio.Event()
    stream = EventStream(ServerState(QWEN, clock, "/"), ring, lambda: None)
    stream.reader = ring.subscribe()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    stream_task = asyncio.create_task(stream({"type": "http"}, receive, send))
    await wait_until(lambda: len(sent) == 2, what="the head and the first frame")
    left.set()
    for _ in range(rounds):
        await asyncio.sleep(0)
    ring.publish("anything", {})
    await stream_task
    await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, what="every task to end")
