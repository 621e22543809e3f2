"""The stub server as a separate process, with methods to arm faults."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import clean_environment, read_line, running
from tests.waiting import MAX_WAIT

USER = "opencode"
"""The user name that the stub's default profile accepts."""


@dataclass(frozen=True, slots=True)
class Stub:
    """A running stub server. `http` sends requests as a second client would."""

    address: str
    pid: int
    http: httpx.Client

    def arm(self, name: str, **options: object) -> int:
        """Arm a fault (`server_stub.faults.kinds`); returns the number that disarms it."""
        response = self.http.post("/_stub/faults", json={"name": name, **options})
        assert response.status_code == httpx.codes.CREATED, response.text
        number = response.json()["id"]
        assert isinstance(number, int)
        return number

    def disarm(self, number: int) -> None:
        assert self.http.delete(f"/_stub/faults/{number}").status_code == httpx.codes.NO_CONTENT

    def times_applied(self, number: int) -> int:
        """How often an armed fault was applied so far."""
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
    """Start `python -m server_stub` with its admin route and `home` for all its files; stop it afterwards."""
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
        with httpx.Client(base_url=address, auth=auth, trust_env=False, timeout=MAX_WAIT) as http:
            yield Stub(address, process.pid, http)
