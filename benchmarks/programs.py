"""The measured programs: the client, an empty Textual application, and the stub server."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from benchmarks.recording import Recording
from tests.conftest import COMMAND
from tests.end_to_end.stub import Stub, running_stub
from tests.processes import clean_environment

EMPTY_APP = (sys.executable, "-c", "from textual.app import App; App().run()")
TICKING_APP = (sys.executable, str(Path(__file__).with_name("ticking_app.py")))
TURN_BEGINS = 60.0
"""Seconds within which a sent prompt must start its turn."""
ASK_EVERY = 0.1
"""Seconds between two polls of the server for running turns."""


@contextmanager
def bench_stub() -> Iterator[tuple[Stub, Path]]:
    """A running stub, and an empty home folder for its clients."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        with running_stub(home / "stub") as stub:
            yield stub, home


def client(address: str, home: Path, *args: str) -> Recording:
    """Spawn Holdfast in a terminal."""
    return Recording((COMMAND, address, *args), env=clean_environment(home), cwd=home)


def connected(address: str, home: Path, *args: str) -> Recording:
    """Spawn Holdfast in a terminal and wait until it is connected."""
    recording = client(address, home, *args)
    recording.wait_for("● live")
    return recording


def prompt(recording: Recording, text: str) -> float:
    """Type a prompt into Holdfast and send it; returns the time of sending."""
    recording.type(text)
    recording.wait_for(f"› {text}")
    recording.press("enter")
    return time.perf_counter()


def session_with(http: httpx.Client, words: str) -> str:
    """Create a session with a finished turn of the stub script `words`; returns its id."""
    session: str = http.post("/session", json={}).json()["id"]
    parts = [{"type": "text", "text": words}]
    http.post(f"/session/{session}/message", json={"parts": parts}, timeout=120).raise_for_status()
    return session


class Turns:
    """Detects running turns on the server, in the directories of its newest sessions."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def running(self) -> bool:
        sessions = self._http.get("/experimental/session", params={"limit": 5}).json()
        places = {session["directory"] for session in sessions}
        return any(
            self._http.get("/session/status", headers={"x-opencode-directory": place}).json() for place in places
        )

    def wait_for_begin(self) -> None:
        """Wait until a turn runs. Raises `TimeoutError` after `TURN_BEGINS` seconds."""
        self._wait(running=True, within=TURN_BEGINS)

    def wait_for_one(self, *, within: float) -> None:
        """Wait until a turn has started and ended. Raises `TimeoutError`."""
        self.wait_for_begin()
        self._wait(running=False, within=within)

    def _wait(self, *, running: bool, within: float) -> None:
        deadline = time.monotonic() + within
        while self.running() is not running:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no turn has {'begun' if running else 'ended'} in {within:g} s")
            time.sleep(ASK_EVERY)
