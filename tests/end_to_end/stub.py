"""The stub server as a process of its own, and its faults at hand."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import clean_environment, read_line, running
from tests.waiting import PATIENCE

USER = "opencode"
"""Whom the stub's default profile asks the password of."""


@dataclass(frozen=True, slots=True)
class Stub:
    """A running stub server. `http` asks it what a second client would."""

    address: str
    pid: int
    http: httpx.Client

    def arm(self, name: str, **options: object) -> int:
        """Let something go wrong from now on (`server_stub.faults.kinds`); the number disarms it."""
        response = self.http.post("/_stub/faults", json={"name": name, **options})
        assert response.status_code == httpx.codes.CREATED, response.text
        number = response.json()["id"]
        assert isinstance(number, int)
        return number

    def disarm(self, number: int) -> None:
        assert self.http.delete(f"/_stub/faults/{number}").status_code == httpx.codes.NO_CONTENT

    def struck(self, number: int) -> int:
        """How often an armed fault has struck so far."""
        [times] = [
            fault["struck"] for fault in self.http.get("/_stub/faults").json()["faults"] if fault["id"] == number
        ]
        assert isinstance(times, int)
        return times


@contextmanager
def running_stub(
    home: Path,
    *,
    profile: str = "opencode-padded",
    env: Mapping[str, str] | None = None,
    args: Sequence[str] = (),
) -> Iterator[Stub]:
    """Start `python -m server_stub` with its admin route open and `home` for all it writes; end it after."""
    command = [sys.executable, "-m", "server_stub", "--profile", profile, "--admin", "--while-stdin", *args]
    home.mkdir(exist_ok=True)
    log = home / "stub.stderr"
    with running(command, env=clean_environment(home) | dict(env or {}), cwd=home, log=log) as process:
        try:
            address = read_line(process)
        except AssertionError as silent:
            silent.add_note(log.read_text())
            raise
        password = (env or {}).get("HOLDFAST_STUB_PASSWORD")
        auth = None if password is None else httpx.BasicAuth(USER, password)
        with httpx.Client(base_url=address, auth=auth, trust_env=False, timeout=PATIENCE) as http:
            yield Stub(address, process.pid, http)
