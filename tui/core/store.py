"""The client's picture of the server: `Store.apply(event)` changes it and says what changed.

It believes the server over itself: a page that was fetched replaces what was there, a finished part replaces
its streamed pieces. It never invents: what may be missing is marked *partial*.

Transcripts are kept only for sessions that are open on this client; the list, the statuses and the requests for
all.
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
    MessageGone,
    OlderLoaded,
    PartChanged,
    PartGone,
    PlanChanged,
    RequestClosed,
    RequestsChanged,
    SessionsChanged,
    TextGrew,
    TranscriptReset,
)
from tui.core.model import (
    Answers,
    FullMessage,
    Idle,
    Message,
    Part,
    PermissionReply,
    ReasoningPart,
    Request,
    Retrying,
    Session,
    SessionStatus,
    TextPart,
    Todo,
    ToolPart,
)
from tui.core.record import ended
from tui.core.transcript import Transcript

IDLE = Idle()
ENDED = ("completed", "error")
"""States of a tool call that waits for nobody any more."""


class Store:
    """Everything the client knows of the server."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._gone: dict[str, Session] = {}
        self._statuses: dict[str, SessionStatus] = {}
        self._requests: dict[str, Request] = {}
        self._todos: dict[str, tuple[Todo, ...]] = {}
        self._transcripts: dict[str, Transcript] = {}
        self._marks: dict[str, int] = {}
        self._generation = 0

    @property
    def sessions(self) -> Mapping[str, Session]:
        return MappingProxyType(self._sessions)

    @property
    def gone(self) -> Mapping[str, Session]:
        """Sessions that the server does not have any more, as they were last known: at the least by their id."""
        return MappingProxyType(self._gone)

    @property
    def requests(self) -> Mapping[str, Request]:
        """The open requests of all sessions, oldest first."""
        return MappingProxyType(self._requests)

    def status(self, session_id: str) -> SessionStatus:
        return self._statuses.get(session_id, IDLE)

    def todos(self, session_id: str) -> tuple[Todo, ...]:
        return self._todos.get(session_id, ())

    def open_transcript(self, session_id: str) -> None:
        """Keep the session's messages from now on."""
        self._transcripts.setdefault(session_id, Transcript())

    def close_transcript(self, session_id: str) -> None:
        """Forget the session's messages."""
        self._transcripts.pop(session_id, None)

    def open_sessions(self) -> tuple[str, ...]:
        """The sessions whose messages are kept, but for those that are gone: nothing can be asked of them."""
        return tuple(session_id for session_id in self._transcripts if session_id not in self._gone)

    def transcript(self, session_id: str) -> Transcript | None:
        return self._transcripts.get(session_id)

    def undone(self, session_id: str) -> set[str]:
        """The ids of the messages, as far as they are here, that are undone in an open session."""
        session, transcript = self._sessions.get(session_id), self._transcripts.get(session_id)
        return transcript.undone(session.undone_from) if session is not None and transcript is not None else set()

    def family(self, session_id: str) -> set[str]:
        """The session and all its descendants."""
        found, grew = {session_id}, True
        while grew:
            more = {s.id for s in self._sessions.values() if s.parent_id in found} - found
            found |= more
            grew = bool(more)
        return found

    def requests_of(self, session_id: str) -> list[Request]:
        """The open requests of the session and its descendants, oldest first."""
        family = self.family(session_id)
        return [request for request in self._requests.values() if request.session_id in family]

    @property
    def version(self) -> tuple[int, frozenset[str]]:
        """What differs as soon as anything changed that the server's events tell of."""
        return self._generation, frozenset(self._requests)

    def mark(self, session_id: str) -> int:
        """A number that grows whenever anything of the session or its descendants changed."""
        return max(self._marks.get(member, 0) for member in self.family(session_id))

    def answer_to(self, session_id: str, prompt_id: str) -> Message | None:
        """The newest assistant message whose parent is `prompt_id`."""
        transcript = self._transcripts.get(session_id)
        return None if transcript is None else transcript.answer_to(prompt_id)

    def apply(self, event: e.Event) -> tuple[Change, ...]:
        """Take in one event; what changed, in order."""
        match event:
            case e.Connected() | e.Beat() | e.ServerLeaving():
                return ()
            case e.SessionUpserted(session):
                return self._put_sessions([session])
            case e.SessionsListed(sessions):
                return self._put_sessions(sessions)
            case e.SessionRenamed(session_id, title):
                known = self._sessions.get(session_id)
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
                if self._requests.get(request.id) == request:
                    return ()
                self._requests[request.id] = request
                return (RequestsChanged(),)
            case e.QuestionAnswered(_, request_id, answers):
                return self._close(request_id, "answered", answers=answers)
            case e.QuestionRejected(_, request_id):
                return self._close(request_id, "rejected")
            case e.PermissionReplied(_, request_id, reply):
                return self._close(request_id, "replied", reply=reply)
            case e.RequestGone(_, request_id):
                return self._close(request_id, "gone")
            case e.TodosChanged(session_id, todos):
                self._todos[session_id] = todos
                return (PlanChanged(session_id),)
            case e.StreamLost():
                return tuple(change for one in self._transcripts for change in self._halt(one, "partial"))
            case e.Resynced():
                return self._resync(event)
            case e.MessagesLoaded():
                return self._load(event)
            case _:
                assert_never(event)

    def _put_sessions(self, sessions: Iterable[Session]) -> tuple[Change, ...]:
        changed = [s for s in sessions if self._sessions.get(s.id) != s]
        for session in changed:
            self._sessions[session.id] = session
            self._gone.pop(session.id, None)
        return tuple(SessionsChanged(session.id) for session in changed)

    def _delete_session(self, session_id: str) -> tuple[Change, ...]:
        changes: list[Change] = []
        for request in [r for r in self._requests.values() if r.session_id == session_id]:
            changes += self._close(request.id, "gone")
        known = self._sessions.pop(session_id, None)
        self._statuses.pop(session_id, None)
        self._todos.pop(session_id, None)
        if known is not None or session_id not in self._gone:
            self._gone[session_id] = known or Session(session_id, "")
            changes.append(SessionsChanged(session_id))
        return tuple(changes)

    def _set_status(self, session_id: str, status: SessionStatus) -> tuple[Change, ...]:
        changes: list[Change] = []
        if self.status(session_id) != status:
            self._statuses[session_id] = status
            self._touch(session_id)
            changes.append(SessionsChanged(session_id))
            if isinstance(status, Retrying):
                changes += self._halt(session_id, "broken")
        if isinstance(status, Idle):
            self._statuses.pop(session_id, None)
            for request in self._ghosts(session_id):
                changes += self._close_by_record(request)
        return tuple(changes)

    def _ghosts(self, session_id: str) -> list[Request]:
        """Requests that nobody waits for: an aborted turn leaves them in the server's own list."""
        return [r for r in self._requests.values() if r.session_id == session_id]

    def _touch(self, session_id: str) -> Transcript | None:
        self._generation += 1
        self._marks[session_id] = self._generation
        return self._transcripts.get(session_id)

    def _put_message(self, message: Message) -> tuple[Change, ...]:
        transcript = self._touch(message.session_id)
        if transcript is None or transcript.messages.get(message.id) == message:
            return ()
        transcript.put_message(message)
        return (MessageChanged(message.session_id, message.id),)

    def _remove_message(self, session_id: str, message_id: str) -> tuple[Change, ...]:
        transcript = self._touch(session_id)
        if transcript is None or message_id not in transcript.messages:
            return ()
        transcript.drop_message(message_id)
        return (MessageGone(session_id, message_id),)

    def _put_part(self, part: Part) -> tuple[Change, ...]:
        transcript = self._touch(part.session_id)
        if transcript is None:
            return ()
        old = transcript.part(part.message_id, part.id)
        if (
            isinstance(part, TextPart | ReasoningPart)
            and isinstance(old, TextPart | ReasoningPart)
            and part.state == "streaming"
            and (len(old.text) > len(part.text) or old.state == "broken")
        ):
            return ()  # the server's copy of a part that still streams is older than the deltas we have
        transcript.put_part(part)
        changes: list[Change] = []
        if old != part:
            changes.append(PartChanged(part.session_id, part.message_id, part.id))
        if isinstance(part, ToolPart) and part.state in ENDED:
            changes += self._close_for_call(part)
        return tuple(changes)

    def _close_for_call(self, part: ToolPart) -> list[Change]:
        waiting = [
            r for r in self._requests.values() if r.session_id == part.session_id and r.call_id == part.call_id
        ]
        return [change for request in waiting for change in self._close_by_record(request)]

    def _close_by_record(self, request: Request) -> tuple[Change, ...]:
        """The server has it no longer: its tool call tells how it ended, if anything does."""
        transcript = self._transcripts.get(request.session_id)
        parts = [] if transcript is None else transcript.parts_of(request.message_id or "")
        calls = [part for part in parts if isinstance(part, ToolPart) and part.call_id == request.call_id]
        told = next((call for call in calls if call.answers is not None or call.rejected), None)
        return self.apply(ended(request, told))

    def _remove_part(self, session_id: str, message_id: str, part_id: str) -> tuple[Change, ...]:
        transcript = self._touch(session_id)
        if transcript is None or transcript.part(message_id, part_id) is None:
            return ()
        transcript.drop_part(message_id, part_id)
        return (PartGone(session_id, message_id, part_id),)

    def _append(self, delta: e.TextDelta) -> tuple[Change, ...]:
        transcript = self._touch(delta.session_id)
        ready = transcript.append(delta) if transcript is not None else ""
        if not ready:
            return ()
        return (TextGrew(delta.session_id, delta.message_id, delta.part_id, ready),)

    def _close(
        self,
        request_id: str,
        how: Literal["answered", "rejected", "replied", "gone"],
        *,
        answers: Answers = (),
        reply: PermissionReply | None = None,
    ) -> tuple[Change, ...]:
        request = self._requests.pop(request_id, None)
        if request is None:
            return ()
        self._touch(request.session_id)
        return (RequestClosed(request, how, answers, reply),)

    def _halt(self, session_id: str, state: Literal["partial", "broken"]) -> list[Change]:
        """What streams in the session stops here."""
        changes: list[Change] = []
        transcript = self._transcripts.get(session_id)
        for part in transcript.streaming() if transcript is not None else ():
            whole = transcript.part(part.message_id, part.id) if transcript is not None else None
            if transcript is not None and isinstance(whole, TextPart | ReasoningPart):
                transcript.put_part(replace(whole, state=state))
                changes.append(PartChanged(session_id, part.message_id, part.id))
        return changes

    def _resync(self, event: e.Resynced) -> tuple[Change, ...]:
        changes: list[Change] = []
        covered = {s for s in self._covered(event) if s not in event.statuses}
        for session_id in covered & set(self._statuses):
            changes += self._set_status(session_id, IDLE)
        for session_id, status in event.statuses.items():
            changes += self._set_status(session_id, status)
        open_now = {r.id: r for r in event.requests if r.session_id in event.statuses and not self._is_settled(r)}
        for request_id, request in list(self._requests.items()):
            if request_id not in open_now and self._is_covered(request.session_id, event):
                changes += self._close_by_record(request)
        for request_id, request in open_now.items():
            if self._requests.get(request_id) != request:
                self._requests[request_id] = request
                changes.append(RequestsChanged())
        return tuple(changes)

    def _is_settled(self, request: Request) -> bool:
        """Its tool call has ended: an earlier turn's abort left it in the server's list."""
        transcript = self._transcripts.get(request.session_id)
        if transcript is None or request.message_id is None:
            return False
        return any(
            isinstance(part, ToolPart) and part.call_id == request.call_id and part.state in ENDED
            for part in transcript.parts_of(request.message_id)
        )

    def _covered(self, event: e.Resynced) -> list[str]:
        return [s for s in {*self._sessions, *self._statuses} if self._is_covered(s, event)]

    def _is_covered(self, session_id: str, event: e.Resynced) -> bool:
        session = self._sessions.get(session_id)
        if event.directories is None or session is None:
            return True
        return session.directory in event.directories

    def _load(self, event: e.MessagesLoaded) -> tuple[Change, ...]:
        old = self._transcripts.get(event.session_id)
        if old is None:
            return ()
        if event.how == "older":
            for full in event.messages:
                self._take(old, full, None)
            old.cursor = event.cursor
            return (OlderLoaded(event.session_id, len(event.messages)),)
        fresh = Transcript()
        fresh.cursor, fresh.loaded = event.cursor, True
        if event.messages and event.cursor is not None and old.loaded:
            first = event.messages[0].message
            # a page that begins beyond all we have would leave a hole between: what came before is loaded anew
            kept = [m for m in old.messages.values() if m.created < first.created and first.id in old.messages]
            for message in kept:
                self._take(fresh, FullMessage(message, tuple(old.parts_of(message.id))), None)
            if kept:
                fresh.cursor = old.cursor
        for full in event.messages:
            self._take(fresh, full, old, up_to_date=event.up_to_date)
        self._transcripts[event.session_id] = fresh
        if old.loaded and fresh.same_as(old):
            return ()
        self._touch(event.session_id)
        return (TranscriptReset(event.session_id),)

    def _take(
        self, into: Transcript, full: FullMessage, old: Transcript | None, *, up_to_date: bool = False
    ) -> None:
        into.put_message(full.message)
        into.parts.setdefault(full.message.id, {})
        for part in full.parts:
            if isinstance(part, TextPart | ReasoningPart) and part.state != "done":
                had = old.part(part.message_id, part.id) if old is not None else None
                if (
                    isinstance(had, TextPart | ReasoningPart)
                    and had.state != "done"
                    and len(had.text) >= len(part.text)
                ):
                    part = had
                elif not up_to_date:
                    part = replace(part, state="partial")
                if full.message.completed is not None and part is not had:
                    part = replace(part, state="done")  # of a message that is complete, nothing more comes
                elif up_to_date:
                    part = replace(part, state="streaming")
            into.put_part(part)
