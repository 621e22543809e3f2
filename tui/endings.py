"""How turns ended, told in the transcript: as it happens, or later where nobody read it then.

Finished turns are told as they end. One that broke off is told once, also after a restart of the client: the
server may say less of it, or nothing. Where it has a finished answer meanwhile, that says all there is.
"""

from typing import TYPE_CHECKING

from tui.core.model import Idle, Message
from tui.core.turn import BROKE_OFF, Turn, TurnState
from tui.widgets.outcomes import REMEMBERED
from tui.widgets.turn_line import end_words

if TYPE_CHECKING:
    from tui.client import Client
    from tui.widgets.transcript import Transcript


class Endings:
    """Puts the ends of turns into the transcript on the screen."""

    def __init__(self, client: "Client", transcript: "Transcript") -> None:
        self._client = client
        self._transcript = transcript
        self._told: dict[str, None] = {}
        """Prompts of which it was told that their turn broke off."""

    def goes_on(self, session_id: str) -> None:
        """A turn moved: one that runs (again) has an end to come."""
        for turn in self._client.turns.of(session_id):
            if not turn.over:
                self._told.pop(turn.prompt_id, None)

    def tell(self, session_id: str, prompt_id: str) -> None:
        """The prompt's turn is over, in the session on the screen."""
        turns = self._client.turns.of(session_id)
        for turn in [turn for turn in turns if turn.prompt_id == prompt_id and turn.over]:
            if turn.state is TurnState.NOT_SENT:
                self._transcript.drop_pending(prompt_id)
            self._note(turn)

    def recall(self, session_id: str) -> None:
        """The session was drawn anew: how its turns broke off in an earlier run, or while another one was read."""
        transcript = self._client.store.transcript(session_id)
        if transcript is None:
            return
        going_on = {turn.prompt_id for turn in self._client.turns.of(session_id) if not turn.over}
        newest = transcript.newest_prompt()
        if newest is not None and not isinstance(self._client.store.status(session_id), Idle):
            going_on.add(newest.id)  # the server works on it; that is not told of as a turn yet
        for prompt_id, state, reason in self._client.journal.ends(session_id):
            prompt, answer = transcript.messages.get(prompt_id), transcript.answer_to(prompt_id)
            finished = answer is not None and answer.final and answer.failure is None
            if prompt is not None and prompt_id not in going_on and not finished:
                turn = Turn(session_id, prompt_id, 0.0, state=TurnState(state), reason=reason)
                self._note(turn, behind=answer or prompt)

    def _note(self, turn: Turn, *, behind: Message | None = None) -> None:
        if turn.state in BROKE_OFF:
            if turn.prompt_id in self._told:
                return
            self._told[turn.prompt_id] = None
            for old in list(self._told)[:-REMEMBERED]:
                del self._told[old]
        answer = self._client.store.answer_to(turn.session_id, turn.prompt_id)
        told_by_message = answer is not None and answer.failure is not None
        if not (told_by_message and turn.state in (TurnState.FAILED, TurnState.ABORTED)):
            more = turn.state in (TurnState.INTERRUPTED, TurnState.CANCELLED)
            self._transcript.note(end_words(turn), ends=more, behind=behind)
