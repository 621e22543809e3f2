"""The daemon: the sessions that it holds in memory, and their creation, loading and closing.

Stored sessions (those of the state) survive the process; all else is lost with it, and every session id is then
unknown until it is loaded.
"""

import asyncio
import uuid
from dataclasses import dataclass
from http import HTTPStatus

from server_stub.domain.agent import Agent
from server_stub.domain.api_errors import ApiError
from server_stub.domain.client_registry import ClientRegistry
from server_stub.domain.event_bus import Event
from server_stub.domain.json_encoding import Json
from server_stub.domain.restart import as_stored
from server_stub.domain.state import ServerState, Session
from server_stub.qwen import stored_transcript
from server_stub.qwen.live_session import LiveSession

IDLE_MS = 30 * 60 * 1000
REAP_SECONDS = 60
MAX_SESSIONS = 32
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
    """The result of attaching a client to a session."""

    live: LiveSession
    client_id: str
    was_live: bool


class Daemon:
    def __init__(self, server: ServerState, agent: Agent) -> None:
        self.server = server
        self.clients = ClientRegistry(new_client_id)
        self.started_at = server.clock.now()
        self.live: dict[str, LiveSession] = {}
        self._agent = agent
        self._shared: str | None = None
        self._reaper: asyncio.TimerHandle | None = None
        self._clean_ups: set[asyncio.Task[None]] = set()
        server.bus.listeners.append(self._on_event)

    def session(self, session_id: str) -> LiveSession:
        """The live session. Raises ApiError 404 if it is not live, stored or not."""
        if session_id not in self.live:
            raise session_not_found(session_id)
        return self.live[session_id]

    def stored(self) -> list[Session]:
        """Stored sessions, unordered: those with a message, without subagents' sessions."""
        return [one for one in self.server.sessions.values() if one.messages and "parentID" not in one.info]

    # lifecycle

    def create(self, *, shared: bool, session_id: str | None, mode: str | None, client_id: str | None) -> Attached:
        """A new session; with `shared`, the shared one, created if it is not live.

        Raises ApiError: 409 for an id that is taken, 503 with MAX_SESSIONS live sessions.
        """
        if shared and session_id is None and self._shared in self.live:
            assert self._shared is not None
            return self._attach(self.live[self._shared], client_id, was_live=True)
        if session_id in self.server.sessions:
            where = {"code": "session_id_conflict", "sessionId": session_id}
            alive = {"conflict": "live", "liveWorkspaceCwd": self.server.directory}
            how = alive if session_id in self.live else {"conflict": "persisted"}
            error = f'Session "{session_id}" already exists or is being created.'
            raise ApiError(HTTPStatus.CONFLICT, {"error": error, **where, **how})
        self._check_limit()
        name = session_id or str(uuid.uuid4())
        live = self._activate(self.server.create_session(self.server.directory, session_id=name))
        if shared:
            self._shared = live.id
        attached = self._attach(live, client_id, was_live=False)
        if mode not in (None, live.mode):
            live.change_mode(mode, attached.client_id)
        live.publish_commands()
        return attached

    def load(self, session_id: str, client_id: str | None, page_size: int | None = None) -> Attached:
        """Attach to a session, loaded from disk with its last `page_size` records if needed. Raises ApiError 404."""
        return self._restore(session_id, client_id, replayed=True, page_size=page_size)

    def resume(self, session_id: str, client_id: str | None) -> Attached:
        """Like `load`, but a session loaded from disk replays no history, now or later (measured)."""
        return self._restore(session_id, client_id, replayed=False)

    def branch(self, live: LiveSession, name: str | None) -> Attached:
        """Fork a session, and attach to the live copy. Raises ApiError 503."""
        self._check_limit()
        server, session = self.server, live.session
        copy = server.fork_session(session, None, session_id=str(uuid.uuid4()))
        server.update_session(copy, title=f"{name or session.info['title']}(1)")
        server.update_session(copy, **{stored_transcript.LEDGER: session.info.get(stored_transcript.LEDGER, [])})
        branch = self._activate(copy)
        branch.state = state_of(branch.mode)
        branch.restore()
        return self._attach(branch, None, was_live=False)

    def detach(self, session_id: str, client_id: str | None) -> None:
        """Detach a client; closes an unused session after its last client."""
        self.clients.detach(session_id, client_id)
        if session_id in self.live:
            self._close_if_unattached(self.live[session_id])

    async def close_session(self, live: LiveSession, closed_by: str | None) -> None:
        """Close a live session for a client, and end its runs; the stored session remains."""
        self._forget(live, "client_close", closed_by)
        await self._agent.end([live.session, *self.server.descendants(live.session)])

    def kill_agent(self) -> None:
        """Simulate the end of the agents' process: every live session is lost, stored ones remain."""
        for live in list(self.live.values()):
            family = [live.session, *self.server.descendants(live.session)]
            del self.live[live.id]
            live.agent_exited()
            self.clients.forget(live.id)
            clean_up = asyncio.create_task(self._restore_stored([(session, as_stored(session)) for session in family]))
            self._clean_ups.add(clean_up)
            clean_up.add_done_callback(self._clean_ups.discard)

    async def _restore_stored(self, family: list[tuple[Session, Session]]) -> None:
        """End their runs, and undo what these store after the process has ended."""
        await self._agent.end([session for session, _ in family])
        for session, stored in family:
            session.messages, session.todos, session.diff = stored.messages, stored.todos, stored.diff

    def reap(self) -> None:
        """Close sessions idle for IDLE_MS: without event stream, prompt or heartbeat."""
        now = self.server.clock.now()
        for live in list(self.live.values()):
            last_seen = self.clients.client_activity(live.id).last_seen_at
            seen = live.created_at if last_seen is None else last_seen
            if live.is_idle_and_alone and now - seen >= IDLE_MS:
                self._forget(live, "idle_timeout", None)

    def _restore(
        self, session_id: str, client_id: str | None, *, replayed: bool, page_size: int | None = None
    ) -> Attached:
        if session_id in self.live:
            return self._attach(self.live[session_id], client_id, was_live=True)
        session = self.server.sessions.get(session_id)
        if session is None or session not in self.stored():
            raise session_not_found(session_id)
        self._check_limit()
        stored_transcript.reconcile(self.server, session)
        live = self._activate(session)
        live.state = state_of(live.mode)
        if replayed:
            live.restore(page_size)
        return self._attach(live, client_id, was_live=False)

    def _activate(self, session: Session) -> LiveSession:
        live = LiveSession(self.server, self._agent, self.clients, session, self._close_if_unattached)
        self.live[session.id] = live
        self._arm_reaper()
        return live

    def _attach(self, live: LiveSession, client_id: str | None, *, was_live: bool) -> Attached:
        return Attached(live, self.clients.attach(live.id, client_id), was_live)

    def _close_if_unattached(self, live: LiveSession) -> None:
        if live.is_idle_and_alone and not self.clients.client_activity(live.id).attachments:
            self._forget(live, "last_client_detached", None)

    def _forget(self, live: LiveSession, reason: str, closed_by: str | None) -> None:
        self.live.pop(live.id, None)
        live.close(reason, closed_by)
        self.clients.forget(live.id)

    def _check_limit(self) -> None:
        if len(self.live) >= MAX_SESSIONS:
            error = f"Session limit reached ({MAX_SESSIONS})"
            where = {"code": "session_limit_exceeded", "limit": MAX_SESSIONS, "scope": "workspace"}
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, {"error": error, **where}, {"Retry-After": "5"})

    def _arm_reaper(self) -> None:
        if self._reaper is None:
            self._reaper = asyncio.get_running_loop().call_later(REAP_SECONDS, self._reap_again)

    def _reap_again(self) -> None:
        self._reaper = None
        self.reap()
        if self.live:
            self._arm_reaper()

    def _on_event(self, event: Event) -> None:
        session = self.server.sessions.get(event.payload["properties"].get("sessionID", ""))
        while session is not None and "parentID" in session.info:
            session = self.server.sessions.get(session.info["parentID"])
        if session is not None and session.id in self.live:
            self.live[session.id].on_event(event.payload)


def new_client_id() -> str:
    return f"client_{uuid.uuid4()}"


def session_not_found(session_id: str) -> ApiError:
    where = {"code": "session_not_found", "sessionId": session_id}
    return ApiError(HTTPStatus.NOT_FOUND, {"error": f'No session with id "{session_id}"', **where})


def state_of(mode: str) -> Json:
    """The available modes and models, and the current ones."""
    modes = [{"id": name, "name": title, "description": what} for name, (title, what) in MODES.items()]
    model = {"modelId": MODEL, "name": "Scripted", "description": None, "_meta": {"contextLimit": 200_000}}
    return {
        "modes": {"currentModeId": mode, "availableModes": modes},
        "models": {"currentModelId": MODEL, "availableModels": [model]},
        "_meta": {"hasRunningBackgroundTasks": False},
    }
