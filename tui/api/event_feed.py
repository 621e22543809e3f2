"""Translates the client's changes into the events of `tui.api`: each state once, nothing twice."""

from collections.abc import Callable

from tui.api.pending import closed_request, pending_request
from tui.api.request_records import RequestRecords
from tui.api.values import (
    ConnectionEvent,
    Decision,
    Event,
    NoticeEvent,
    ReplyEvent,
    RequestEvent,
    RequestRecord,
    ToolEvent,
    TurnEvent,
)
from tui.client.client import Client
from tui.core import changes as c
from tui.core.model import Request, ToolPart


class ConnectionFeed:
    """Calls `deliver` with the connection's changes and the client's messages for the user."""

    def __init__(self, client: Client, deliver: Callable[[Event], None]) -> None:
        self._client = client
        self._deliver = deliver
        self._last_reported: tuple[str, str] | None = None

    def on_change(self, change: c.Change) -> None:
        """The listener for `Client.subscribe`."""
        if isinstance(change, c.ConnectionChanged):
            self.report()
        elif isinstance(change, c.Notice):
            self._deliver(NoticeEvent(time=self._client.server_now(), text=change.text, severity=change.severity))

    def report(self) -> None:
        """Report the connection as it is now, unless that was reported last."""
        line = self._client.connection_status()
        current = (line.state.value, line.reason)
        if current != self._last_reported:
            self._last_reported = current
            self._deliver(
                ConnectionEvent(
                    time=self._client.server_now(),
                    state=line.state.value,
                    reason=line.reason,
                    hint=line.hint,
                    retry_in=line.retry_in,
                )
            )


class EventFeed:
    """Calls `deliver` with the events of the session `session_id` and its descendants, or (None) of all sessions.

    `decided` returns what was replied to a request from here. `is_of_turn`: whether a message of a session is one
    whose tool calls are reported. Complete texts and the end of a turn are not reported here.
    """

    def __init__(
        self,
        client: Client,
        deliver: Callable[[Event], None],
        *,
        session_id: str | None = None,
        decided: Callable[[str], Decision | None] = lambda request_id: None,
        is_of_turn: Callable[[str, str], bool] = lambda session_id, message_id: True,
    ) -> None:
        self._client = client
        self._deliver = deliver
        self.session_id = session_id
        self._decided = decided
        self._is_of_turn = is_of_turn
        self._turns: dict[str, tuple[str, str, str]] = {}
        self._calls: dict[tuple[str, str], str] = {}
        self._open: dict[str, Request] = {}
        self.records = RequestRecords()
        """The requests of the session so far and how they ended."""

    def start(self) -> None:
        """Report the turn and the requests as they are now."""
        if self.session_id is not None:
            self._turn_changed(self.session_id)
        self._look_at_requests()

    def on_change(self, change: c.Change) -> None:
        """The listener for `Client.subscribe`."""
        match change:
            case c.TurnChanged(session_id) | c.TurnEnded(session_id):
                self._turn_changed(session_id)
            case c.PartChanged(session_id, message_id, part_id):
                self._part_changed(session_id, message_id, part_id)
            case c.PartRemoved(_, message_id, part_id):
                self._calls.pop((message_id, part_id), None)
            case c.TranscriptReset(session_id):
                self._transcript_reset(session_id)
            case c.RequestClosed():
                self._closed(change)
                self._look_at_requests()
            case c.RequestsChanged():
                self._look_at_requests()

    def _look_at_requests(self) -> None:
        """Report the requests that are open and were not reported yet."""
        for request in self._client.store.requests.values():
            if request.id not in self._open and self._is_ours(request.session_id):
                self._open[request.id] = request
                pending = pending_request(request, self._client.store)
                self._record(RequestRecord(request=pending, state="open"))
                self._deliver(RequestEvent(time=self._client.server_now(), request=pending))

    def _record(self, record: RequestRecord) -> None:
        if self.session_id is not None:  # else they would grow without bound
            reported = self.records.dropped
            self.records.put(record)
            if self.records.dropped and not reported:
                text = "Too many requests were closed: the result contains only the newest"
                self._deliver(NoticeEvent(time=self._client.server_now(), text=text, severity="warning"))

    def _is_ours(self, session_id: str) -> bool:
        return self.session_id is None or self._client.store.is_within(session_id, self.session_id)

    def _turn_changed(self, session_id: str) -> None:
        turn = self._client.turn(session_id)
        if turn is None or session_id != (self.session_id or session_id):
            return
        current = (turn.prompt_id, turn.known_state.value, turn.reason)
        if current != self._turns.get(session_id):
            self._turns[session_id] = current
            now = self._client.server_now()
            self._deliver(
                TurnEvent(time=now, session=session_id, prompt=turn.prompt_id, state=current[1], reason=turn.reason)
            )

    def _transcript_reset(self, session_id: str) -> None:
        transcript = self._client.store.transcript(session_id)
        for message in transcript.ordered() if transcript is not None else ():
            for part in transcript.parts_of(message.id) if transcript is not None else ():
                self._part_changed(session_id, message.id, part.id)

    def _part_changed(self, session_id: str, message_id: str, part_id: str) -> None:
        transcript = self._client.store.transcript(session_id)
        part = transcript.part(message_id, part_id) if transcript is not None else None
        if not isinstance(part, ToolPart) or self._calls.get((message_id, part_id)) == part.state:
            return
        if not self._is_ours(session_id) or not self._is_of_turn(session_id, message_id):
            return
        self._calls[message_id, part_id] = part.state
        self._deliver(
            ToolEvent(
                time=self._client.server_now(),
                session=session_id,
                message=message_id,
                call=part.call_id,
                tool=part.tool,
                state=part.state,
                title=part.title,
                error=part.error,
            )
        )

    def _closed(self, change: c.RequestClosed) -> None:
        if self._open.pop(change.request.id, None) is None:
            return
        record = closed_request(change, self._client.store, self._decided(change.request.id))
        self._record(record)
        self._deliver(ReplyEvent(time=self._client.server_now(), record=record))
