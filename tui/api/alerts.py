"""Alerts for an absent user: a request opened or closed, a turn ended, the connection was lost or restored.

Each is reported once. A request that is open after a reconnect is reported then, unless it was reported before.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec

from tui.api.event_feed import EventFeed
from tui.api.running_turn import OUTCOMES
from tui.api.values import (
    VERSION,
    ConnectionEvent,
    EndEvent,
    Event,
    Outcome,
    ReplyEvent,
    RequestEvent,
    RequestRecord,
    Result,
)
from tui.client.client import Client
from tui.client.recorded_turn import RecordedTurn, recorded_turn
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import FullMessage, Idle
from tui.core.recorded_end import ends_rejected
from tui.core.sanitize import excerpt, single_line
from tui.core.turn_state import TurnState
from tui.net.errors import NetError

log = logging.getLogger(__name__)

LOST_AFTER = 10.0
"""Seconds without a connection until it counts as lost: servers and proxies end long event streams on purpose."""
MAX_FINAL_CHARACTERS = 1_000
"""Maximum characters of the last text of an answer in an alert."""
FETCH_INTERVAL = 5.0
"""Seconds between two tries to fetch how a turn ended."""

CLOCK_ERROR = 2.0
"""Seconds by which the server's clock may differ from `Client.server_now`: its Date has whole seconds."""

FAILURES: dict[str, Outcome] = {"aborted": "aborted", "interrupted": "interrupted"}
"""The outcomes of a turn by the kind of its failure; of others it is *failed*."""

