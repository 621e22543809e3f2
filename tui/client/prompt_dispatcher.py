"""Dispatches prompts from the user to their turns: history, queue, in flight; or back to the draft.

Each step is journaled before it is taken, so that after a crash each prompt is in exactly one place.
"""

from collections.abc import Callable

from tui.backends.base import Backend
from tui.client.prompt_queue import PromptQueue
from tui.client.turns import TurnTracker
from tui.core.changes import Change, DraftReturned, QueueChanged, ReturnedPromptFound
from tui.core.model import Idle, Prompt, Queued
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_state import ABNORMAL_ENDS, TurnState
from tui.net.errors import NetError
from tui.storage.journal import Journal

GONE = "its session no longer exists on the server"
"""Hold reason: the session was deleted."""
ABORT_ASKED = "you aborted the turn before it"
"""Hold reason: an abort is pending, and the turn's end is not known yet."""
ALREADY_THERE = "the server has this prompt already"
"""Hold reason: the server has a prompt that was returned to the draft and that the user queued again."""
UNDONE = "another client undid a prompt; sending removes it permanently"
"""Hold reason: another client undid messages after the prompts were queued."""


class NotFetched(NetError):
    """The session's messages are not loaded yet: a new prompt's ids must sort after theirs."""

    def __init__(self) -> None:
        super().__init__("the session's messages have not come yet", "Send it again in a moment.")


class NotSaved(NetError):
    """The prompt cannot be saved: it would be lost if this program ended before the server has it."""

    def __init__(self) -> None:
        super().__init__(
            "the prompt cannot be saved: another program has locked the journal", "Repeat to send it unsaved."
        )


