"""Frames as captured from opencode 1.18.33; the heartbeat interval as in its proposal."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from server_stub.domain.profiles import MIMO, OPENCODE, Profile
from server_stub.domain.state import BUSY
from tests.server_stub.conftest import Stub
from tests.waiting import MAX_WAIT, wait_until

Json = dict[str, Any]


class Stream:
    """The frames of one event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def frame(self, *, within: float = MAX_WAIT) -> Json:
        async with asyncio.timeout(within):
            async for line in self._lines:
                if line:
                    assert line.startswith("data: ")
                    frame: Json = json.loads(line.removeprefix("data: "))
                    return frame
        raise EOFError


@asynccontextmanager
async def streaming(stub: Stub, path: str, **headers: str) -> AsyncIterator[Stream]:
    async with stub.http.stream("GET", path, headers=headers, timeout=None) as response:
        yield Stream(response)


@pytest.fixture
def stub(stub_on_a_socket: Stub) -> Stub:
    return stub_on_a_socket


async def test_the_headers(stub: Stub) -> None:
    async with streaming(stub, "/event") as stream:
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert stream.response.headers["cache-control"] == "no-cache, no-transform"
        assert stream.response.headers["x-accel-buffering"] == "no"


async def test_the_same_event_on_the_directory_stream_and_the_global_one(stub: Stub) -> None:
    here = stub.server.directory
    async with streaming(stub, "/event") as local, streaming(stub, "/global/event") as everywhere:
        connected = await local.frame()
        assert (connected["type"], connected["properties"]) == ("server.connected", {})
        connected = await everywhere.frame()
        assert set(connected) == {"payload"}
        assert connected["payload"]["type"] == "server.connected"

        await stub.session(title="new")
        received = await local.frame()
        assert set(received) == {"id", "type", "properties"}
        assert received["type"] == "session.created"
        framed, sync = await everywhere.frame(), await everywhere.frame()
        assert framed == {"directory": here, "project": "global", "payload": received}
        assert sync["payload"]["type"] == "sync"
        assert sync["payload"]["syncEvent"]["type"] == "session.created.1"
        assert sync["payload"]["syncEvent"]["data"] == received["properties"]


async def test_a_directory_stream_has_no_events_of_other_directories(stub: Stub) -> None:
    async with streaming(stub, "/event", **{"x-opencode-directory": "/some%20where"}) as stream:
        await stream.frame()
        here = stub.server.create_session(stub.server.directory)
        there = stub.server.create_session("/some where")
        assert (await stream.frame())["properties"]["sessionID"] == there.id != here.id


async def test_events_that_are_not_durable_have_no_sync_copy(stub: Stub) -> None:
    session = stub.server.create_session(stub.server.directory)
    async with streaming(stub, "/global/event") as stream:
        await stream.frame()
        stub.server.set_status(session, BUSY)
        stub.server.set_todos(session, [])
        types = [(await stream.frame())["payload"]["type"] for _ in range(2)]
        assert types == ["session.status", "todo.updated"]


async def test_a_stream_of_a_directory_ends_with_its_instance(stub: Stub) -> None:
    async with streaming(stub, "/event") as local, streaming(stub, "/global/event") as everywhere:
        await local.frame()
        await everywhere.frame()
        await stub.http.post("/instance/dispose")
        disposed = await local.frame()
        assert disposed["type"] == "server.instance.disposed"
        assert disposed["properties"] == {"directory": stub.server.directory}
        with pytest.raises(EOFError):
            await local.frame()
        assert (await everywhere.frame())["payload"] == disposed
        await stub.session()
        assert (await everywhere.frame())["payload"]["type"] == "session.created"


async def test_disposing_all_is_published_on_the_global_stream(stub: Stub) -> None:
    stub.server.create_session("/a")
    async with streaming(stub, "/global/event") as stream:
        await stream.frame()
        await stub.http.post("/global/dispose")
        frames = [await stream.frame() for _ in range(2)]
        assert [frame["payload"]["type"] for frame in frames] == ["server.instance.disposed", "global.disposed"]
        assert frames[1]["directory"] == "global"


