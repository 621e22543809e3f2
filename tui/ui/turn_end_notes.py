"""Shows the end of each turn in the transcript, when it happens or when the session is opened later.

Each turn has at most one end note, below its answer: a later one replaces it, and a turn that continues has none. An
interrupted turn is shown after a restart of the client too, as the server may report less; not once it has a finished
answer. For a turn that this client did not follow, only the server's record is shown.
"""

from typing import TYPE_CHECKING

from textual.content import Content

from tui.core import recorded_end as record
from tui.core.model import Idle
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.widgets.status.turn_status import end_text, recorded_text

if TYPE_CHECKING:
    from tui.client.client import Client
    from tui.widgets.transcript.view import TranscriptView

SHOWN_BY_MESSAGE = frozenset({TurnState.FAILED, TurnState.ABORTED})
"""Ends that a failed answer shows itself."""
MAY_BEGIN = 6.0
"""Seconds in which a new prompt may start to be answered, or an idle session may continue."""
OPENED = 2.0
"""Seconds in which the status of a session just opened may still arrive."""
PERSISTED_ENDS = frozenset({TurnState.INTERRUPTED, TurnState.CANCELLED})
"""Ends of which the server may report less, or something else."""


class TurnEndNotes:
    """Adds end notes of turns to the transcript on the screen."""

    def __init__(self, client: "Client", transcript: "TranscriptView") -> None:
        self._client = client
        self._transcript = transcript
        self._session_id = ""
        self._at_rest_since: float | None = None
        """When the session on the screen became idle; None while it works or if unknown."""
        self._due: float | None = None
        """When to check again a session that just became idle or has a new prompt."""

    def remove_resumed(self, session_id: str) -> None:
        """Remove the end notes of turns that run again."""
        if session_id == self._transcript.session_id:
            for turn in self._client.turns.of(session_id):
                if not turn.over:
                    self._transcript.drop_end(turn.prompt_id)
                    if turn.prompt is not None:  # noted under the client's id before the server's was known
                        self._transcript.drop_end(turn.prompt.message_id)

    def show_end(self, session_id: str, prompt_id: str) -> None:
        """Show the end of the prompt's turn, in the session on the screen."""
        turns = self._client.turns.of(session_id)
        for turn in [turn for turn in turns if turn.prompt_id == prompt_id and turn.over]:
            if turn.state is TurnState.NOT_SENT:
                self._transcript.drop_pending(prompt_id)
            self._note(turn)

    def recall(self, session_id: str) -> None:
        """After a redraw, show the ends of turns from earlier runs or from while another session was open."""
        for turn in self._known_turns(session_id):
            if not turn.over:
                self._transcript.drop_end(turn.prompt_id)
            elif turn.state is not TurnState.NOT_SENT:
                self._note(turn)
        self.update_recorded()

    def update_recorded(self) -> None:
        """Update the recorded ends after a change of the session, or after some time."""
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

    def tick(self, is_connected: bool) -> None:
        at_rest = is_connected and isinstance(self._client.store.status(self._session_id), Idle)
        changed = at_rest != (self._at_rest_since is not None)
        if changed or (self._due is not None and self._client.now() >= self._due):
            self.update_recorded()

    def _is_at_rest(self, session_id: str) -> bool:
        """Whether the session is known to be idle on the server."""
        return self._client.connection_status().up and isinstance(self._client.store.status(session_id), Idle)

    def recorded_end(self, session_id: str, prompt_id: str) -> Content | None:
        """Return the recorded end of a turn not followed in this run; None if it may still begin or continue."""
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
        end = record.recorded_end(transcript, prompt, at_rest=at_rest)
        return None if end is None else recorded_text(end)

    def _known_turns(self, session_id: str) -> list[Turn]:
        """Return the turns of this run, and interrupted ones of earlier runs."""
        transcript = self._client.store.transcript(session_id)
        if transcript is None:
            return []
        turns = {turn.prompt_id: turn for turn in self._client.turns.of(session_id)}
        at_work = not isinstance(self._client.store.status(session_id), Idle)
        under_way = transcript.newest_prompt() if at_work else None  # it may not be known as a turn yet
        for prompt_id, state, reason in self._client.journal.turn_ends(session_id):
            prompt, answer = transcript.messages.get(prompt_id), transcript.answer_to(prompt_id)
            finished = answer is not None and answer.final and answer.failure is None
            if prompt_id not in turns and prompt is not None and prompt is not under_way and not finished:
                turns[prompt_id] = Turn(session_id, prompt_id, 0.0, state=TurnState(state), reason=reason)
        return list(turns.values())

    def _note(self, turn: Turn) -> None:
        answer = self._client.store.answer_to(turn.session_id, turn.prompt_id)
        by_others = turn.state is TurnState.ABORTED and bool(turn.reason)
        already_shown = (
            answer is not None and answer.failure is not None and turn.state in SHOWN_BY_MESSAGE and not by_others
        )
        if already_shown or self._was_removed(turn):
            self._transcript.drop_end(turn.prompt_id)
        else:
            words = end_text(turn, begun=answer is not None)
            self._transcript.note_end(turn.prompt_id, words, ends=by_others or turn.state in PERSISTED_ENDS)

    def _was_removed(self, turn: Turn) -> bool:
        """Whether the prompt was undone and is no longer in the server's record."""
        transcript = self._client.store.transcript(turn.session_id)
        if transcript is None or not transcript.loaded or turn.state is not TurnState.FINISHED:
            return False
        began = self._client.server_now() - (self._client.now() - turn.started)
        older = any(message.created < began for message in transcript.messages.values())
        return turn.prompt_id not in transcript.messages and (older or transcript.cursor is None)
