"""Runs with a key under faults, ended and started again: one prompt, and the result that the server has stored.

A seed draws the family, what the agent does, and the faults: cuts of the line, crashes of the server, and ends of the
client, each time followed by another run with the same key.
"""

import asyncio
import random
import time
from pathlib import Path

import httpx
import pytest

from server_stub.domain.profiles import PROFILES
from tests.chaos.families import FAMILIES
from tests.chaos.relay import How, Relay
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.waiting import MAX_WAIT
from tui.api import CannotConnect, Connection, Result
from tui.api.running_turn import OUTCOMES, whole_lines
from tui.client.client import Client
from tui.core.turn_state import TurnState
from tui.net.clocks import Clocks
from tui.net.credentials import BasicAuth
from tui.net.http_client import Http
from tui.storage.journal import Journal

TOKEN = "#run1;"
PROFILES_DRAWN = ("opencode", "opencode-padded", "mimo", "qwen")
SCRIPTS = ("TOOLS", "SLOW", "THINK", "SHELL made.txt", "ASK1", "FAIL 401", "RETRY 4")
CUTS: tuple[How, ...] = ("close", "reset", "half-open")
FAILED_ATTEMPT = "The store is kept in "
"""What the failed attempt of RETRY wrote. A qwen that has the session in memory replays it and the answer as one text,
without a mark between them; its stored transcript, which it reads once all clients have left, has only the answer
(measured on 0.24.4)."""
FAULTS_WITHIN = 25.0
"""Seconds in which the faults of a schedule happen."""
RUNS_AT_MOST = 12


class Schedule:
    """What one seed draws."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(f"run {seed}")
        self.profile = rng.choice(PROFILES_DRAWN)
        self.prompt = f"{rng.choice(SCRIPTS)} {TOKEN}"
        self.policy = rng.choice(["reject", "fail"])
        kinds = ["cut", "cut", "cut", "end", "end", "refuse", "crash"]
        times = sorted(rng.uniform(0, FAULTS_WITHIN) for _ in range(rng.randint(1, 6)))
        self.steps = [(at, rng.choice(kinds), rng.choice(CUTS)) for at in times]

    def __str__(self) -> str:
        steps = [f"  {at:6.2f} s  {kind} {how if kind == 'cut' else ''}" for at, kind, how in self.steps]
        return "\n".join([f"{self.profile}: {self.prompt} --on-request {self.policy}", *steps])


class Play:
    """One schedule: the server, the line, and the runs one after the other."""

    def __init__(self, schedule: Schedule, server: StubServer, folder: Path) -> None:
        self._schedule = schedule
        self._server = server
        self._folder = folder
        self._relay = Relay(server.port)
        self._relay.accept()
        self._attempt: asyncio.Task[Result] | None = None

    async def result(self) -> Result:
        """The result of the last run, after all faults."""
        faults = asyncio.create_task(self._faults())
        try:
            for _ in range(RUNS_AT_MOST):
                self._attempt = asyncio.create_task(self._run())
                await asyncio.wait([self._attempt])
                ended = not self._attempt.cancelled() and self._attempt.exception() is None
                if faults.done() and ended and self._attempt.result().outcome != "waiting":
                    return self._attempt.result()
                if not self._attempt.cancelled() and (error := self._attempt.exception()) is not None:
                    assert isinstance(error, CannotConnect), repr(error)
                await asyncio.sleep(3.0)
            raise AssertionError("no result after all runs")
        finally:
            faults.cancel()
            await asyncio.gather(faults, return_exceptions=True)
            self._relay.close()

    async def _run(self) -> Result:
        loop, address = asyncio.get_running_loop(), f"http://127.0.0.1:{self._relay.port}"
        host = {"host": f"127.0.0.1:{self._server.port}"}

        def wall() -> float:
            return 1_700_000_000.0 + loop.time()

        client = Client(
            address,
            lambda user: Http(address, credentials=BasicAuth(user, "secret"), headers=host),
            clocks=Clocks(loop.time, wall, asyncio.sleep, lambda: 0.5),
            journal=Journal(self._folder, address, wall=wall),
        )
        connection = Connection(client)
        try:
            await connection.open(within=60)
            policy = self._schedule.policy if loop.time() < FAULTS_WITHIN else "reject"
            return await connection.run(self._schedule.prompt, key="job", on_request=policy)  # type: ignore[arg-type]
        finally:
            await connection.close()

    async def _faults(self) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for at, kind, how in self._schedule.steps:
            await asyncio.sleep(max(0.0, start + at - loop.time()))
            if kind == "cut":
                self._relay.sever(how)
            elif kind == "end" and self._attempt is not None:
                self._attempt.cancel()
            elif kind == "refuse":
                self._relay.refuse()
                self._relay.sever("close")
                await asyncio.sleep(2.0)
                self._relay.accept()
            elif kind == "crash":
                self._server.crash()
                await asyncio.sleep(1.5)
                await self._server.restart()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = metafunc.config.getoption("--seed", default=None)
    count = metafunc.config.getoption("--schedules", default=200) // 4
    first = metafunc.config.getoption("--first", default=0)
    metafunc.parametrize("seed", chosen or range(first, first + count))


def test_result_is_what_the_server_has_stored(seed: int, tmp_path: Path) -> None:
    schedule = Schedule(seed)

    async def run_scenario(loop: VirtualTime) -> list[str]:
        server = StubServer(PROFILES[schedule.profile], time.time())
        server.start()
        http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=MAX_WAIT)
        try:
            result = await Play(schedule, server, tmp_path / "state").result()
            return [*await differences(result, schedule, http), *loop.broken]
        except AssertionError as failure:
            return [str(failure)]
        finally:
            await http.aclose()
            await server.close()
            await asyncio.sleep(1.0)  # virtual time: closed connections are reported in the next rounds of the loop

    found = run(run_scenario)
    again = f"pytest tests/chaos/test_run_schedules.py --seed={seed}"
    assert not found, "\n".join(["", *found, str(schedule), f"again: {again}"])


async def differences(result: Result, schedule: Schedule, http: httpx.AsyncClient) -> list[str]:
    """Where the result differs from the server's state."""
    server_record = await FAMILIES[schedule.profile].ask(http, result.session)
    prompts = server_record.prompts(TOKEN)
    if len(prompts) != 1:
        return [f"the server has the prompt {len(prompts)} times; {result}"]
    answers = server_record.answers(prompts[0].id)
    stored = "".join(whole_lines(words) for answer in answers for words in answer.words if words)
    texts = [stored]
    if schedule.profile == "qwen" and schedule.prompt.startswith("RETRY"):
        texts.append(FAILED_ATTEMPT + stored)
    found = [] if result.text in texts else [f"text {result.text!r}, the server has {texts}"]
    states = {state for state, outcome in OUTCOMES.items() if outcome == result.outcome}
    if result.outcome == "denied":
        states = {TurnState.FINISHED, TurnState.ABORTED}
    allowed = answers[-1].allowed_states if answers else {TurnState.INTERRUPTED, TurnState.CANCELLED, TurnState.FAILED}
    if not states & set(allowed):
        found.append(f"outcome {result.outcome} ({result.reason}), allowed {sorted(one.value for one in allowed)}")
    return found
