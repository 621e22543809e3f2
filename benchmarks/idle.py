"""What the client costs while nothing happens: CPU time of `holdfast ADDRESS`, connected, over half a minute.

An empty Textual application in a terminal of the same size runs beside it, at the same time. The server is the
stub, with its heartbeats as in ordinary use. CPU time is what the kernel has counted for the process and all its
threads, user and system. Linux only: it is read from /proc.
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import click

from tests.conftest import COMMAND
from tests.end_to_end.stub import running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment

TARGET = 1.0
"""Per cent of one core."""
EMPTY_APP = (sys.executable, "-c", "from textual.app import App; App().run()")
SETTLE = 5.0
"""Seconds that both are left alone before the measurement begins."""


def cpu_seconds(pid: int) -> float:
    """CPU time that the process has used so far, in all its threads."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@click.command()
@click.option("--seconds", default=30.0, show_default=True, help="How long to watch.")
def main(seconds: float) -> None:
    """Measure the CPU time of the connected, idle client beside that of an empty Textual application."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)

        def start(command: Sequence[str]) -> Terminal:
            return Terminal(command, env=clean_environment(home), cwd=home)

        with (
            running_stub(home / "stub") as stub,
            closing(start(EMPTY_APP)) as empty,
            closing(start((COMMAND, stub.address))) as client,
        ):
            client.wait_for("live")
            time.sleep(SETTLE)
            before = [(cpu_seconds(terminal.pid), len(terminal.raw)) for terminal in (empty, client)]
            time.sleep(seconds)
            after = [(cpu_seconds(terminal.pid), len(terminal.raw)) for terminal in (empty, client)]
    print(f"idle over {seconds:g} s")
    print(f"{'':12}{'CPU, % of a core':>18}{'bytes drawn':>14}")
    shares = [100 * (late[0] - early[0]) / seconds for early, late in zip(before, after, strict=True)]
    for name, share, early, late in zip(("empty app", "holdfast"), shares, before, after, strict=True):
        print(f"{name:12}{share:18.2f}{late[1] - early[1]:14}")
    print(f"holdfast idle: {shares[1]:.2f} % (below {TARGET:g})")


if __name__ == "__main__":
    main()
