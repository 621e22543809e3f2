"""What is measured: the client, an empty application beside it, and the server that both may talk to."""

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
TURN_BEGINS = 60.0
"""Seconds within which a prompt that was sent must have begun its turn."""
ASK_EVERY = 0.1
"""Seconds between two questions to the server whether a turn has ended."""


@contextmanager
def bench_stub() -> Iterator[tuple[Stub, Path]]:
    """The stub, and an empty folder for those who talk to it."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        with running_stub(home / "stub") as stub:
            yield stub, home


def client(address: str, home: Path, *args: str) -> Recording:
    """Holdfast in a terminal, not connected yet."""
    return Recording((COMMAND, address, *args), env=clean_environment(home), cwd=home)


def connected(address: str, home: Path, *args: str) -> Recording:
    """Holdfast in a terminal, its line up."""
    recording = client(address, home, *args)
    recording.wait_for("● live")
    return recording


def prompt(recording: Recording, text: str) -> float:
    """Type a prompt into Holdfast and send it; the moment of that."""
    recording.type(text)
    recording.wait_for(f"› {text}")
    recording.press("enter")
    return time.perf_counter()


def session_with(http: httpx.Client, words: str) -> str:
    """A session in which a turn has already played `words`; its id."""
    session: str = http.post("/session", json={}).json()["id"]
    parts = [{"type": "text", "text": words}]
    http.post(f"/session/{session}/message", json={"parts": parts}, timeout=120).raise_for_status()
    return session


class Turns:
    """Whether a turn runs on the server, in any of its sessions' directories."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def running(self) -> bool:
        sessions = self._http.get("/experimental/session", params={"limit": 5}).json()
        places = {session["directory"] for session in sessions}
        return any(
            self._http.get("/session/status", headers={"x-opencode-directory": place}).json() for place in places
        )

    def wait_for_begin(self) -> None:
        """Return once a turn runs; TimeoutError when none does in time."""
        self._wait(running=True, within=TURN_BEGINS)

    def wait_for_one(self, *, within: float) -> None:
        """Return once a turn has begun and ended; TimeoutError when it does either not in time."""
        self.wait_for_begin()
        self._wait(running=False, within=within)

    def _wait(self, *, running: bool, within: float) -> None:
        deadline = time.monotonic() + within
        while self.running() is not running:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no turn has {'begun' if running else 'ended'} in {within:g} s")
            time.sleep(ASK_EVERY)
