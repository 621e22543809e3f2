"""Runs one schedule: a server, a relay, a user at a client, another client, and all faults."""

import asyncio
import random
from collections.abc import Coroutine, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Protocol, assert_never

import httpx

from server_stub.faults.kinds import Fault, parse
from tests.chaos import invariants
from tests.chaos import schedule as s
from tests.chaos.families import FAMILIES
from tests.chaos.server_record import ServerRecord
from tests.chaos.stub_server import ELSEWHERE
from tests.chaos.user import SimulatedUser
from tests.chaos.virtual_time import VirtualTime
from tests.waiting import MAX_WAIT, wait_until
from tui.core.connection_status import ConnectionState
from tui.core.model import Idle, QuestionRequest
from tui.core.turn_state import TurnState

CALM_FOR = 40.0
"""Seconds without any change until the system counts as idle: longer than the longest backoff."""
IDLE_AFTER = 900.0
LOOKS = 2.0


class NotQuiescent(AssertionError):
    """Activity does not end after all faults are over."""


class Server(Protocol):
    """What a scene requires of a server. A crash loses what a process loses and nothing else."""

    port: int

    @property
    def up(self) -> bool: ...
    @property
    def runs(self) -> Mapping[str, int]:
        """How often the model started to answer the prompt with this token."""

    @property
    def dropped_texts(self) -> Set[tuple[str, str]]:
        """Message and part of each text of which the server silently dropped events."""

    @property
    def begun(self) -> Sequence[tuple[float, str]]:
        """When the model started to answer a prompt of the session itself, and the prompt."""

    @property
    def aborted(self) -> Sequence[tuple[float, str]]:
        """For each abort by the user that found something running: when it was sent, and what ran."""

    def crash(self) -> None: ...
    async def restart(self) -> None: ...
    def arm(self, fault: Fault) -> None: ...
    def disarm(self, fault: Fault) -> None: ...
    def disarm_all(self) -> None: ...


