"""Time until `holdfast run` posts its prompt.

Spawns of the command and of `python -c "import httpx"` alternate, after one warm-up each. The clock starts at the
spawn; a relay in front of the stub notes when the POST of the prompt arrives.
"""

import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from benchmarks.programs import bench_stub
from benchmarks.table import Row, at_most, at_most_times
from tests.processes import clean_environment

TARGET, WITHIN = 1.5, 0.25
IMPORT_HTTPX = (sys.executable, "-c", "import httpx")


class PostClock(ThreadingTCPServer):
    """A relay to a port of 127.0.0.1 that notes the times of prompts."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.upstream = upstream
        self.posted: list[float] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Relay(BaseRequestHandler):
    server: PostClock

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as upstream:
            for end in (upstream, self.request):  # else each small piece waits 40 ms for an acknowledgement
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_copy, args=(upstream, self.request, lambda data: None), daemon=True).start()
            _copy(self.request, upstream, self._note)

    def _note(self, data: bytes) -> None:
        if data.startswith(b"POST /session/") and b"/message" in data.partition(b"\r\n")[0]:
            self.server.posted.append(time.perf_counter())


def _copy(source: socket.socket, target: socket.socket, note: Callable[[bytes], None]) -> None:
    try:
        while data := source.recv(65536):
            note(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # either side is gone


def rows(runs: int = 12) -> list[Row]:
    """The medians of `runs` starts, beside the import of httpx."""
    ours: list[float] = []
    beside: list[float] = []
    with bench_stub() as (stub, home):
        clock = PostClock(int(stub.address.rpartition(":")[2]))
        command = (str(Path(sys.executable).with_name("holdfast")), "run", "PLAIN", clock.address)
        for run in range(runs + 1):
            imported = _seconds(IMPORT_HTTPX, home)
            began = time.perf_counter()
            subprocess.run(
                command,
                env=clean_environment(home),
                cwd=home,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
            )
            if run:
                beside.append(imported)
                ours.append(clock.posted[-1] - began)
        clock.shutdown()
        clock.server_close()
    median = statistics.median(ours)
    return [
        at_most_times("run: spawn to POST", median, statistics.median(beside), TARGET, "s", beside="import httpx"),
        at_most("run: spawn to POST", median, WITHIN, "s"),
    ]


def _seconds(command: tuple[str, ...], home: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=clean_environment(home), cwd=home, stdin=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began
