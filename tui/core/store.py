"""The client's model of the server: `Store.apply(event)` updates it and returns the changes.

The server has precedence: a fetched page replaces what was stored, a finished part replaces its streamed text. Text
that may be incomplete is marked *partial*.

Transcripts are stored only for sessions open in this client; the list, statuses and requests for all.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Literal, assert_never

from msgspec.structs import replace

from tui.core import events as e
from tui.core.changes import (
    Change,
    FailureSeen,
    MessageChanged,
    MessageRemoved,
    OlderLoaded,
    PartChanged,
    PartRemoved,
    PlanChanged,
    RequestClosed,
    RequestsChanged,
    SessionsChanged,
    TextAppended,
    TranscriptReset,
)
from tui.core.known_sessions import IDLE, KnownSessions, forget
from tui.core.model import (
    Answers,
    Idle,
    Message,
    Part,
    PermissionReply,
    Progress,
    ReasoningPart,
    Request,
    Retrying,
    Session,
    SessionStatus,
    TextPart,
    Todo,
    ToolPart,
)
from tui.core.open_requests import OpenRequests, asks_the_same
from tui.core.page_merge import add_older, merge, with_gap
from tui.core.recorded_end import ended
from tui.core.transcript import Transcript
from tui.core.transcript_room import made_room

ENDED = ("completed", "error")
"""States of a tool call that has ended."""
MAX_PLANS = 20
"""Limit of stored plans; a session's plan is fetched when it is opened."""


