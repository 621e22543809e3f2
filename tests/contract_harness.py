"""A client without a screen in one session of a server, with a relay between them that can be cut.

The server is given by the test: the stub in this process, or a real one in another.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from tests.chaos.relay import Relay
from tests.waiting import wait_until
from tui.backends.base import Backend, Traits
from tui.backends.detect import detect_backend
from tui.client.client import Client
from tui.core.connection_status import ConnectionState
from tui.core.model import FullMessage, Message, Part, ReasoningPart, Request, TextPart, ToolPart
from tui.core.store import Store
from tui.core.turn import Turn
from tui.net.clocks import Clocks
from tui.net.http_client import Http
from tui.storage.journal import Journal

MAX_WAIT = 60.0
"""Time limit in seconds for any action of the server; most take one."""


class Server(Protocol):
    """The server: one port with one state, over any number of processes."""

    @property
    def port(self) -> int: ...

    def crash(self) -> None:
        """As by SIGKILL."""

    async def restart(self) -> None: ...


class ContractHarness:
    def __init__(self, client: Client, server: Server, relay: Relay, session_id: str) -> None:
        self.client = client
        self.server = server
        self.relay = relay
        self.session_id = session_id

    @property
    def traits(self) -> Traits:
        assert self.client.traits is not None
        return self.client.traits

    def held(self) -> tuple[FullMessage, ...]:
        """The session in the client's store."""
        return _messages_in(self.client.store, self.session_id)

    def parts(self) -> list[Part]:
        return [part for full in self.held() for part in full.parts]

    def tools(self) -> list[ToolPart]:
        return [part for part in self.parts() if isinstance(part, ToolPart)]

    def words(self) -> str:
        return "".join(part.text for part in self.parts() if isinstance(part, TextPart))

    def prompts(self) -> list[Message]:
        return [full.message for full in self.held() if full.message.role == "user"]

    def prompt(self, text: str) -> None:
        self.client.prompts.release(self.session_id)  # an earlier turn that ended abnormally pauses what follows it
        self.client.prompts.submit(self.session_id, text)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        await wait_until(condition, within=MAX_WAIT, what=what)

    def turns(self, text: str) -> list[Turn]:
        """The turns of this prompt, oldest first."""
        turns = self.client.turns.of(self.session_id)
        return [turn for turn in turns if turn.prompt is not None and turn.prompt.text == text]

    async def over(self, text: str) -> Turn:
        """The newest turn of this prompt, once it has ended."""

        def ended() -> bool:
            turns = self.turns(text)
            return bool(turns) and turns[-1].over

        await self.until(ended, f"the end of {text}")
        return self.turns(text)[-1]

    async def wait_for_word(self, word: str) -> None:
        await self.until(lambda: f"{word} " in self.words(), word)

    async def open_request(self) -> Request:
        """The only open request."""
        await self.until(lambda: self.client.store.requests, "a request")
        [request] = self.client.store.requests.values()
        return request

    async def live(self) -> None:
        await self.until(lambda: self.client.connection_status().state is ConnectionState.LIVE, "the line")

    async def lost(self) -> None:
        await self.until(lambda: self.client.connection_status().state is not ConnectionState.LIVE, "the loss")

    async def cut(self) -> None:
        """Break all open connections, and wait for the reconnection."""
        self.relay.sever("reset")
        await self.lost()
        self.client.retry_now()
        await self.live()

    async def matches_server(self) -> None:
        """Wait until the client has the same session as a newly started one."""
        async with new_backend(self.server) as backend:
            server_messages: tuple[FullMessage, ...] = ()
            for _ in range(int(MAX_WAIT)):
                server_messages = await _whole(backend, self.session_id)
                if _known_of(self.held(), server_messages) == server_messages:
                    return
                await asyncio.sleep(1)  # between two comparisons; equality ends the wait
            assert _known_of(self.held(), server_messages) == server_messages


@asynccontextmanager
async def connected_harness(
    server: Server,
    journal: Journal | None = None,
    session: str = "",
    clocks: Clocks | None = None,
    directory: str | None = None,
) -> AsyncIterator[ContractHarness]:
    """Attach to `session`, or to a new one; `directory`: the one that the user named."""
    relay = Relay(server.port)
    relay.accept()
    address = f"http://127.0.0.1:{relay.port}"
    host = {"host": f"127.0.0.1:{server.port}"}  # a server may refuse every other
    client = Client(
        address,
        lambda user: Http(address, headers=host),
        journal=journal,
        clocks=clocks,
        directory=directory,
    )
    client.start()
    try:
        await wait_until(
            lambda: client.connection_status().state is ConnectionState.LIVE, within=MAX_WAIT, what="the line"
        )
        session = session or (await client.new_session("contract test")).id
        await client.open_session(session)
        yield ContractHarness(client, server, relay, session)
    finally:
        await client.close()
        relay.close()


@asynccontextmanager
async def new_backend(server: Server) -> AsyncIterator[Backend]:
    """A client without any state, without a relay."""
    address = f"http://127.0.0.1:{server.port}"
    backend, _ = await detect_backend(lambda user: Http(address))
    try:
        yield backend
    finally:
        await backend.close()


async def _whole(backend: Backend, session_id: str) -> tuple[FullMessage, ...]:
    """The session with all its pages."""
    store = Store()
    store.open_transcript(session_id)
    page = await backend.messages(session_id)
    store.apply(page)
    while page.cursor is not None:
        page = await backend.messages(session_id, before=page.cursor)
        store.apply(page)
    return _messages_in(store, session_id)


def _known_of(
    client_messages: tuple[FullMessage, ...], server_messages: tuple[FullMessage, ...]
) -> tuple[FullMessage, ...]:
    """Our state, without text that the server lost with its process: we saw it, and mark it as partial."""
    stored = {part.id: part for full in server_messages for part in full.parts}

    def known(part: Part) -> Part:
        there = stored.get(part.id)
        words = TextPart | ReasoningPart
        if isinstance(part, words) and isinstance(there, words) and part.state == "partial":
            return there if part.text.startswith(there.text) else part
        return part

    return tuple(FullMessage(full.message, tuple(map(known, full.parts))) for full in client_messages)


def _messages_in(store: Store, session_id: str) -> tuple[FullMessage, ...]:
    transcript = store.transcript(session_id)
    assert transcript is not None
    return tuple(FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered())
