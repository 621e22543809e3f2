"""Tracks this client's turns: posts, polls and closes for each by the state machine of `tui.core.turn`."""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from tui.backends.base import PromptLookup, Traits
from tui.client.held_posts import HeldPosts
from tui.client.pending_aborts import PendingAborts
from tui.client.ports import Ports
from tui.client.turn_outcomes import TurnOutcomes
from tui.client.turn_poller import TurnPoller
from tui.client.turn_snapshot import Position, TurnSnapshots, turn_of
from tui.core import events as e
from tui.core.changes import TurnChanged, TurnEnded
from tui.core.diagnosis import DEFAULT_TIMEOUTS, Diagnosis, StallTimeouts, diagnose
from tui.core.model import Idle, Prompt, Request
from tui.core.store import Store
from tui.core.turn import Turn
from tui.core.turn_inputs import (
    AbortFailed,
    AbortNearby,
    AbortRequested,
    Accepted,
    Activity,
    BodyReceived,
    Disconnected,
    Input,
    Reconnected,
    Rejected,
    ServerError,
    Snapshot,
    Tick,
    TraitsKnown,
)
from tui.core.turn_state import Action, TurnState

log = logging.getLogger(__name__)

MAX_ENDED = 50
"""Number of ended turns kept per session, for their end notes in the transcript."""

MIN_RUN_AFTER_DISCONNECT = 2.0
"""Seconds that a turn must run after its connection broke, to prove that the server continues such turns."""

ABORT_MAY_COME = 60.0
"""Seconds for which an abort that was sent may still reach the server and end the turn running then."""