AlertEvent: TypeAlias = RequestEvent | ReplyEvent | EndEvent | ConnectionEvent


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An event and the server that it is of. `summary`: the event as one line.

    Of an `EndEvent`, `text` and `usage` are empty, and `final` is at most the first `MAX_FINAL_CHARACTERS` characters.
    """

    v: int = VERSION
    server: str
    summary: str
    event: AlertEvent


class AlertFeed:
    """Calls `deliver` with each alert. Subscribe `on_change` to the client before it starts; `close` it at the end."""

    def __init__(self, client: Client, deliver: Callable[[Alert], None], *, lost_after: float = LOST_AFTER) -> None:
        self._client = client
        self._deliver = deliver
        self._lost_after = lost_after
        self._requests = EventFeed(client, self._request)
        self._updated: dict[str, float] = {}
        """By session: when it changed last, as far as its end was looked at."""
        self._busy: set[str] = set()
        self._told: dict[str, tuple[str, Outcome]] = {}
        """By session: the last answer whose end was told, and how it ended."""
        self._since: float | None = None
        """When the client was first synchronized (server's time): what ended before is not told."""
        self._timer: asyncio.TimerHandle | None = None
        self._lost = False
        self._to_fetch: dict[str, bool] = {}
        """The sessions whose messages are to be fetched, and whether each was seen at work."""
        self._fetching: asyncio.Task[None] | None = None

    def close(self) -> None:
        """Deliver nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._fetching is not None:
            self._fetching.cancel()

    def on_change(self, change: c.Change) -> None:
        """The listener for `Client.subscribe`."""
        match change:
            case c.RequestsChanged() | c.RequestClosed():
                self._requests.on_change(change)
            case c.TurnEnded(session_id, prompt_id):
                self._turn_ended(session_id, prompt_id)
            case c.SessionsChanged(session_id):
                self._session_changed(session_id)
            case c.ConnectionChanged():
                self._connection_changed()

    def _request(self, event: Event) -> None:
        if isinstance(event, RequestEvent):
            request = event.request
            name = single_line(request.title) or "a session"
            self._alert(event, f"{name} needs your answer: {request.summary}")
        elif isinstance(event, ReplyEvent):
            self._alert(event, reply_summary(event.record))

    def _connection_changed(self) -> None:
        if self._client.synced and self._since is None:
            self._since = self._client.server_now() - CLOCK_ERROR
        if self._client.connection_status().up:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._lost:
                self._lost = False
                self._alert(ConnectionEvent(time=self._client.server_now(), state="live"), "connection restored")
        elif self._timer is None and not self._lost:
            self._timer = asyncio.get_running_loop().call_later(self._lost_after, self._connection_lost)

    def _connection_lost(self) -> None:
        self._timer, self._lost = None, True
        line = self._client.connection_status()
        state = "stopped" if line.state is ConnectionState.STOPPED else "lost"
        reason = f": {line.reason}" if line.reason else ""
        self._alert(
            ConnectionEvent(
                time=self._client.server_now(),
                state="stopped" if line.state is ConnectionState.STOPPED else "lost",
                reason=line.reason,
                hint=line.hint,
                retry_in=line.retry_in,
            ),
            f"connection {state}{reason}",
        )

    def _turn_ended(self, session_id: str, prompt_id: str) -> None:
        """Tell the end of a turn that this client follows, unless the user ended it here."""
        turns = self._client.turns.of(session_id)
        turn = next((one for one in turns if one.prompt_id == prompt_id), None)
        if turn is None or turn.state not in OUTCOMES or self._is_child(session_id):
            return
        if turn.state is not TurnState.ABORTED:
            self._end(session_id, prompt_id, OUTCOMES[turn.state], turn.reason, self._stored(session_id, prompt_id))
        elif not turn.stops.by_this_client:
            outcome: Outcome = "denied" if turn.stops.rejected is not None else "aborted"
            self._end(session_id, prompt_id, outcome, turn.reason, self._stored(session_id, prompt_id))

    def _session_changed(self, session_id: str) -> None:
        """Look for the end of a turn that this client does not follow, when its session is idle and has changed."""
        store = self._client.store
        session = store.sessions.get(session_id)
        if session is None or session.parent_id is not None:
            return
        if self._since is None:
            self._updated[session_id] = session.updated
        if not isinstance(store.status(session_id), Idle):
            self._busy.add(session_id)
            return
        seen = self._updated.get(session_id, self._since or 0.0)
        was_busy = session_id in self._busy
        if was_busy or session.updated > seen:
            self._busy.discard(session_id)
            self._updated[session_id] = session.updated
            if store.transcript(session_id) is None:  # else the client follows its turns
                self._look_for_end(session_id, was_busy=was_busy)

    def _look_for_end(self, session_id: str, *, was_busy: bool) -> None:
        """Fetch the session in its turn; a session that waits already is not fetched twice."""
        self._to_fetch[session_id] = was_busy or self._to_fetch.get(session_id, False)
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch_ends())

    async def _fetch_ends(self) -> None:
        """Fetch one session after the other, those whose fetch failed again after a pause."""
        while self._to_fetch:
            again: dict[str, bool] = {}
            while self._to_fetch:
                session_id = next(iter(self._to_fetch))
                was_busy = self._to_fetch.pop(session_id)
                try:
                    self._tell_end(session_id, await self._client.newest_messages(session_id), was_busy=was_busy)
                except NetError as error:
                    log.info("how the turn in %s ended: %s", session_id, error.message)
                    if not error.permanent:
                        again[session_id] = was_busy
            if again:
                await asyncio.sleep(FETCH_INTERVAL)
                self._to_fetch = again | self._to_fetch

    def _tell_end(self, session_id: str, messages: Sequence[FullMessage], *, was_busy: bool) -> None:
        """Tell how the newest answered prompt of an idle session ended, unless that was told.

        An answer that is not complete counts only if the session was seen at work, and is idle now.
        """
        at_rest = was_busy and isinstance(self._client.store.status(session_id), Idle)
        answers = [full for full in messages if full.message.role == "assistant" and (full.message.ended or at_rest)]
        if not answers or answers[-1].message.created < (self._since or 0.0):
            return
        answer, parts = answers[-1].message, answers[-1].parts
        outcome: Outcome = "finished" if answer.ended else "denied" if ends_rejected(parts) else "interrupted"
        reason, prompt_id = "", answer.parent_id or ""
        if answer.failure is not None:
            outcome = FAILURES.get(answer.failure.kind, "failed")
            reason = answer.failure.message if outcome != "aborted" else ""
        if self._told.get(session_id) == (answer.id, outcome):
            return
        self._told[session_id] = (answer.id, outcome)
        self._end(session_id, prompt_id, outcome, reason, recorded_turn(messages, prompt_id))

    def _end(self, session_id: str, prompt_id: str, outcome: Outcome, reason: str, record: RecordedTurn) -> None:
        if outcome == "finished" and record.denied:
            outcome = "denied"
        ends = [one.completed for one in record.answers if one.completed]
        session = self._client.store.sessions.get(session_id)
        result = Result(
            session=session_id,
            prompt=prompt_id,
            outcome=outcome,
            reason=single_line(reason),
            final=record.texts[-1].text[:MAX_FINAL_CHARACTERS] if record.texts else "",
            started=record.prompt.created if record.prompt is not None else None,
            ended=ends[-1] if ends else None,
        )
        name = single_line(session.title if session is not None else "") or "a session"
        why = f": {result.reason}" if reason else ""
        self._alert(EndEvent(time=self._client.server_now(), result=result), f"{name}: turn {outcome}{why}")

    def _stored(self, session_id: str, prompt_id: str) -> RecordedTurn:
        transcript = self._client.store.transcript(session_id)
        if transcript is None:
            return RecordedTurn()
        messages = [FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered()]
        return recorded_turn(messages, prompt_id)

    def _is_child(self, session_id: str) -> bool:
        session = self._client.store.sessions.get(session_id)
        return session is not None and session.parent_id is not None

    def _alert(self, event: AlertEvent, summary: str) -> None:
        self._deliver(Alert(server=self._client.address, summary=single_line(excerpt(summary)), event=event))


def reply_summary(record: RequestRecord) -> str:
    """How a request ended, as one line."""
    name = single_line(record.request.title) or "a session"
    how = {"answered": "was answered", "denied": "was denied"}.get(record.state, "is no longer open")
    return f"{name}: {record.request.kind} {how}: {record.request.summary}"
