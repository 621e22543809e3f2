"""A client without a network: a real store, and methods by which a test acts as the server.

It records all calls in `asked`, and does nothing by itself.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from msgspec.structs import replace

from tests.fake_ports import ignore
from tui.backends.base import Backend, ServerInfo, Traits
from tui.backends.decoding import Rows
from tui.client.loading import LoadingTracker
from tui.client.pending_aborts import PendingAborts
from tui.client.ports import Ports, Server
from tui.client.prompt_dispatcher import PromptDispatcher
from tui.client.prompt_options import PromptOptions
from tui.client.prompt_queue import PromptQueue
from tui.client.resync import Fetching
from tui.client.turn_outcomes import TurnOutcomes
from tui.client.turns import TurnTracker
from tui.core.changes import (
    AbortProgress,
    Change,
    ConnectionChanged,
    Notice,
    ReplyStatusChanged,
    TurnChanged,
    TurnEnded,
)
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.diagnosis import DEFAULT_TIMEOUTS, Diagnosis, ResponsivenessTracker, StallTimeouts, diagnose
from tui.core.events import Event, SessionDeleted, SessionUpserted
from tui.core.model import Answers, CatalogItem, PermissionReply, Prompt, Request, Session
from tui.core.store import Store
from tui.core.turn import Turn
from tui.net.clocks import Clocks
from tui.net.errors import NetError
from tui.storage.journal import Journal

LIVE = ConnectionStatus(ConnectionState.LIVE, age=2.0, round_trip=0.011, gaps=(10.0,) * 8, interval=10.0)


@dataclass
class FakeTurns:
    """The turns created by the test, and those of sent prompts. `post` gets each prompt."""

    store: Store
    post: Callable[[Prompt], Turn]
    now: Callable[[], float]
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    responsiveness: ResponsivenessTracker = field(default_factory=ResponsivenessTracker)
    patience: StallTimeouts = DEFAULT_TIMEOUTS

    def of(self, session_id: str) -> Sequence[Turn]:
        return tuple(self.turns.get(session_id, ()))

    def current(self, session_id: str) -> Turn | None:
        turns = self.of(session_id)
        return next((turn for turn in turns if not turn.over), turns[-1] if turns else None)

    def running(self) -> list[Turn]:
        return [turn for turns in self.turns.values() for turn in turns if not turn.over]

    def is_running_in(self, session_id: str) -> bool:
        return any(not turn.over for turn in self.of(session_id))

    def diagnose(self, turn: Turn) -> Diagnosis | None:
        begun = self.store.answer_to(turn.session_id, turn.prompt_id) is not None
        return diagnose(turn, self.responsiveness, self.now(), answer_begun=begun)

    def send(self, prompt: Prompt) -> Turn:
        return self.post(prompt)

    def recover(self, prompt: Prompt) -> None:
        self.turns.setdefault(prompt.session_id, []).append(Turn.recover(prompt, self.now()))


class FakeEditing:
    """Actions of the app on sessions; the server performs them at once."""

    def __init__(self, client: "FakeClient") -> None:
        self._client = client

    async def rename(self, session_id: str, title: str) -> None:
        self._client._answer("rename", session_id, title)
        self._client.feed(SessionUpserted(replace(self._client.store.sessions[session_id], title=title)))

    async def fork(self, session_id: str) -> Session:
        self._client._answer("fork", session_id)
        old = self._client.store.sessions[session_id]
        copy = replace(old, id=f"{session_id}_copy", title=f"{old.title} (copy)")
        self._client.feed(SessionUpserted(copy))
        return copy

    async def delete(self, session_id: str) -> None:
        self._client._answer("delete", session_id)
        self._client.feed(SessionDeleted(session_id))


class FakeOffers:
    """A server with two agents, two models and some files."""

    def __init__(self, client: "FakeClient") -> None:
        self._client = client

    async def agents(self, directory: str, session_id: str = "") -> tuple[CatalogItem, ...]:
        self._client._answer("agents", directory)
        return (CatalogItem("build", "does it"), CatalogItem("plan", "thinks first"))

    async def models(self, directory: str, session_id: str = "") -> tuple[CatalogItem, ...]:
        self._client._answer("models", directory)
        return (CatalogItem("acme/big", "Big · Acme"), CatalogItem("acme/small", "Small · Acme"))

    async def commands(self, directory: str, session_id: str = "") -> tuple[CatalogItem, ...]:
        self._client._answer("commands", directory)
        return (CatalogItem("init", "set up"), CatalogItem("review", "look it over"), CatalogItem("revert"))

    async def files(self, directory: str, query: str) -> tuple[CatalogItem, ...]:
        self._client._answer("files", directory, query)
        paths = ("src/store.py", "src/session.py", "tests/", "my notes.md")
        return tuple(CatalogItem(path) for path in paths if query in path)


@dataclass
class FakeBackend:
    """The parts of a backend that work without a network."""

    offers: FakeOffers


TRAITS = Traits("fake", accepts_client_ids=False)
"""A server for which a prompt can be sent without loading the session's messages first."""


