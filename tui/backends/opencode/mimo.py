"""MiMo Code, a fork of opencode with mostly the same routes. Behaviour as measured on 0.1.15."""

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice
from typing import Any

from msgspec.structs import replace

from tui.backends.base import PostObserver, PromptRejected, ServerInfo, Traits
from tui.backends.client_identity import Identities
from tui.backends.decoding import RawJSON, Rows, decode, decode_items, string
from tui.backends.numbers import integer
from tui.backends.opencode import mimo_terminal
from tui.backends.opencode import schema as wire
from tui.backends.opencode.backend import OpenCode
from tui.backends.opencode.events import kind_of
from tui.backends.opencode.mimo_terminal import Entry, Terminals, entry
from tui.backends.paging import OnBytes
from tui.core import events as e
from tui.core.model import Answers, FullMessage, Prompt, Retrying, Session
from tui.net.errors import HttpStatusError, NetError, UnexpectedContentType
from tui.net.http_client import Http
from tui.net.url import path_segment

log = logging.getLogger(__name__)

MIMO = Traits(
    family="mimo",
    cancels_on_disconnect=None,
    queues_prompts=False,
    answers_in_id_order=True,
    acceptance_is_proof=False,
)
CONTINUING_VERSIONS = frozenset({"0.1.15"})
"""Versions measured to continue a turn after its client disconnects; earlier ones are said to cancel it."""


UNKNOWN_PATH = (404, 503)
"""Its statuses for unknown routes; 0.1.15 returns 503."""
SESSIONS_LOOKED_AT = 50
"""Limit of busy sessions in which a waiting terminal call is searched."""
CALLS_LOOKED_AT = 10
"""Number of newest messages in which it is searched."""


class OutsideDirectory(NetError):
    """Without a password, the server works only in its own directory and those below it."""

    def __init__(self, directory: str) -> None:
        super().__init__(
            f"the server does not serve {directory}",
            f"Start the server in {directory}, or with MIMOCODE_SERVER_PASSWORD set.",
            final=True,
        )


