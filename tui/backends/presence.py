"""Client heartbeats: telling a server that somebody still watches a session.

The routes are those of qwen serve (`/capabilities`, `…/resume`, `…/heartbeat`, `…/detach`); other servers may
offer them too. A failure here is never a failure of the turn.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from tui.net.address import segment
from tui.net.errors import NetError, Refused
from tui.net.http import Http

HEARTBEAT = "client_heartbeat"
IDENTITY = "client_identity"
LIMIT = 5.0
"""Seconds for one beat; the next one comes anyway."""
LEAVE_LIMIT = 1.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Presence:
    """Our identity in each session that we watch."""

    http: Http
    features: frozenset[str] = frozenset()
    _identities: dict[str, str] = field(default_factory=dict)

    async def learn(self) -> frozenset[str]:
        """What the server offers; nothing where it has no `/capabilities` (some answer any path with a page)."""
        self.features = frozenset()
        try:
            value = (await self.http.call("GET", "/capabilities")).value
        except NetError as error:
            log.info("the server says nothing of what it offers: %s", error.what)
            return self.features
        listed = value.get("features") if isinstance(value, dict) else None
        if isinstance(listed, list):
            self.features = frozenset(feature for feature in listed if isinstance(feature, str))
        return self.features

    async def beat(self, session_id: str) -> None:
        """Beat once, with an identity where the server gives them out. Raises `NetError`."""
        path = f"/session/{segment(session_id)}/heartbeat"
        for again in (False, True):
            identity = await self._identity(session_id)
            headers = {"x-qwen-client-id": identity} if identity else {}
            try:
                await self.http.call("POST", path, headers=headers, timeout=LIMIT)
            except Refused as refusal:
                if refusal.status != 400 or not identity or again:
                    raise
                del self._identities[session_id]  # the server forgot us: a new identity is asked for, once
            else:
                return

    async def leave_all(self) -> None:
        """Say that we no longer watch any session. Quitting does not wait for a server that is not there."""
        identities, self._identities = self._identities, {}
        await asyncio.gather(*(self._leave(*one) for one in identities.items()))

    async def _leave(self, session_id: str, identity: str) -> None:
        path = f"/session/{segment(session_id)}/detach"
        try:
            await self.http.call("POST", path, headers={"x-qwen-client-id": identity}, timeout=LEAVE_LIMIT)
        except NetError as error:
            log.info("could not say goodbye to a session: %s", error.what)

    async def _identity(self, session_id: str) -> str | None:
        if IDENTITY not in self.features:
            return None
        if session_id not in self._identities:
            path = f"/session/{segment(session_id)}/resume"
            value = (await self.http.call("POST", path, json={}, timeout=LIMIT)).value
            issued = value.get("clientId") if isinstance(value, dict) else None
            if not isinstance(issued, str) or not issued:
                return None
            self._identities[session_id] = issued
        return self._identities[session_id]
