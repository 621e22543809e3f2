"""Time to reconnect after an outage: with the focus, on gaining the focus, and on F5.

A relay between client and stub drops the connection for a few seconds. The clock starts when the relay accepts
connections again; the user's action is sent at that time.
"""

import asyncio
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from benchmarks.programs import bench_stub, connected
from benchmarks.recording import Recording
from benchmarks.table import Row, at_most
from tests.chaos.relay import Relay

TARGET = 1.0
ACTS = {"the terminal has the focus": None, "it gets the focus": "focus in", "F5": "f5"}
"""The user's actions and their keys; None: no action."""
PROOF = 2.5
"""Seconds (two heartbeats) of connection before each outage: short connections increase the client's backoff."""
STEP = 0.25
"""Seconds by which each outage is longer than the previous one, to vary its phase relative to the retries."""


def rows(runs: int = 3, outage: float = 4.0) -> list[Row]:
    """The slowest reconnect of `runs` outages of at least `outage` seconds, per action."""
    found: dict[str, list[float]] = {act: [] for act in ACTS}
    with bench_stub() as (stub, home), line_to(stub.address) as line:
        config = {"server": {"event_stream": {"heartbeat_ms": 1000}}}
        stub.http.patch("/global/config", json=config).raise_for_status()
        with connected(line.address, home) as recording:
            for run in range(runs):
                for act, key in ACTS.items():
                    recording.press("focus out" if key else "focus in")
                    found[act].append(_recover(recording, line, outage + run * STEP, key))
    return [
        at_most(
            f"live again after an outage, {act}",
            max(times),
            TARGET,
            "s",
            beside=f"median {statistics.median(times):.2f} s",
        )
        for act, times in found.items()
    ]


def _recover(recording: Recording, line: "Line", outage: float, key: str | None) -> float:
    recording.moment(lambda screen: "↻" not in "".join(screen.display), quiet=0.0)
    time.sleep(PROOF)
    line.drop()
    recording.wait_for("↻ lost")
    time.sleep(outage)
    line.restore()
    returned = time.perf_counter()
    if key is not None:
        recording.press(key)
    return recording.wait_for("● live") - returned


class Line:
    """A relay that runs in the event loop of another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, relay: Relay) -> None:
        self._loop = loop
        self._relay = relay

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._relay.port}"

    def drop(self) -> None:
        """Refuse new connections and reset open ones."""
        self._do(self._relay.refuse)
        self._do(lambda: self._relay.sever("reset"))

    def restore(self) -> None:
        self._do(self._relay.accept)

    def close(self) -> None:
        self._do(self._relay.close)

    def _do(self, act: Callable[[], None]) -> None:
        async def once() -> None:
            act()

        asyncio.run_coroutine_threadsafe(once(), self._loop).result(timeout=5)


@contextmanager
def line_to(address: str) -> Iterator[Line]:
    """A relay to the server at `address` that accepts connections."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
    thread.start()
    line = Line(loop, Relay(urlsplit(address).port or 80))
    line.restore()
    try:
        yield line
    finally:
        line.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()
