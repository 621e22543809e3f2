"""The stub as a server that can be killed and restarted, in the test's event loop."""

import asyncio
import re
from collections import Counter
from email.utils import formatdate
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState as UvicornState

from server_stub.app import create_app
from server_stub.domain.agent import Agent
from server_stub.domain.event_bus import Event
from server_stub.domain.profiles import Profile
from server_stub.domain.restart import after_crash
from server_stub.domain.scripted_turn import Script
from server_stub.domain.state import ServerState
from server_stub.faults.kinds import Fault, Faults
from server_stub.scenarios.catalog import choose
from tests.chaos.listener import Listener
from tests.chaos.virtual_time import StubClock

TOKEN = re.compile(r"#[a-z]*\d+;")
"""Makes each prompt of a schedule unique."""


ELSEWHERE = "(from elsewhere"
"""In each prompt of another client."""
SENT_AT = b"x-sent-at"
"""A header of each abort by the user: the loop's time (s) when it was sent."""


class StubServer:
    """One server on one port, over any number of processes. `epoch`: its clock (s) when the loop's is 0."""

    def __init__(self, profile: Profile, epoch: float) -> None:
        self.port = 0
        self.runs: Counter[str] = Counter()
        """How often the model started to answer the prompt with this token."""
        self.dropped_texts: set[tuple[str, str]] = set()
        """Message and part of each text of which events were dropped."""
        self.begun: list[tuple[float, str]] = []
        """When the model started to answer a prompt of the session itself, and the prompt."""
        self.aborted: list[tuple[float, str]] = []
        """For each abort by the user that found something running: when it was sent, and what ran."""
        self.crashes: list[float] = []
        self._profile = profile
        self._epoch = epoch
        self._clock = StubClock(asyncio.get_running_loop(), epoch)
        self._process = 0
        self._server: ServerState | None = None
        self._app: Any = None
        self._state = UvicornState()
        self._listener: Listener | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        return self._listener is not None

    def start(self) -> None:
        """Listen, on the same port each time, with the state that the last process left."""
        number = self._process = self._process + 1
        app = create_app(
            self._profile, clock=self._clock, server=self._server, model=lambda text: self._play(text, number)
        )
        self._app, self._server = app, app.state.server
        app.state.server.bus.listeners.append(self._note_unheard)
        config = uvicorn.Config(
            self._note_aborts(app, app.state.agent),
            log_config=None,
            log_level="critical",
            lifespan="off",
            ws="none",
        )
        config.load()
        protocol: Any = config.http_protocol_class
        state = self._state = UvicornState()
        date = formatdate(self._epoch + asyncio.get_running_loop().time(), usegmt=True)
        state.default_headers = [(b"date", date.encode())]
        faults: Faults = app.state.faults
        faults.connections = state.connections
        self._listener = Listener(lambda: protocol(config=config, server_state=state, app_state={}), self.port)
        self.port = self._listener.port

    async def restart(self) -> None:
        """Start again after a crash."""
        self.start()

    def crash(self) -> None:
        """As by SIGKILL: all connections end, nothing more is stored or sent."""
        assert self._server is not None
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        self.crashes.append(asyncio.get_running_loop().time())
        for connection in list(self._state.connections):
            connection.transport.abort()
        for request in self._state.tasks:
            request.cancel()
        self._process += 1
        old, self._server = self._server, after_crash(self._server)
        task = asyncio.ensure_future(_end(list(self._state.tasks), self._app.state.agent, old))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def forget(self, session_id: str) -> None:
        """Lose a session without an event, as if its storage was lost."""
        assert self._server is not None
        del self._server.sessions[session_id]

    def arm(self, fault: Fault) -> None:
        """Arm a fault in the current process; a restart disarms it."""
        if self.up:
            self._app.state.faults.arm(fault)

    def disarm(self, fault: Fault) -> None:
        for armed in self._app.state.faults.armed():
            if armed.fault is fault:
                self._app.state.faults.disarm(armed.id)

    def disarm_all(self) -> None:
        self._app.state.faults.disarm_all()

    async def close(self) -> None:
        self.crash()
        await asyncio.gather(*self._ending)

    def _note_aborts(self, app: ASGIApp, agent: Agent) -> ASGIApp:
        """The app, which records what is running when an abort arrives."""

        async def noted(scope: Scope, receive: Receive, send: Send) -> None:
            headers = dict(scope.get("headers", ()))
            if SENT_AT in headers and self.begun and self._server is not None:
                session = self._server.sessions.get(scope["path"].split("/")[2])
                if session is not None and agent.is_busy(session):
                    self.aborted.append((float(headers[SENT_AT]), self.begun[-1][1]))
            await app(scope, receive, send)

        return noted

    def _note_unheard(self, event: Event) -> None:
        if self._server is not None and self._server.bus.muted and event.payload["type"] == "message.part.delta":
            reported = event.payload["properties"]
            self.dropped_texts.add((reported["messageID"], reported["partID"]))

    def _play(self, text: str, process: int) -> Script:
        """A killed process calls no model, although its tasks here need a moment to end."""
        found = TOKEN.search(text)
        if found and process == self._process:
            self.runs[found[0]] += 1
        if found or ELSEWHERE in text:
            self.begun.append((asyncio.get_running_loop().time(), text))
        return choose(text, "plain")


async def _end(requests: list[asyncio.Task[None]], agent: Agent, server: ServerState) -> None:
    """Cancel the work of the killed process: first its requests, which could start more, then its turns."""
    await asyncio.gather(*requests, return_exceptions=True)
    await agent.end(list(server.sessions.values()))
