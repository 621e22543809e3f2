"""Child processes of a test: their environment, how they are watched, and how they are reliably ended."""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import MAX_WAIT


def clean_environment(home: Path) -> dict[str, str]:
    """The environment that a program needs, with all its files under `home`, and none of the developer's settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }


def free_port() -> int:
    """A currently free TCP port of 127.0.0.1. Another program may take it before it is used."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def running(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in its own process group, stdin and stdout as pipes, stderr in `log`; then kill the whole group.

    The pipe to it breaks when the test run is killed: a program that watches it exits then as well.
    """
    with log.open("ab") as errors:
        process = subprocess.Popen(
            command,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            end_group(process.pid)


def end_group(leader: int) -> None:
    """Kill all remaining processes of the group of `leader`."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all of them have exited by themselves


def read_line(process: subprocess.Popen[bytes], *, within: float = MAX_WAIT, beginning: bytes = b"") -> str:
    """The first complete line of the process's stdout with this prefix; AssertionError after `within` seconds."""
    assert process.stdout is not None
    deadline = time.monotonic() + within
    seen = b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        piece = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not piece:
            raise AssertionError(f"{process.args!r} said {seen!r} and no line {beginning!r} in {within:g} s")
        seen += piece
        for line in seen.splitlines(keepends=True):
            if line.startswith(beginning) and line.endswith(b"\n"):
                return line.decode().strip()
