"""Attached clients of each session and their last heartbeats. Without HTTP, clock or randomness.

The rules are those of `qwen serve` 0.24.4. A heartbeat is accepted or refused as a whole: the client id is checked,
first its form and then its registration, before any time changes.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

_FORM = re.compile(r"[A-Za-z0-9._:-]{1,128}")


class MalformedClientId(Exception):
    """The id is not 1–128 characters of `A-Z a-z 0-9 . _ : -`."""


class UnregisteredClient(Exception):
    """The id is well formed, but this session has not issued it, or its client has detached."""

    def __init__(self, session_id: str, client_id: str) -> None:
        super().__init__(session_id, client_id)
        self.session_id = session_id
        self.client_id = client_id


@dataclass(frozen=True, slots=True)
class ClientActivity:
    """A snapshot of one session's clients."""

    last_seen_at: int | None
    """Epoch ms of the last heartbeat of any client, anonymous ones included."""
    client_last_seen_at: dict[str, int]
    """Epoch ms by client id; clients without a heartbeat are absent."""
    attachments: dict[str, int]
    """How often each registered client is attached."""


@dataclass(slots=True)
class _Session:
    last_seen_at: int | None = None
    client_last_seen_at: dict[str, int] = field(default_factory=dict)
    attachments: Counter[str] = field(default_factory=Counter)


def well_formed(client_id: str) -> str:
    """Return the id; raises MalformedClientId."""
    if not _FORM.fullmatch(client_id):
        raise MalformedClientId(client_id)
    return client_id


class ClientRegistry:
    """Registered clients by session. It does not check that a session exists.

    `new_id` makes the issued ids; every `client_id` argument must be None (anonymous) or `well_formed`.
    """

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._sessions: dict[str, _Session] = {}

    def attach(self, session_id: str, client_id: str | None = None) -> str:
        """Add one attachment; returns the given id if it is registered here, else a new one."""
        if client_id is not None:
            well_formed(client_id)
        session = self._sessions.setdefault(session_id, _Session())
        if client_id is None or client_id not in session.attachments:
            client_id = self._new_id()
        session.attachments[client_id] += 1
        return client_id

    def detach(self, session_id: str, client_id: str | None = None) -> None:
        """Remove one attachment, and with the last one the client.

        Does nothing for unknown and anonymous clients.
        """
        if client_id is not None:
            well_formed(client_id)
        session = self._sessions.get(session_id)
        if session is None or client_id is None or client_id not in session.attachments:
            return
        session.attachments[client_id] -= 1
        if not session.attachments[client_id]:
            del session.attachments[client_id]
            session.client_last_seen_at.pop(client_id, None)

    def check(self, session_id: str, client_id: str | None) -> None:
        """Raises MalformedClientId or UnregisteredClient; anonymous clients pass."""
        if client_id is None:
            return
        well_formed(client_id)
        session = self._sessions.get(session_id)
        if session is None or client_id not in session.attachments:
            raise UnregisteredClient(session_id, client_id)

    def record_heartbeat(self, session_id: str, client_id: str | None, now: int) -> None:
        """Set the session's last heartbeat to `now` (epoch ms), and the client's own if it sent its id.

        Raises MalformedClientId or UnregisteredClient without any change.
        """
        self.check(session_id, client_id)
        session = self._sessions.setdefault(session_id, _Session())
        if client_id is not None:
            session.client_last_seen_at[client_id] = now
        session.last_seen_at = now

    def client_activity(self, session_id: str) -> ClientActivity:
        session = self._sessions.get(session_id, _Session())
        return ClientActivity(session.last_seen_at, dict(session.client_last_seen_at), dict(session.attachments))

    def forget(self, session_id: str) -> None:
        """Remove a deleted session and its clients."""
        self._sessions.pop(session_id, None)
