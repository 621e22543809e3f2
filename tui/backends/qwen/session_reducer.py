"""Reduces one session's events to events of `tui.core`: streamed, or replayed by `load`.

A replay is shorter: adjacent text chunks are merged, and all updates of a tool call are at its first position. Both
must produce the same messages with the same ids, so nothing here depends on the number or time of updates: ids are
made of the prompt's id, a segment's number and the tool call's id; times are those of the prompt's echo and of the
turn's end; of several token counts the last one counts.

Without I/O and clock.
"""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tui.backends.decoding import MAX_ID_CHARACTERS, read, shortened, string, todos
from tui.backends.numbers import moment
from tui.backends.qwen import background_turns as background
from tui.backends.qwen import requests
from tui.backends.qwen import schema as wire
from tui.backends.qwen.echoes import MAX_ECHOES, Echo, compared
from tui.backends.qwen.requests import OpenRequests
from tui.backends.qwen.running_turn import JUST_AFTER, MAX_CALL_BYTES, Kind, RunningTurn
from tui.backends.qwen.tool_calls import INCOMPLETE_ANSWER, remembered, why_early, why_failed
from tui.core import events as e
from tui.core.model import Busy, Failure, FullMessage, Idle, Message, TextPart
from tui.core.sanitize import sanitize
from tui.core.store import Store

log = logging.getLogger(__name__)

MAX_QUEUE = 1_000
"""Limit of prompts known to wait in the server's queue."""
MAX_UNFINISHED = 100
"""Limit of stored calls of earlier turns whose result may still arrive."""
CLOSED = ("session_closed", "-32602")
"""Codes of a prompt ended by closing its session; the second is JSON-RPC's *invalid params*."""


