"""`connect` and `Connection`: what programs use of Holdfast. Based on `tui.client.Client` and the journal."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from platformdirs import user_state_path

from tui.api.errors import (
    CannotConnect,
    RequestNotFound,
    SessionNotFound,
)
from tui.api.event_feed import ConnectionFeed, EventFeed
from tui.api.job_sender import Job, JobSender
from tui.api.pending import pending_request
from tui.api.request_policy import OnRequest, send_reply
from tui.api.running_turn import RunningTurn
from tui.api.session_opening import open_session, until_read
from tui.api.values import AnswerOutcome, AnswerState, Event, PendingRequest, Reply, Result, UnlistedRequests
from tui.client.client import Client
from tui.client.recorded_turn import is_persons
from tui.config.http_factory import open_transport
from tui.config.settings import Settings, load_settings
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import Request
from tui.net.clocks import Clocks
from tui.storage.journal import Journal

if TYPE_CHECKING:
    from tui.net.http_client import Http

CONNECT_TIMEOUT = 10.0
"""Seconds for which the first connection is tried."""
SEND_TIMEOUT = 30.0
"""Seconds for which sending waits for another program that has locked the journal."""

ENDS: dict[str, AnswerState] = {
    "acknowledged": "taken",
    "allowed": "taken",
    "elsewhere": "elsewhere",
    "expired": "expired",
    "refused": "refused",
    "stopped": "stopped",
}


P = ParamSpec("P")


def with_result(
    start: "Callable[Concatenate[Connection, P], Awaitable[RunningTurn]]",
) -> "Callable[Concatenate[Connection, P], Coroutine[None, None, Result]]":
    """A method with the parameters of `start`, and the result of its turn."""

    async def run(connection: "Connection", /, *args: P.args, **options: P.kwargs) -> Result:
        """Send a prompt and wait for the recorded end of its turn; parameters and errors as `start`."""
        return await (await start(connection, *args, **options)).result()

    return run


class Connection:
    """A connection to one server. Get one from `connect`."""

    def __init__(self, client: Client, *, on_event: Callable[[Event], None] = lambda event: None) -> None:
        self.client = client
        """The underlying client; not part of the interface."""
        self._changed = asyncio.Event()
        self._feed = ConnectionFeed(client, on_event)
        client.subscribe(self._on_change)

    async def open(self, *, within: float = CONNECT_TIMEOUT) -> None:
        """Connect, within so many seconds. Raises `CannotConnect`."""
        self.client.start(adopt=False)
        try:
            async with asyncio.timeout(within):
                await self._until(lambda: self.client.synced)
        except TimeoutError:
            line = self.client.connection_status()
            raise CannotConnect(line.reason or f"no response within {within:g} s", line.hint) from None

    async def close(self) -> None:
        """Disconnect. Turns go on at the server, where it supports that."""
        await self.client.close()

    async def start(
        self,
        prompt: str,
        *,
        session: str | None = None,
        resume: bool = False,
        title: str = "",
        agent: str | None = None,
        model: str | None = None,
        files: Sequence[str] = (),
        key: str = "",
        on_request: OnRequest = "wait",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> RunningTurn:
        """Send a prompt and return its turn.

        It goes to a new session with this `title`; or to `session`, once that is idle; or (`resume`) to the session
        used last. `agent`, `model`: by the server's names; None: its defaults. `files`: of the project on the server,
        which the prompt then mentions at its end. `key`: the journal binds the name to
        the prompt, so that a second call with it joins the turn or returns the finished one, and never sends twice.
        `on_event` is called with the turn's events.

        Raises `SessionNotFound`, `FileNotInProject`, `PromptNotSent`, `KeyInUse`, `KeyNotKept` or `CannotConnect`.
        """
        job = Job(
            prompt=prompt, session=session, resume=resume, title=title, agent=agent, model=model, files=files, key=key
        )
        turn = await JobSender(self.client, until=self._until, pause=self._pause).send(job)
        return RunningTurn(self.client, turn, on_request=on_request, on_event=on_event)

    run = with_result(start)

    async def take_up(
        self,
        session: str,
        prompt: str | None = None,
        *,
        on_request: OnRequest = "wait",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> RunningTurn:
        """The turn of a prompt that was sent before, running or ended; None: the session's newest prompt.

        Raises `SessionNotFound` if the server has no such session, or no such prompt in it, or `CannotConnect`.
        """
        await open_session(self.client, session, self._pause)
        await until_read(
            self.client,
            session,
            lambda: session in self._deleted or self._is_loaded(session),
            until=self._until,
            pause=self._pause,
            on_event=on_event,
        )
        if session in self._deleted:
            raise SessionNotFound(f"session {session} does not exist on the server")
        if prompt is None:
            prompt = self._newest_prompt(session)
            if prompt is None:
                raise SessionNotFound(f"session {session} has no prompt")
        turn = self.client.turns.take_up(session, prompt)
        return RunningTurn(self.client, turn, on_request=on_request, on_event=on_event)

    async def events(self) -> AsyncIterator[Event]:
        """All events of the server from now on: first the connection and each request that is open.

        After a reconnection, a request that is still open is not reported again.
        """
        queue: asyncio.Queue[Event] = asyncio.Queue()
        connection, feed = ConnectionFeed(self.client, queue.put_nowait), EventFeed(self.client, queue.put_nowait)
        self.client.subscribe(connection.on_change)
        self.client.subscribe(feed.on_change)
        connection.report()
        feed.start()
        try:
            while True:
                yield await queue.get()
        finally:
            self.client.unsubscribe(connection.on_change)
            self.client.unsubscribe(feed.on_change)

    async def pending(self) -> tuple[PendingRequest, ...]:
        """The readable requests that are open in all sessions, oldest first; see `unlisted`. Raises `CannotConnect`."""
        await self._until(lambda: self.client.synced)
        store = self.client.store
        found = [pending_request(one, store) for one in store.requests.values()]
        return tuple(sorted(found, key=lambda one: one.asked or 0.0))

    @property
    def unlisted(self) -> UnlistedRequests:
        """What `pending` lacks."""
        client = self.client
        return UnlistedRequests(
            not_listed=client.store.requests_not_loaded,
            unreadable=client.unreadable_requests,
            problem=client.resync_problem,
        )

    async def answer(self, request_id: str, reply: Reply) -> AnswerOutcome:
        """Reply to an open request, until the server acknowledges or refuses the reply.

        `request_id`: the id, or a prefix that no other open request has. Raises `RequestNotFound` if several have
        it; an unknown one is reported as *expired*. Raises `CannotConnect` if the connection needs the user.
        """
        await self._until(lambda: self.client.synced)
        request = self.find_request(request_id)
        if request is None:
            return AnswerOutcome(request=request_id, state="expired", reason="no open request has this id")
        return await self.answer_to(request, reply)

    async def answer_to(self, request: Request, reply: Reply) -> AnswerOutcome:
        """As `answer`, to this request only: *expired* if the server asks something else under its id now."""
        ended: list[AnswerOutcome] = []

        def on_change(change: c.Change) -> None:
            if isinstance(change, c.ReplyStatusChanged) and change.request.id == request.id and change.state in ENDS:
                outcome = AnswerOutcome(request=request.id, state=ENDS[change.state], reason=change.reason)
                ended.append(outcome)

        self.client.subscribe(on_change)
        try:
            send_reply(self.client, request, reply)
            await self._until(lambda: ended)
        finally:
            self.client.unsubscribe(on_change)
        return ended[-1]

    def find_request(self, prefix: str, *, exact: bool = False) -> Request | None:
        """The open request whose id is, or alone begins with, `prefix`; None: none. Raises `RequestNotFound`.

        `exact`: `prefix` is a whole id.
        """
        requests, more = self.client.store.requests, self.client.store.requests_not_loaded
        if prefix in requests:
            return requests[prefix]
        found = [one for one in requests if one.startswith(prefix)] if prefix and not exact else []
        if len(found) > 1:
            raise RequestNotFound(
                f"{len(found)} open requests begin with {prefix}", f"Give more of the id: {', '.join(found[:5])}"
            )
        if not found and more:
            raise RequestNotFound(
                f"{prefix} is not among the first {len(requests)} open requests, and {more} more are open",
                "More are listed when some of these are answered.",
            )
        return requests[found[0]] if found else None

    @property
    def _deleted(self) -> Sequence[str]:
        return tuple(self.client.store.deleted)

    def _is_loaded(self, session_id: str) -> bool:
        transcript = self.client.store.transcript(session_id)
        return transcript is not None and transcript.loaded

    def _newest_prompt(self, session_id: str) -> str | None:
        """The newest prompt that a user wrote, among the loaded messages."""
        transcript = self.client.store.transcript(session_id)
        messages = transcript.ordered() if transcript is not None else []
        for one in reversed(messages):
            if one.role == "user" and transcript is not None and is_persons(transcript.parts_of(one.id)):
                return one.id
        return None

    async def _until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds after a change. Raises `CannotConnect` if the connection is stopped."""
        while not condition():
            line = self.client.connection_status()
            if line.state is ConnectionState.STOPPED:
                raise CannotConnect(line.reason, line.hint)
            self._changed.clear()
            await self._changed.wait()

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _on_change(self, change: c.Change) -> None:
        self._feed.on_change(change)
        self._changed.set()


