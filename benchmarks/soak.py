"""Checks that the client's memory stays constant during one long turn.

Simulated: two hours of a turn that waits for an answer, with padding every half minute, in virtual time over real
sockets. Real: the command in a terminal, with a question open for eight minutes, then two minutes of a running
turn. Memory is the process's resident set size, from /proc (Linux only), after a warm-up.
"""

import asyncio
import gc
import tempfile
import time
from contextlib import closing
from pathlib import Path

import click

from server_stub.domain.profiles import PROFILES
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.conftest import COMMAND
from tests.end_to_end.stub import running_stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment
from tests.waiting import wait_until
from tui.client.client import Client
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.clocks import Clocks
from tui.net.http_client import Http

ALLOWED = 5.0
"""Maximum change of memory in megabytes."""
SAMPLE = 15.0


def resident(pid: int | str) -> float:
    """The resident set size of the process in megabytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has no VmRSS")


def simulated(hours: float) -> tuple[Turn, list[float]]:
    """Run a turn of `hours` in virtual time; returns it and this process's memory every ten virtual minutes."""
    return run(lambda loop: _held(loop, hours * 3600))


async def _held(loop: VirtualTime, seconds: float) -> tuple[Turn, list[float]]:
    epoch = time.time()
    server = StubServer(PROFILES["opencode-padded"], epoch)
    server.start()
    address = f"http://127.0.0.1:{server.port}"
    clocks = Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5)
    client = Client(address, lambda user: Http(address), clocks=clocks)
    client.start()
    try:
        await wait_until(lambda: client.connection_status().up and client.traits, what="the line")
        session = await client.new_session("soak")
        await client.open_session(session.id)
        turn = client.prompts.send_now(session.id, "ASK1")
        await wait_until(lambda: client.store.requests, what="the question")
        memory = []
        for _ in range(int(seconds / 600)):
            await asyncio.sleep(600)
            gc.collect()
            memory.append(resident("self"))
        (request,) = client.store.requests.values()
        client.answer(request, (("Postgres",),))
        await wait_until(lambda: turn.over, what="the end")
    finally:
        await client.close()
        await server.close()
    return turn, memory


def real(minutes: float, open_for: float) -> list[float]:
    """The command's memory every `SAMPLE` seconds, during an open question and a running turn after it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with (
            running_stub(home / "stub") as stub,
            closing(Terminal((COMMAND, stub.address), env=clean_environment(home), cwd=home)) as client,
        ):
            client.wait_for("live")
            client.type("ASK1 for a soak")
            client.press("enter")
            client.wait_for("needs your answer")
            memory = _watch(client.pid, open_for * 60)
            client.wait_for("Postgres")
            client.press("enter")
            client.wait_for("finished", within=30)
            client.type("LONG job")
            client.press("enter")
            return memory + _watch(client.pid, (minutes - open_for) * 60)


def _watch(pid: int, seconds: float) -> list[float]:
    memory, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(SAMPLE)
        memory.append(resident(pid))
    return memory


def spread(memory: list[float], warm_up: int) -> float:
    """The difference in megabytes between maximum and minimum after the first `warm_up` samples."""
    later = memory[warm_up:]
    return max(later) - min(later)


@click.command()
@click.option("--hours", default=2.0, show_default=True, help="Of the simulated turn.")
@click.option("--minutes", default=10.0, show_default=True, help="Of the real one; its question is open for 80 %.")
def main(hours: float, minutes: float) -> None:
    """Hold one turn for long, simulated and real, and say how the client's memory moved."""
    began = time.monotonic()
    turn, memory = simulated(hours)
    moved = spread(memory, 1)
    print(
        f"simulated  {hours:g} h in {time.monotonic() - began:.0f} s: {turn.state.value}, "
        f"{turn.post.padding_bytes} pads"
    )
    print(f"           memory {memory[0]:.1f} → {memory[-1]:.1f} MB, moved by {moved:.1f} (at most {ALLOWED:g})")
    rose = spread(memory := real(minutes, 0.8 * minutes), 2)
    print(f"real       {minutes:g} min, a question open for {0.8 * minutes:g}")
    print(f"           memory {memory[0]:.1f} → {memory[-1]:.1f} MB, moved by {rose:.1f} (at most {ALLOWED:g})")
    if turn.state is not TurnState.FINISHED or max(moved, rose) > ALLOWED:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
