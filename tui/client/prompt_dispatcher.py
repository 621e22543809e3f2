"""Dispatches prompts from the user to their turns: history, queue, in flight; or back to the draft.

Each step is journaled before it is taken, so that after a crash each prompt is in exactly one place.
"""

from tui.client.ports import Ports
from tui.client.prompt_options import PromptOptions
from tui.client.prompt_queue import PromptQueue
from tui.client.resync import Fetching
from tui.client.turn_outcomes import ABORT_ASKED
from tui.client.turns import TurnTracker
from tui.core.changes import QueueChanged
from tui.core.model import Idle, Queued
from tui.core.store import Store
from tui.core.turn import Turn
from tui.net.errors import NetError
from tui.storage.journal import Journal

GONE = "its session no longer exists on the server"
"""Hold reason: the session was deleted."""
UNDONE = "another client undid a prompt; sending removes it permanently"
"""Hold reason: another client undid messages after the prompts were queued."""


class NotFetched(NetError):
    """The session's messages are not loaded yet: a new prompt's ids must sort after theirs."""

    def __init__(self) -> None:
        super().__init__("the session is still loading", "Send it again in a moment.")


class NotSaved(NetError):
    """The prompt cannot be saved: it would be lost if this program ended before the server has it."""

    def __init__(self) -> None:
        super().__init__(
            "the prompt cannot be saved: another program has locked the journal", "Repeat to send it unsaved."
        )


class PromptDispatcher:
    """Queues and posts this client's prompts."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        queue: PromptQueue,
        turns: TurnTracker,
        options: PromptOptions,
        fetching: Fetching,
        ports: Ports,
    ) -> None:
        self._store = store
        self._journal = journal
        self._queue = queue
        self._turns = turns
        self._options = options
        self._fetching = fetching
        self._server = ports.server
        self._emit = ports.emit
        self._accepted_undo: dict[str, str] = {}
        """By session: the first undone message when the user last sent a prompt; "" for none."""

    def submit(self, session_id: str, text: str) -> None:
        """Queue a prompt; it is posted as soon as its session is idle and the connection is up.

        It is placed before held prompts, which stay held.
        """
        self._queue.add(session_id, text)
        self._accept_undo(session_id)
        self._advance(session_id)
        self._emit(QueueChanged(session_id))

    def send_now(self, session_id: str, text: str) -> Turn:
        """Post a prompt without waiting for the running turn; returns its turn, which tracks the outcome.

        Raises `NetError` before the first connection, `NotFetched` if the session's messages are not loaded, and
        `NotSaved` if the prompt cannot be saved and the user was not warned of that before.
        """
        self._check_fetched(session_id)
        prompt = self._options.applied(self._server.backend().new_prompt(session_id, text))
        if not self._journal.mark_in_flight(prompt, anyway=True):
            raise NotSaved
        return self._turns.send(prompt)

    def send_job(self, session_id: str, text: str, key: str = "") -> Turn:
        """As `send_now`, for a program: never unsaved, and not in the user's history.

        `key` is bound to the prompt; raises `KeyTaken` if it belongs to another one.
        """
        self._check_fetched(session_id)
        prompt = self._options.applied(self._server.backend().new_prompt(session_id, text))
        if not self._journal.jobs.mark_in_flight(prompt, key):
            raise NotSaved
        return self._turns.send(prompt)

    def send_job_again(self, turn: Turn) -> Turn:
        """Post the prompt of a job whose turn ended as not sent, with the same ids. Raises `NotSaved`."""
        assert turn.prompt is not None
        if not self._journal.jobs.mark_in_flight(turn.prompt):
            raise NotSaved
        self._turns.forget(turn)
        return self._turns.send(turn.prompt)

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
        self._emit(QueueChanged(session_id))

    def release(self, session_id: str, reason: str | None = None) -> None:
        """Release the session's held prompts, or only those held for `reason`, and post what can be posted now."""
        self._queue.release(session_id, reason)
        self._accept_undo(session_id)
        self._advance(session_id)
        self._emit(QueueChanged(session_id))

    def move(self, session_id: str, to: str) -> None:
        """Move the queued prompts of a deleted session to another session; held prompts stay held."""
        self._queue.move(session_id, to)
        self._emit(QueueChanged(session_id))
        self._emit(QueueChanged(to))

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
            self._emit(QueueChanged(queued.session_id))

    def cancel(self, queued_id: str) -> Queued | None:
        """Remove a prompt from the queue and return it; None if it was sent meanwhile."""
        queued = self._queue.remove(queued_id)
        if queued is not None:
            self._emit(QueueChanged(queued.session_id))
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

    def _advance(self, session_id: str) -> None:
        queued = self._queue.next(session_id)
        if queued is None or not self._server.synced:
            return
        if session_id in self._store.deleted:
            self.hold(session_id, GONE)
            return
        if self._undone_from(session_id) not in ("", self._accepted_undo.get(session_id)):
            self.hold(session_id, UNDONE)
            return
        if isinstance(self._store.status(session_id), Idle) and not self._turns.is_running_in(session_id):
            if self._fetched(session_id):
                self._post(queued)
            else:
                self._fetching.fetch(session_id, self.dispatch_ready)

    def may_send_now(self, session_id: str) -> bool:
        """Whether a prompt sent now is posted at once, and is the next that the session answers."""
        if not self._server.synced or session_id in self._store.deleted or not self._fetched(session_id):
            return False
        return isinstance(self._store.status(session_id), Idle) and not self._turns.is_running_in(session_id)

    def _accept_undo(self, session_id: str) -> None:
        """Record that the user sends a prompt, which may remove the messages that are undone now."""
        self._accepted_undo[session_id] = self._undone_from(session_id)

    def _undone_from(self, session_id: str) -> str:
        session = self._store.sessions.get(session_id)
        return session.undone_from if session is not None else ""

    def _fetched(self, session_id: str) -> bool:
        """Whether ids for the session can be generated: its newest message, which they must follow, is loaded."""
        transcript = self._store.transcript(session_id)
        return not self._server.backend().traits.accepts_client_ids or (transcript is not None and transcript.loaded)

    def _check_fetched(self, session_id: str) -> None:
        if not self._fetched(session_id):
            self._fetching.fetch(session_id, self.dispatch_ready)
            raise NotFetched

    def _post(self, queued: Queued, *, anyway: bool = False) -> bool:
        """Post the prompt; returns False, and leaves it queued, if the journal cannot be written."""
        prompt = self._options.applied(self._server.backend().new_prompt(queued.session_id, queued.text))
        if not self._journal.mark_in_flight(prompt, queued.id, anyway=anyway):
            return False
        self._queue.sent(queued.id)
        self._turns.send(prompt)
        self._emit(QueueChanged(queued.session_id))
        return True
