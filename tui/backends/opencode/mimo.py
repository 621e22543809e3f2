"""MiMo Code, a fork of opencode: the same routes with another name. Behaviour as measured on 0.1.15."""

from typing import Any

from msgspec.structs import replace

from tui.backends.base import NotTaken, PostWatcher, ServerInfo, Traits
from tui.backends.decoding import checked
from tui.backends.opencode import schema as wire
from tui.backends.opencode.backend import OpenCode
from tui.core.model import FullMessage, Prompt, Session
from tui.net.errors import NetError, Refused
from tui.net.http_client import Http
from tui.net.url import segment

MIMO = Traits(family="mimo", cancels_on_disconnect=None, queues_prompts=False, answers_in_id_order=True)
GOES_ON = frozenset({"0.1.15"})
"""Versions that were seen to go on with a turn whose client had left; of earlier ones the opposite is told."""


class OutsideDirectory(NetError):
    """The server works in none but its own directory and those below it, unless it asks for a password."""

    def __init__(self, directory: str) -> None:
        super().__init__(
            f"the server does not work in {directory}",
            f"Start the server in {directory}, or with MIMOCODE_SERVER_PASSWORD set.",
            final=True,
        )


class MimoCode(OpenCode):
    """One MiMo Code server. What is done to a session it does where the header says, not where the session is."""

    directory_header = "x-mimocode-directory"
    default_traits = MIMO

    def __init__(self, http: Http, *, directory: str | None = None) -> None:
        super().__init__(http, directory=directory)
        self._serves: dict[str, bool] = {}
        self._directories: dict[str, str] = {}
        """Of sessions, by their id."""

    async def hello(self) -> ServerInfo:
        self._serves.clear()
        server = await super().hello()
        if self._directory is not None and not await self._works_in(self._directory):
            raise OutsideDirectory(self._directory)
        if server.version in GOES_ON:
            self._traits = replace(self._traits, cancels_on_disconnect=False)
        return server

    async def post_prompt(self, prompt: Prompt, watcher: PostWatcher) -> FullMessage:
        """Never into a directory other than the session's: without the header the agent works in the server's."""
        directory = await self._directory_of(prompt.session_id)
        if not await self._works_in(directory):
            what = f"the server does not work in {directory}: start it there, or with MIMOCODE_SERVER_PASSWORD set"
            raise NotTaken(what, "")
        return await super().post_prompt(prompt, watcher)

    async def abort(self, session_id: str) -> None:
        """In the session's directory, and in the server's own: a client that names none has its turns there."""
        scope = await self._scope_of(session_id)
        for headers in [scope, {}] if scope else [{}]:
            await self._http.call("POST", f"/session/{segment(session_id)}/abort", headers=headers, timeout=10.0)

    async def rename(self, session_id: str, title: str) -> Session:
        """The server wants to be told which of the session's titles is replaced; it may give it one meanwhile."""
        path = f"/session/{segment(session_id)}"
        try:
            return await self._rename(path, title)
        except Refused as refusal:
            if refusal.status != 409:
                raise
            return await self._rename(path, title)

    async def _rename(self, path: str, title: str) -> Session:
        known = (await self._get(path)).value
        body: dict[str, Any] = {"title": title}
        if isinstance(known, dict) and "titleRevision" in known:
            body["expectedRevision"] = known["titleRevision"]
        return checked(path, wire.session, (await self._http.call("PATCH", path, json=body)).value)

    async def _resolve(self, path: str, body: dict[str, Any], directory: str) -> bool:
        """The server says `true` to an answer to what is not open (any more): whether it is, is asked before."""
        _, kind, request_id, _ = path.split("/")
        scope = await self._scope(directory)
        for headers in [scope, {}] if scope else [{}]:  # as in `abort`
            listed = (await self._get(f"/{kind}", headers=headers)).value
            if not isinstance(listed, list) or request_id in [wire.field(one, "id") for one in listed]:
                reply = await self._http.call("POST", path, json=body, headers=headers, timeout=5.0)
                return reply.value is not False
        return False

    async def _directory_of(self, session_id: str) -> str:
        if session_id not in self._directories:
            self._directories[session_id] = await super()._directory_of(session_id)
        return self._directories[session_id]

    async def _scope_of(self, session_id: str) -> dict[str, str]:
        return await self._scope(await self._directory_of(session_id))

    async def _scope(self, directory: str | None) -> dict[str, str]:
        """None where the server does not work: what it has of that directory it shows without the header."""
        if not directory or not await self._works_in(directory):
            return {}
        return await super()._scope(directory)

    async def _works_in(self, directory: str) -> bool:
        """Whether the server takes calls about the directory; of each it is asked once a connection."""
        scope = await super()._scope(directory)
        if scope and directory not in self._serves:
            try:
                await self._get("/path", headers=scope)
            except Refused as refusal:
                if refusal.status != 403:
                    raise
                self._serves[directory] = False
            else:
                self._serves[directory] = True
        return self._serves.get(directory, True)
