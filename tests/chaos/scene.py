"""One schedule, played: a server, a relay, the person at the client, somebody else, and all that befalls them."""

import asyncio
import random
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, assert_never

import httpx

from server_stub.faults import parse
from server_stub.profiles import PROFILES
from tests.chaos import schedule as s
from tests.chaos import truth
from tests.chaos.person import Person
from tests.chaos.stub_server import StubServer
from tests.chaos.truth import Truth
from tests.chaos.virtual_time import VirtualTime
from tui.core.health import LineState
from tui.core.model import Idle
from tui.core.turn import TurnState

CALM_FOR = 40.0
"""Seconds in which nothing may happen until the system counts as at rest: longer than the longest backoff."""
COMES_TO_REST = 900.0
LOOKS = 2.0


class NoRest(AssertionError):
    """Something goes on and on after all faults are over."""


class Scene:
    """`folder` holds the client's journal."""

    def __init__(self, loop: VirtualTime, schedule: s.Schedule, folder: Path) -> None:
        self.loop = loop
        self.schedule = schedule
        self.folder = folder
        self.server = StubServer(PROFILES[schedule.profile], time.time())
        self.somebody_else = 0
        self._errands: set[asyncio.Task[None]] = set()
        self._chance = random.Random(schedule.seed)

    async def begin(self) -> None:
        self.server.start()
        self.person = Person(self.server.port, self._chance, self.folder)
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.server.port}", trust_env=False, timeout=10)
        await self.person.sit_down()

    async def play(self) -> None:
        """All steps at their times, then the end of all faults."""
        start = self.loop.time()
        for at, step in self.schedule.steps:
            await asyncio.sleep(max(0.0, start + at - self.loop.time()))
            self._act(step)
        await asyncio.gather(*self._errands)
        self.server.disarm_all()
        self.person.relay.calm()

    async def rest(self, *, answering: bool) -> Truth:
        """Wait until nothing happens any more; what the server has then. Raises NoRest."""
        deadline = self.loop.time() + COMES_TO_REST
        calm_since = self.loop.time()
        while self.loop.time() - calm_since < CALM_FOR:
            if self.loop.time() > deadline:
                raise NoRest(self.picture())
            await asyncio.sleep(LOOKS)
            client = self.person.client
            if client.line().state is LineState.STOPPED:
                self.person.retry_now()
            if answering:
                self.person.answer_all()
                self.person.release_queue()
            if not self._calm(answering):
                calm_since = self.loop.time()
        return await truth.ask(self.http, self.person.session_id)

    def _calm(self, answering: bool) -> bool:
        client = self.person.client
        store = client.store
        waiting = bool(store.requests) and not answering
        family = store.family(self.person.session_id)
        return (
            client.line().up
            and not self.person.under_way()
            and not (answering and client.prompts.waiting(self.person.session_id))
            and (waiting or not store.requests)
            and (waiting or all(isinstance(store.status(one), Idle) for one in family))
            and all(waiting and turn.state is TurnState.WAITING for turn in client.turns.running())
        )

    def picture(self) -> str:
        """What the client shows now, in one line each."""
        client = self.person.client
        line = client.line()
        lines = [
            f"line {line.state.value} {line.reason}",
            *(f"turn {turn.prompt_id} {turn.state.value}: {turn}" for turn in client.turns.running()),
            *(f"request {request}" for request in client.store.requests.values()),
            *(f"answer to {one.request.id}: {one.states}" for one in self.person.given.values()),
            *(f"status of {one}: {client.store.status(one)}" for one in client.store.sessions),
        ]
        return "does not come to rest\n" + "\n".join(lines)

    async def end(self) -> None:
        """Everybody goes home, whatever has happened."""
        await self.person.killed()
        await self.http.aclose()
        for relay in self.person.relays:
            relay.close()
        await self.server.close()

    def _act(self, step: s.Step) -> None:
        person, server = self.person, self.server
        match step:
            case s.Send() | s.Answer() | s.Abort() | s.RetryNow() if not person.present:
                pass
            case s.Send(words, queued):
                person.send(words, queued=queued)
            case s.Answer(dismiss):
                person.answer_when_asked(dismiss=dismiss)
            case s.Abort():
                person.abort()
            case s.RetryNow():
                person.retry_now()
            case s.OtherSends() | s.OtherAnswers() | s.OtherAborts():
                self._run(self._other(step))
            case s.Sever(how, which):
                person.relay.sever(how, which)
            case s.CutAfter(count, which):
                person.relay.cut_after(count, which)
            case s.Stall(seconds, which):
                person.relay.stall(which)
                self._later(seconds, person.relay.flow)
            case s.Refuse(seconds):
                person.relay.refuse()
                self._run(self._accept_after(seconds))
            case s.Latency(seconds, each):
                person.relay.latency = each
                self._later(seconds, person.relay.calm)
            case s.Crash(down):
                self._run(self._crash(down))
            case s.Ill(fault, seconds):
                armed = parse(fault)
                server.arm(armed)
                self._later(seconds, lambda: server.disarm(armed))
            case s.KillClient(away):
                self._run(self._kill_client(away))
            case s.ClockJump(seconds):
                person.clock_jumps(seconds)
            case s.Freeze(seconds):
                person.acts.append(self.loop.time())
                self.loop.skip(seconds)
                person.acts.append(self.loop.time())
            case _:
                assert_never(step)

    async def _crash(self, down: float) -> None:
        if not self.server.up:
            return
        self.server.crash()
        self.person.relay.refuse()
        await asyncio.sleep(down)
        self.server.start()
        if self.person.present:
            self.person.relay.accept()

    async def _accept_after(self, seconds: float) -> None:
        relay = self.person.relay
        await asyncio.sleep(seconds)
        if relay is self.person.relay and self.person.present and self.server.up:
            relay.accept()

    async def _kill_client(self, away: float) -> None:
        if not self.person.present:
            return
        await self.person.killed()
        await asyncio.sleep(away)
        await self.person.sit_down()

    async def _other(self, step: s.OtherSends | s.OtherAnswers | s.OtherAborts) -> None:
        """Somebody on a good line of their own, who does not try twice."""
        try:
            match step:
                case s.OtherSends(words):
                    self.somebody_else += 1
                    await self.http.post(
                        f"/session/{self.person.session_id}/prompt_async",
                        json={"parts": [{"type": "text", "text": f"{words} (from elsewhere)"}]},
                    )
                case s.OtherAnswers():
                    await self._other_answers()
                case s.OtherAborts():
                    await self.http.post(f"/session/{self.person.session_id}/abort")
        except httpx.HTTPError:
            return

    async def _other_answers(self) -> None:
        questions = await self.http.get("/question")
        permissions = await self.http.get("/permission")
        if not (questions.is_success and permissions.is_success):
            return
        if open_ones := questions.json():
            answers = [["from elsewhere"] for _ in open_ones[0]["questions"]]
            await self.http.post(f"/question/{open_ones[0]['id']}/reply", json={"answers": answers})
        elif open_ones := permissions.json():
            await self.http.post(f"/permission/{open_ones[0]['id']}/reply", json={"reply": "once"})

    def _later(self, seconds: float, undo: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            undo()

        self._run(wait())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
