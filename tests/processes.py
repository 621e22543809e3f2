"""Programs that a test runs beside itself: what they may see, how they are watched, how they surely end."""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import PATIENCE


def clean_environment(home: Path) -> dict[str, str]:
    """What a program needs to run, with all that it may keep under `home`, and nothing of the developer's."""
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
    """A TCP port of 127.0.0.1 that is free now. Another program may take it before its user does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port


@contextmanager
def running(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` in a process group of its own, stdin and stdout pipes, stderr in `log`; end the whole group.

    The pipe into it breaks when the test run is killed: a program that watches it ends then as well.
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
    """Kill every process of the group that `leader` leads, if any is left."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass  # all of them have ended by themselves


def read_line(process: subprocess.Popen[bytes], *, within: float = PATIENCE, beginning: bytes = b"") -> str:
    """The first whole line of the process's stdout that begins so; AssertionError after `within` seconds."""
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
