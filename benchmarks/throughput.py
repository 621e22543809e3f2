"""Events per second of event connection and store, without a screen, compared with httpx-sse and `json.loads`.

Both read the same recorded turn of the stub from the same server, alternately, in this process. The CPU time of this
process is measured, which includes neither server nor screen.
"""

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import httpx_sse

from benchmarks.programs import bench_stub
from benchmarks.table import Row
from tests.processes import clean_environment, read_line, running
from tui.backends.opencode.backend import OpenCode
from tui.core.connection_status import ConnectionMonitor
from tui.core.events import Event, StreamLost
from tui.core.store import Store
from tui.net.clocks import Clocks
from tui.net.event_connection import EventConnection, Feed
from tui.net.http_client import Http

TIMES = 4.0


def rows(events: int = 20_000, rounds: int = 5) -> list[Row]:
    """Read a stream of `events` deltas `rounds` times with each; returns the row of the medians."""
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
            "events a second, connection and store without a screen",
            f"{1 / mine:,.0f} /s",
            f"bare httpx-sse + json.loads {1 / theirs:,.0f} /s",
            f"{mine / theirs:.2f} × the cost",
            f"≤ {TIMES:g} ×",
            mine / theirs <= TIMES,
        )
    ]


def recorded(events: int) -> tuple[str, bytes]:
    """Record `/global/event` during a turn of `events` deltas; returns the session's id and the bytes."""
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
    """The address of a server process that sends the content of the file."""
    command = [sys.executable, "-m", "benchmarks.replay", str(stream)]
    env = clean_environment(home) | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with running(command, env=env, cwd=home, log=home / "replay.stderr") as process:
        yield read_line(process, within=10)


async def read_bare(address: str) -> int:
    """Decode and parse the stream with httpx-sse and `json.loads`; returns the number of events."""
    count = 0
    async with httpx.AsyncClient(trust_env=False) as http:
        async with httpx_sse.aconnect_sse(http, "GET", f"{address}/global/event") as source:
            async for event in source.aiter_sse():
                json.loads(event.data)
                count += 1
    return count


async def read_by_link(address: str, session: str) -> int:
    """Apply the stream to a store through the event connection; returns the number of events."""
    store = Store()
    store.open_transcript(session)
    ended = asyncio.Event()
    count = 0

    http = Http(address)

    class Reading(EventConnection):
        def subscribe(self, on_bytes: Callable[[int], None]) -> AbstractAsyncContextManager[Feed]:
            return OpenCode(http).subscribe(on_bytes)

        async def fetch_all(self) -> Sequence[Event]:
            return ()

        def apply(self, event: Event) -> None:
            nonlocal count
            count += 1
            store.apply(event)
            if isinstance(event, StreamLost):
                ended.set()

        def on_change(self) -> None:
            pass

    link = Reading(ConnectionMonitor(), Clocks())
    task = asyncio.create_task(link.run())
    await ended.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await http.close()
    return count


def _cpu(read: Callable[[], Awaitable[int]], count: int) -> float:
    """CPU seconds per event. Raises `RuntimeError` if fewer than half of `count` events arrive."""

    async def reading() -> float:
        before = time.process_time()
        read_in = await read()
        spent = time.process_time() - before
        if read_in < count / 2:
            raise RuntimeError(f"of {count} events only {read_in} came through")
        return spent / count

    return asyncio.run(reading())