class SessionReducer:
    """The state of a session that is needed to translate its next event."""

    def __init__(self, session_id: str, terminals: Iterable[wire.Terminal] = ()) -> None:
        self.session_id = session_id
        self.cursor = 0
        self._requests = OpenRequests(session_id)
        self.echoes: deque[Echo] = deque(maxlen=MAX_ECHOES)
        self._terminals = {one.prompt_id: one for one in terminals}
        self._queue: set[str] = set()
        self._turn: RunningTurn | None = None
        self._unfinished: dict[str, RunningTurn] = {}
        """Call without a result → the earlier turn that made it."""
        self._overtaken: RunningTurn | None = None
        """A turn of the server that a prompt is ending; its last events are still to arrive."""
        self._truncated_text = ""
        """The prompt whose first events the server dropped; "" if none."""
        self.stale = False
        """A turn with a dropped beginning has ended: the session must be loaded again."""

    @property
    def open(self) -> Mapping[str, requests.StreamedRequest]:
        """The open requests, by id."""
        return self._requests.open

    @property
    def truncated(self) -> bool:
        """Whether the server dropped the beginning of the running turn, and prompts received meanwhile."""
        return bool(self._truncated_text)

    def shown_as(self, loaded: "SessionReducer") -> None:
        """Adopt the truncation of a newer load: the missing part is loaded once the turn has ended."""
        self._truncated_text = self._truncated_text or loaded._truncated_text

    def take(self, frame: wire.Frame) -> list[e.Event]:
        """Handle one event. Raises `msgspec.ValidationError` for an unreadable one, which is then skipped."""
        if frame.id is not None:
            self.cursor = max(self.cursor, frame.id)
        return self._events_of(frame)

    def finish(self) -> list[e.Event]:
        """The server runs no turn: end an open one whose end was not sent."""
        self._queue.clear()
        found = self._end_unseen()
        self._truncated_text, self.stale = "", False  # loading again would not change it
        return found

    def resumed(self) -> list[e.Event]:
        """The stream resumed without loss: text marked as partial is complete."""
        turn = self._turn
        return [] if turn is None else turn.resumed()

    def unreadable(self, why: Exception) -> list[e.Event]:
        """A placeholder for an unreadable event of an answer; between turns it is only logged."""
        turn = self._turn
        if turn is None or turn.ended:
            log.warning("an event cannot be read: %s", why)
            return []
        return turn.unreadable(why)

    def _events_of(self, frame: wire.Frame) -> list[e.Event]:
        match frame.type:
            case "session_update":
                return self._updated(frame)
            case "permission_request":
                return self._asked(frame)
            case "permission_resolved":
                return self._requests.resolved(frame.data)
            case "turn_complete":
                return self._completed(frame)
            case "turn_error":
                if string(frame.data, "code") in CLOSED and self._is_unanswered(frame.prompt_id):
                    return self._withdrawn()
                return self._end(frame.prompt_id, frame.at, why_failed(frame.data))
            case "pending_prompt_added":
                return self._waits(frame)
            case "pending_prompt_started":
                self._queue.discard(frame.prompt_id or "")
                return [e.StatusChanged(self.session_id, Busy())]
            case "pending_prompt_completed":
                self._queue.discard(frame.prompt_id or "")
                return []
            case "session_metadata_updated":
                title = shortened(string(frame.data, "displayName"))
                return [e.SessionRenamed(self.session_id, title)] if title else []
            case "history_truncated":
                return self._cut_short(frame)
            case "session_died" | "session_closed":
                self._queue.clear()
                ended = self._end(None, frame.at, INCOMPLETE_ANSWER)
                return [*ended, *self._requests.all_gone(), e.StatusChanged(self.session_id, Idle())]
            case _:
                return []

    def _updated(self, frame: wire.Frame) -> list[e.Event]:
        raw = frame.data.get("update", {}) if isinstance(frame.data, Mapping) else {}
        update = read(raw, wire.Update)
        match background.source(update):
            case background.TASK_COMPLETED:
                return []
            case background.BEGINS:
                return self._turn_of(frame)[1]
            case background.NOTICE:
                return self._noticed(frame, update)
        match update.session_update:
            case "user_message_chunk":
                return self._echoed(frame, update)
            case "agent_message_chunk":
                return self._said(frame, update, "text")
            case "agent_thought_chunk":
                return self._said(frame, update, "thought")
            case "tool_call" | "tool_call_update" if update.tool_call_id:
                return self._called(frame, update.tool_call_id, raw)
            case "plan":
                turn, found = self._turn_of(frame)
                if turn is not None:
                    turn.concluded = False
                return [*found, e.TodosChanged(self.session_id, todos(update.entries or []))]
            case _:
                return []

    # Prompts

    def _echoed(self, frame: wire.Frame, update: wire.Update) -> list[e.Event]:
        meta = update.meta or {}
        record = string(meta, "promptId", "qwen.session.recordId")
        if len(record) > MAX_ID_CHARACTERS:
            record = ""
        prompt_id = frame.prompt_id or record or f"{self.session_id}:{frame.id}"
        text = sanitize(wire.text_of(update.content))
        turn = self._turn
        if turn is not None and turn.prompt_id == prompt_id:
            return self._user_text(turn, text)
        created = frame.at or self._after_turn()
        found = [*self._overtake(), *self._begin(prompt_id, created)]
        self._queue.discard(prompt_id)
        self.echoes.append(Echo(prompt_id, compared(text), frame.originator_client_id or "", frame.id or 0))
        assert self._turn is not None
        return [*found, *self._user_text(self._turn, text)]

    def _user_text(self, turn: RunningTurn, text: str) -> list[e.Event]:
        """One block of the prompt; text added to a running turn is a further block."""
        found: list[e.Event] = []
        if not turn.prompt_blocks:
            found.append(e.MessageUpserted(Message(turn.prompt_id, self.session_id, "user", turn.created)))
        turn.prompt_blocks += 1
        part = TextPart(f"{turn.prompt_id}:said:{turn.prompt_blocks}", self.session_id, turn.prompt_id, text)
        return [*found, e.PartUpserted(part)]

    def _begin(self, prompt_id: str, at: float) -> list[e.Event]:
        self._keep_unfinished()
        self._turn = RunningTurn(self.session_id, prompt_id, at)
        return [e.StatusChanged(self.session_id, Busy())]

    def _begin_server_turn(self, prompt_id: str, at: float, event_id: int) -> list[e.Event]:
        """Begin a turn of the server: its report takes the place of a prompt."""
        self._keep_unfinished()
        self._turn = RunningTurn(self.session_id, prompt_id, at, server_initiated=True)
        self.echoes.append(Echo(prompt_id, "", "", event_id))
        begun = Message(prompt_id, self.session_id, "user", at)
        return [e.StatusChanged(self.session_id, Busy()), e.MessageUpserted(begun)]

    def _keep_unfinished(self) -> None:
        if self._turn is not None:
            self._unfinished |= dict.fromkeys(self._turn.unfinished_calls(), self._turn)
            self._turn.forget_finished()
            room, turns = MAX_CALL_BYTES, {id(turn): turn for turn in self._unfinished.values()}
            for turn in reversed(turns.values()):
                room -= turn.kept_bytes
                if room < 0:
                    turn.cut_calls()
        for call_id in list(self._unfinished)[:-MAX_UNFINISHED]:
            del self._unfinished[call_id]

    def _noticed(self, frame: wire.Frame, update: wire.Update) -> list[e.Event]:
        turn, found = self._turn_of(frame)
        return found if turn is None else [*found, *turn.notice(sanitize(wire.text_of(update.content)).strip())]

    def _overtake(self) -> list[e.Event]:
        """A prompt begins: end the running turn, except one of the server, whose last events follow."""
        turn = self._turn
        if turn is None or turn.ended or not turn.server_initiated:
            return self._end_unseen()
        found = self._end_overtaken()
        self._overtaken = turn
        return found

    def _waits(self, frame: wire.Frame) -> list[e.Event]:
        prompt_id = frame.prompt_id or ""
        if len(self._queue) < MAX_QUEUE:
            self._queue.add(prompt_id)
        text = sanitize(string(frame.data, "text"))
        self.echoes.append(Echo(prompt_id, compared(text), frame.originator_client_id or "", frame.id or 0))
        return []

    # The answer

    def _said(self, frame: wire.Frame, update: wire.Update, kind: Kind) -> list[e.Event]:
        meta = update.meta or {}
        if "parentToolCallId" in meta:
            return []  # a subagent's text: its result is in its tool call
        turn, found = self._turn_of(frame)
        if turn is None:
            return found
        usage = wire.usage(meta)
        text = wire.text_of(update.content)
        if usage is not None or text:
            found += turn.head(usage=usage)
        if turn.server_initiated and (failure := background.failure(text)) is not None:
            turn.failed = failure
            return found
        if not text:
            return found
        return found + turn.append_text(kind, text, alone=meta.get("qwenDiscreteMessage") is True)

    def _called(self, frame: wire.Frame, call_id: str, update: Mapping[str, Any]) -> list[e.Event]:
        """A replay ends with the failures of calls that a killed server left without a result."""
        earlier = self._unfinished.get(call_id)
        turn, found = self._turn_of(frame) if earlier is None else (earlier, [])
        if turn is None:
            return found
        before, part = turn.call(call_id, update)
        return [*found, *before, *self._requests.answered(part), e.PartUpserted(part)]

    def _turn_of(self, frame: wire.Frame) -> tuple[RunningTurn | None, list[e.Event]]:
        """The turn that an agent's event belongs to. Turns without a prompt (a timer's) have no echo."""
        turn = self._turn
        if frame.prompt_id is None or (turn is not None and turn.prompt_id == frame.prompt_id):
            return turn, []
        if self._overtaken is not None and self._overtaken.prompt_id == frame.prompt_id:
            return self._overtaken, []
        created = self._after_turn()
        began = background.began(frame.data)
        found = self._end_unseen()
        if began is None:
            found += self._begin(frame.prompt_id, created)
        else:
            found += self._begin_server_turn(frame.prompt_id, max(began, created), frame.id or 0)
        if self._truncated_text and self._turn is not None:
            found += self._turn.truncated()
        return self._turn, found

    def _after_turn(self) -> float:
        """A time after the current turn, if the server sends none."""
        return 0.0 if self._turn is None else self._turn.created + 2 * JUST_AFTER

    # Its end

    def _completed(self, frame: wire.Frame) -> list[e.Event]:
        return self._end(frame.prompt_id, frame.at, why_early(string(frame.data, "stopReason")))

    def _end(self, prompt_id: str | None, at: float, failure: Failure | None) -> list[e.Event]:
        turn, overtaken = self._turn, self._overtaken
        if overtaken is not None and overtaken.prompt_id == prompt_id:
            self._overtaken = None
            return overtaken.end(at, failure)
        if prompt_id is not None and (turn is None or turn.prompt_id != prompt_id):
            self._queue.discard(prompt_id)
            self.stale = self.stale or prompt_id == self._truncated_text
            return []  # it was removed from the queue, or only its end was kept
        if turn is None or turn.ended:
            return []
        self.stale = bool(self._truncated_text)
        found = [*self._end_overtaken(), *turn.end(at, failure), *self._requests.all_gone()]
        if not self._queue:
            found.append(e.StatusChanged(self.session_id, Idle()))
        return found

    def _is_unanswered(self, prompt_id: str | None) -> bool:
        turn = self._turn
        return turn is not None and turn.prompt_id == prompt_id and not (turn.ended or turn.has_started)

    def _withdrawn(self) -> list[e.Event]:
        """Its session was closed: the agent may never have received the prompt, although the server echoed it.

        Whether it is stored is read from the transcript.
        """
        turn, self._turn = self._turn, None
        assert turn is not None
        found = [e.MessageRemoved(self.session_id, turn.prompt_id), *self._requests.all_gone()]
        return found if self._queue else [*found, e.StatusChanged(self.session_id, Idle())]

    def _cut_short(self, frame: wire.Frame) -> list[e.Event]:
        """The server dropped the first events of the running turn; it has them again once the turn has ended."""
        if string(frame.data, "scope") != "live_journal":
            return []  # of ended turns: those are fetched in pages
        turn = self._turn
        before = [] if turn is None or turn.prompt_id == frame.prompt_id else self._end_unseen()
        self._truncated_text = frame.prompt_id or "unknown"
        return before

    def _end_unseen(self) -> list[e.Event]:
        """End the turn by the server's record of its end, which a replay does not contain in place.

        The record is incomplete: it has the newest 64 ends, and none that was lost with another queued behind it.
        """
        turn = self._turn
        if turn is None:
            return []
        if turn.ended:
            return [*self._end_overtaken(), *turn.end_text()]
        return self._end(turn.prompt_id, *self._remembered(turn))

    def _end_overtaken(self) -> list[e.Event]:
        turn, self._overtaken = self._overtaken, None
        return [] if turn is None else turn.end(*self._remembered(turn))

    def _remembered(self, turn: RunningTurn) -> tuple[float, Failure | None]:
        """When and how the turn ended, by the server's record."""
        known = self._terminals.get(turn.prompt_id)
        if known is None:
            return 0.0, None if turn.concluded else INCOMPLETE_ANSWER
        return moment(known.at) or 0.0, remembered(known)

    # Questions and permissions

    def _asked(self, frame: wire.Frame) -> list[e.Event]:
        turn, found = self._turn_of(frame)
        message_id = turn.answer_id if turn is not None else ""
        asked = requests.parse_request(self.session_id, message_id, frame.data, frame.at)
        if turn is not None:
            found += turn.add_request(asked)
        return [*found, *self._requests.opened(asked)]


def picture(session_id: str, events: Sequence[e.Event]) -> tuple[FullMessage, ...]:
    """The messages that result from `events`, oldest first."""
    store = Store()
    store.open_transcript(session_id)
    for event in events:
        store.apply(event)
    transcript = store.transcript(session_id)
    assert transcript is not None
    return tuple(FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered())
