"""How turns ended, told in the transcript: as it happens, or later where nobody read it then.

Each turn has one end, below its answer: what is told later replaces it, and one that goes on has none. One that
broke off is told after a restart of the client too: the server may say less of it, or nothing. Where it has a
finished answer meanwhile, that says all there is. Of a turn that this client did not follow only the record tells.
"""

from typing import TYPE_CHECKING

from textual.content import Content

from tui.core.model import Idle
from tui.core.record import recorded_end
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.widgets.status.turn_status import end_text, recorded_words

if TYPE_CHECKING:
    from tui.client.client import Client
    from tui.widgets.transcript.view import TranscriptView

TOLD_BY_MESSAGE = frozenset({TurnState.FAILED, TurnState.ABORTED})
"""Ends that an answer with a failure says itself."""
MAY_BEGIN = 6.0
"""Seconds in which a new prompt may begin to be answered, and a session at rest may go on."""
OPENED = 2.0
"""Seconds in which the status of a session that was just opened may still come."""
TELL_MORE = frozenset({TurnState.INTERRUPTED, TurnState.CANCELLED})
"""Ends of which the server may say less, or otherwise."""


class TurnEndNotes:
    """Puts the ends of turns into the transcript on the screen."""

    def __init__(self, client: "Client", transcript: "TranscriptView") -> None:
        self._client = client
        self._transcript = transcript
        self._session_id = ""
        self._at_rest_since: float | None = None
        """When the session on the screen was seen to come to rest; None while it works, or that is not known."""
        self._due: float | None = None
        """When a session that has just come to rest, or has a new prompt, is to be looked at again."""
        transcript.recorded_end = self._recorded_end

    def goes_on(self, session_id: str) -> None:
        """A turn moved: what was told of the end of one that runs again is taken back."""
        if session_id == self._transcript.session_id:
            for turn in self._client.turns.of(session_id):
                if not turn.over:
                    self._transcript.drop_end(turn.prompt_id)
                    if turn.prompt is not None:  # told of it under our own id, before the server's was known
                        self._transcript.drop_end(turn.prompt.message_id)

    def tell(self, session_id: str, prompt_id: str) -> None:
        """The prompt's turn is over, in the session on the screen."""
        turns = self._client.turns.of(session_id)
        for turn in [turn for turn in turns if turn.prompt_id == prompt_id and turn.over]:
            if turn.state is TurnState.NOT_SENT:
                self._transcript.drop_pending(prompt_id)
            self._note(turn)

    def recall(self, session_id: str) -> None:
        """The session was drawn anew: how its turns ended in an earlier run, or while another one was read."""
        for turn in self._known_turns(session_id):
            if not turn.over:
                self._transcript.drop_end(turn.prompt_id)
            elif turn.state is not TurnState.NOT_SENT:
                self._note(turn)
        self.look()

    def look(self) -> None:
        """Something of the session on the screen changed, or time passed: what its record tells of ends."""
        session_id, now = self._transcript.session_id or "", self._client.now()
        at_rest = self._is_at_rest(session_id)
        if session_id != self._session_id:
            self._session_id, self._at_rest_since = session_id, now + OPENED - MAY_BEGIN if at_rest else None
        elif at_rest and self._at_rest_since is None:
            self._at_rest_since = now
        elif not at_rest:
            self._at_rest_since = None
        self._due = None
        self._transcript.show_recorded_ends()

    def tick(self) -> None:
        changed = self._is_at_rest(self._session_id) != (self._at_rest_since is not None)
        if changed or (self._due is not None and self._client.now() >= self._due):
            self.look()

    def _is_at_rest(self, session_id: str) -> bool:
        """Whether the server is known to work on nothing in the session."""
        return self._client.line().up and isinstance(self._client.store.status(session_id), Idle)

    def _recorded_end(self, session_id: str, prompt_id: str) -> Content | None:
        """How the turn of a prompt ended that is no turn of this run; what just came may still begin, or go on."""
        store, now = self._client.store, self._client.now()
        transcript = store.transcript(session_id)
        prompt = None if transcript is None else transcript.messages.get(prompt_id)
        followed = any(turn.prompt_id == prompt_id for turn in self._client.turns.of(session_id))
        if transcript is None or prompt is None or followed:
            return None
        may_begin_until = now + MAY_BEGIN - (self._client.server_now() - prompt.created)
        may_go_on_until = now if self._at_rest_since is None else self._at_rest_since + MAY_BEGIN
        until = max(may_begin_until, may_go_on_until)
        at_rest = self._at_rest_since is not None and session_id == self._session_id
        if at_rest and until > now:
            at_rest, self._due = False, until if self._due is None else min(until, self._due)
        end = recorded_end(transcript, prompt, at_rest=at_rest)
        return None if end is None else recorded_words(end)

    def _known_turns(self, session_id: str) -> list[Turn]:
        """Those of this run, and those of earlier ones that broke off."""
        transcript = self._client.store.transcript(session_id)
        if transcript is None:
            return []
        turns = {turn.prompt_id: turn for turn in self._client.turns.of(session_id)}
        at_work = not isinstance(self._client.store.status(session_id), Idle)
        under_way = transcript.newest_prompt() if at_work else None  # that may not be told of as a turn yet
        for prompt_id, state, reason in self._client.journal.turn_ends(session_id):
            prompt, answer = transcript.messages.get(prompt_id), transcript.answer_to(prompt_id)
            finished = answer is not None and answer.final and answer.failure is None
            if prompt_id not in turns and prompt is not None and prompt is not under_way and not finished:
                turns[prompt_id] = Turn(session_id, prompt_id, 0.0, state=TurnState(state), reason=reason)
        return list(turns.values())

    def _note(self, turn: Turn) -> None:
        answer = self._client.store.answer_to(turn.session_id, turn.prompt_id)
        by_others = turn.state is TurnState.ABORTED and bool(turn.reason)
        told = answer is not None and answer.failure is not None and turn.state in TOLD_BY_MESSAGE and not by_others
        if told or self._was_removed(turn):
            self._transcript.drop_end(turn.prompt_id)
        else:
            words = end_text(turn, begun=answer is not None)
            self._transcript.note_end(turn.prompt_id, words, ends=by_others or turn.state in TELL_MORE)

    def _was_removed(self, turn: Turn) -> bool:
        """Whether the prompt was undone, and the record has neither it nor its finished answer any more."""
        transcript = self._client.store.transcript(turn.session_id)
        if transcript is None or not transcript.loaded or turn.state is not TurnState.FINISHED:
            return False
        began = self._client.server_now() - (self._client.now() - turn.started)
        older = any(message.created < began for message in transcript.messages.values())
        return turn.prompt_id not in transcript.messages and (older or transcript.cursor is None)
