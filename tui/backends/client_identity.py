"""Client identity and heartbeats, by which a server knows that a client follows a session.

The routes are those of qwen serve (`/capabilities`, `…/resume`, `…/heartbeat`, `…/detach`); other servers may have
them too. A failure here never fails a turn.
"""

import asyncio
import logging
from typing import Protocol

import msgspec

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
"""Timeout of one heartbeat in seconds; the next one follows anyway."""
LEAVE_LIMIT = 1.0
MAX_HEADER_CHARACTERS = 1024
"""Limit in characters of an identity that is sent: real servers issue at most 128."""

log = logging.getLogger(__name__)


class Identities(Protocol):
    """Stores the client ids of each session across crashes: prompts are attributed to them."""

    def identities(self, session_id: str) -> list[str]:
        """Newest first, including those of crashed clients of this journal."""

    def save_identity(self, session_id: str, identity: str) -> None: ...
    def forget_identities(self, session_id: str) -> None: ...


class InMemoryIdentities:
    """Identities of a client without storage."""

    def identities(self, session_id: str) -> list[str]:
        return []

    def save_identity(self, session_id: str, identity: str) -> None:
        pass

    def forget_identities(self, session_id: str) -> None:
        pass


class ClientIdentity(msgspec.Struct, eq=False):
    """This client's id in each session that it follows."""

    http: Http
    features: frozenset[str] = frozenset()
    kept: Identities = msgspec.field(default_factory=InMemoryIdentities)
    _identities: dict[str, list[str]] = msgspec.field(default_factory=dict)
    _watched: set[str] = msgspec.field(default_factory=set)

    async def fetch_features(self) -> frozenset[str]:
        """The server's features; none without `/capabilities` (some servers answer any path with a page)."""
        self.features = frozenset()
        try:
            value = (await self.http.call("GET", "/capabilities", limit=SHORT)).value
        except NetError as error:
            log.info("the server lists no features: %s", error.message)
            return self.features
        listed = value.get("features") if isinstance(value, dict) else None
        if isinstance(listed, list):
            self.features = frozenset(feature for feature in listed if isinstance(feature, str))
        return self.features

    def known_ids(self, session_id: str) -> list[str]:
        """All ids that this client has had in the session, newest first."""
        if session_id not in self._identities:
            self._identities[session_id] = self.kept.identities(session_id)
        return self._identities[session_id]

    def header(self, session_id: str) -> dict[str, str]:
        """The identity header; empty without an id, or if a header cannot carry it."""
        newest = next(iter(self.known_ids(session_id)), "")
        return {IDENTITY_HEADER: newest} if is_token(newest) and len(newest) <= MAX_HEADER_CHARACTERS else {}

    def record(self, session_id: str, identity: str) -> None:
        """Store the id that the server issued for the session."""
        self._watched.add(session_id)
        mine = self.known_ids(session_id)
        if mine[:1] != [identity]:
            mine.insert(0, identity)
            self.kept.save_identity(session_id, identity)

    async def send_heartbeat(self, session_id: str) -> None:
        """Send one heartbeat, with an id if the server issues them. Raises `NetError`."""
        await self.call(session_id, "heartbeat", timeout=LIMIT)

    async def call(self, session_id: str, what: str, *, json: JSON = None, timeout: float) -> Response:
        """POST to a route of the session with our id; requests a new id once if it is unknown."""
        path = f"/session/{path_segment(session_id)}/{what}"
        headers = await self._identity_header(session_id)
        try:
            return await self.http.call("POST", path, json=json, headers=headers, timeout=timeout)
        except HttpStatusError as refusal:
            if not headers or not is_forgotten(refusal):
                raise
        await self._request_id(session_id)
        return await self.http.call("POST", path, json=json, headers=self.header(session_id), timeout=timeout)

    async def unfollow(self, session_id: str) -> None:
        """Detach from the session; does not wait for an unreachable server."""
        if session_id not in self._watched:
            return
        self._watched.discard(session_id)
        headers = self.header(session_id)
        self._identities.pop(session_id, None)
        self.kept.forget_identities(session_id)
        await self.detach(session_id, headers)

    async def detach_all(self) -> None:
        """Detach from all sessions."""
        await asyncio.gather(*(self.unfollow(session_id) for session_id in list(self._watched)))

    async def detach(self, session_id: str, headers: dict[str, str]) -> None:
        """Detach once: the server counts attachments."""
        path = f"/session/{path_segment(session_id)}/detach"
        try:
            await self.http.call("POST", path, headers=headers, timeout=LEAVE_LIMIT)
        except NetError as error:
            log.info("could not detach from a session: %s", error.message)

    async def _identity_header(self, session_id: str) -> dict[str, str]:
        if IDENTITY in self.features and not self.known_ids(session_id):
            await self._request_id(session_id)
        return self.header(session_id)

    async def _request_id(self, session_id: str) -> None:
        """Request a new id."""
        path = f"/session/{path_segment(session_id)}/resume"
        value = (await self.http.call("POST", path, json={}, timeout=LIMIT)).value
        issued = value.get("clientId") if isinstance(value, dict) else None
        if isinstance(issued, str) and issued:
            self.record(session_id, issued)


def is_forgotten(refusal: HttpStatusError) -> bool:
    """Whether the server refused the request only because our id is unknown."""
    value = refusal.value
    return refusal.status == 400 and isinstance(value, dict) and value.get("code") == "invalid_client_id"
