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
from server_stub.qwen.event_ring import MOST_READERS, EventRing
from server_stub.qwen.routes.events import EventStream
from tests.server_stub.conftest import InstantClock, Stub
from tests.server_stub.qwen.routes.qwen_client import Person, arrive
from tests.server_stub.serving import serving
from tests.waiting import wait_until

Json = dict[str, Any]

EPOCH = "X-Qwen-Event-Epoch"


@pytest.fixture
def profile() -> Profile:
    return QWEN


@pytest.fixture
async def person(stub_on_a_socket: Stub) -> Person:
    return await arrive(stub_on_a_socket.http)


class Stream:
    """The frames of one event stream, as text between two blank lines."""

    def __init__(self, response: httpx.Response) -> None:
        self.headers = response.headers
        self._chunks = response.aiter_raw()
        self._buffer = b""

    async def frame(self) -> str:
        """The next one; raises StopAsyncIteration at the end."""
        while b"\n\n" not in self._buffer:
            self._buffer += await anext(self._chunks)
        frame, self._buffer = self._buffer.split(b"\n\n", 1)
        return frame.decode()

    async def event(self) -> Json:
        """The next frame that is an event."""
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
async def stream(person: Person, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    url = f"{person.base}/events{query}"
    async with person.http.stream("GET", url, headers=headers, timeout=5) as response:
        assert response.status_code == 200
        yield Stream(response)


async def test_a_stream_opens_with_its_identity_and_its_base_for_retries(person: Person) -> None:
    epoch = (await person.load())["eventEpoch"]
    async with stream(person) as opened:
        assert opened.headers["content-type"] == "text/event-stream"
        assert opened.headers["cache-control"] == "no-cache, no-transform"
        assert opened.headers[EPOCH] == epoch
        assert re.fullmatch(r"[0-9a-f-]{36}", opened.headers["x-qwen-sse-stream-id"])
        assert await opened.frame() == "retry: 3000"


async def test_a_turn_as_it_happens(person: Person) -> None:
    async with stream(person) as live:
        prompt_id = await person.prompt("PLAIN")
        events = await live.until("turn_complete")
    cursor = events[0]["id"]
    assert [event["id"] for event in events] == list(range(cursor, cursor + len(events)))
    assert {event["promptId"] for event in events} == {prompt_id}
    words = [event["data"]["update"]["content"]["text"] for event in events[1:-1]]
    assert words == ["Done. ", "Nothing ", "to ", "call, ", "**all** ", "is ", "well.", ""]


async def test_a_cut_stream_goes_on_where_it_was(person: Person) -> None:
    async with stream(person) as first:
        await person.prompt("ASK1")
        seen = (await first.until("permission_request"))[-1]["id"]
        epoch = first.headers[EPOCH]
    await person.post("cancel")
    await person.until("turn_complete")
    async with stream(person, **{"Last-Event-ID": str(seen), EPOCH: epoch}) as second:
        replayed = await second.until("replay_complete")
        assert [event.get("id") for event in replayed[:-1]] == list(range(seen + 1, seen + len(replayed)))
        assert replayed[-2]["type"] == "turn_complete"
        assert replayed[-1]["data"]["replayedCount"] == len(replayed) - 1
        await person.prompt("PLAIN")
        assert (await second.event())["id"] == seen + len(replayed)


async def test_a_cursor_of_another_epoch(person: Person) -> None:
    await person.say("PLAIN")
    async with stream(person, **{"Last-Event-ID": "3", EPOCH: "another"}) as late:
        first = await late.event()
        assert (first["type"], first["data"]["reason"]) == ("state_resync_required", "epoch_reset")
        assert (await late.event())["id"] == 1


@pytest.mark.parametrize("headers", [{"Last-Event-ID": "x"}, {"Last-Event-ID": "-1"}, {EPOCH: "another"}])
async def test_what_is_no_cursor_is_as_good_as_none(person: Person, headers: dict[str, str]) -> None:
    await person.say("PLAIN")
    last = (await person.load())["lastEventId"]
    async with stream(person, **headers) as live:
        await person.prompt("PLAIN")
        assert (await live.event())["id"] == last + 1


async def test_heartbeats_are_comments(stub_on_a_socket: Stub, person: Person) -> None:
    assert stub_on_a_socket.server.heartbeat_ms == 15_000
    stub_on_a_socket.server.configure({"server": {"event_stream": {"heartbeat_ms": 20}}})
    async with stream(person) as live:
        assert await live.frame() == "retry: 3000"
        assert [await live.frame() for _ in range(3)] == [": heartbeat"] * 3


async def test_a_closed_session_ends_its_streams(person: Person) -> None:
    async with stream(person) as live:
        await person.prompt("ASK1")
        await live.until("permission_request")
        await person.delete()
        *_, ended, closed = await live.until("session_closed")
        assert (ended["type"], ended["data"]["stopReason"]) == ("turn_complete", "cancelled")
        said = {"sessionId": person.session_id, "reason": "client_close", "closedBy": person.client_id}
        assert closed["data"] == said
        with pytest.raises(StopAsyncIteration):
            await live.frame()


async def test_a_stream_that_ends_stops_no_turn_and_closes_no_session(person: Person) -> None:
    async with stream(person) as live:
        await person.prompt("ASK1")
        await live.until("permission_request")
    assert (await person.get("status")).json()["hasActivePrompt"] is True


async def test_who_listens_is_counted(stub_on_a_socket: Stub, person: Person) -> None:
    async def listening() -> int:
        status = (await stub_on_a_socket.http.get("/daemon/status?detail=full")).json()
        count: int = status["full"]["sessions"][0]["subscriberCount"]
        return count

    async with stream(person):
        assert await listening() == 1
        await person.post("detach")
        assert (await person.get("status")).status_code == 200, "a stream holds its session"


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ("1", "`maxQueued` must be in [16, 2048]"),
        ("2049", "`maxQueued` must be in [16, 2048]"),
        ("x", "`maxQueued` must be a decimal integer"),
    ],
)
async def test_a_queue_of_ones_own_has_its_limits(person: Person, asked: str, error: str) -> None:
    refused = await person.get(f"events?maxQueued={asked}")
    assert (refused.status_code, refused.json()) == (400, {"error": error, "code": "invalid_max_queued"})


