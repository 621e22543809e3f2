"""Records how turns ended: in the journal, in the queue of prompts, and in the draft."""

from tui.client.pending_aborts import PendingAborts
from tui.client.ports import Emit
from tui.client.prompt_queue import PromptQueue
from tui.core.changes import DraftReturned, QueueChanged, ReturnedPromptFound
from tui.core.model import Prompt
from tui.core.turn import Turn
from tui.core.turn_state import ABNORMAL_ENDS, TurnState
from tui.storage.journal import Journal

ABORT_ASKED = "you aborted the turn before it"
"""Hold reason: an abort is pending, and the turn's end is not known yet."""
ALREADY_THERE = "the server has this prompt already"
"""Hold reason: the server has a prompt that was returned to the draft and that the user queued again."""


class TurnOutcomes:
    """Each end is reported here once, by `TurnTracker`."""

    def __init__(self, journal: Journal, queue: PromptQueue, aborts: PendingAborts, emit: Emit) -> None:
        self._journal = journal
        self._queue = queue
        self._aborts = aborts
        self._emit = emit

    def on_accepted(self, prompt: Prompt) -> None:
        """Record the id under which the server stored the prompt."""
        self._journal.set_server_id(prompt)

    def on_turn_ended(self, turn: Turn) -> None:
        """Record the end of a turn. A prompt that the server does not have is returned to the draft.

        After a turn that the user aborted in this client, prompts that were queued after the abort are not held.
        """
        if turn.state in ABNORMAL_ENDS:
            self._journal.save_turn_end(turn.session_id, turn.prompt_id, turn.state.value, turn.reason)
        else:
            self._journal.forget_end(turn.session_id, turn.prompt_id)
        if turn.prompt is not None:
            if turn.state is TurnState.NOT_SENT:
                self._journal.return_to_draft(turn.prompt)
                if turn.certainly_not_sent:
                    self._journal.jobs.free(turn.prompt.message_id)
                self._emit(
                    DraftReturned(turn.session_id, turn.prompt.text, turn.reason, may_have_arrived=turn.arrival_unknown)
                )
            else:
                self._journal.clear_in_flight(turn.prompt.message_id)
        abort_asked = self._aborts.covers(turn)
        if (abort_asked or turn.state is not TurnState.FINISHED) and self._queue.of(turn.session_id):
            only = self._queue.held_for(turn.session_id, ABORT_ASKED) if abort_asked else None
            self._queue.hold(turn.session_id, _why_held(turn), only=only)
            self._emit(QueueChanged(turn.session_id))

    def on_returned_prompt_found(self, prompt: Prompt) -> None:
        """Hold queued copies of a prompt that was returned to the draft but did reach the server."""
        copies = {queued.id for queued in self._queue.of(prompt.session_id) if queued.text == prompt.text}
        self._queue.hold(prompt.session_id, ALREADY_THERE, only=copies)
        self._emit(ReturnedPromptFound(prompt.session_id, prompt.text))
        self._emit(QueueChanged(prompt.session_id))


def _why_held(turn: Turn) -> str:
    """The hold reason after `turn`, worded to stay true while later prompts are sent first."""
    if turn.arrival_unknown:
        return "whether the server has an earlier prompt is unknown"
    if turn.state is TurnState.NOT_SENT:
        return "an earlier prompt was not sent"
    if turn.state is TurnState.FINISHED:
        return "an earlier turn finished before it could be aborted"
    return f"an earlier turn {'failed' if turn.state is TurnState.FAILED else f'was {turn.state.value}'}"