class FakeClient:
    """The parts of `tui.client.client.Client` that the app uses, with real prompts and a real journal."""

    def __init__(
        self, *, address: str = "127.0.0.1:4096", line: ConnectionStatus = LIVE, journal: Journal | None = None
    ) -> None:
        self.store = Store()
        self.loadings = LoadingTracker(self.tell)
        self.turns = FakeTurns(self.store, self._post, self.now)
        self.journal = journal or Journal(None, address, wall=lambda: 0.0)
        self._ports = Ports(cast(Server, self), self.tell, ignore, asyncio.create_task, Clocks())
        queue, pending = PromptQueue(self.journal), PendingAborts()
        self._outcomes = TurnOutcomes(self.journal, queue, pending, self.tell)
        self.choices = PromptOptions(self.store, cast(Server, SimpleNamespace(backend=self._catalog)))
        self.prompts = PromptDispatcher(
            self.store,
            self.journal,
            queue,
            cast(TurnTracker, self.turns),
            self.choices,
            cast(Fetching, SimpleNamespace(fetch=lambda session_id, then: None)),
            self._ports,
        )
        self.editing = FakeEditing(self)
        self.abort_progress: AbortProgress | None = None
        self.aborts = SimpleNamespace(progress=lambda session_id: self.abort_progress)
        self.server: ServerInfo | None = ServerInfo("1.0.0", 0.011)
        self.traits: Traits | None = Traits("opencode")
        self.address = address
        self.asked: list[tuple[Any, ...]] = []
        self.fails: NetError | None = None
        self.older: Callable[[], bool] = lambda: False
        self.closed = False
        self._line = line
        self._now = 1000.0
        self._ended: set[str] = set()
        self._made = 0
        self._listeners: list[Callable[[Change], None]] = []

    # Methods for the test

    def feed(self, *events: Event) -> None:
        """Deliver events of the server."""
        for event in events:
            for change in self.store.apply(event):
                self.tell(change)

    def tell(self, change: Change) -> None:
        for listener in self._listeners:
            listener(change)

    def set_line(self, line: ConnectionStatus) -> None:
        self._line = line
        self.tell(ConnectionChanged())

    def advance(self, seconds: float) -> None:
        """Let time pass without any event."""
        self._now += seconds

    def turn_moved(self, turn: Turn) -> None:
        """Report `turn` as new or changed."""
        turns = self.turns.turns.setdefault(turn.session_id, [])
        if turn not in turns:
            turns.append(turn)
        self.tell(TurnChanged(turn.session_id))
        if not turn.over:
            self._ended.discard(turn.prompt_id)
        elif turn.prompt_id not in self._ended:
            self._ended.add(turn.prompt_id)
            self.tell(TurnEnded(turn.session_id, turn.prompt_id))
            self._outcomes.on_turn_ended(turn)
        self.prompts.dispatch_ready()

    def calls(self, name: str) -> list[tuple[Any, ...]]:
        """The recorded calls with this name, without the name."""
        return [call[1:] for call in self.asked if call[0] == name]

    # Methods for the app

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        self._listeners.append(listener)

    def now(self) -> float:
        return self._now

    def server_now(self) -> float:
        skew = self.server.clock_skew if self.server is not None else None
        return time.time() + (skew or 0.0)

    def connection_status(self) -> ConnectionStatus:
        return self._line

    def turn(self, session_id: str) -> Turn | None:
        return self.turns.current(session_id)

    def start(self) -> None:
        self.asked.append(("start",))
        self.prompts.restore()

    async def close(self) -> None:
        self.closed = True
        self.journal.close()

    def retry_now(self) -> None:
        self.asked.append(("retry_now",))

    def restart_line(self) -> None:
        self.asked.append(("restart_line",))

    def set_focused(self, now: bool) -> None:
        self.asked.append(("looked_at", now))

    input_pause = 0.0

    def on_user_input(self) -> None:
        self.asked.append(("on_user_input",))

    def verify_now(self) -> None:
        self.asked.append(("look_again",))

    async def list_sessions(self, search: str = "", cursor: str | None = None) -> Rows[Session]:
        self._answer("list_sessions")
        return Rows(sorted(self.store.sessions.values(), key=lambda session: -session.updated))

    async def new_session(self, title: str = "") -> Session:
        self._answer("new_session")
        session = Session(f"ses_new{len(self.store.sessions)}", title or "New session")
        self.feed(SessionUpserted(session))
        return session

    async def open_session(self, session_id: str) -> None:
        self._answer("open_session", session_id)
        self.journal.save_last_session(session_id)
        self.store.open_transcript(session_id)

    def close_session(self, session_id: str) -> None:
        self.asked.append(("close_session", session_id))

    async def load_older(self, session_id: str) -> bool:
        self._answer("load_older", session_id)
        return self.older()

    def abort(self, session_id: str) -> None:
        self._answer("abort", session_id)

    def answer(self, request: Request, answers: Answers) -> None:
        self.asked.append(("answer", request.id, answers))
        self.tell(ReplyStatusChanged(request, "sending"))

    def reject(self, request: Request) -> None:
        self.asked.append(("reject", request.id))
        self.tell(ReplyStatusChanged(request, "sending"))

    def reply(self, request: Request, reply: PermissionReply, message: str = "") -> None:
        self.asked.append(("reply", request.id, reply, message))
        self.tell(ReplyStatusChanged(request, "sending"))

    def notice(self, text: str) -> None:
        self.tell(Notice(text))

    def _post(self, prompt: Prompt) -> Turn:
        self._answer("send", prompt.session_id, prompt.text)
        turn = Turn.begin(prompt, self._now)
        self.turn_moved(turn)
        return turn

    @property
    def synced(self) -> bool:
        return self._line.up

    def _catalog(self) -> Backend:
        return cast(Backend, FakeBackend(FakeOffers(self)))

    def backend(self) -> Backend:
        if self.fails is not None:
            raise self.fails
        return cast(Backend, SimpleNamespace(new_prompt=self._new_prompt, traits=TRAITS))

    def _new_prompt(self, session_id: str, text: str) -> Prompt:
        self._made += 1
        return Prompt(session_id, text, f"msg_sent{self._made}", f"prt_sent{self._made}")

    def _answer(self, *call: Any) -> None:
        self.asked.append(call)
        if self.fails is not None:
            raise self.fails
