"""The daemon: which sessions it holds in memory, how they come alive, and when they are closed again.

What is on disk outlives it (the world's sessions); all else here is gone with the process, and then every id is
unknown until it is loaded.
"""

import asyncio
import uuid
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.event_bus import Event
from server_stub.domain.restart import as_stored
from server_stub.domain.state import ServerState, Session
from server_stub.qwen import stored_transcript
from server_stub.qwen.live_session import LiveSession

Json = dict[str, Any]

IDLE_MS = 30 * 60 * 1000
REAP_SECONDS = 60
MOST_SESSIONS = 32
MODES = {
    "plan": ("Plan", "Analyze only, do not modify files or execute commands"),
    "default": ("Default", "Require approval for file edits or shell commands"),
    "auto-edit": ("Auto Edit", "Automatically approve file edits"),
    "auto": ("Auto", "LLM classifier auto-approves safe actions, blocks risky ones"),
    "yolo": ("YOLO", "Automatically approve all tools"),
}
"""Id → name and description."""
MODEL = "scripted"


@dataclass(frozen=True, slots=True)
class Attached:
    """What a client gets that has come to a session."""

    live: LiveSession
    client_id: str
    was_live: bool


class Daemon:
    def __init__(self, world: ServerState, agent: Agent) -> None:
        self.world = world
        self.clients = ClientRegistry(new_client_id)
        self.started_at = world.clock.now()
        self.live: dict[str, LiveSession] = {}
        self._agent = agent
        self._shared: str | None = None
        self._reaper: asyncio.TimerHandle | None = None
        self._burials: set[asyncio.Task[None]] = set()
        world.bus.listeners.append(self._hear)

    def session(self, session_id: str) -> LiveSession:
        """Raises Refusal 404 for one that is not alive, on disk or not."""
        if session_id not in self.live:
            raise not_found(session_id)
        return self.live[session_id]

    def stored(self) -> list[Session]:
        """What is on disk, but for what subagents left: sessions with a message, in no order."""
        return [one for one in self.world.sessions.values() if one.messages and "parentID" not in one.info]

    # coming and going

    def create(self, *, shared: bool, session_id: str | None, mode: str | None, client_id: str | None) -> Attached:
        """A new session; with `shared` the one that all share, made if it is not alive.

        Raises Refusal: 409 for an id that is taken, 503 when there are MOST_SESSIONS.
        """
        if shared and session_id is None and self._shared in self.live:
            assert self._shared is not None
            return self._attach(self.live[self._shared], client_id, was_live=True)
        if session_id in self.world.sessions:
            where = {"code": "session_id_conflict", "sessionId": session_id}
            alive = {"conflict": "live", "liveWorkspaceCwd": self.world.directory}
            how = alive if session_id in self.live else {"conflict": "persisted"}
            error = f'Session "{session_id}" already exists or is being created.'
            raise ApiError(HTTPStatus.CONFLICT, {"error": error, **where, **how})
        self._check_limit()
        name = session_id or str(uuid.uuid4())
        live = self._bring_alive(self.world.create_session(self.world.directory, session_id=name))
        if shared:
            self._shared = live.id
        attached = self._attach(live, client_id, was_live=False)
        if mode not in (None, live.mode):
            live.change_mode(mode, attached.client_id)
        live.tell_commands()
        return attached

    def load(self, session_id: str, client_id: str | None, page_size: int | None = None) -> Attached:
        """Attach to a session, from disk if need be, then by its last `page_size` records. Raises Refusal 404."""
        return self._restore(session_id, client_id, replayed=True, page_size=page_size)

    def resume(self, session_id: str, client_id: str | None) -> Attached:
        """The same; what it brings back from disk shows nothing of its past, now or later (measured)."""
        return self._restore(session_id, client_id, replayed=False)

    def branch(self, live: LiveSession, name: str | None) -> Attached:
        """A copy of all that is stored of a session, alive and come to. Raises Refusal 503."""
        self._check_limit()
        world, session = self.world, live.session
        copy = world.fork_session(session, None, session_id=str(uuid.uuid4()))
        world.update_session(copy, title=f"{name or session.info['title']}(1)")
        world.update_session(copy, **{stored_transcript.LEDGER: session.info.get(stored_transcript.LEDGER, [])})
        branch = self._bring_alive(copy)
        branch.state = state_of(branch.mode)
        branch.restore()
        return self._attach(branch, None, was_live=False)

    def detach(self, session_id: str, client_id: str | None) -> None:
        """The last client's leaving closes a session that nothing holds."""
        self.clients.detach(session_id, client_id)
        if session_id in self.live:
            self._close_if_left(self.live[session_id])

    async def close(self, live: LiveSession, closed_by: str | None) -> None:
        self._forget(live, "client_close", closed_by)
        await self._agent.end([live.session, *self.world.descendants(live.session)])

    def lose_agent(self) -> None:
        """The process in which all agents run is gone, and every live session with it; what is stored stays."""
        for live in list(self.live.values()):
            family = [live.session, *self.world.descendants(live.session)]
            del self.live[live.id]
            live.die()
            self.clients.forget(live.id)
            burial = asyncio.create_task(self._bury([(session, as_stored(session)) for session in family]))
            self._burials.add(burial)
            burial.add_done_callback(self._burials.discard)

    async def _bury(self, family: list[tuple[Session, Session]]) -> None:
        """End what still runs of it here; a process that is gone would have stored nothing more."""
        await self._agent.end([session for session, _ in family])
        for session, stored in family:
            session.messages, session.todos, session.diff = stored.messages, stored.todos, stored.diff

    def reap(self) -> None:
        """Close what has been idle for IDLE_MS: without event stream, prompt or beat."""
        now = self.world.clock.now()
        for live in list(self.live.values()):
            last_seen = self.clients.attendance(live.id).last_seen_at
            seen = live.created_at if last_seen is None else last_seen
            if live.is_idle_and_alone and now - seen >= IDLE_MS:
                self._forget(live, "idle_timeout", None)

    def _restore(
        self, session_id: str, client_id: str | None, *, replayed: bool, page_size: int | None = None
    ) -> Attached:
        if session_id in self.live:
            return self._attach(self.live[session_id], client_id, was_live=True)
        session = self.world.sessions.get(session_id)
        if session is None or session not in self.stored():
            raise not_found(session_id)
        self._check_limit()
        stored_transcript.reconcile(self.world, session)
        live = self._bring_alive(session)
        live.state = state_of(live.mode)
        if replayed:
            live.restore(page_size)
        return self._attach(live, client_id, was_live=False)

    def _bring_alive(self, session: Session) -> LiveSession:
        live = LiveSession(self.world, self._agent, self.clients, session, self._close_if_left)
        self.live[session.id] = live
        self._arm_reaper()
        return live

    def _attach(self, live: LiveSession, client_id: str | None, *, was_live: bool) -> Attached:
        return Attached(live, self.clients.attach(live.id, client_id), was_live)

    def _close_if_left(self, live: LiveSession) -> None:
        if live.is_idle_and_alone and not self.clients.attendance(live.id).attachments:
            self._forget(live, "last_client_detached", None)

    def _forget(self, live: LiveSession, reason: str, closed_by: str | None) -> None:
        self.live.pop(live.id, None)
        live.close(reason, closed_by)
        self.clients.forget(live.id)

    def _check_limit(self) -> None:
        if len(self.live) >= MOST_SESSIONS:
            error = f"Session limit reached ({MOST_SESSIONS})"
            where = {"code": "session_limit_exceeded", "limit": MOST_SESSIONS, "scope": "workspace"}
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, {"error": error, **where}, {"Retry-After": "5"})

    def _arm_reaper(self) -> None:
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(REAP_SECONDS, self._reap_again)

    def _reap_again(self) -> None:
        self._reaper = None
        self.reap()
        if self.live:
            self._arm_reaper()

    def _hear(self, event: Event) -> None:
        session = self.world.sessions.get(event.payload["properties"].get("sessionID", ""))
        while session is not None and "parentID" in session.info:
            session = self.world.sessions.get(session.info["parentID"])
        if session is not None and session.id in self.live:
            self.live[session.id].hear(event.payload)


def new_client_id() -> str:
    return f"client_{uuid.uuid4()}"


def not_found(session_id: str) -> ApiError:
    where = {"code": "session_not_found", "sessionId": session_id}
    return ApiError(HTTPStatus.NOT_FOUND, {"error": f'No session with id "{session_id}"', **where})


def state_of(mode: str) -> Json:
    """Which modes and models a session has, and which are chosen."""
    modes = [{"id": name, "name": title, "description": what} for name, (title, what) in MODES.items()]
    model = {"modelId": MODEL, "name": "Scripted", "description": None, "_meta": {"contextLimit": 200_000}}
    return {
        "modes": {"currentModeId": mode, "availableModes": modes},
        "models": {"currentModelId": MODEL, "availableModels": [model]},
        "_meta": {"hasRunningBackgroundTasks": False},
    }