class Simulation:
    """`folder` holds the client's journal, `name` is in the token of each prompt. The server is already running."""

    def __init__(
        self, schedule: s.Schedule, server: Server, folder: Path, *, name: str = "", calm_for: float = CALM_FOR
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.schedule = schedule
        self.server = server
        self.family = FAMILIES[schedule.profile]
        self.user = SimulatedUser(server.port, self.family, random.Random(schedule.seed), folder, name)
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=MAX_WAIT)
        self._second_client = self.family.second_client(self.http)
        self._calm_for = calm_for
        self._others = 0
        self._background_tasks: set[asyncio.Task[None]] = set()

    async def run_scenario(self) -> None:
        """Start the client if needed, run all steps at their times, then end all faults."""
        if not self.user.present:
            await self.user.start_client()
        start = self.loop.time()
        for at, step in self.schedule.steps:
            await asyncio.sleep(max(0.0, start + at - self.loop.time()))
            self._act(step)
        ended = await asyncio.gather(*self._background_tasks, return_exceptions=True)
        failed = [repr(one) for one in ended if one is not None]
        assert not failed, f"steps could not be played to their end: {failed}"
        self.server.disarm_all()
        self.user.relay.calm()

    async def rest(self, *, answering: bool) -> ServerRecord:
        """Wait until the system is idle; returns the server's state then. Raises NotQuiescent."""
        deadline = self.loop.time() + IDLE_AFTER
        calm_since = self.loop.time()
        while self.loop.time() - calm_since < self._calm_for:
            if self.loop.time() > deadline:
                raise NotQuiescent(self.picture())
            await asyncio.sleep(LOOKS)
            client = self.user.client
            abort = client.aborts.progress(self.user.session_id)
            stopped = client.connection_status().state is ConnectionState.STOPPED or (
                abort is not None and abort.state == "stopped"
            )
            if stopped:
                self.user.retry_now()
            if answering:
                self.user.answer_all()
                self.user.release_queue()
            if not self._calm(answering):
                calm_since = self.loop.time()
        return await self.family.ask(self.http, self.user.session_id)

    def _calm(self, answering: bool) -> bool:
        """While requests wait for the user, aborts and prompts may wait too: for the end of another turn."""
        client = self.user.client
        store = client.store
        requests = store.requests_of(self.user.session_id)
        waiting = bool(requests) and not answering
        abort = client.aborts.progress(self.user.session_id)
        family = store.session_tree(self.user.session_id)
        return (
            client.connection_status().up
            and not self.user.under_way()
            and (abort is None or (waiting and abort.state == "unsent"))
            and not (answering and self.user.has_more_to_send())
            and (waiting or not requests)
            and (waiting or all(isinstance(store.status(one), Idle) for one in family))
            and all(
                waiting and (turn.state is TurnState.WAITING or client.turns.waits_for_abort(turn))
                for turn in client.turns.running()
            )
        )

    def picture(self) -> str:
        """The client's current state, one line each."""
        client = self.user.client
        line = client.connection_status()
        lines = [
            f"line {line.state.value} {line.reason}",
            *(f"turn {turn.prompt_id} {turn.state.value}: {turn}" for turn in client.turns.running()),
            *(f"request {request}" for request in client.store.requests_of(self.user.session_id)),
            *(f"answer to {one.request.id}: {one.states}" for one in self.user.given.values()),
            *(f"status of {one}: {client.store.status(one)}" for one in client.store.sessions),
        ]
        return "does not come to rest\n" + "\n".join(lines)

    async def end(self) -> None:
        """Close everything, whatever has happened."""
        await self.user.killed()
        await self.http.aclose()
        for relay in self.user.relays:
            relay.close()

    def _act(self, step: s.Step) -> None:
        user, server = self.user, self.server
        match step:
            case s.Send() | s.Answer() | s.Abort() | s.RetryNow() if not user.present:
                pass
            case s.Send(words, queued):
                user.send(words, queued=queued)
            case s.Answer(dismiss):
                user.answer_next_request(dismiss=dismiss)
            case s.Abort():
                user.abort()
            case s.RetryNow():
                user.retry_now()
            case s.OtherSends() | s.OtherAnswers() | s.OtherAborts():
                self._run(self._other(step))
            case s.BothAnswer(lead):
                self._run(self._both_answer(lead))
            case s.Sever(how, which):
                user.relay.sever(how, which)
            case s.CutAfter(count, which):
                user.relay.cut_after(count, which)
            case s.Stall(seconds, which):
                user.relay.stall(which)
                self._later(seconds, user.relay.flow)
            case s.Refuse(seconds):
                user.relay.refuse()
                self._run(self._accept_after(seconds))
            case s.Latency(seconds, each):
                user.relay.latency = each
                self._later(seconds, user.relay.calm)
            case s.Crash(down, torn_write):
                self._run(self._crash(down, torn_write))
            case s.AgentDies():
                self._arm("agent-crash")
                user.on_agent_exit()
            case s.StubFault(fault, seconds):
                armed = self._arm(fault)
                self._later(seconds, lambda: server.disarm(armed))
            case s.KillClient(away):
                self._run(self._kill_client(away))
            case s.ClockJump(seconds):
                user.clock_jumps(seconds)
            case s.Freeze(seconds):
                assert isinstance(self.loop, VirtualTime), "only a clock that jumps can"
                user.acts.append(self.loop.time())
                self.loop.skip(seconds)
                user.acts.append(self.loop.time())
            case _:
                assert_never(step)

    def _arm(self, fault: str) -> Fault:
        armed = parse(fault)
        if armed.name not in self.family.unsupported_faults:
            self.server.arm(armed)
        return armed

    async def _crash(self, down: float, torn_write: float) -> None:
        if torn_write:
            self._arm("torn-write")
            await asyncio.sleep(torn_write)
        if not self.server.up:
            return
        self.server.crash()
        self.user.on_server_restart()
        self.user.relay.refuse()
        await asyncio.sleep(down)
        await self.server.restart()
        if self.user.present:
            self.user.relay.accept()

    async def _accept_after(self, seconds: float) -> None:
        relay = self.user.relay
        await asyncio.sleep(seconds)
        if relay is self.user.relay and self.user.present and self.server.up:
            relay.accept()

    async def _kill_client(self, away: float) -> None:
        if not self.user.present:
            return
        await self.user.killed()
        await asyncio.sleep(away)
        await self.user.start_client()

    async def _other(self, step: s.OtherSends | s.OtherAnswers | s.OtherAborts) -> None:
        """Another client on its own undisturbed connection, without retries."""
        try:
            match step:
                case s.OtherSends(words):
                    self._others += 1
                    text = f"{words} {ELSEWHERE}, {self._others})"
                    await self._second_client.send(self.user.session_id, text)
                case s.OtherAnswers():
                    await self._second_client.answer_oldest(self.user.session_id)
                case s.OtherAborts():
                    await self._second_client.abort(self.user.session_id)
        except httpx.HTTPError:
            return

    async def _both_answer(self, lead: float) -> None:
        request = await self.user.asked()
        if request is None:
            return
        questions = len(request.questions) if isinstance(request, QuestionRequest) else 0
        if lead >= 0:
            other = asyncio.ensure_future(self._other_replies(request.session_id, request.id, questions))
            await asyncio.sleep(lead)
            if self.user.present:
                self.user.answer(request, dismiss=False)
        else:
            self.user.answer(request, dismiss=False)
            await asyncio.sleep(-lead)
            other = asyncio.ensure_future(self._other_replies(request.session_id, request.id, questions))
        await other

    async def _other_replies(self, session_id: str, request_id: str, questions: int) -> None:
        """To a question of this many parts, or (0) to a permission."""
        try:
            await self._second_client.answer(session_id, request_id, questions)
        except httpx.HTTPError:
            return

    def _later(self, seconds: float, undo: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            undo()

        self._run(wait())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """A failed one is kept for `run_scenario` to raise."""
        if not task.cancelled() and task.exception() is None:
            self._background_tasks.discard(task)


async def outcome(simulation: Simulation) -> list[str]:
    """Wait for idle twice, first before the open requests are answered; returns the violated invariants."""
    user = simulation.user
    early = await simulation.rest(answering=False)
    found = [f"while requests wait: {one}" for one in invariants.hold_when_idle(user, early)]
    found += invariants.no_aborted_turn_runs_on(user, early)
    late = await simulation.rest(answering=True)
    found += invariants.hold_when_idle(user, late)
    found += invariants.at_the_end(
        user,
        late,
        simulation.server.runs,
        simulation.family,
        aborts=simulation.schedule.aborts,
        others_abort=simulation.schedule.others_abort,
        deaths=simulation.schedule.deaths,
        dropped_texts=simulation.server.dropped_texts,
    )
    found += invariants.aborts_end_only_their_turn(user, simulation.server.begun, simulation.server.aborted)
    await user.leave()
    await wait_until(lambda: not any(relay.connections for relay in user.relays), what="connections to close")
    return found