@asynccontextmanager
async def connect(
    url: str | None = None,
    *,
    password: str | None = None,
    user: str | None = None,
    directory: str | None = None,
    family: str | None = None,
    ca_file: Path | None = None,
    within: float = CONNECT_TIMEOUT,
    on_event: Callable[[Event], None] = lambda event: None,
) -> AsyncGenerator[Connection, None]:
    """Connect to a server, within so many seconds, and disconnect at the end of the block.

    What is not given comes from the environment and the settings file, as for `holdfast`. `on_event` is called with
    each change of the connection. Raises `CannotConnect`, or `SettingsError` for an invalid setting.
    """
    given = {
        "url": url,
        "password": password,
        "user": user,
        "directory": directory,
        "family": family,
        "ca_file": ca_file,
    }
    settings = load_settings(given)
    open_http, users = open_transport(settings)
    async with connection_for(settings, open_http, users, within=within, on_event=on_event) as connection:
        yield connection


@asynccontextmanager
async def connection_for(
    settings: Settings,
    open_http: "Callable[[str], Http]",
    users: Sequence[str],
    *,
    within: float = CONNECT_TIMEOUT,
    on_event: Callable[[Event], None] = lambda event: None,
    clocks: Clocks | None = None,
) -> AsyncGenerator[Connection, None]:
    """`connect` with settings that are already loaded."""
    client = client_for(settings, open_http, users, clocks=clocks)
    connection = Connection(client, on_event=on_event)
    try:
        await connection.open(within=within)
        yield connection
    finally:
        await connection.close()


def client_for(
    settings: Settings,
    open_http: "Callable[[str], Http]",
    users: Sequence[str],
    *,
    clocks: Clocks | None = None,
) -> Client:
    """The client of a server, with the journal of the user."""
    return Client(
        settings.url,
        open_http,
        users=users,
        directory=settings.directory,
        family=settings.family,
        journal=Journal(user_state_path("holdfast"), settings.url, wall=time.time),
        patience=settings.patience,
        clocks=clocks,
    )
