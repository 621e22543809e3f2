"""How many events a second link and store take in, without a screen, beside bare httpx-sse and `json.loads`.

Both read the same bytes, a turn that the stub played, from the same server, by turns, in this process; what counts
is its CPU time, in which no server and no screen has a share.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import httpx_sse

from benchmarks.programs import bench_stub
from benchmarks.table import Row
from tests.processes import clean_environment, read_line, running
from tui.backends.opencode.backend import OpenCode
from tui.core.backoff import Backoff
from tui.core.connection_status import ConnectionMonitor
from tui.core.events import Event, StreamLost
from tui.core.store import Store
from tui.net.event_connection import EventConnection
from tui.net.http_client import Http

TIMES = 4.0


def rows(events: int = 20_000, rounds: int = 5) -> list[Row]:
    """A stream of so many deltas, read so many times by each."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        session, stream = recorded(events)
        (home / "stream").write_bytes(stream)
        count = stream.count(b"\n\n")
        bare: list[float] = []
        ours: list[float] = []
        with replaying(home / "stream", home) as address:
            for _ in range(rounds):
                bare.append(_cpu(lambda: read_bare(address), count))
                ours.append(_cpu(lambda: read_by_link(address, session), count))
    theirs, mine = statistics.median(bare), statistics.median(ours)
    return [
        Row(
            "events a second, link and store without a screen",
            f"{1 / mine:,.0f} /s",
            f"bare httpx-sse + json.loads {1 / theirs:,.0f} /s",
            f"{mine / theirs:.2f} × the cost",
            f"≤ {TIMES:g} ×",
            mine / theirs <= TIMES,
        )
    ]


def recorded(events: int) -> tuple[str, bytes]:
    """A session's id, and `/global/event` while a turn of so many deltas runs in it."""
    taken = bytearray()
    with bench_stub() as (stub, _):
        session: str = stub.http.post("/session", json={}).json()["id"]
        with stub.http.stream("GET", "/global/event", timeout=60) as response:
            parts = [{"type": "text", "text": f"FLOOD {events} 1000000"}]
            stub.http.post(f"/session/{session}/prompt_async", json={"parts": parts}).raise_for_status()
            for chunk in response.iter_raw():
                taken += chunk
                if b'"session.idle"' in chunk:
                    break
    return session, bytes(taken[: taken.rindex(b"\n\n") + 2])


@contextmanager
def replaying(stream: Path, home: Path) -> Iterator[str]:
    """The address of a server of its own that sends what is in the file."""
    command = [sys.executable, "-m", "benchmarks.replay", str(stream)]
    env = clean_environment(home) | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with running(command, env=env, cwd=home, log=home / "replay.stderr") as process:
        yield read_line(process, within=10)


async def read_bare(address: str) -> int:
    """The least that a client can do: decode and parse."""
    count = 0
    async with httpx.AsyncClient(trust_env=False) as http:
        async with httpx_sse.aconnect_sse(http, "GET", f"{address}/global/event") as source:
            async for event in source.aiter_sse():
                json.loads(event.data)
                count += 1
    return count


async def read_by_link(address: str, session: str) -> int:
    """What the client does with the same bytes, up to the changes that it would tell its screen."""
    store = Store()
    store.open_transcript(session)
    ended = asyncio.Event()
    count = 0

    def take(event: Event) -> None:
        nonlocal count
        count += 1
        store.apply(event)
        if isinstance(event, StreamLost):
            ended.set()

    async def nothing() -> tuple[Event, ...]:
        return ()

    http = Http(address)
    link = EventConnection(
        subscribe=OpenCode(http).subscribe,
        fetch=nothing,
        deliver=take,
        changed=lambda: None,
        health=ConnectionMonitor(),
        backoff=Backoff(lambda: 0.5),
        clock=time.monotonic,
        wall=time.time,
        sleep=asyncio.sleep,
    )
    task = asyncio.create_task(link.run())
    await ended.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await http.close()
    return count


def _cpu(read: Callable[[], Awaitable[int]], count: int) -> float:
    """CPU seconds for one event."""

    async def reading() -> float:
        before = time.process_time()
        read_in = await read()
        spent = time.process_time() - before
        if read_in < count / 2:
            raise RuntimeError(f"of {count} events only {read_in} came through")
        return spent / count

    return asyncio.run(reading())