class PromptDispatcher:
    """Queues and posts this client's prompts.

    `backend` returns the server's backend, or raises `NetError` before the first connection. `ready`: whether the
    connection is up and the store is synchronized. `choose` adds the selected agent and model. `fetch` loads a
    session's newest messages, then calls `dispatch_ready`.
    """

    def __init__(
        self,
        store: Store,
        journal: Journal,
        turns: TurnTracker,
        *,
        backend: Callable[[], Backend],
        ready: Callable[[], bool],
        notify: Callable[[Change], None],
        choose: Callable[[Prompt], Prompt] = lambda prompt: prompt,
        fetch: Callable[[str], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._turns = turns
        self._backend = backend
        self._ready = ready
        self._notify = notify
        self._choose = choose
        self._fetch = fetch
        self._queue = PromptQueue(journal)
        self._accepted_undo: dict[str, str] = {}
        """By session: the first undone message when the user last sent a prompt; "" for none."""

    def submit(self, session_id: str, text: str) -> None:
        """Queue a prompt; it is posted as soon as its session is idle and the connection is up.

        It is placed before held prompts, which stay held.
        """
        self._queue.add(session_id, text)
        self._accept_undo(session_id)
        self._advance(session_id)
        self._notify(QueueChanged(session_id))

    def send_now(self, session_id: str, text: str) -> Turn:
        """Post a prompt without waiting for the running turn; returns its turn, which tracks the outcome.

        Raises `NetError` before the first connection, `NotFetched` if the session's messages are not loaded, and
        `NotSaved` if the prompt cannot be saved and the user was not warned of that before.
        """
        self._check_fetched(session_id)
        prompt = self._choose(self._backend().new_prompt(session_id, text))
        if not self._journal.mark_in_flight(prompt, anyway=True):
            raise NotSaved
        return self._turns.send(prompt)

    def waiting(self, session_id: str) -> tuple[Queued, ...]:
        """The session's queue, in order."""
        return self._queue.of(session_id)

    def held(self, session_id: str) -> str:
        """The reason why prompts of the session's queue are held; "" if none is held."""
        return self._queue.held(session_id)

    def is_held(self, queued_id: str) -> bool:
        """Whether a queued prompt is held."""
        return bool(self._queue.why_held(queued_id))

    def sessions(self) -> tuple[str, ...]:
        """The sessions with queued prompts."""
        return self._queue.sessions()

    def hold(self, session_id: str, reason: str) -> None:
        """Hold the session's queued prompts until `release`; prompts held before keep their reason."""
        self._queue.hold(session_id, reason, again=False)
        self._notify(QueueChanged(session_id))

    def release(self, session_id: str, reason: str | None = None) -> None:
        """Release the session's held prompts, or only those held for `reason`, and post what can be posted now."""
        self._queue.release(session_id, reason)
        self._accept_undo(session_id)
        self._advance(session_id)
        self._notify(QueueChanged(session_id))

    def move(self, session_id: str, to: str) -> None:
        """Move the queued prompts of a deleted session to another session; held prompts stay held."""
        self._queue.move(session_id, to)
        self._notify(QueueChanged(session_id))
        self._notify(QueueChanged(to))

    def send_queued_now(self, queued_id: str) -> None:
        """Post a queued prompt at once. Raises the same errors as `send_now`."""
        queued = self._queue.find(queued_id)
        if queued is not None:
            self._check_fetched(queued.session_id)
            if not self._post(queued, anyway=True):
                raise NotSaved

    def edit(self, queued_id: str, text: str) -> None:
        """Change a queued prompt in place and add it to the history; does nothing if it was sent meanwhile."""
        queued = self._queue.edit(queued_id, text)
        if queued is not None:
            self._journal.remember(text)
            self._notify(QueueChanged(queued.session_id))

    def cancel(self, queued_id: str) -> Queued | None:
        """Remove a prompt from the queue and return it; None if it was sent meanwhile."""
        queued = self._queue.remove(queued_id)
        if queued is not None:
            self._notify(QueueChanged(queued.session_id))
        return queued

    def restore(self) -> None:
        """Restore the queued and in-flight prompts of earlier runs from the journal."""
        self._queue.restore()
        for prompt in self._journal.adopt_flights():
            self._store.open_transcript(prompt.session_id)
            self._turns.recover(prompt)

    def dispatch_ready(self) -> None:
        """Post the queued prompts that can be posted now."""
        for session_id in self._queue.sessions():
            self._advance(session_id)

    def hold_for_abort(self, session_id: str) -> None:
        """Hold the prompts that are queued when the user aborts a turn: they assumed that it would finish."""
        self.hold(session_id, ABORT_ASKED)

    def abort_refused(self, session_id: str) -> None:
        """Release the prompts held for an abort that the server rejected."""
        self.release(session_id, ABORT_ASKED)

    def on_turn_ended(self, turn: Turn, *, abort_asked: bool = False) -> None:
        """Record the end of a turn. A prompt that the server does not have is returned to the draft.

        `abort_asked`: the user aborted it in this client. Prompts queued after the abort are not held.
        """
        if turn.state in ABNORMAL_ENDS:
            self._journal.save_turn_end(turn.session_id, turn.prompt_id, turn.state.value, turn.reason)
        else:
            self._journal.forget_end(turn.session_id, turn.prompt_id)
        if turn.prompt is not None:
            if turn.state is TurnState.NOT_SENT:
                self._journal.return_to_draft(turn.prompt)
                self._notify(DraftReturned(turn.session_id, turn.prompt.text, turn.reason))
            else:
                self._journal.clear_in_flight(turn.prompt.message_id)
        if (abort_asked or turn.state is not TurnState.FINISHED) and self._queue.of(turn.session_id):
            only = self._queue.held_for(turn.session_id, ABORT_ASKED) if abort_asked else None
            self._queue.hold(turn.session_id, _why_held(turn), only=only)
            self._notify(QueueChanged(turn.session_id))

    def on_returned_prompt_found(self, prompt: Prompt) -> None:
        """Hold queued copies of a prompt that was returned to the draft but did reach the server."""
        copies = {queued.id for queued in self._queue.of(prompt.session_id) if queued.text == prompt.text}
        self._queue.hold(prompt.session_id, ALREADY_THERE, only=copies)
        self._notify(ReturnedPromptFound(prompt.session_id, prompt.text))
        self._notify(QueueChanged(prompt.session_id))

    def _advance(self, session_id: str) -> None:
        queued = self._queue.next(session_id)
        if queued is None or not self._ready():
            return
        if session_id in self._store.deleted:
            self.hold(session_id, GONE)
            return
        if self._undone_from(session_id) not in ("", self._accepted_undo.get(session_id)):
            self.hold(session_id, UNDONE)
            return
        if isinstance(self._store.status(session_id), Idle) and not self._turns.running_in(session_id):
            if self._fetched(session_id):
                self._post(queued)
            else:
                self._fetch(session_id)

    def may_send_now(self, session_id: str) -> bool:
        """Whether a prompt sent now is posted at once, and is the next that the session answers."""
        if not self._ready() or session_id in self._store.deleted or not self._fetched(session_id):
            return False
        return isinstance(self._store.status(session_id), Idle) and not self._turns.running_in(session_id)

    def _accept_undo(self, session_id: str) -> None:
        """Record that the user sends a prompt, which may remove the messages that are undone now."""
        self._accepted_undo[session_id] = self._undone_from(session_id)

    def _undone_from(self, session_id: str) -> str:
        session = self._store.sessions.get(session_id)
        return session.undone_from if session is not None else ""

    def _fetched(self, session_id: str) -> bool:
        """Whether ids for the session can be generated: its newest message, which they must follow, is loaded."""
        transcript = self._store.transcript(session_id)
        return not self._backend().traits.accepts_client_ids or (transcript is not None and transcript.loaded)

    def _check_fetched(self, session_id: str) -> None:
        if not self._fetched(session_id):
            self._fetch(session_id)
            raise NotFetched

    def _post(self, queued: Queued, *, anyway: bool = False) -> bool:
        """Post the prompt; returns False, and leaves it queued, if the journal cannot be written."""
        prompt = self._choose(self._backend().new_prompt(queued.session_id, queued.text))
        if not self._journal.mark_in_flight(prompt, queued.id, anyway=anyway):
            return False
        self._queue.sent(queued.id)
        self._turns.send(prompt)
        self._notify(QueueChanged(queued.session_id))
        return True


def _why_held(turn: Turn) -> str:
    """The hold reason after `turn`, worded to stay true while later prompts are sent first."""
    if turn.state is TurnState.NOT_SENT:
        return "an earlier prompt was not sent"
    if turn.state is TurnState.FINISHED:
        return "an earlier turn finished before it could be aborted"
    return f"an earlier turn {'failed' if turn.state is TurnState.FAILED else f'was {turn.state.value}'}"
