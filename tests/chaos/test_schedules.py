"""After each schedule of faults nothing is lost or duplicated, and the screen matches the server."""

import asyncio
import gc
import os
import time
from dataclasses import replace
from pathlib import Path

from server_stub.domain.profiles import PROFILES
from tests.chaos import invariants
from tests.chaos.schedule import Schedule
from tests.chaos.simulation import Simulation, outcome
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run

RING = 20
"""Events that a server keeps for reconnecting clients: few enough that schedules exceed them."""


def test_nothing_is_lost_and_the_screen_matches_the_server(schedule: Schedule, tmp_path: Path) -> None:
    files = open_files()
    folder = tmp_path / "journal"
    folder.mkdir()

    async def run_scenario(loop: VirtualTime) -> list[str]:
        profile = replace(PROFILES[schedule.profile], event_ring=RING, late_events=schedule.late_events)
        server = StubServer(profile, time.time() + schedule.skew)
        server.start()
        simulation = Simulation(schedule, server, folder)
        try:
            await simulation.run_scenario()
            found = await outcome(simulation)
        except AssertionError as failure:
            found = [str(failure)]
        await simulation.end()
        await server.close()
        await asyncio.sleep(1.0)  # virtual time: closed connections are reported in the next rounds of the loop
        found += [f"a task is left over: {task}" for task in asyncio.all_tasks() - {asyncio.current_task()}]
        return [*found, *invariants.nothing_broke(simulation.user, loop.broken)]

    differences = run(run_scenario)
    gc.collect()
    differences += [f"open since then: {name}" for name in open_files() - files]
    again = f"pytest tests/chaos --seed={schedule.seed} --profile={schedule.profile}"
    assert not differences, "\n".join(["", *differences, str(schedule), f"again: {again}"])


def open_files() -> set[str]:
    """Every open file and socket of this process, by number and name."""
    found = set()
    for number in os.listdir("/dev/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/dev/fd/{number}')}")
        except OSError:
            continue  # the listing itself
    return found
