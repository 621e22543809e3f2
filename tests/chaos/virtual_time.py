"""An event loop with virtual time: an hour of sleep takes no real time.

Sockets are real and bytes travel through the kernel. Only when every task waits and no socket is ready does time jump
to the next timer. Each round of the loop takes a microsecond of this clock on any machine: no timeout fires because the
machine is slow, and a schedule runs the same way each time, except for the order in which the kernel reports sockets.
It supports programs that wait only on this loop: no threads, no child processes.
"""

import asyncio
import os
import selectors
import socket
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import pytest

T = TypeVar("T")

ROUND = 1e-6
STUCK = 30.0
"""Seconds without anything to wait for, or of processor time without a wait, until the loop raises an error."""


class _Jumping(selectors.DefaultSelector):
    """Reports ready sockets; if there are none, advances the clock by the timeout instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._jumped = time.thread_time()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._probe = socket.create_connection(listener.getsockname())
            self._echo, _ = listener.accept()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if time.thread_time() - self._jumped > STUCK:
            self._jumped = time.thread_time()  # cleanup code still needs the loop
            raise RuntimeError(f"something runs round and round without ever waiting, {self.now:.2f} s in")
        self.now += ROUND
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        self._flush()
        ready = super().select(0 if timeout is not None else STUCK)
        if ready:
            return ready
        self._jumped = time.thread_time()
        if timeout is None:
            raise RuntimeError("nothing is left to happen: every task waits for another")
        self.now += timeout
        return []

    def close(self) -> None:
        self._probe.close()
        self._echo.close()
        super().close()

    def _flush(self) -> None:
        """Wait until the kernel has delivered all written bytes: a byte sent now arrives after all others.

        On a busy machine that may take milliseconds, in which time must not jump past a timeout. The order holds for
        bytes sent by one processor: Linux keeps a queue for each.
        """
        self._probe.send(b".")
        self._echo.recv(1)


def _stay_on_one_processor() -> set[int]:
    """Pin this thread to one processor, a different one per pytest-xdist worker; returns the previous set."""
    if not hasattr(os, "sched_setaffinity"):  # not Linux
        return set()
    processors = os.sched_getaffinity(0)
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(processors)[worker % len(processors)]})
    return processors


class VirtualTime(asyncio.SelectorEventLoop):
    """`time()` starts at 0 and counts seconds of waiting. `broken` collects unhandled errors of tasks and callbacks."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        self.broken: list[str] = []
        self._processors = _stay_on_one_processor()
        self.set_exception_handler(self._take_down)

    def close(self) -> None:
        super().close()
        if self._processors:
            os.sched_setaffinity(0, self._processors)

    def time(self) -> float:
        return self._jumping.now

    def skip(self, seconds: float) -> None:
        """Let time pass in which nothing runs, as on a paused machine."""
        self._jumping.now += seconds

    def _take_down(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.broken.append(f"{context.get('message')}: {context.get('exception')!r}")


def run(main: Callable[[VirtualTime], Coroutine[Any, Any, T]]) -> T:
    """Run `main(loop)` on a new loop."""
    loops: list[VirtualTime] = []

    def make() -> VirtualTime:
        loops.append(VirtualTime())
        return loops[-1]

    with asyncio.Runner(loop_factory=make) as runner:
        runner.get_loop()
        return runner.run(main(loops[0]))


def loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The hook `pytest_asyncio_loop_factories` of a folder whose tests run on virtual time.

    A test that waits for threads or processes is marked `real_time`.
    """
    if item.get_closest_marker("real_time") is not None:
        return {"real": asyncio.new_event_loop}
    return {"virtual": VirtualTime}


class StubClock:
    """The stub's clock (`server_stub.domain.clock`) on such a loop, starting `epoch` seconds after 1970."""

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float) -> None:
        self._loop = loop
        self._epoch = epoch
        self._last = 0

    def now(self) -> int:
        """Strictly increasing at each call: where computing takes no time, order would be lost otherwise."""
        self._last = max(self._last + 1, round((self._epoch + self._loop.time()) * 1000))
        return self._last

    def after(self, seconds: float) -> int:
        return self.now() + round(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def ticks(self, rate: float) -> AsyncGenerator[None, None]:
        while True:
            await asyncio.sleep(1 / rate)
            yield
