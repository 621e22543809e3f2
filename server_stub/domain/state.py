"""The stub server's state, in memory: sessions, messages, open requests, configuration.

Every change goes through a method here, which publishes its event. Documents (`info`, parts) have the shapes of
the wire and are replaced, never changed in place: an event with the old document may still be queued. Nothing here
waits, and nothing here knows HTTP except the ApiError that it raises.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from server_stub.domain import zod
from server_stub.domain.api_errors import not_found, unexpected
from server_stub.domain.clock import Clock
from server_stub.domain.event_bus import DURABLE, EventBus
from server_stub.domain.ids import Ids
from server_stub.domain.json_encoding import Json
from server_stub.domain.pending_requests import PendingRequests
from server_stub.domain.profiles import Profile

BUSY: Json = {"type": "busy"}
IDLE: Json = {"type": "idle"}

_PLACE: ContextVar[str | None] = ContextVar("place", default=None)


@contextmanager
def acting_in(directory: str) -> Iterator[None]:
    """Run the block, and tasks started in it, in this directory."""
    before = _PLACE.set(directory)
    try:
        yield
    finally:
        _PLACE.reset(before)


@dataclass(slots=True)
class Message:
    info: Json
    parts: dict[str, Json] = field(default_factory=dict)
    """By part id, in order of arrival."""

    def document(self) -> Json:
        return {"info": self.info, "parts": list(self.parts.values())}


@dataclass(slots=True)
class Session:
    info: Json
    messages: dict[str, Message] = field(default_factory=dict)
    todos: list[Json] = field(default_factory=list)
    diff: list[Json] = field(default_factory=list)
    statuses: dict[str, Json] = field(default_factory=dict)
    """By directory; idle is absent."""

    @property
    def status(self) -> Json:
        """The first status that is not idle, of any directory."""
        return next(iter(self.statuses.values()), IDLE)

    @property
    def id(self) -> str:
        identifier: str = self.info["id"]
        return identifier

    @property
    def directory(self) -> str:
        directory: str = self.info["directory"]
        return directory

    def ordered(self) -> list[Message]:
        """Oldest first, by `time.created`, not by id."""
        return sorted(self.messages.values(), key=lambda message: message.info["time"]["created"])


MAIN_ACTOR: Json = {
    "actorID": "main",
    "mode": "main",
    "description": "main agent",
    "agent": "main",
    "background": False,
}


class ServerState:
    """State of one server process."""

    def __init__(self, profile: Profile, clock: Clock, directory: str) -> None:
        self.profile = profile
        self.clock = clock
        self.directory = directory
        self.ids = Ids(clock, profile.ids)
        self.bus = EventBus(lambda: self.ids.new("evt"), profile.event_queue, shows_ids=not profile.revisions)
        self.requests = PendingRequests(self.bus, self.ids, lenient=profile.gone_request == "true")
        self.sessions: dict[str, Session] = {}
        self.deleted: dict[str, Session] = {}
        """Their runs go on and publish statuses, but not their stored changes."""
        self.config: Json = {}
        self.late = False
        self.early = False
        """Faults that override `late_events` of the profile."""
        self._wedged = False
        self._withheld: list[Callable[[], object]] | None = None
        """Pending second writes, while the `torn-write` fault holds the server between two writes; else None."""
        self._moving, self._storing = asyncio.Event(), asyncio.Event()
        self._moving.set()
        self._storing.set()

    @property
    def heartbeat_ms(self) -> int:
        """Heartbeat interval of event streams: `server.event_stream.heartbeat_ms` of the configuration, in ms."""
        stream = self.config.get("server", {}).get("event_stream", {})
        interval: int = stream.get("heartbeat_ms", self.profile.heartbeat_ms)
        return interval

    @property
    def late_events(self) -> bool:
        """Events are sent some ms after their change."""
        return (self.late or self.profile.late_events) and not self.early

    @property
    def wedged(self) -> bool:
        """A fault seen in production: prompts are stored and health checks pass, but no turn begins."""
        return self._wedged

    @wedged.setter
    def wedged(self, wedged: bool) -> None:
        self._wedged = wedged
        self._update_gate()

    @property
    def torn_write(self) -> bool:
        """A fault that holds the server between two writes that belong together.

        Prompts are stored without their parts, answers with a finish and no completion time; no turn begins or ends.
        """
        return self._withheld is not None

    @torn_write.setter
    def torn_write(self, torn_write: bool) -> None:
        withheld, self._withheld = self._withheld or [], [] if torn_write else None
        for write in withheld:
            write()
        self._update_gate()
        if torn_write:
            self._storing.clear()
        else:
            self._storing.set()

    async def wait_until_not_wedged(self) -> None:
        """Wait until a turn may begin."""
        await self._moving.wait()

    async def stored(self) -> None:
        """Wait until a turn may end."""
        await self._storing.wait()

    def _update_gate(self) -> None:
        if self.wedged or self.torn_write:
            self._moving.clear()
        else:
            self._moving.set()

    def configure(self, patch: Json) -> None:
        """Apply `patch`; open streams read their heartbeat interval again."""
        self.config = {name: value for name, value in {**self.config, **patch}.items() if value is not None}
        self.bus.refresh_intervals()

    # sessions

    def session(self, session_id: str) -> Session:
        """Raises ApiError: 404 for an unknown id, 500 for one without the prefix of sessions."""
        if not session_id.startswith("ses"):
            refusal = unexpected()
            refusal.part, refusal.issue = "Params", zod.wrong_prefix("ses", '["sessionID"]')
            raise refusal
        if session_id not in self.sessions:
            raise not_found(f"Session not found: {session_id}")
        return self.sessions[session_id]

    def create_session(
        self,
        directory: str,
        title: str | None = None,
        parent_id: str | None = None,
        session_id: str | None = None,
    ) -> Session:
        now = self.clock.now()
        info: Json = {
            "id": session_id or self.ids.new("ses"),
            "slug": "quiet-harbor",
            "projectID": "global",
            "directory": directory,
            "path": directory.lstrip("/"),
            **({"parentID": parent_id} if parent_id else {}),
            "cost": 0,
            "tokens": no_tokens(),
            "title": title or default_title(now, child=parent_id is not None),
            "version": self.profile.version,
            "time": {"created": now, "updated": now},
        }
        if self.profile.revisions:
            for name in ("path", "cost", "tokens"):
                del info[name]
            info |= {"title": title or "Untitled", "titleSource": "user" if title else "fallback"}
            info["titleRevision"] = 0
        session = self.sessions[info["id"]] = Session(info)
        self._publish(session, "session.created", {"info": info})
        if self.profile.metrics:
            self.publish(session, "actor.registered", MAIN_ACTOR)
            self._publish(session, "session.updated", {"info": info})
        return session

    def update_session(self, session: Session, **changes: Any) -> None:
        """Replace fields of its info (None removes one). Any change but of the title alone sets `time.updated`."""
        time = {**session.info["time"], **changes.pop("time", {})}
        if set(changes) != {"title"}:
            time["updated"] = self.clock.now()
        merged = {**session.info, **changes, "time": time}
        session.info = {name: value for name, value in merged.items() if value is not None}
        self._publish(session, "session.updated", {"info": session.info})

    def fork_session(self, session: Session, until: str | None, *, session_id: str | None = None) -> Session:
        """A copy, with new ids, of all messages before the message `until` (None: of all)."""
        title = f"{session.info['title']} (fork #"
        count = 1 + sum(other.info["title"].startswith(title) for other in self.sessions.values())
        fork = self.create_session(session.directory, f"{title}{count})", session_id=session_id)
        if "prompt" in session.info:
            self.update_session(fork, prompt=session.info["prompt"])
        new_ids: dict[str, str] = {}
        for message in session.messages.values():
            if message.info["id"] == until:
                break
            message_id = new_ids[message.info["id"]] = self.ids.new("msg")
            info = {**message.info, "id": message_id, "sessionID": fork.id}
            if "parentID" in info:
                info["parentID"] = new_ids.get(info["parentID"], info["parentID"])
            self.put_message(info)
            for part in message.parts.values():
                where = {"id": self.ids.new("prt"), "messageID": message_id, "sessionID": fork.id}
                self.put_part({**part, **where})
        return fork

    def delete_session(self, session: Session) -> None:
        """Delete a session and its children."""
        for child in self.children(session):
            self.delete_session(child)
        self._publish(session, "session.deleted", {"info": session.info})
        self.deleted[session.id] = self.sessions.pop(session.id)

    def children(self, session: Session) -> list[Session]:
        return [one for one in self.sessions.values() if one.info.get("parentID") == session.id]

    def with_deleted(self) -> list[Session]:
        """All sessions that may have a run."""
        return [*self.sessions.values(), *self.deleted.values()]

    def descendants(self, session: Session) -> list[Session]:
        """Its children, recursively."""
        children = self.children(session)
        return [*children, *(one for child in children for one in self.descendants(child))]

    def set_status(self, session: Session, status: Json) -> None:
        """Also publishes `session.idle`, which older clients wait for."""
        if status == IDLE:
            session.statuses.pop(self.directory_of(session), None)
        else:
            session.statuses[self.directory_of(session)] = status
        self._publish(session, "session.status", {"status": status})
        if status == IDLE:
            self._publish(session, "session.idle", {})

    def statuses(self, directory: str) -> Json:
        """Statuses by session id; idle sessions are absent."""
        return {one.id: one.statuses[directory] for one in self.with_deleted() if directory in one.statuses}

    def directory_of(self, session: Session) -> str:
        """The directory in which requests act on the session."""
        return _PLACE.get() or session.directory

    def set_todos(self, session: Session, todos: list[Json]) -> None:
        session.todos = todos
        self._publish(session, "todo.updated", {"todos": todos})

    def set_diff(self, session: Session, diff: list[Json]) -> None:
        session.diff = diff
        self._publish(session, "session.diff", {"diff": diff})

    def report_error(self, session: Session, error: Json) -> None:
        self._publish(session, "session.error", {"error": error})

    # messages

    def message(self, session: Session, message_id: str) -> Message:
        """Raises ApiError 404 if the session has no such message."""
        if message_id not in session.messages:
            raise not_found(f"Message not found: {message_id}")
        return session.messages[message_id]

    def put_message(self, info: Json) -> Message:
        """Insert a message, or replace the info of the one with this id."""
        session = self.session_or_deleted(info["sessionID"])
        message = session.messages.get(info["id"])
        if message is None:
            message = session.messages[info["id"]] = Message(info)
        else:
            message.info = info
        self._publish(session, "message.updated", {"info": info})
        return message

    def put_part(self, part: Json) -> None:
        """Insert a part, or replace the one with this id."""
        session = self.session_or_deleted(part["sessionID"])
        session.messages[part["messageID"]].parts[part["id"]] = part
        self._publish(session, "message.part.updated", {"part": part, "time": self.clock.now()})

    def put_prompt_part(self, part: Json) -> None:
        """Store a part of a prompt, whose message is stored already."""
        self._write(lambda: self.put_part(part))

    def put_ended(self, info: Json) -> None:
        """Like `put_message` for an ended answer: its finish is stored before its completion time."""
        if self.torn_write:
            time = {name: moment for name, moment in info["time"].items() if name != "completed"}
            self.put_message({**info, "time": time})
        self._write(lambda: self.put_message(info))

    def _write(self, write: Callable[[], object]) -> None:
        """Do the second of two writes, or withhold it."""
        if self._withheld is None:
            write()
        else:
            self._withheld.append(write)

    def stream_text(self, part: Json, delta: str) -> None:
        """Publish a delta; the stored part changes when it ends."""
        session = self.session_or_deleted(part["sessionID"])
        where = {"messageID": part["messageID"], "partID": part["id"]}
        self._publish(session, "message.part.delta", {**where, "field": "text", "delta": delta})

    def remove_message(self, session: Session, message_id: str) -> None:
        if session.messages.pop(message_id, None) is not None:
            self._publish(session, "message.removed", {"messageID": message_id})

    def remove_part(self, session: Session, message_id: str, part_id: str) -> None:
        message = session.messages.get(message_id)
        if message is not None and message.parts.pop(part_id, None) is not None:
            self._publish(session, "message.part.removed", {"messageID": message_id, "partID": part_id})

    def session_or_deleted(self, session_id: str) -> Session:
        """The session with this id, deleted or not."""
        return self.sessions.get(session_id) or self.deleted[session_id]

    def _publish(self, session: Session, kind: str, properties: Json) -> None:
        if session.id in self.deleted and kind in DURABLE:
            return
        self.publish(session, kind, properties)

    def publish(self, session: Session, kind: str, properties: Json) -> None:
        """Publish an event of a session that changes no stored state."""
        self.bus.publish(kind, {"sessionID": session.id, **properties}, self.directory_of(session))

    def measure(self, session: Session, kind: str, properties: Json) -> None:
        """Publish a metric, if the profile has them."""
        if self.profile.metrics:
            self.publish(session, f"metrics.{kind}", properties)


def no_tokens() -> Json:
    return {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}}


def default_title(now: int, *, child: bool) -> str:
    """The title until the first prompt names the session; `now` in epoch ms."""
    moment = datetime.fromtimestamp(now / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"{'Child' if child else 'New'} session - {moment}"