class MimoCode(OpenCode):
    """One MiMo Code server. It acts on a session in the header's directory, not in the session's own."""

    directory_header = "x-mimocode-directory"
    default_traits = MIMO

    def __init__(self, http: Http, *, directory: str | None = None, identities: Identities | None = None) -> None:
        super().__init__(http, directory=directory, identities=identities)
        self._serves: dict[str, bool] = {}
        self._directories: dict[str, str] = {}
        """By session id."""
        self._terminals = Terminals()
        self._skew = 0.0
        """The server's clock minus ours in seconds."""

    async def handshake(self) -> ServerInfo:
        self._serves.clear()
        self._terminals.clear()
        server = await super().handshake()
        self._skew = server.clock_skew or 0.0
        if self._directory is not None and not await self._works_in(self._directory):
            raise OutsideDirectory(self._directory)
        if server.version in CONTINUING_VERSIONS:
            self._traits = replace(self._traits, cancels_on_disconnect=False)
        return server

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        """Adds commands that wait at a terminal, which have their own list."""
        found, waiting = await asyncio.gather(super().resync(directories), self._at_terminals(directories))
        complete = any(map(self._terminals.is_unmatched, waiting))
        for session_id in islice(found.statuses, SESSIONS_LOOKED_AT if complete else 0):
            try:
                await self.messages(session_id, limit=CALLS_LOOKED_AT)
            except NetError as error:
                log.info("the terminal command of %s is unknown: %s", session_id, error.message)
                complete = False
        complete = complete and len(found.statuses) <= SESSIONS_LOOKED_AT
        asked = [self._terminals.request(one, complete=complete) for one in waiting]
        return replace(
            found,
            requests=(*found.requests, *[one for one in asked if one is not None]),
            unreadable=found.unreadable + waiting.unreadable,
        )

    async def _at_terminals(self, directories: Sequence[str]) -> Rows[Entry]:
        """The commands in these directories; none for older versions without such a list."""
        waiting: Rows[Entry] = Rows()
        scopes = [await self._scope(place) for place in (self._home, *directories)]
        try:
            for scope in [one for row, one in enumerate(scopes) if one not in scopes[:row]]:
                listed = (await self._get("/bash-interactive", headers=scope)).value
                rows = decode_items(listed if isinstance(listed, list) else [], entry, "a command at a terminal")
                waiting = waiting.with_more(rows)
        except (HttpStatusError, UnexpectedContentType) as error:
            if isinstance(error, HttpStatusError) and error.status not in UNKNOWN_PATH:
                raise
        return waiting

    async def messages(
        self, session_id: str, *, limit: int = 50, before: str | None = None, on_bytes: OnBytes | None = None
    ) -> e.MessagesLoaded:
        loaded = await super().messages(session_id, limit=limit, before=before, on_bytes=on_bytes)
        self._terminals.record_messages(loaded.messages)
        return loaded

    def _event_of(self, frame: RawJSON) -> e.Event | None:
        kind, properties = kind_of(frame)
        match kind:
            case "bash.interactive.asked":
                request = self._terminals.request(entry(properties))
                return None if request is None else e.RequestOpened(request)
            case "bash.interactive.replied":
                return self._terminals.replied(properties)
        event = super()._event_of(frame)
        match event:
            case e.PartUpserted(part):
                self._terminals.record_part(part)
            case e.StatusChanged(session_id, Retrying(next_at=float(at)) as retrying):  # sent as a delay from now
                return e.StatusChanged(session_id, replace(retrying, next_at=at + self._skew))
        return event

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        if not request_id.startswith(mimo_terminal.PREFIX):
            return await super().answer(request_id, answers, directory=directory)
        return await self._resolve(*_reply_at_terminal(request_id, answers), directory)

    async def reject(self, request_id: str, *, directory: str) -> bool:
        if not request_id.startswith(mimo_terminal.PREFIX):
            return await super().reject(request_id, directory=directory)
        return await self._resolve(*_reply_at_terminal(request_id, None), directory)

    async def post_prompt(self, prompt: Prompt, watcher: PostObserver) -> FullMessage:
        """Post in the session's directory only: without the header the agent works in the server's."""
        directory = await self._directory_of(prompt.session_id)
        if not await self._works_in(directory):
            what = f"the server does not serve {directory}: start it there, or with MIMOCODE_SERVER_PASSWORD set"
            raise PromptRejected(what, "")
        return await super().post_prompt(prompt, watcher)

    async def abort(self, session_id: str) -> None:
        """Abort in the session's directory and in the server's own, where clients without a header run turns."""
        scope = await self._scope_of(session_id)
        for headers in [scope, {}] if scope else [{}]:
            await self._http.call("POST", f"/session/{path_segment(session_id)}/abort", headers=headers, timeout=10.0)

    async def rename(self, session_id: str, title: str) -> Session:
        """A rename must name the title's revision, which may change meanwhile: retried once."""
        path = f"/session/{path_segment(session_id)}"
        try:
            return await self._rename(path, title)
        except HttpStatusError as refusal:
            if refusal.status != 409:
                raise
            return await self._rename(path, title)

    async def _rename(self, path: str, title: str) -> Session:
        known = (await self._get(path)).value
        body: dict[str, Any] = {"title": title}
        revision = integer(wire.inside(known).get("titleRevision"))
        if revision is not None:
            body["expectedRevision"] = revision
        return decode(path, wire.session, (await self._http.call("PATCH", path, json=body)).value)

    async def _resolve(self, path: str, body: dict[str, Any], directory: str) -> bool:
        """The server accepts replies to closed requests, so check first whether it is open."""
        _, kind, request_id, _ = path.split("/")
        scope = await self._scope(directory)
        for headers in [scope, {}] if scope else [{}]:  # as in `abort`
            listed = (await self._get(f"/{kind}", headers=headers)).value
            if not isinstance(listed, list) or request_id in [string(one, "id") for one in listed]:
                reply = await self._http.call("POST", path, json=body, headers=headers, timeout=5.0)
                return reply.value is not False
        return False

    async def session(self, session_id: str) -> Session:
        found = await super().session(session_id)
        self._directories[session_id] = found.directory
        return found

    async def _directory_of(self, session_id: str) -> str:
        return self._directories.get(session_id) or await super()._directory_of(session_id)

    async def _scope_of(self, session_id: str) -> dict[str, str]:
        return await self._scope(await self._directory_of(session_id))

    async def _scope(self, directory: str | None) -> dict[str, str]:
        """Empty if the server does not serve the directory: it is then read without the header."""
        if not directory or not await self._works_in(directory):
            return {}
        return await super()._scope(directory)

    async def _works_in(self, directory: str) -> bool:
        """Whether the server serves the directory; checked once per connection."""
        scope = await super()._scope(directory)
        if scope and directory not in self._serves:
            try:
                await self._get("/path", headers=scope)
            except HttpStatusError as refusal:
                if refusal.status != 403:
                    raise
                self._serves[directory] = False
            else:
                self._serves[directory] = True
        return self._serves.get(directory, True)


def _reply_at_terminal(request_id: str, answers: Answers | None) -> tuple[str, dict[str, Any]]:
    path = f"/bash-interactive/{path_segment(request_id.removeprefix(mimo_terminal.PREFIX))}/reply"
    return path, mimo_terminal.reply_body(answers)
