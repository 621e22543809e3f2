"""How soon the client is live again once the line is back: as somebody looks at it, or acts.

A relay between client and stub drops the line for a few seconds. The clock starts when it lets connections through
again, and the person acts at that moment, or does nothing.
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
"""What the person does, and by which key."""
PROOF = 2.5
"""Seconds, two beats, that the line is up before it is lost: one that never lasts is tried less and less often."""
STEP = 0.25
"""Seconds by which each outage is longer than the one before: tries come in a rhythm of their own."""


def rows(runs: int = 3, outage: float = 4.0) -> list[Row]:
    """The slowest of so many losses of the line, each so many seconds long."""
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
            f"live again after the line's return, {act}",
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
    """A relay in a loop of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop, relay: Relay) -> None:
        self._loop = loop
        self._relay = relay

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._relay.port}"

    def drop(self) -> None:
        """Nothing comes through, and what was open is reset."""
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
    """A line to the server at `address`, up."""
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
