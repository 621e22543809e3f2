"""A client without a screen and the stub server: real sockets, and a clock that skips all waiting."""

import asyncio
import functools
import inspect
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from server_stub.domain.profiles import PROFILES
from server_stub.faults.kinds import parse
from tests.chaos.stub_server import StubServer
from tests.chaos.virtual_time import VirtualTime, run
from tests.waiting import MAX_WAIT, wait_until
from tui.backends.opencode.messages import full_message
from tui.client.client import Client
from tui.core import changes as c
from tui.core.model import Request, TextPart, ToolPart
from tui.core.transcript import Transcript
from tui.core.turn import Turn
from tui.net.clocks import Clocks
from tui.net.credentials import BasicAuth
from tui.net.http_client import Http


class ClientHarness:
    """A client and a server, with the requests sent and the changes reported."""

    def __init__(self, server: StubServer) -> None:
        self.server = server
        self.changes: list[c.Change] = []
        self.requests_sent: list[tuple[str, str]] = []
        self.session_id = ""
        loop = asyncio.get_running_loop()
        address = f"http://127.0.0.1:{server.port}"
        self.http = httpx.AsyncClient(base_url=address, trust_env=False, timeout=MAX_WAIT)

        def open_http(user: str) -> Http:
            self.requests_sent.append(("OPEN", user))
            return RecordingHttp(self.requests_sent, address, credentials=BasicAuth(user, "secret"))

        epoch = time.time()
        clocks = Clocks(loop.time, lambda: epoch + loop.time(), asyncio.sleep, lambda: 0.5)
        self.client = Client(address, open_http, clocks=clocks)
        self.client.subscribe(self._on_change)
        self._changed = asyncio.Event()

    def _on_change(self, change: c.Change) -> None:
        self.changes.append(change)
        self._changed.set()

    async def until(self, condition: Callable[[], object], within: float = 5, what: str = "") -> None:
        """Check after each change; `tests.waiting` would check a hundred times a second, and an hour has many."""
        deadline = self.client.now() + within
        while not condition():
            assert self.client.now() < deadline, f"still waiting after {within:g} s: {what or condition}"
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), 0.5)
            except TimeoutError:
                continue

    @property
    def synced(self) -> bool:
        return self.client.synced

    async def connect(self) -> None:
        self.client.start()
        await self.until(lambda: self.synced, what="the line")
        session = await self.client.new_session("a talk")
        self.session_id = session.id
        await self.client.open_session(session.id)

    def arm(self, fault: str) -> None:
        self.server.arm(parse(fault))

    def send(self, text: str) -> Turn:
        return self.client.prompts.send_now(self.session_id, text)

    async def over(self, turn: Turn, within: float = 120) -> Turn:
        await self.until(lambda: turn.over, within=within, what=f"the end of {turn}")
        return turn

    async def request(self) -> Request:
        """The open request."""
        await self.until(lambda: self.client.store.requests, within=30, what="a request")
        (request,) = self.client.store.requests.values()
        return request

    async def outcome(self, request_id: str) -> c.ReplyStatusChanged:
        """The final state of an answer."""
        ends = ("acknowledged", "allowed", "elsewhere", "expired", "refused", "stopped")

        def ended() -> list[c.ReplyStatusChanged]:
            changes = [one for one in self.changes if isinstance(one, c.ReplyStatusChanged)]
            return [one for one in changes if one.request.id == request_id and one.state in ends]

        await self.until(ended, within=60, what="an outcome")
        return ended()[-1]

    def replies(self) -> int:
        """How often an answer was posted."""
        return sum(path.endswith("/reply") for _, path in self.requests_sent)

    def transcript(self) -> Transcript:
        transcript = self.client.store.transcript(self.session_id)
        assert transcript is not None
        return transcript

    def words(self) -> list[str]:
        """All texts of the session in the client."""
        parts = [part for message in self.transcript().ordered() for part in self.transcript().parts_of(message.id)]
        return [part.text for part in parts if isinstance(part, TextPart)]

    def tool(self) -> ToolPart:
        parts = [part for message in self.transcript().ordered() for part in self.transcript().parts_of(message.id)]
        return next(part for part in parts if isinstance(part, ToolPart))

    async def stored(self) -> list[Any]:
        found = (await self.http.get(f"/session/{self.session_id}/message")).json()
        assert isinstance(found, list)
        return found

    async def prompts_stored(self) -> list[str]:
        return [one["info"]["id"] for one in await self.stored() if one["info"]["role"] == "user"]

    async def matches_server(self) -> bool:
        """Whether the client's transcript equals the server's."""
        server_transcript = Transcript()
        for full in map(full_message, await self.stored()):
            server_transcript.messages[full.message.id] = full.message
            for part in full.parts:
                server_transcript.put_part(part)
        return self.transcript().same_as(server_transcript)

    async def lists(self, kind: str) -> list[Any]:
        found = (await self.http.get(f"/{kind}")).json()
        assert isinstance(found, list)
        return found


class RecordingHttp(Http):
    """Records the requests it sends."""

    def __init__(self, requests_sent: list[tuple[str, str]], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._requests_sent = requests_sent

    async def call(self, method: str, path: str, **options: Any) -> Any:
        self._requests_sent.append((method, path))
        return await super().call(method, path, **options)

    @asynccontextmanager
    async def stream(self, method: str, path: str, **options: Any) -> AsyncIterator[Any]:
        self._requests_sent.append((method, path))
        async with super().stream(method, path, **options) as stream:
            yield stream


TestFunction = Callable[..., Coroutine[Any, Any, None]]


def on_virtual_time(
    usual: str = "opencode", *, connected: bool = True
) -> Callable[[TestFunction], Callable[..., None]]:
    """Run a test on virtual time with a `ClientHarness`, by default connected and with an open session.

    The server has the profile `usual`, or the one that the test takes as `profile`.
    """

    def decorate(test: TestFunction) -> Callable[..., None]:
        @functools.wraps(test)
        def wrapper(**given: Any) -> None:
            async def main(loop: VirtualTime) -> None:
                server = StubServer(PROFILES[given.get("profile", usual)], time.time())
                server.start()
                harness = ClientHarness(server)
                try:
                    if connected:
                        await harness.connect()
                    await test(harness, **given)
                finally:
                    await harness.client.close()
                    await harness.http.aclose()
                    await server.close()
                assert loop.broken == []
                await wait_until(lambda: asyncio.all_tasks() == {asyncio.current_task()}, what="every task to end")

            run(main)

        signature = inspect.signature(test)
        fixtures = [one for name, one in signature.parameters.items() if name != "harness"]
        wrapper.__signature__ = signature.replace(parameters=fixtures)  # type: ignore[attr-defined]
        return wrapper

    return decorate


every_profile = pytest.mark.parametrize("profile", ["opencode", "opencode-padded", "mimo"])


opencode_profiles = pytest.mark.parametrize("profile", ["opencode", "opencode-padded"])
