"""Schedules of faults between the client and a real server, which is killed for all of them together.

They run concurrently with one server, in real time; each has its own session, relay and journal.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from server_stub.faults.kinds import Fault
from tests.chaos import invariants
from tests.chaos.schedule import draw_for_real
from tests.chaos.simulation import Simulation, outcome
from tests.chaos.stub_server import TOKEN
from tests.real.server import RealServer
from tests.waiting import wait_until

pytestmark = pytest.mark.real

SCHEDULES = 30
"""Schedules of each family, from the seed that `--real-first` names."""
AT_ONCE = {"opencode": 30, "qwen": 8, "mimo": 30}
"""qwen serve takes seconds to start each session."""
BATCHES = [(family, at) for family, size in AT_ONCE.items() for at in range(0, SCHEDULES, size)]
"""A family, and the number of schedules before this batch."""
KILLED_AT = (6.0, 16.0)
"""Seconds from the start; a restart takes about 3."""
NEWEST = re.compile(rf"({TOKEN.pattern})\Z")
"""qwen sends an unanswered prompt to the model again, in one message with the next."""
CALM_FOR = 20.0


class Shared:
    """A real server for a scene; the time of its kill is decided for all scenes together."""

    def __init__(self, server: RealServer) -> None:
        self._server = server
        self.port = urlsplit(server.address).port or 0
        self.up = True

    @property
    def runs(self) -> Mapping[str, int]:
        """By the token of the prompt: how often the model was called, not counting calls after a tool's result."""
        first = [asked.prompt for asked in self._server.model_log() if not asked.results]
        return Counter(newest[1] for prompt in first if (newest := NEWEST.search(prompt)))

    @property
    def dropped_texts(self) -> Set[tuple[str, str]]:
        """No fault of its schedules makes it drop events on a live stream."""
        return set()

    @property
    def begun(self) -> Sequence[tuple[float, str]]:
        """It does not report what is running when an abort arrives."""
        return ()

    aborted = begun

    def crash(self) -> None:
        self.up = False
        self._server.kill()

    async def restart(self) -> None:
        await asyncio.to_thread(self._server.restart)
        self.up = True

    def arm(self, fault: Fault) -> None:
        raise NotImplementedError("a real server has no faults to arm")

    def disarm(self, fault: Fault) -> None:
        raise NotImplementedError("a real server has no faults to arm")

    def disarm_all(self) -> None:
        """There are none."""


@pytest.mark.parametrize(("family", "before"), BATCHES)
async def test_nothing_is_lost_and_the_screen_matches_the_server(
    family: str, before: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = Shared(request.getfixturevalue(f"{family}_alone"))
    first: int = request.config.getoption("--real-first")
    numbers = range(before, min(before + AT_ONCE[family], SCHEDULES))
    scenes = [scene_of(first + number, number, family, server, tmp_path) for number in numbers]
    await settled(scenes)
    await asyncio.gather(killing(server, scenes), *(simulation.run_scenario() for simulation in scenes))
    found = await asyncio.gather(*(judged(simulation) for simulation in scenes))
    assert not any(found), "\n".join(differences for differences in found if differences)
    assert server.runs, "no prompt came to the model"


def scene_of(seed: int, number: int, family: str, server: Shared, tmp_path: Path) -> Simulation:
    folder = tmp_path / f"journal-{seed}"
    folder.mkdir()
    name = chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
    return Simulation(draw_for_real(seed, family), server, folder, name=name, calm_for=CALM_FOR)


async def settled(scenes: list[Simulation]) -> None:
    """Create all sessions, which takes qwen long; every other session has a message, and survives its server."""
    await asyncio.gather(*(simulation.user.start_client() for simulation in scenes))
    spoken = [simulation.user for simulation in scenes[::2]]
    for user in spoken:
        user.send("PLAIN", queued=True)
    await wait_until(
        lambda: all(sent.turn and sent.turn.over for user in spoken for sent in user.sent.values()),
        within=60,
        what="the first answers",
    )


async def killing(server: Shared, scenes: list[Simulation]) -> None:
    loop = asyncio.get_running_loop()
    start = loop.time()
    for at in KILLED_AT:
        await asyncio.sleep(start + at - loop.time())  # the schedule's own times, as in each scene
        server.crash()
        for simulation in scenes:
            simulation.user.on_server_restart()
            simulation.user.relay.refuse()
        await server.restart()
        for simulation in scenes:
            if simulation.user.present:
                simulation.user.relay.accept()


async def judged(simulation: Simulation) -> str:
    try:
        found = await outcome(simulation)
    except AssertionError as failure:
        found = [str(failure)]
    await simulation.end()
    found += invariants.nothing_broke(simulation.user, [])
    return "\n".join(["", *found, str(simulation.schedule)]) if found else ""
