"""Client heartbeats: telling a server that somebody still watches a session.

The routes are those of qwen serve (`/capabilities`, `…/resume`, `…/heartbeat`, `…/detach`); other servers may
offer them too. A failure here is never a failure of the turn.
"""

from dataclasses import dataclass, field

from tui.net.address import segment
from tui.net.errors import BadBody, Refused, WrongType
from tui.net.http import Http

HEARTBEAT = "client_heartbeat"
IDENTITY = "client_identity"
LIMIT = 5.0
"""Seconds for one beat; the next one comes anyway."""


@dataclass(slots=True)
class Presence:
    """Our identity in each session that we watch."""

    http: Http
    features: frozenset[str] = frozenset()
    _identities: dict[str, str] = field(default_factory=dict)

    async def learn(self) -> frozenset[str]:
        """What the server offers; nothing where it has no `/capabilities` (some answer any path with a page)."""
        try:
            value = (await self.http.call("GET", "/capabilities")).value
        except (WrongType, BadBody, Refused):
            self.features = frozenset()
            return self.features
        listed = value.get("features") if isinstance(value, dict) else None
        self.features = (
            frozenset(f for f in listed if isinstance(f, str)) if isinstance(listed, list) else frozenset()
        )
        return self.features

    async def beat(self, session_id: str) -> None:
        """Beat once, with an identity where the server gives them out. Raises `NetError`."""
        path = f"/session/{segment(session_id)}/heartbeat"
        for _ in range(2):
            identity = await self._identity(session_id)
            headers = {"x-qwen-client-id": identity} if identity else {}
            try:
                await self.http.call("POST", path, headers=headers, timeout=LIMIT)
            except Refused as refusal:
                if refusal.status == 400 and identity:  # the server forgot us: ask for a new identity, once
                    del self._identities[session_id]
                    continue
                raise
            return

    async def leave(self, session_id: str) -> None:
        """Say that we no longer watch the session. Raises `NetError`."""
        identity = self._identities.pop(session_id, None)
        if identity is not None:
            path = f"/session/{segment(session_id)}/detach"
            await self.http.call("POST", path, headers={"x-qwen-client-id": identity}, timeout=LIMIT)

    def watched(self) -> tuple[str, ...]:
        return tuple(self._identities)

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