class TurnTracker:
    """All turns that this client observed running. `outcomes` gets the end of each."""

    def __init__(
        self,
        store: Store,
        outcomes: TurnOutcomes,
        aborts: PendingAborts,
        ports: Ports,
        *,
        patience: StallTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._store = store
        self._outcomes = outcomes
        self._aborts = aborts
        self._server = ports.server
        self._emit = ports.emit
        self._clock = ports.clocks.mono
        self.patience = patience
        self._turns: dict[str, list[Turn]] = defaultdict(list)
        self._snapshots = TurnSnapshots(store, ports)
        self.poller = TurnPoller(store, self, ports)
        self._posts = HeldPosts(self, aborts, ports)
        self._traits: Traits | None = None
        self._aborted_at: dict[str, float] = {}
        self.cancels: bool | None = None
        """Whether this server ends a turn when its client disconnects, as observed; None: unknown."""
        self.awake = asyncio.Event()

    def of(self, session_id: str) -> Sequence[Turn]:
        """The session's known turns, oldest first."""
        return tuple(self._turns.get(session_id, ()))

    def current(self, session_id: str) -> Turn | None:
        """The turn to display: the oldest running one, else the newest."""
        turns = self._turns.get(session_id)
        if not turns:
            return None
        return next((turn for turn in turns if not turn.over), turns[-1])

    def diagnose(self, turn: Turn) -> Diagnosis | None:
        """The diagnosis of a running turn while the connection is live; None: nothing is wrong."""
        begun = self._store.answer_to(turn.session_id, turn.prompt_id) is not None
        return diagnose(turn, self.poller.responsiveness, self._clock(), answer_begun=begun, timeouts=self.patience)

    def running(self) -> list[Turn]:
        return [turn for turns in self._turns.values() for turn in turns if not turn.over]

    def is_running_in(self, session_id: str) -> bool:
        """Whether a turn of the session runs."""
        return any(not turn.over for turn in self._turns.get(session_id, ()))

    def send(self, prompt: Prompt) -> Turn:
        """Post a prompt and hold the POST until the turn ends."""
        traits = self._server.backend().traits
        turn = Turn.begin(
            prompt,
            self._clock(),
            cancels_on_disconnect=self._cancels(traits),
            once=not traits.accepts_client_ids,
        )
        self._store.open_transcript(prompt.session_id)  # the turn's state is read from it
        self._add(turn)
        self._snapshots.sending(prompt)
        self.poller.posted(prompt.message_id)
        self._posts.open(turn)
        self._notify(TurnChanged(prompt.session_id))
        return turn

    def recover(self, prompt: Prompt) -> Turn:
        """Track a prompt that was in flight when an earlier run ended; polls find its outcome."""
        turn = Turn.recover(prompt, self._clock(), once=self._traits is None or not self._traits.accepts_client_ids)
        self._add(turn)
        self._notify(TurnChanged(prompt.session_id))
        return turn

    def forget(self, turn: Turn) -> None:
        """Stop to track an ended turn."""
        self._turns[turn.session_id].remove(turn)

    def set_traits(self, traits: Traits) -> None:
        """Set the traits of the server's family, also for turns that were restored before."""
        self._traits = self._snapshots.traits = traits
        for turn in self.running():
            if turn.prompt is not None:
                turn.once = not traits.accepts_client_ids
            self.feed(turn, TraitsKnown(self._cancels(traits)))

    def _cancels(self, traits: Traits) -> bool | None:
        return traits.cancels_on_disconnect if self.cancels is None else self.cancels

    def _learn(self, turn: Turn) -> None:
        """Learn from a turn whose connection broke whether the server continues or cancels such turns."""
        if turn.state is TurnState.CANCELLED:
            self.cancels = True
        elif turn.state is TurnState.FINISHED and turn.post.cut_at is not None:
            went_on = (turn.ended or turn.post.cut_at) - turn.post.cut_at > MIN_RUN_AFTER_DISCONNECT
            self.cancels = False if went_on else self.cancels

    def find(self, session_id: str, prompt_id: str) -> Turn | None:
        """The turn of a prompt, by the server's id or this client's id; None if unknown."""
        return turn_of(self._turns.get(session_id, ()), prompt_id)

    def follow(self, session_id: str, prompt_id: str) -> Turn:
        """Start to follow a turn of another client and return it; polls find its outcome."""
        self._store.open_transcript(session_id)
        turn = Turn.follow(session_id, prompt_id, self._clock(), unwatched=True)
        self._add(turn)
        return turn

    def take_up(self, session_id: str, prompt_id: str) -> Turn:
        """The turn of a stored prompt, followed from now on; a poll finds whether it runs."""
        turn = self.find(session_id, prompt_id) or self.follow(session_id, prompt_id)
        self.poller.poll(turn)
        return turn

    def abortable(self, session_id: str) -> list[Turn]:
        """The turns that an abort of the session would end now.

        If the server runs an earlier prompt first, its turn is included and followed from now on.
        """
        running = [t for t in self._turns.get(session_id, ()) if not (t.over or self.waits_for_abort(t))]
        behind = bool(running) and self.position(running[0]) == "behind"
        earlier = self._snapshots.earlier_at_work(running[0], self._turns[session_id]) if behind else None
        if earlier is not None:
            running.insert(0, self.find(session_id, earlier) or self.follow(session_id, earlier))
        return running if self._traits is None or self._traits.aborts_queued else running[:1]

    def position(self, turn: Turn) -> Position:
        """The server's position relative to the turn, as far as the store shows it."""
        return self._snapshots.position(turn, self._turns.get(turn.session_id, ()))

    async def fetch(self, turn: Turn) -> None:
        """Fetch the turn's state from the server. Raises `NetError`."""
        await self.poller.fetch(turn)

    def waits_for_abort(self, turn: Turn) -> bool:
        """Whether the POST of its prompt waits until an abort of other turns is settled."""
        return self._posts.is_waiting(turn)

    def abort_requested(self, turns: Iterable[Turn]) -> None:
        """Record that an abort of `turns` is about to be sent; it may end any turn of their sessions."""
        for turn in turns:
            self.feed(turn, AbortRequested())
            self._aborted_at[turn.session_id] = self._clock()
        for turn in self.running():
            if self._abort_may_come(turn.session_id):
                self.feed(turn, AbortNearby())

    def _abort_may_come(self, session_id: str) -> bool:
        return self._clock() - self._aborted_at.get(session_id, -math.inf) < ABORT_MAY_COME

    def abort_failed(self, turns: Iterable[Turn]) -> None:
        """Record that `turns` were not aborted: the server was unreachable or rejected the abort."""
        for turn in turns:
            self.feed(turn, AbortFailed())

    def rejected(self, request: Request, *, here: bool) -> None:
        """Pass a rejected request (`here`: by this client) to the turn that made it, or the only running one."""
        transcript = self._store.transcript(request.session_id)
        asked_in = transcript.messages.get(request.message_id or "") if transcript is not None else None
        running = [turn for turn in self._turns.get(request.session_id, ()) if not turn.over]
        if asked_in is not None:
            running = [turn for turn in running if turn.prompt_id == asked_in.parent_id]
        if len(running) == 1:
            self.feed(running[0], Rejected(here))

    def failure_seen(self, event: e.SessionFailed) -> None:
        for turn in self._turns.get(event.session_id, ()):
            self.feed(turn, ServerError(event.failure))

    def reevaluate(self) -> None:
        """Update every running turn from the store, and find turns that other clients started."""
        for session_id in self._store.open_sessions():
            self._recognise(session_id)
        for turn in self.running():
            self.feed(turn, self._snapshot(turn))
        for session_id in self._store.open_sessions():
            followed = self._follow(session_id)
            if followed is not None:
                self.feed(followed, self._snapshot(followed))

    def touch(self, session_id: str) -> None:
        """Record text activity in the session; a cheap form of `reevaluate`."""
        for turn in self._turns.get(session_id, ()):
            turn.receive(Activity(), self._clock())

    def poll_all(self) -> None:
        """Poll all running turns."""
        for turn in self.running():
            self.poller.poll(turn)

    def on_connection_lost(self) -> None:
        """Pass the loss of the connection to all running turns."""
        for turn in self.running():
            self.feed(turn, Disconnected())

    def on_reconnected(self) -> None:
        """Pass the reconnect to all running turns, which then poll and distrust POSTs opened before."""
        self.poller.reconnected()
        for turn in self.running():
            self.feed(turn, Reconnected())

    def tick(self) -> None:
        """Update the running turns for the passed time, and poll them if no events arrive."""
        if self.poller.is_due():
            self.poll_all()
        self.reevaluate()
        for turn in self.running():
            self.feed(turn, Tick())

    def _notify(self, change: TurnChanged | TurnEnded) -> None:
        self._emit(change)
        self._aborts.turn_changed(change.session_id)

    def _add(self, turn: Turn) -> None:
        if self._abort_may_come(turn.session_id):
            turn.receive(AbortNearby(), self._clock())
        turns = self._turns[turn.session_id]
        turns.append(turn)
        ended = [t for t in turns if t.over]
        for old in ended[:-MAX_ENDED]:
            turns.remove(old)
        self.awake.set()

    def feed(self, turn: Turn, what: Input) -> None:
        """Pass an input to the turn, and carry out its actions."""
        was_over = turn.over
        before = (turn.state, turn.reason, turn.post.padding_bytes, turn.post.held)
        for action in turn.receive(what, self._clock()):
            match action:
                case Action.POLL:
                    self.poller.poll(turn)
                case Action.POST:
                    self._posts.open(turn)
                case Action.CLOSE_POST:
                    self._posts.close(turn)
        if before != (turn.state, turn.reason, turn.post.padding_bytes, turn.post.held):
            log.info("turn %s: %s (%s)", turn.prompt_id, turn.state.value, turn.reason)
            self._notify(TurnChanged(turn.session_id))
        if turn.over and not was_over:
            self.poller.ended(turn.prompt_id)
            self._snapshots.ended(turn)
            self._learn(turn)
            self._notify(TurnEnded(turn.session_id, turn.prompt_id))
            self._outcomes.on_turn_ended(turn)
            if isinstance(what, BodyReceived) and self._snapshots.has_open_calls(turn):
                self.poller.poll(turn)  # the POST returns the last message only, and events of earlier ones are late

    def _follow(self, session_id: str) -> Turn | None:
        """Start to follow the turn that the session runs, and return it; None if it is known or there is none."""
        transcript = self._store.transcript(session_id)
        if isinstance(self._store.status(session_id), Idle) or transcript is None or self.is_running_in(session_id):
            return None
        newest = transcript.newest_prompt()
        if newest is None:
            return None
        known = next((t for t in self._turns.get(session_id, ()) if t.prompt_id == newest.id), None)
        answer = transcript.answer_to(newest.id)
        if known is None:
            if answer is not None and answer.ended:
                return None  # the session runs a prompt that no event reported yet
            known = Turn.follow(session_id, newest.id, self._clock())
            self._add(known)
        elif known.state is TurnState.INTERRUPTED and (answer is None or answer.completed is None):
            known.resume(self._clock())
            self.awake.set()
        else:
            return None  # the turn ended: the session is busy with the server's own work
        self._notify(TurnChanged(session_id))
        return known

    def _recognise(self, session_id: str) -> None:
        """Find prompts in the transcript whose POST is unanswered or that were considered not sent."""
        transcript = self._store.transcript(session_id)
        own = [one for one in self._turns.get(session_id, ()) if one.prompt is not None and one.may_arrive]
        for turn in own:
            assert turn.prompt is not None
            known_as = turn.prompt_id
            if self._traits is not None and not self._traits.accepts_client_ids:
                same = [one for one in own if one.prompt is not None and one.prompt.text == turn.prompt.text]
                known_as = self._server.backend().server_id_of(turn.prompt) if len(same) == 1 else ""
            was_over, there = turn.over, transcript is not None and transcript.has_parts(known_as)
            if was_over and there:
                turn.resume(self._clock())
                self.awake.set()
                self._notify(TurnChanged(session_id))
                self._outcomes.on_returned_prompt_found(turn.prompt)
            if there and known_as != turn.prompt_id:
                self.accept(turn, known_as)

    def accept(self, turn: Turn, known_as: str) -> None:
        """Record that the server stored the prompt under the id `known_as`, which the turn uses from now on."""
        assert turn.prompt is not None
        self._posts.forget(turn)
        self._snapshots.accepted(turn.prompt_id, known_as)
        turn.prompt = replace(turn.prompt, server_id=known_as)
        self._outcomes.on_accepted(turn.prompt)
        self.feed(turn, Accepted(known_as))

    def on_lookup(self, turn: Turn, found: PromptLookup) -> None:
        if found.server_id and found.server_id != turn.prompt_id:
            self.accept(turn, found.server_id)

    def on_polled(self, turn: Turn, found: PromptLookup) -> None:
        self.feed(turn, self._snapshot(turn, found))

    def _snapshot(self, turn: Turn, found: PromptLookup | None = None) -> Snapshot:
        turns = self._turns.get(turn.session_id, ())
        if found is None:
            return self._snapshots.snapshot(turn, turns)
        return self._snapshots.snapshot(
            turn,
            turns,
            polled=True,
            stored=found.stored,
            gone=found.session_gone,
            id_order=self._server.backend().traits.answers_in_id_order,
        )
