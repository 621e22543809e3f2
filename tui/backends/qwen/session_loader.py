"""qwen serve's `load`: activates a session, attaches to it and returns its replay.

It stores what no other route returns: the plan, and where the replay begins.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tui.backends.client_identity import ClientIdentity
from tui.backends.decoding import UNREADABLE, decode, read
from tui.backends.paging import OnBytes
from tui.backends.qwen import schema as wire
from tui.backends.qwen.followed_session import FollowedSession, LoadedSession
from tui.backends.qwen.session_reducer import SessionReducer, picture
from tui.backends.qwen.transcript_pages import FROM_THE_END
from tui.core import events as e
from tui.core.model import Busy, Idle, Todo
from tui.net.http_client import Http
from tui.net.json_input import JSON
from tui.net.url import path_segment

LIMIT = 30.0
"""Timeout in seconds to read a session from disk."""


@dataclass(frozen=True, slots=True)
class LoadedStart:
    """The first message of a session's replay, and how its prompts ended."""

    first: str
    terminals: tuple[wire.Terminal, ...]


class SessionLoader:
    """Loads sessions, with the client ids of `presence`."""

    def __init__(self, http: Http, presence: ClientIdentity) -> None:
        self._http = http
        self._identity = presence
        self._plans: dict[str, tuple[Todo, ...]] = {}
        self._begins: dict[str, LoadedStart] = {}

    def plan(self, session_id: str) -> tuple[Todo, ...]:
        """The plan as of the last load: no other route has it."""
        return self._plans.get(session_id, ())

    def beginning(self, session_id: str) -> LoadedStart:
        """The start of the last replay."""
        return self._begins.get(session_id, LoadedStart("", ()))

    def forget(self, session_id: str) -> None:
        self._plans.pop(session_id, None)
        self._begins.pop(session_id, None)

    async def load(self, session_id: str, on_bytes: OnBytes | None = None) -> LoadedSession:
        """The session's replay. Raises `HttpStatusError` with status 404 if there is none."""
        known = self._identity.header(session_id)
        path = f"/session/{path_segment(session_id)}/load"
        report = None if on_bytes is None else lambda received, size: on_bytes(received)
        reply = await self._http.call("POST", path, json={}, headers=known, timeout=LIMIT, progress=report)
        response = decode(path, read, reply.value, wire.Loaded)
        if response.client_id in known.values():
            await self._identity.detach(session_id, known)
        elif response.client_id:
            self._identity.record(session_id, response.client_id)
        terminals = response.terminals()
        reducer = SessionReducer(session_id, terminals)
        events_replayed = [
            event for raw in (*response.compacted_replay, *response.live_journal) for event in _events_of(reducer, raw)
        ]
        if not response.has_active_prompt:
            events_replayed += reducer.finish()
        reducer.cursor = max(reducer.cursor, response.last_event_id)
        messages = picture(session_id, events_replayed)
        cut = response.history_has_more or any(wire.is_truncation(raw) for raw in response.compacted_replay)
        more = cut or _lacks_prompts(reducer, terminals)
        first = messages[0].message.id if messages else ""
        self._begins[session_id] = LoadedStart(first, terminals)
        plans = [event for event in events_replayed if isinstance(event, e.TodosChanged)]
        self._plans[session_id] = plans[-1].todos if plans else ()
        events: list[e.Event] = [
            e.MessagesLoaded(session_id, messages, FROM_THE_END if more else None, up_to_date=True),
            e.TodosChanged(session_id, self._plans[session_id]),
            e.StatusChanged(session_id, Busy() if response.has_active_prompt else Idle()),
            *(e.RequestOpened(asked.request) for asked in reducer.open.values()),
        ]
        return LoadedSession(FollowedSession(reducer, response.event_epoch), tuple(events))


def _lacks_prompts(reducer: SessionReducer, terminals: Iterable[wire.Terminal]) -> bool:
    """Whether completed prompts are missing from the replay.

    That is the case if the session was activated by `resume`: then `load` returns no history, without a notice.
    """
    replayed = {echo.prompt_id for echo in reducer.echoes}
    return any(end.terminal == "completed" and end.prompt_id not in replayed for end in terminals)


def _events_of(reducer: SessionReducer, raw: JSON) -> list[e.Event]:
    try:
        return reducer.take(read(raw, wire.Frame))
    except UNREADABLE as error:
        return reducer.unreadable(error)
