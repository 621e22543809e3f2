"""One session's events, told to `tui.core`: from a stream as they happen, or from `load` as the server kept them.

What `load` keeps is shorter: neighbouring chunks of text are one, and all updates of a tool call stand at its
first place. Both must give the same messages with the same ids, so nothing here depends on how often or when a
piece came: ids are made of the prompt's id, a segment's number and the tool call's id; times are those of the
prompt's echo and of the turn's end; of several token counts the last one stands.

No network, no clock.
"""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tui.backends import qwen_requests as requests
from tui.backends import qwen_wire as wire
from tui.backends.qwen_answer import (
    BROKEN_OFF,
    remembered,
    why_early,
    why_failed,
)
from tui.backends.qwen_running import JUST_AFTER, Kind, Running
from tui.core import events as e
from tui.core.model import (
    Busy,
    Failure,
    FullMessage,
    Idle,
    Message,
    PermissionReply,
    PermissionRequest,
    QuestionRequest,
    TextPart,
    ToolPart,
)
from tui.core.store import Store
from tui.net.text import clean

log = logging.getLogger(__name__)

ECHOES_KEPT = 200
"""Newest prompts among which one whose 202 was lost is looked for."""


@dataclass(frozen=True, slots=True)
class Echo:
    """A prompt that the server has: it runs, ran, or waits in the server's queue. `id` is its event's."""

    prompt_id: str
    text: str
    author: str
    id: int


