"""A simulated user at a client without a screen: the actions, and what the client showed.

A killed client leaves its journal as it is at that moment; the next one adopts it.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.families import Family
from tests.chaos.relay import Relay
from tests.chaos.stub_server import SENT_AT, TOKEN
from tests.waiting import wait_until
from tui.backends.families import USERS
from tui.client.client import Client
from tui.client.prompt_dispatcher import NotFetched
from tui.client.server_connection import NotConnected
from tui.core.changes import (
    Change,
    ConnectionChanged,
    Notice,
    PartChanged,
    ReplyStatusChanged,
    TextAppended,
    TranscriptReset,
    TurnChanged,
)
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import Answers, Part, PermissionReply, QuestionRequest, ReasoningPart, Request, TextPart
from tui.core.turn import Turn
from tui.net.clocks import Clocks
from tui.net.errors import NetError
from tui.net.http_client import ByteStream, Http
from tui.net.response import Response
from tui.storage.journal import Journal


@dataclass(slots=True)
class Sent:
    """A prompt that the user sent, and its turn as last shown by any client."""

    token: str
    turn: Turn | None = None


@dataclass(slots=True)
class GivenReply:
    """An answer that the user gave, and its shown delivery states."""

    request: Request
    answers: Answers | None
    permission: PermissionReply | None
    states: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return self.states[-1] if self.states else "unsent"

    @property
    def under_way(self) -> bool:
        return self.state in ("unsent", "sending", "retrying")


@dataclass(frozen=True, slots=True)
class Aborted:
    """An abort that the user requested: when, and the turns shown as running, with their prompts."""

    at: float
    turns: tuple[Turn, ...]
    prompts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request sent by a client; `stopped`: the screen said that the user must act first."""

    at: float
    method: str
    path: str
    is_connected: bool
    stopped: bool


class LoggedHttp(Http):
    """An `Http` that records what it sends, and which responses arrived while none of `streams` was open."""

    log: Callable[[str, str], None]
    answered: Callable[[str], None]
    aborting: Callable[[], None]
    streams = 0

    async def call(self, method: str, path: str, **options: Any) -> Response:
        self.log(method, path)
        if method == "POST" and path.endswith(("/abort", "/cancel")):
            sent_at = {SENT_AT.decode(): str(asyncio.get_running_loop().time())}
            options["headers"] = sent_at | dict(options.get("headers") or {})
            self.aborting()
        reply = await super().call(method, path, **options)
        if not self.streams:
            self.answered(path)
        return reply

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[ByteStream]:
        self.log(method, path)
        async with super().stream(method, path, **options) as stream:
            self.streams += 1
            try:
                yield stream
            finally:
                self.streams -= 1


