"""Client heartbeats: telling a server that somebody still watches a session.

The routes are those of qwen serve (`/capabilities`, `…/resume`, `…/heartbeat`, `…/detach`); other servers may
offer them too. A failure here is never a failure of the turn.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Protocol

from tui.net.credentials import is_token
from tui.net.errors import HttpStatusError, NetError
from tui.net.http_client import SHORT, Http
from tui.net.json_input import JSON
from tui.net.response import Response
from tui.net.url import path_segment

HEARTBEAT = "client_heartbeat"
IDENTITY = "client_identity"
IDENTITY_HEADER = "x-qwen-client-id"
LIMIT = 5.0
"""Seconds for one beat; the next one comes anyway."""
LEAVE_LIMIT = 1.0
LONGEST = 1024
"""Characters of an identity that is sent: those of the servers have at most 128."""

log = logging.getLogger(__name__)


class Identities(Protocol):
    """Who we have been in each session, kept for a client that dies: its prompts carry that name."""

    def identities(self, session_id: str) -> list[str]:
        """The newest first; those of clients that died are ours."""

    def keep_identity(self, session_id: str, identity: str) -> None: ...
    def forget_identities(self, session_id: str) -> None: ...


class InMemoryIdentities:
    """Identities of a client that keeps nothing."""

    def identities(self, session_id: str) -> list[str]:
        return []

    def keep_identity(self, session_id: str, identity: str) -> None:
        pass

    def forget_identities(self, session_id: str) -> None:
        pass


@dataclass(slots=True)
class ClientIdentity:
    """Our identity in each session that we watch."""

    http: Http
    features: frozenset[str] = frozenset()
    kept: Identities = field(default_factory=InMemoryIdentities)
    _identities: dict[str, list[str]] = field(default_factory=dict)
    _watched: set[str] = field(default_factory=set)

    async def fetch_features(self) -> frozenset[str]:
        """What the server offers; nothing where it has no `/capabilities` (some answer any path with a page)."""
        self.features = frozenset()
        try:
            value = (await self.http.call("GET", "/capabilities", limit=SHORT)).value
        except NetError as error:
            log.info("the server says nothing of what it offers: %s", error.message)
            return self.features
        listed = value.get("features") if isinstance(value, dict) else None
        if isinstance(listed, list):
            self.features = frozenset(feature for feature in listed if isinstance(feature, str))
        return self.features

    def known_ids(self, session_id: str) -> list[str]:
        """All identities that we have had in the session, the newest first."""
        if session_id not in self._identities:
            self._identities[session_id] = self.kept.identities(session_id)
        return self._identities[session_id]

    def header(self, session_id: str) -> dict[str, str]:
        """The header that says who we are; none before the server told us, or where no header can carry it."""
        newest = next(iter(self.known_ids(session_id)), "")
        return {IDENTITY_HEADER: newest} if is_token(newest) and len(newest) <= LONGEST else {}

    def record(self, session_id: str, identity: str) -> None:
        """The server told us who we are in the session."""
        self._watched.add(session_id)
        mine = self.known_ids(session_id)
        if mine[:1] != [identity]:
            mine.insert(0, identity)
            self.kept.keep_identity(session_id, identity)

    async def beat(self, session_id: str) -> None:
        """Beat once, with an identity where the server gives them out. Raises `NetError`."""
        await self.call(session_id, "heartbeat", timeout=LIMIT)

    async def call(self, session_id: str, what: str, *, json: JSON = None, timeout: float) -> Response:
        """POST to a route of the session, as the one whom the server knows; a new identity is asked for once."""
        path = f"/session/{path_segment(session_id)}/{what}"
        headers = await self._introduced(session_id)
        try:
            return await self.http.call("POST", path, json=json, headers=headers, timeout=timeout)
        except HttpStatusError as refusal:
            if not headers or not is_forgotten(refusal):
                raise
        await self._introduce(session_id)
        return await self.http.call("POST", path, json=json, headers=self.header(session_id), timeout=timeout)

    async def leave(self, session_id: str) -> None:
        """Say that we no longer watch the session; a server that is not there is not waited for."""
        if session_id not in self._watched:
            return
        self._watched.discard(session_id)
        headers = self.header(session_id)
        self._identities.pop(session_id, None)
        self.kept.forget_identities(session_id)
        await self.detach(session_id, headers)

    async def leave_all(self) -> None:
        """Say that we no longer watch any session."""
        await asyncio.gather(*(self.leave(session_id) for session_id in list(self._watched)))

    async def detach(self, session_id: str, headers: dict[str, str]) -> None:
        """Take back one of the times that we came to the session: the server counts them."""
        path = f"/session/{path_segment(session_id)}/detach"
        try:
            await self.http.call("POST", path, headers=headers, timeout=LEAVE_LIMIT)
        except NetError as error:
            log.info("could not say goodbye to a session: %s", error.message)

    async def _introduced(self, session_id: str) -> dict[str, str]:
        if IDENTITY in self.features and not self.known_ids(session_id):
            await self._introduce(session_id)
        return self.header(session_id)

    async def _introduce(self, session_id: str) -> None:
        """Ask for a new identity."""
        path = f"/session/{path_segment(session_id)}/resume"
        value = (await self.http.call("POST", path, json={}, timeout=LIMIT)).value
        issued = value.get("clientId") if isinstance(value, dict) else None
        if isinstance(issued, str) and issued:
            self.record(session_id, issued)


def is_forgotten(refusal: HttpStatusError) -> bool:
    """Whether the server refused because it does not know our identity: it did nothing else with the request."""
    value = refusal.value
    return refusal.status == 400 and isinstance(value, dict) and value.get("code") == "invalid_client_id"