class Fold:
    """The state that a session's events have led to, as far as the next event needs it."""

    def __init__(self, session_id: str, terminals: Iterable[wire.Terminal] = ()) -> None:
        self.session_id = session_id
        self.cursor = 0
        self.open: dict[str, requests.Asked] = {}
        self.echoes: deque[Echo] = deque(maxlen=ECHOES_KEPT)
        self._terminals = {one.prompt_id: one for one in terminals}
        self._queue: set[str] = set()
        self._turn: Running | None = None
        self._torn = ""
        """The prompt of which the server does not have the first events, where that is so."""
        self.stale = False
        """A turn has ended of which the server had left out the beginning: the session is to be loaded anew."""

    @property
    def torn(self) -> bool:
        """Whether the server has left out the beginning of what runs, and the prompts that came meanwhile."""
        return bool(self._torn)

    def take(self, frame: wire.Frame) -> list[e.Event]:
        """What one event means. Raises `msgspec.ValidationError` for one that cannot be read, and is over it."""
        if frame.id is not None:
            self.cursor = max(self.cursor, frame.id)
        return self._told(frame)

    def finish(self) -> list[e.Event]:
        """No turn runs at the server: what is still open here ended without our being told."""
        self._queue.clear()
        found = self._end_unseen()
        self._torn, self.stale = "", False  # loaded anew it would be no other
        return found

    def resumed(self) -> list[e.Event]:
        """The stream goes on after a gap in which nothing was missed: words that were marked partial are whole."""
        turn = self._turn
        return [] if turn is None else turn.resumed()

    def unreadable(self, why: Exception) -> list[e.Event]:
        """Something of the answer cannot be read: that is said in its place. Between turns nothing is missing."""
        turn = self._turn
        if turn is None or turn.ended:
            log.warning("an event cannot be read: %s", why)
            return []
        return turn.unreadable(why)

    def _told(self, frame: wire.Frame) -> list[e.Event]:
        match frame.type:
            case "session_update":
                return self._updated(frame)
            case "permission_request":
                return self._asked(frame)
            case "permission_resolved":
                return self._resolved(frame)
            case "turn_complete":
                return self._completed(frame)
            case "turn_error":
                return self._end(frame.prompt_id, frame.at, why_failed(frame.data))
            case "pending_prompt_added":
                return self._waits(frame)
            case "pending_prompt_started":
                self._queue.discard(frame.prompt_id or "")
                return [e.StatusChanged(self.session_id, Busy())]
            case "pending_prompt_completed":
                self._queue.discard(frame.prompt_id or "")
                return []
            case "history_truncated":
                return self._cut_short(frame)
            case "session_died" | "session_closed":
                self._queue.clear()
                ended = self._end(None, frame.at, BROKEN_OFF)
                return [*ended, *self._gone(self.open), e.StatusChanged(self.session_id, Idle())]
            case _:
                return []

    def _updated(self, frame: wire.Frame) -> list[e.Event]:
        raw = frame.data.get("update", {}) if isinstance(frame.data, Mapping) else {}
        update = wire.read(raw, wire.Update)
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
                return [*found, e.TodosChanged(self.session_id, wire.todos(update.entries))]
            case _:
                return []

    # Prompts

    def _echoed(self, frame: wire.Frame, update: wire.Update) -> list[e.Event]:
        meta = update.meta or {}
        record = wire.string(meta, "promptId", "qwen.session.recordId")
        prompt_id = frame.prompt_id or record or f"{self.session_id}:{frame.id}"
        text = clean(wire.text_of(update.content))
        turn = self._turn
        if turn is not None and turn.prompt_id == prompt_id:
            return self._said_by_user(turn, text)
        found = [*self._end_unseen(), *self._begin(prompt_id, frame.at)]
        self._queue.discard(prompt_id)
        self.echoes.append(Echo(prompt_id, text, frame.originator_client_id or "", frame.id or 0))
        assert self._turn is not None
        return [*found, *self._said_by_user(self._turn, text)]

    def _said_by_user(self, turn: Running, text: str) -> list[e.Event]:
        """One block of the prompt; words given to a running turn come as one more."""
        found: list[e.Event] = []
        if not turn.said:
            found.append(e.MessageUpserted(Message(turn.prompt_id, self.session_id, "user", turn.created)))
        turn.said += 1
        part = TextPart(f"{turn.prompt_id}:said:{turn.said}", self.session_id, turn.prompt_id, text)
        return [*found, e.PartUpserted(part)]

    def _begin(self, prompt_id: str, at: float) -> list[e.Event]:
        self._turn = Running(self.session_id, prompt_id, at)
        return [e.StatusChanged(self.session_id, Busy())]

    def _waits(self, frame: wire.Frame) -> list[e.Event]:
        prompt_id = frame.prompt_id or ""
        self._queue.add(prompt_id)
        text = clean(wire.string(frame.data, "text"))
        self.echoes.append(Echo(prompt_id, text, frame.originator_client_id or "", frame.id or 0))
        return []

    # The answer

    def _said(self, frame: wire.Frame, update: wire.Update, kind: Kind) -> list[e.Event]:
        meta = update.meta or {}
        if "parentToolCallId" in meta:
            return []  # a subagent's words to itself: what it found is in its tool call
        turn, found = self._turn_of(frame)
        if turn is None:
            return found
        usage = wire.usage(meta)
        text = wire.text_of(update.content)
        if usage is not None or text:
            found += turn.head(usage=usage)
        if not text:
            return found
        return found + turn.say(kind, text, alone=meta.get("qwenDiscreteMessage") is True)

    def _called(self, frame: wire.Frame, call_id: str, update: Mapping[str, Any]) -> list[e.Event]:
        turn, found = self._turn_of(frame)
        if turn is None:
            return found
        before, part = turn.call(call_id, update)
        return [*found, *before, *self._answered(part), e.PartUpserted(part)]

    def _turn_of(self, frame: wire.Frame) -> tuple[Running | None, list[e.Event]]:
        """The turn that an agent's event belongs to. Turns that no prompt began (a timer's) have no echo."""
        turn = self._turn
        if frame.prompt_id is None or (turn is not None and turn.prompt_id == frame.prompt_id):
            return turn, []
        created = turn.created + 2 * JUST_AFTER if turn is not None else 0.0
        found = [*self._end_unseen(), *self._begin(frame.prompt_id, created)]
        if self._torn and self._turn is not None:
            found += self._turn.torn()
        return self._turn, found

    # Its end

    def _completed(self, frame: wire.Frame) -> list[e.Event]:
        return self._end(frame.prompt_id, frame.at, why_early(wire.string(frame.data, "stopReason")))

    def _end(self, prompt_id: str | None, at: float, failure: Failure | None) -> list[e.Event]:
        turn = self._turn
        if prompt_id is not None and (turn is None or turn.prompt_id != prompt_id):
            self._queue.discard(prompt_id)
            self.stale = self.stale or prompt_id == self._torn
            return []  # it was taken from the queue before it began, or all that is kept of it is its end
        if turn is None or turn.ended:
            return []
        self.stale = bool(self._torn)
        found = [*turn.end(at, failure), *self._gone(self.open)]
        if not self._queue:
            found.append(e.StatusChanged(self.session_id, Idle()))
        return found

    def _cut_short(self, frame: wire.Frame) -> list[e.Event]:
        """The server no longer has the first events of the turn that runs; once it has ended it has them again."""
        if wire.string(frame.data, "scope") != "live_journal":
            return []  # of what came before: that is asked for in pages
        turn = self._turn
        before = [] if turn is None or turn.prompt_id == frame.prompt_id else self._end_unseen()
        self._torn = frame.prompt_id or "unknown"
        return before

    def _end_unseen(self) -> list[e.Event]:
        """End the turn as the server remembers its end: a restored transcript does not tell it in its place.

        It does not remember all: not those before the newest 64, nor any that was lost with another behind it.
        """
        turn = self._turn
        if turn is None:
            return []
        if turn.ended:
            return turn.close_words()
        known = self._terminals.get(turn.prompt_id)
        if known is None:
            return self._end(turn.prompt_id, 0.0, None if turn.concluded else BROKEN_OFF)
        return self._end(turn.prompt_id, known.at / 1000, remembered(known))

    # Questions and permissions

    def _asked(self, frame: wire.Frame) -> list[e.Event]:
        turn, found = self._turn_of(frame)
        message_id = turn.answer_id if turn is not None else ""
        asked = requests.asked(self.session_id, message_id, frame.data)
        self.open[asked.request.id] = asked
        if turn is not None:
            found += turn.ask(asked)
        return [*found, e.RequestOpened(asked.request)]

    def _resolved(self, frame: wire.Frame) -> list[e.Event]:
        end = requests.resolution(frame.data)
        asked = self.open.get(end.request_id)
        if asked is None:
            return [e.RequestGone(self.session_id, end.request_id)]
        if isinstance(asked.request, QuestionRequest) and end.option not in (
            None,
            requests.option(asked, "reject"),
        ):
            return []  # its tool call tells next what was answered
        return self._closed(asked, end)

    def _closed(self, asked: requests.Asked, end: requests.Resolution) -> list[e.Event]:
        request = asked.request
        del self.open[request.id]
        if not end.voter:
            return [e.RequestGone(request.session_id, request.id)]
        if isinstance(request, PermissionRequest):
            return [e.PermissionReplied(request.session_id, request.id, _reply(asked, end.option))]
        return [e.QuestionRejected(request.session_id, request.id)]

    def _answered(self, part: ToolPart) -> list[e.Event]:
        """Close what waits for this call, should it have ended."""
        waiting = [one for one in self.open.values() if one.request.call_id == part.call_id]
        if not waiting or part.state not in ("completed", "error"):
            return []
        if part.answers is None:
            return self._gone([one.request.id for one in waiting])
        for one in waiting:
            del self.open[one.request.id]
        return [e.QuestionAnswered(self.session_id, one.request.id, part.answers) for one in waiting]

    def _gone(self, request_ids: Iterable[str]) -> list[e.Event]:
        found: list[e.Event] = []
        for request_id in list(request_ids):
            del self.open[request_id]
            found.append(e.RequestGone(self.session_id, request_id))
        return found


def picture(session_id: str, events: Sequence[e.Event]) -> tuple[FullMessage, ...]:
    """The messages that `events` lead to, oldest first."""
    store = Store()
    store.open_transcript(session_id)
    for event in events:
        store.apply(event)
    transcript = store.transcript(session_id)
    assert transcript is not None
    return tuple(FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered())


def _reply(asked: requests.Asked, option: str | None) -> PermissionReply:
    if option is None or option == requests.option(asked, "reject"):
        return "reject"
    return "once" if option == requests.option(asked, "once") else "always"