async def test_only_so_many_listen(app: Starlette, person: Person) -> None:
    ring = app.state.daemon.live[person.session_id].ring
    readers = [ring.subscribe() for _ in range(MOST_READERS)]
    refused = await person.get("events")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert refused.json() == {
        "error": "EventBus subscriber limit reached (64)",
        "code": "subscriber_limit_exceeded",
        "limit": 64,
    }
    ring.leave(readers[0])
    async with stream(person) as live:
        assert await live.frame() == "retry: 3000"


async def test_a_reader_that_takes_nothing_loses_its_connection() -> None:
    app = create_app(QWEN, scenario="plain", clock=PacedClock(speed=50))
    async with serving(app) as served, httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        app.state.faults.connections = served.server.server_state.connections
        person = await arrive(http)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", served.port))
            slow.sendall(
                f"GET {person.base}/events?maxQueued=16 HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\n\r\n".encode()
            )
            ring = app.state.daemon.live[person.session_id].ring
            await wait_until(lambda: ring.readers == 1, what="the stream to open")
            await person.prompt("HUGE 20000")
            await wait_until(lambda: ring.readers == 0, within=20, what="the reader to be evicted")
            slow.setblocking(False)
            received = bytearray()

            def ended() -> bool:
                try:
                    while piece := slow.recv(1 << 16):
                        received.extend(piece)
                except BlockingIOError:
                    return False
                except ConnectionResetError:
                    pass  # as good an end as any: the connection was destroyed
                return True

            await wait_until(ended, what="the end of the connection")
            assert b"event: session_update" in received
            assert not received.endswith(b"0\r\n\r\n"), "it was cut, not ended"
            await person.post("cancel")


# faults


@asynccontextmanager
async def faulty() -> AsyncIterator[tuple[Starlette, Person]]:
    app = create_app(QWEN, scenario="plain")
    async with serving(app) as served, httpx.AsyncClient(base_url=served.url, trust_env=False) as http:
        app.state.faults.connections = served.server.server_state.connections
        yield app, await arrive(http)


async def test_a_cut_event_stream() -> None:
    async with faulty() as (app, person), stream(person) as live:
        assert await live.frame() == "retry: 3000"
        app.state.faults.arm(fault("cut"))
        with pytest.raises(httpx.RemoteProtocolError):
            await live.frame()


async def test_a_silent_stream_beats_and_says_nothing_but_keeps_all() -> None:
    async with faulty() as (app, person):
        app.state.server.configure({"server": {"event_stream": {"heartbeat_ms": 20}}})
        async with stream(person) as live:
            assert await live.frame() == "retry: 3000"
            number = app.state.faults.arm(fault("silent")).id
            ended = await person.say("PLAIN")
            assert [await live.frame() for _ in range(3)] == [": heartbeat"] * 3
            app.state.faults.disarm(number)
        cursor = {"Last-Event-ID": str(ended["id"] - 1)}
        async with stream(person, **cursor) as again:
            assert (await again.event())["type"] == "turn_complete"


async def test_a_prompt_whose_answer_is_lost_is_answered_all_the_same() -> None:
    async with faulty() as (app, person):
        app.state.faults.arm(fault("cut", {"target": "prompt", "at": "headers"}))
        with pytest.raises(httpx.RemoteProtocolError):
            await person.prompt("PLAIN")
        echo, *_ = [e for e in await person.events() if e.get("originatorClientId") == person.client_id]
        assert echo["data"]["update"]["content"]["text"] == "PLAIN"
        await person.until("turn_complete")


async def test_a_wedged_daemon_takes_prompts_and_begins_none() -> None:
    async with faulty() as (app, person):
        number = app.state.faults.arm(fault("wedged")).id
        prompt_id = await person.prompt("PLAIN")
        await person.until("session_update", 2)
        assert (await person.turn(prompt_id))["state"] == "running"
        assert (await person.kinds())[-1] == "user_message_chunk"
        app.state.faults.disarm(number)
        await person.until("turn_complete")


@pytest.mark.parametrize("rounds", range(6))
async def test_a_reader_that_leaves_as_something_happens_is_let_go(clock: InstantClock, rounds: int) -> None:
    """`rounds` of the loop lie between the two."""
    ring, left = EventRing(clock.now, 10, Replay(100, 10_000)), asyncio.Event()
    stream = EventStream(ServerState(QWEN, clock, "/"), ring, lambda: None)
    stream.reader = ring.subscribe()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    told = asyncio.create_task(stream({"type": "http"}, receive, send))
    await wait_until(lambda: len(sent) == 2, what="the head and the first frame")
    left.set()
    for _ in range(rounds):
        await asyncio.sleep(0)
    ring.publish("anything", {})
    await told
    await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, what="every task to end")