class Store:
    """Everything the client knows of the server."""

    def __init__(self) -> None:
        self._transcripts: dict[str, Transcript] = {}
        self._known = KnownSessions(self._transcripts)
        self._requests = OpenRequests(self._known.tree.lineage)
        self._todos: dict[str, tuple[Todo, ...]] = {}

    @property
    def sessions(self) -> Mapping[str, Session]:
        return MappingProxyType(self._known.by_id)

    @property
    def deleted(self) -> Mapping[str, Session]:
        """Deleted sessions, as last known, or with their id only."""
        return MappingProxyType(self._known.deleted)

    @property
    def requests(self) -> Mapping[str, Request]:
        """The open requests of all sessions, oldest first, up to the limit of `OpenRequests`."""
        return MappingProxyType(self._requests.by_id)

    @property
    def requests_not_loaded(self) -> int:
        """The number of further open requests, fetched once some of `requests` are answered."""
        return self._requests.beyond

    @property
    def has_room_for_requests(self) -> bool:
        """Whether there is room again to fetch further requests."""
        return self._requests.has_room

    def status(self, session_id: str) -> SessionStatus:
        return self._known.status(session_id)

    def directory_of(self, session_id: str) -> str:
        """The session's directory; "" if unknown."""
        session = self.sessions.get(session_id)
        return session.directory if session is not None else ""

    def todos(self, session_id: str) -> tuple[Todo, ...]:
        return self._todos.get(session_id, ())

    def open_transcript(self, session_id: str) -> None:
        """Store the session's messages from now on."""
        self._transcripts.setdefault(session_id, Transcript())

    def close_transcript(self, session_id: str) -> None:
        """Drop the session's messages."""
        self._transcripts.pop(session_id, None)

    def open_sessions(self) -> tuple[str, ...]:
        """The sessions with a stored transcript, except deleted ones."""
        return tuple(session_id for session_id in self._transcripts if session_id not in self._known.deleted)

    def transcript(self, session_id: str) -> Transcript | None:
        return self._transcripts.get(session_id)

    def undone(self, session_id: str) -> set[str]:
        """The ids of the loaded messages that are undone in an open session."""
        session, transcript = self.sessions.get(session_id), self._transcripts.get(session_id)
        return transcript.undone(session.undone_from) if session is not None and transcript is not None else set()

    def session_tree(self, session_id: str) -> set[str]:
        """The session and all its descendants."""
        return self._known.tree.family(session_id)

    def is_within(self, session_id: str, ancestor: str) -> bool:
        """Whether the session is `ancestor` or one of its descendants."""
        return ancestor in self._known.tree.lineage(session_id)

    def requests_of(self, session_id: str) -> list[Request]:
        """The open requests of the session and its descendants, oldest first."""
        return self._requests.within(session_id)

    @property
    def version(self) -> tuple[int, frozenset[str]]:
        """A value that changes with every change that events report."""
        return self._known.changes, frozenset(self._requests.by_id)

    def session_version(self, session_id: str) -> int:
        """A number that grows with every change of the session or its descendants."""
        return self._known.version(session_id)

    def answer_to(self, session_id: str, prompt_id: str) -> Message | None:
        """The newest assistant message whose parent is `prompt_id`."""
        transcript = self._transcripts.get(session_id)
        return None if transcript is None else transcript.answer_to(prompt_id)

    def apply(self, event: e.Event) -> tuple[Change, ...]:
        """Apply one event; returns the changes in order."""
        match event:
            case e.Connected() | e.Heartbeat() | e.ServerShuttingDown():
                return ()
            case e.SessionUpserted(session):
                return self._put_sessions([session])
            case e.SessionsListed(sessions):
                return self._put_sessions(sessions)
            case e.SessionRenamed(session_id, title):
                known = self.sessions.get(session_id)
                return () if known is None else self._put_sessions([replace(known, title=title)])
            case e.SessionDeleted(session_id):
                return self._delete_session(session_id)
            case e.StatusChanged(session_id, status):
                return self._set_status(session_id, status)
            case e.SessionFailed(session_id, failure):
                return (FailureSeen(session_id, failure),)
            case e.MessageUpserted(message):
                return self._put_message(message)
            case e.MessageRemoved(session_id, message_id):
                return self._remove_message(session_id, message_id)
            case e.PartUpserted(part):
                return self._put_part(part)
            case e.PartRemoved(session_id, message_id, part_id):
                return self._remove_part(session_id, message_id, part_id)
            case e.TextDelta():
                return self._append(event)
            case e.RequestOpened(request):
                return self._open_requests([request])
            case e.QuestionAnswered(session_id, request_id, answers):
                return self._close(request_id, "answered", session_id, answers=answers)
            case e.QuestionRejected(session_id, request_id):
                return self._close(request_id, "rejected", session_id)
            case e.PermissionReplied(session_id, request_id, reply):
                return self._close(request_id, "replied", session_id, reply=reply)
            case e.RequestRemoved(session_id, request_id):
                return self._close(request_id, "gone", session_id)
            case e.TodosChanged(session_id, todos):
                self._todos[session_id] = todos
                forget(self._todos, MAX_PLANS, self._transcripts)
                return (PlanChanged(session_id),)
            case e.StreamLost():
                return tuple(change for one in self._transcripts for change in self._stop_streaming(one, "partial"))
            case e.Resynced():
                return self._resync(event)
            case e.MessagesLoaded():
                return self._load(event)
            case _:
                assert_never(event)

    def _put_sessions(self, sessions: Iterable[Session]) -> tuple[Change, ...]:
        changed = [s for s in sessions if self._known.by_id.get(s.id) != s]
        for session in changed:
            before = self._known.tree.lineage(session.id)
            self._known.put(session)
            self._moved(session.id, before)
        if self._known.too_many:
            used = (*self._transcripts, *(request.session_id for request in self._requests.by_id.values()))
            new = {session.id for session in changed}
            self._known.forget_oldest(new.union(*map(self._known.tree.lineage, used)))
        return tuple(SessionsChanged(session.id) for session in changed)

    def _moved(self, session_id: str, before: list[str]) -> None:
        """Update the requests of a session whose ancestors were `before`."""
        if self._known.tree.lineage(session_id) != before:
            self._requests.moved(session_id, before)

    def _delete_session(self, session_id: str) -> tuple[Change, ...]:
        changes: list[Change] = []
        for request in self._requests.of(session_id):
            changes += self._close(request.id, "gone", session_id)
        before = self._known.tree.lineage(session_id)
        self._todos.pop(session_id, None)
        if self._known.delete(session_id):
            changes.append(SessionsChanged(session_id))
        self._moved(session_id, before)
        return tuple(changes)

    def _set_status(self, session_id: str, status: SessionStatus) -> tuple[Change, ...]:
        changes: list[Change] = []
        if self._known.set_status(session_id, status):
            if self._known.is_shown(session_id):
                changes.append(SessionsChanged(session_id))
            if isinstance(status, Retrying):
                changes += self._stop_streaming(session_id, "broken")
        if isinstance(status, Idle):
            for request in self._requests.of(session_id):  # an aborted turn leaves its requests listed
                changes += self._close_by_record(request)
        return tuple(changes)

    def _bump_version(self, session_id: str) -> Transcript | None:
        self._known.bump_version(session_id)
        return self._transcripts.get(session_id)

    def _put_message(self, message: Message) -> tuple[Change, ...]:
        transcript = self._bump_version(message.session_id)
        if transcript is None:
            return ()
        if not message.created:
            message = replace(message, created=transcript.time_for(message.id))
        if transcript.messages.get(message.id) == message:
            return ()
        transcript.put_message(message)
        return (MessageChanged(message.session_id, message.id), *made_room(transcript, message.session_id))

    def _remove_message(self, session_id: str, message_id: str) -> tuple[Change, ...]:
        transcript = self._bump_version(session_id)
        if transcript is None or message_id not in transcript.messages:
            return ()
        transcript.drop_message(message_id)
        return (MessageRemoved(session_id, message_id),)

    def _put_part(self, part: Part) -> tuple[Change, ...]:
        transcript = self._bump_version(part.session_id)
        if transcript is None:
            return ()
        old = transcript.part(part.message_id, part.id)
        if (
            isinstance(part, TextPart | ReasoningPart)
            and isinstance(old, TextPart | ReasoningPart)
            and part.state == "streaming"
            and (len(old.text) > len(part.text) or old.state == "broken")
        ):
            return ()  # the server's copy of a streaming part is older than the deltas
        transcript.put_part(part)
        changes: list[Change] = []
        if old != part:
            changes.append(PartChanged(part.session_id, part.message_id, part.id))
        changes += made_room(transcript, part.session_id)
        if isinstance(part, ToolPart) and part.state in ENDED:
            changes += self._close_for_call(part)
        return tuple(changes)

    def _close_for_call(self, part: ToolPart) -> list[Change]:
        waiting = self._requests.of_call(part.session_id, part.call_id)
        return [change for request in waiting for change in self._close_by_record(request)]

    def _close_by_record(self, request: Request) -> tuple[Change, ...]:
        """Close a request that the server no longer lists, by the record of its tool call."""
        transcript = self._transcripts.get(request.session_id)
        calls = [] if transcript is None else transcript.calls(request.message_id, request.call_id)
        record = next((call for call in calls if call.answers is not None or call.rejected), None)
        return self.apply(ended(request, record))

    def _remove_part(self, session_id: str, message_id: str, part_id: str) -> tuple[Change, ...]:
        transcript = self._bump_version(session_id)
        if transcript is None or transcript.part(message_id, part_id) is None:
            return ()
        transcript.drop_part(message_id, part_id)
        return (PartRemoved(session_id, message_id, part_id),)

    def _append(self, delta: e.TextDelta) -> tuple[Change, ...]:
        transcript = self._bump_version(delta.session_id)
        ready = transcript.append(delta) if transcript is not None else ""
        if transcript is None or not ready:
            return ()
        appended = TextAppended(delta.session_id, delta.message_id, delta.part_id, ready)
        return (appended, *made_room(transcript, delta.session_id))

    def _open_requests(self, requests: Iterable[Request]) -> tuple[Change, ...]:
        """Store the requests. One that asks something else under its id is another one: the old one is gone."""
        changes, is_new = list[Change](), False
        for request in requests:
            old = self._requests.by_id.get(request.id)
            if old is not None and old.session_id == request.session_id and not asks_the_same(old, request):
                changes += self._close(request.id, "gone", request.session_id)
            is_new = self._requests.put(request) or is_new
        return (*changes, *([RequestsChanged()] if is_new else []))

    def _close(
        self,
        request_id: str,
        how: Literal["answered", "rejected", "replied", "gone"],
        session_id: str,
        *,
        answers: Answers = (),
        reply: PermissionReply | None = None,
    ) -> tuple[Change, ...]:
        known = self._requests.by_id.get(request_id)
        if known is not None and known.session_id != session_id:  # the id of another session's request
            self._requests.same_id.discard((session_id, request_id))
            return (RequestsChanged(),)
        counted = request_id in self._requests.not_stored
        request = self._requests.pop(request_id)
        if request is None:
            return (RequestsChanged(),) if counted else ()
        self._bump_version(request.session_id)
        return (RequestClosed(request, how, answers, reply),)

    def _stop_streaming(self, session_id: str, state: Literal["partial", "broken"]) -> list[Change]:
        """Mark the streaming parts of the session as `state`."""
        changes: list[Change] = []
        transcript = self._transcripts.get(session_id)
        states: set[Progress] = {"streaming", "partial"} if state == "partial" else {"streaming"}
        for part in transcript.texts_in(states) if transcript is not None else ():
            whole = transcript.part(part.message_id, part.id) if transcript is not None else None
            if transcript is not None and isinstance(whole, TextPart | ReasoningPart):
                stopped = with_gap(whole) if state == "partial" else replace(whole, state=state)
                if stopped != whole:
                    transcript.put_part(stopped)
                    changes.append(PartChanged(session_id, part.message_id, part.id))
        return changes

    def _resync(self, event: e.Resynced) -> tuple[Change, ...]:
        changes: list[Change] = []
        for session_id in self._known.at_work() - event.statuses.keys():
            if self._is_covered(session_id, event):
                changes += self._set_status(session_id, IDLE)
        for session_id in filter(self._known.is_shown, event.statuses):
            changes += self._set_status(session_id, event.statuses[session_id])
        self._known.set_unshown(event.statuses)
        rows = (r for r in event.requests if r.session_id in event.statuses and not self._is_settled(r))
        open_now = {(r.session_id, r.id): r for r in rows}
        for request_id, request in list(self._requests.by_id.items()):
            listed = (request.session_id, request_id) in open_now or request_id in event.not_read
            if not listed and self._is_covered(request.session_id, event):
                changes += self._close_by_record(request)
        before = self._requests.beyond
        if not event.problem:
            self._requests.set_not_stored(event.not_read)
        opened = self._open_requests(open_now.values())
        return (*changes, *(opened or ([RequestsChanged()] if self._requests.beyond != before else [])))

    def _is_settled(self, request: Request) -> bool:
        """Whether its tool call has ended: the server still lists it after an abort."""
        transcript = self._transcripts.get(request.session_id)
        if transcript is None or request.message_id is None:
            return False
        return any(call.state in ENDED for call in transcript.calls(request.message_id, request.call_id))

    def _is_covered(self, session_id: str, event: e.Resynced) -> bool:
        if session_id in event.unknown:
            return False
        session = self.sessions.get(session_id)
        return event.directories is None or session is None or session.directory in event.directories

    def _load(self, event: e.MessagesLoaded) -> tuple[Change, ...]:
        old = self._transcripts.get(event.session_id)
        if old is None:
            return ()
        if event.how == "older":
            add_older(old, event)
            return (OlderLoaded(event.session_id, len(event.messages)), *made_room(old, event.session_id))
        fresh = merge(old, event)
        made_room(fresh, event.session_id)
        self._transcripts[event.session_id] = fresh
        if old.loaded and fresh.same_as(old):
            return ()
        self._bump_version(event.session_id)
        return (TranscriptReset(event.session_id),)