class SimulatedUser:
    """Uses a client that reaches the server through its own relay. `name` is in the token of each prompt."""

    def __init__(self, upstream: int, family: Family, rng: random.Random, folder: Path, name: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.session_id = ""
        self.sent: dict[str, Sent] = {}
        self.given: dict[str, GivenReply] = {}
        self.aborts: list[Aborted] = []
        self.aborts_sent: list[tuple[float, str]] = []
        """For each abort request: when it was sent, and the running prompt as known to the client then."""
        self.trouble: list[str] = []
        """Notices of the client that a part of it has failed."""
        self.exchanges: list[Exchange] = []
        self.attempts: list[float] = []
        """Times at which a client started to connect."""
        self.proofs: list[float] = []
        """Times at which the connection was proved without an event stream."""
        self.shown: dict[tuple[str, str], list[str]] = {}
        """Texts of parts shown as complete so far, without those that only grew later; by message id and part id."""
        self.errors_shown: list[str] = []
        self.acts: list[float] = []
        """Times at which the user, or a clock, made the client connect at once."""
        self.starts: list[float] = []
        self.stops: list[float] = []
        """Times at which the screen said that the user must act first; the action restarts the count of attempts."""
        self.wishes: list[float] = []
        """Times at which the user requested something that is sent at once, whatever the connection state."""
        self.wall_offset = 0.0
        self.relay = Relay(upstream)
        self.relays = [self.relay]
        self._family = family
        self._chance = rng
        self._folder = folder
        self._name = name
        self._client: Client | None = None
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._numbers = 0
        self._forgotten = self._lost = self._agent_died = False
        self._tried = False
        """Whether the server was already identified since the attempt began; another such request is a health check."""

    @property
    def client(self) -> Client:
        assert self._client is not None, "no client is running"
        return self._client

    @property
    def present(self) -> bool:
        return self._client is not None

    async def start_client(self) -> None:
        """Start a client; the first time also create a session."""
        self.relay.accept()
        address = f"http://127.0.0.1:{self.relay.port}"
        client = self._client = Client(
            address,
            self._open_http,
            journal=Journal(self._folder, address, wall=self._wall),
            clocks=Clocks(self.loop.time, self._wall, asyncio.sleep, self._chance.random),
        )
        client.subscribe(self._hear)
        self._tried = False
        self.starts.append(self.loop.time())
        client.start()
        if not self.session_id:
            await wait_until(
                lambda: client.connection_status().up and client.traits, within=60, what="the line to be up"
            )
            self.session_id = (await client.new_session()).id
        self.wishes.append(self.loop.time())
        await self.try_to(client.open_session(self.session_id))

    async def killed(self) -> None:
        """`kill -9`: nothing more is sent or written."""
        client, self._client = self._client, None
        if client is None:
            return
        self.relay.close()
        self.relay = Relay(self.relay.upstream, self.relay.port)
        self.relays.append(self.relay)
        for errand in list(self._background_tasks):
            errand.cancel()
        self.given = {name: given for name, given in self.given.items() if given.states}
        journal = {path: path.read_bytes() for path in self._folder.iterdir()}
        await client.close()  # cleans up its tasks; their remaining output is discarded
        for path in self._folder.iterdir():
            path.unlink()
        for path, content in journal.items():
            path.write_bytes(content)

    async def leave(self) -> None:
        """Quit, as by the key."""
        client, self._client = self._client, None
        assert client is not None
        for errand in list(self._background_tasks):
            errand.cancel()
        await client.close()

    # acts

    def send(self, words: str, *, queued: bool) -> None:
        """Send by the key that queues during a turn, or by the one that does not."""
        token = f"#{self._name}{self._next()};"
        text = f"{words} {token}"
        self.wishes.append(self.loop.time())
        self.sent[token] = Sent(token)
        if queued:
            self.client.prompts.submit(self.session_id, text)
            return
        try:
            self.client.prompts.send_now(self.session_id, text)
        except (NotConnected, NotFetched):
            del self.sent[token]  # the text stays in the prompt field, with a notice

    def release_queue(self) -> None:
        """Resume prompts paused after an abnormal end."""
        if self.client.prompts.held(self.session_id):
            self.client.prompts.release(self.session_id)

    def has_more_to_send(self) -> bool:
        """Whether prompts are queued without waiting for the user: those of a deleted session stay paused anyway."""
        prompts = self.client.prompts
        return bool(prompts.waiting(self.session_id)) and not prompts.held(self.session_id)

    def waits(self, sent: Sent) -> bool:
        """Whether the prompt is shown as queued here."""
        return any(sent.token in queued.text for queued in self.client.prompts.waiting(self.session_id))

    def answer_next_request(self, *, dismiss: bool = False) -> None:
        """Answer the oldest shown request, after waiting briefly for one."""
        self._run(self._answer_soon(dismiss))

    def answer_all(self) -> None:
        for request in self.client.store.requests_of(self.session_id):
            self.answer(request, dismiss=False)

    def abort(self) -> None:
        turns = tuple(self.client.turns.abortable(self.session_id))
        self.wishes.append(self.loop.time())
        self.aborts.append(Aborted(self.loop.time(), turns, tuple(map(self._prompt_of, turns))))
        self.client.abort(self.session_id)

    def retry_now(self) -> None:
        self.acts.append(self.loop.time())
        self.client.retry_now()

    def clock_jumps(self, seconds: float) -> None:
        self.wall_offset += seconds
        self.acts += [self.loop.time(), self.loop.time() + 1.5]  # the watchdog detects it at its next check

    async def try_to(self, work: Coroutine[Any, Any, Any]) -> None:
        """As the app: show a `NetError` and let the user retry."""
        try:
            await work
        except NetError as error:
            self.errors_shown.append(error.message)

    def answer(self, request: Request, *, dismiss: bool) -> None:
        """Nothing if its answer is being sent, or if it is no longer shown."""
        if request.id not in self.client.store.requests:
            return
        if request.id in self.given and self.given[request.id].under_way:
            return
        self.wishes.append(self.loop.time())
        if isinstance(request, QuestionRequest):
            answers = tuple((f"own words of {self._next()}",) for _ in request.questions)
            given = GivenReply(request, None if dismiss else answers, None)
            self.given[request.id] = given
            if dismiss:
                self.client.reject(request)
            else:
                self.client.answer(request, answers)
        else:
            reply: PermissionReply = "reject" if dismiss else "once"
            self.given[request.id] = GivenReply(request, None, reply)
            self.client.reply(request, reply)

    async def _answer_soon(self, dismiss: bool) -> None:
        request = await self.asked()
        if request is not None:
            self.answer(request, dismiss=dismiss)

    async def asked(self) -> Request | None:
        """The oldest unanswered request shown; None if none appears for a while."""
        for _ in range(40):
            for request in self.client.store.requests_of(self.session_id) if self.present else ():
                if request.id not in self.given:
                    return request
            await asyncio.sleep(0.25)
        return None

    def under_way(self) -> list[GivenReply]:
        return [given for given in self.given.values() if given.under_way]

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers

    def _hear(self, change: Change) -> None:
        match change:
            case ReplyStatusChanged(request, state) if request.id in self.given:
                self.given[request.id].states.append(state)
            case TurnChanged(session_id) if session_id == self.session_id:
                self._see_turns()
            case TextAppended(session_id, message_id, part_id) | PartChanged(session_id, message_id, part_id) if (
                session_id == self.session_id and self.present
            ):
                self._see_words(message_id, part_id)
            case TranscriptReset(session_id) if session_id == self.session_id and self._agent_died:
                self.shown.clear()
            case ConnectionChanged() if self.present:
                self._see_line(self.client.connection_status())
            case Notice(text, "error"):
                self.trouble.append(text)
            case _:
                pass

    def on_server_restart(self) -> None:
        """Requests being sent when the server crashed may still be shown until the reconnect."""
        self._forgotten, self._lost = True, False

    def on_agent_exit(self) -> None:
        """The same until the session is reported again; the connection may be live meanwhile."""
        self._agent_died = True

    def _see_line(self, line: ConnectionStatus) -> None:
        if line.state is ConnectionState.STOPPED:
            self.stops.append(self.loop.time())
        self._tried = self._tried and not (
            line.up or line.retry_in is not None or line.state is ConnectionState.STOPPED
        )
        if not self._forgotten:
            return
        if not line.up or self._lost:
            self.shown.clear()
        self._forgotten, self._lost = not (line.up and self._lost), not line.up

    def _see_words(self, message_id: str, part_id: str) -> None:
        transcript = self.client.store.transcript(self.session_id)
        part = None if transcript is None else transcript.part(message_id, part_id)
        if isinstance(part, TextPart | ReasoningPart) and part.state in ("streaming", "done"):
            shown = self.shown.setdefault((message_id, part_id), [])
            if shown and part.text.startswith(shown[-1]):
                shown.pop()
            shown.append(part.text)

    def _prompt_of(self, turn: Turn) -> str:
        """The text of the prompt that a turn answers."""
        if turn.prompt is not None:
            return turn.prompt.text
        transcript = self.client.store.transcript(turn.session_id)
        return _words(transcript.parts_of(turn.prompt_id)) if transcript is not None else ""

    def _note_abort(self) -> None:
        """An abort is about to be sent. An answer whose turn is over is not running, complete or not."""
        transcript = self.client.store.transcript(self.session_id) if self.present else None
        answer = transcript.newest_answer() if transcript is not None else None
        if transcript is None or answer is None or answer.parent_id is None or answer.completed is not None:
            return
        turn = self.client.turns.find(self.session_id, answer.parent_id)
        if turn is None or not turn.over:
            self.aborts_sent.append((self.loop.time(), _words(transcript.parts_of(answer.parent_id))))

    def _see_turns(self) -> None:
        for turn in self.client.turns.of(self.session_id) if self.present else ():
            found = TOKEN.search(turn.prompt.text) if turn.prompt is not None else None
            if found is not None:
                self.sent[found[0]].turn = turn

    def _wall(self) -> float:
        return 1_700_000_000.0 + self.loop.time() + self.wall_offset

    def _open_http(self, user: str) -> Http:
        """Requested at each attempt as long as the kind of server is unknown."""
        if user == USERS[0]:
            self.attempts.append(self.loop.time())
        host = {"host": f"127.0.0.1:{self.relay.upstream}"}  # a server may refuse every other
        http = LoggedHttp(f"http://127.0.0.1:{self.relay.port}", headers=host)
        http.log, http.answered, http.aborting = self._log, self._answered, self._note_abort
        return http

    def _answered(self, path: str) -> None:
        if path.startswith(self._family.proof_without_stream):
            self.proofs.append(self.loop.time())

    def _log(self, method: str, path: str) -> None:
        client = self._client
        if client is None:
            return
        line, now = client.connection_status(), self.loop.time()
        self.exchanges.append(Exchange(now, method, path, line.up, line.state is ConnectionState.STOPPED))
        connecting = not (client.synced or self._tried) and line.retry_in is None
        if path == self._family.who and connecting:  # else it is a health check
            self._tried = True
            self.attempts += [now] if client.traits is not None else []

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)


def _words(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, TextPart))