async def test_an_open_stream_adopts_a_new_heartbeat_interval(stub: Stub) -> None:
    loop = asyncio.get_running_loop()
    stub.server.configure({"server": {"event_stream": {"heartbeat_ms": 3_600_000}}})
    async with streaming(stub, "/global/event") as stream:
        await stream.frame()
        begun = loop.time()
        body = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
        assert (await stub.http.patch("/global/config", json=body)).status_code == 200
        for beat in (1, 2):
            frame = await stream.frame()
            assert set(frame) == {"payload"}
            assert frame["payload"]["type"] == "server.heartbeat"
            assert loop.time() - begun > beat - 0.2


async def test_events_do_not_delay_the_heartbeat(stub: Stub) -> None:
    session = stub.server.create_session(stub.server.directory)
    stub.server.configure({"server": {"event_stream": {"heartbeat_ms": 1000}}})
    async with streaming(stub, "/event") as stream:
        types: list[str] = []
        while "server.heartbeat" not in types:
            stub.server.set_todos(session, [])
            types.append((await stream.frame())["type"])
        assert types.count("todo.updated") > 1


async def test_muted_streams_send_heartbeats(stub: Stub) -> None:
    stub.server.configure({"server": {"event_stream": {"heartbeat_ms": 1000}}})
    stub.server.bus.muted = True
    async with streaming(stub, "/event") as stream:
        assert (await stream.frame())["type"] == "server.connected"
        await stub.session()
        assert (await stream.frame())["type"] == "server.heartbeat"


@pytest.mark.parametrize(("late", "first"), [(True, "body"), (False, "session.idle")], ids=["late", "early"])
async def test_a_turns_last_events_are_sent_after_or_before_its_response(
    stub: Stub, late: bool, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After, at real opencode 1.18.33 and MiMo Code 0.1.15: a request rejected elsewhere, a turn that finishes."""
    # two connections may be read in any order within milliseconds
    monkeypatch.setattr("server_stub.opencode.routes.events.LATE_BY", 1.0)
    stub.server.late, stub.server.early = late, not late
    session_id = await stub.session()
    arrived: list[str] = []

    async def hold() -> None:
        await stub.prompt(session_id, "ASK1")
        arrived.append("body")

    async with streaming(stub, "/event") as stream:
        held = asyncio.create_task(hold())
        question = await stub.question()
        await stub.http.post(f"/question/{question['id']}/reject")
        while (frame := await stream.frame())["type"] != "session.idle":
            arrived += ["question.rejected"] if frame["type"] == "question.rejected" else []
        arrived.append("session.idle")
        await held
    rest = ["question.rejected", "session.idle"]
    assert arrived == (["body", *rest] if first == "body" else [*rest, "body"])


async def test_a_disconnected_reader_is_removed(stub: Stub) -> None:
    async with streaming(stub, "/event") as stream:
        await stream.frame()
        assert len(stub.server.bus.subscriptions) == 1
    await wait_until(lambda: not stub.server.bus.subscriptions)


async def test_a_lone_surrogate_is_sent(stub: Stub) -> None:
    async with streaming(stub, "/event") as stream:
        await stream.frame()
        stub.server.create_session(stub.server.directory, "half \ud83d")
        assert (await stream.frame())["properties"]["info"]["title"] == "half \ud83d"


@pytest.mark.parametrize("profile", [OPENCODE, MIMO], ids=lambda profile: profile.name)
async def test_only_bounded_queues_drop_events_of_a_slow_reader(stub: Stub, profile: Profile) -> None:
    with stub.server.bus.subscribe() as subscription:
        for _ in range(10_001):
            stub.server.bus.publish("todo.updated", {})
    assert len(subscription.events) == (10_000 if profile is MIMO else 10_001)
