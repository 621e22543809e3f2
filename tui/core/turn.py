"""The life of one turn, as a state machine without I/O.

`Turn.receive(input, now)` moves it and returns what the client must do next. Three sources feed it: the POST that
holds the turn open, the event stream, and polls of the server. None is trusted alone; the server's stored, finished
message wins over all. A POST that fails leads to UNKNOWN, never to a guess.

    from              on                                   to
    --------------    ---------------------------------    --------------------------------------------
    SENDING           headers, padding, prompt seen        RUNNING, WAITING, RETRYING
    SENDING           the POST fails                       UNKNOWN, and polls (at once, then over 5 s)
    SENDING           polled, and still not there          UNKNOWN: a starting server swallows requests
    RUNNING, WAITING, the POST fails                       UNKNOWN, and polls
     RETRYING
    open              accepted under the server's own id   RUNNING
    UNKNOWN           the prompt is there                  RUNNING, WAITING, RETRYING
    UNKNOWN           not there for 5 s                    SENDING again, with the same ids
    RUNNING, WAITING, a request opens, the provider is     RUNNING, WAITING, RETRYING
     RETRYING          tried again, either ends
    SENDING, RUNNING, the POST returns the answer to       UNKNOWN, RUNNING, and polls
     WAITING, RETRYING another prompt
    open              never sent, or refused; not there,   NOT_SENT (the text goes back to the user)
                       and it cannot be posted again;
                       idle, and stored without its text
    open              answer complete and session idle     FINISHED, FAILED, ABORTED (also where its last call
                                                            was rejected) or INTERRUPTED, by that answer
    open              session idle, answer not complete    INTERRUPTED, FAILED after a second poll; ABORTED if
                                                            requested; CANCELLED where a failed POST ends the
                                                            turn, or the server recorded an abort and nothing
                                                            shows who requested it
    open              the session is deleted               INTERRUPTED; NOT_SENT if the prompt was never seen

"open" is every state that is not an end. An open turn is polled as `PollSchedule` says; whatever was missed, one
polled `Snapshot` puts the turn right.
"""

from typing import assert_never

import msgspec

from tui.core import turn_inputs as inputs
from tui.core.held_post import MAX_ATTEMPTS, HeldPost
from tui.core.model import Busy, Failure, Idle, Message, Prompt, Retrying
from tui.core.poll_schedule import POLL_DELAYS, PollSchedule
from tui.core.turn_ending import Ending, StopRequests
from tui.core.turn_ending_idle import IdleSnapshot
from tui.core.turn_state import TERMINAL_STATES, Action, TurnState

UNACKNOWLEDGED_TIMEOUT = 20.0
"""Seconds after which a POST whose prompt the server does not have is given up: just after its start opencode
accepts requests that it never reads."""
Actions = tuple[Action, ...]


class Turn(msgspec.Struct):
    """One turn of one session: of a prompt of this client, or (`prompt` None) of another client.

    `prompt_id` is the user message that the turn answers. `start_unknown`: `started` is only when this client first
    saw the turn, which may be older.
    `cancels_on_disconnect`: this server ends a turn when the POST that holds it breaks; None: not known.
    All times are seconds of the caller's monotonic clock.
    """

    session_id: str
    prompt_id: str
    started: float
    start_unknown: bool = False
    prompt: Prompt | None = None
    cancels_on_disconnect: bool | None = False
    state: TurnState = TurnState.SENDING
    reason: str = ""
    post: HeldPost = msgspec.field(default_factory=HeldPost)
    last_activity: float = 0.0
    waiting_since: float | None = None
    retry: Retrying | None = None
    ended: float | None = None
    """None where it ended while the connection was lost, and the server has not recorded when."""
    unwatched: bool = False
    """The connection was lost since the turn was last known to run."""
    took: float | None = None
    """Seconds from the prompt to the end of its answer, by the server's record."""
    failure: Failure | None = None
    stops: StopRequests = msgspec.field(default_factory=StopRequests)
    _polls: PollSchedule = msgspec.field(default_factory=PollSchedule)
    _version: int | None = None
    _seen: bool = False
    """The server has shown that it has the prompt."""
    once: bool = False
    """Posting the prompt again could double it."""
    certainly_not_sent: bool = False
    """No byte of its only POST arrived, or the server refused it; other turns that are NOT_SENT were only not found."""

    @classmethod
    def begin(
        cls, prompt: Prompt, now: float, *, cancels_on_disconnect: bool | None = False, once: bool = False
    ) -> "Turn":
        """The turn of a prompt that is about to be posted; `once`: posting it again could double it."""
        turn = cls(
            session_id=prompt.session_id,
            prompt_id=prompt.message_id,
            started=now,
            prompt=prompt,
            cancels_on_disconnect=cancels_on_disconnect,
            last_activity=now,
            post=HeldPost(attempts=MAX_ATTEMPTS - 1 if once else 0),
            once=once,
        )
        turn.post.send(now)
        turn._polls.posted(now)
        return turn

    @classmethod
    def recover(
        cls, prompt: Prompt, now: float, *, cancels_on_disconnect: bool | None = False, once: bool = False
    ) -> "Turn":
        """The turn of a prompt that was in flight when its client died: polled, never posted again.

        Its POST broke with the client. Which family the server is of may not be known yet.
        """
        reason = "the client exited while sending it"
        turn = cls(
            session_id=prompt.session_id,
            prompt_id=prompt.server_id or prompt.message_id,
            started=now,
            start_unknown=True,
            prompt=prompt,
            cancels_on_disconnect=cancels_on_disconnect,
            state=TurnState.UNKNOWN,
            reason=reason,
            last_activity=now,
            post=HeldPost(attempts=MAX_ATTEMPTS, cut_at=now, cut_reason=reason),
            unwatched=True,
            once=once,
        )
        turn._polls.failed_at = now
        return turn

    @classmethod
    def follow(cls, session_id: str, prompt_id: str, now: float, *, unwatched: bool = False) -> "Turn":
        """A turn that runs on the server and whose POST this client does not hold."""
        return cls(
            session_id=session_id,
            prompt_id=prompt_id,
            started=now,
            start_unknown=True,
            state=TurnState.RUNNING,
            last_activity=now,
            unwatched=unwatched,
            _seen=True,
        )

    @property
    def over(self) -> bool:
        return self.state in TERMINAL_STATES

    @property
    def checking(self) -> bool:
        """Whether its session is idle, and how it ended is still being polled."""
        return self._polls.idle_since is not None and not self.over

    @property
    def arrival_unknown(self) -> bool:
        """Whether the server may have the prompt nevertheless: one that assigns ids itself may show it late."""
        return self.state is TurnState.NOT_SENT and self.once and not self.certainly_not_sent

    @property
    def known_state(self) -> TurnState:
        """The state as far as it is known."""
        return TurnState.UNKNOWN if self.arrival_unknown else self.state

    @property
    def may_arrive(self) -> bool:
        """Whether the prompt may be at the server, and nothing has shown so yet."""
        return not self._seen and (not self.over or self.state is TurnState.NOT_SENT)

    def posted(self, now: float) -> None:
        """The POST is sent now; inf: later."""
        self.post.sent_at = now
        self._polls.posted(now)

    def set_started(self, started: float) -> None:
        """When the server received the prompt: of a turn that this client did not begin, began in an earlier run, or
        sent long before it arrived."""
        self.started, self.start_unknown = started, False

    def set_end(self, took: float, ended: float | None) -> None:
        """The server's record of an ended turn: its seconds, and when it ended (None: leave what is known)."""
        self.took = took
        self.ended = self.ended if ended is None else ended

    def resume(self, now: float) -> None:
        """The server resumed an interrupted turn, or has a prompt that was considered not sent."""
        self.state, self.reason, self.ended, self.last_activity = TurnState.RUNNING, "", None, now
        self._polls.idle_since = self._polls.failed_at = None

    def idle_for(self, now: float) -> float:
        """Seconds since anything of the turn changed; 0 while it waits for the user or a provider."""
        if self.state in (TurnState.WAITING, TurnState.RETRYING):
            return 0.0
        return max(0.0, now - self.last_activity)

    def receive(self, what: inputs.Input, now: float) -> Actions:
        """Process one input; returns the client's next actions, in order."""
        if self.over:
            return ()
        match what:
            case inputs.HeadersReceived():
                self.post.headers_at = now
                return self._acknowledged(now)
            case inputs.PaddingReceived(total):
                self.post.padding(total, now)
                return self._acknowledged(now)
            case inputs.BodyReceived(message, rejected):
                return self._body(message, now, rejected=rejected)
            case inputs.Accepted(prompt_id):
                self.prompt_id, self.post.held, self._seen = prompt_id, False, True
                return self._acknowledged(now)
            case inputs.PostNotSent(reason) | inputs.PostRefused(reason):
                return self._refused(reason, now)
            case inputs.PostFailed():
                return self._post_failed(what, now)
            case inputs.Snapshot():
                return self._snapshot(what, now)
            case inputs.AbortRequested():
                self.stops.abort_requested = True
            case inputs.AbortFailed():
                self.stops.abort_requested = False
            case inputs.AbortNearby():
                self.stops.abort_nearby = True
            case inputs.Rejected():
                self.stops.rejected = what
            case inputs.ServerError(failure):
                self.failure, self.last_activity = failure, now
            case inputs.Activity():
                self.last_activity = now
            case inputs.TraitsKnown(cancels_on_disconnect):
                self.cancels_on_disconnect = cancels_on_disconnect
            case inputs.Disconnected():
                self.unwatched = True
            case inputs.Reconnected():
                self.post.maybe_dead = self.post.held
                return (Action.POLL,)
            case inputs.Tick():
                sending = self.state is TurnState.SENDING
                return (Action.POLL,) if self._polls.due(now, sending, self.last_activity) else ()
            case _:
                assert_never(what)
        return ()

    def _acknowledged(self, now: float) -> Actions:
        if self.state is TurnState.SENDING:
            self.state, self.last_activity = TurnState.RUNNING, now
        return ()

    def _body(self, message: Message, now: float, *, rejected: bool) -> Actions:
        self.post.held = False
        self.last_activity = now
        if message.parent_id != self.prompt_id:
            # The session's last answer, but to another prompt: a poll must find this one's.
            self.state = TurnState.RUNNING if self._seen else TurnState.UNKNOWN
            return self._poll_after_failure(now)
        self.post.complete, self.unwatched = True, False
        return self._settle(message, now, rejected=rejected)

    def _refused(self, reason: str, now: float) -> Actions:
        self.post.held = False
        if self._seen:  # a later post of the same prompt was refused; the first one had arrived
            self.state = TurnState.RUNNING
            return self._poll_after_failure(now)
        self.certainly_not_sent = self.once
        return self._end(TurnState.NOT_SENT, now, reason)

    def _post_failed(self, how: inputs.PostFailed, now: float) -> Actions:
        if self._seen and not self.post.held:
            return ()  # the server has it, and does not hold the POST
        self.post.fail(how, now)
        self.state, self.reason = TurnState.UNKNOWN, how.reason
        return self._poll_after_failure(now)

    def _poll_after_failure(self, now: float) -> Actions:
        self._polls.post_failed(now)
        return (Action.POLL,)

    def _snapshot(self, seen: inputs.Snapshot, now: float) -> Actions:
        if seen.version != self._version:
            self._version, self.last_activity = seen.version, now
        if seen.others_failure:
            self.failure = None
        if seen.gone:
            unseen = self.prompt is not None and not seen.stored  # acknowledged or not: it is nowhere now
            state = TurnState.NOT_SENT if unseen else TurnState.INTERRUPTED
            unknown = unseen and self.start_unknown  # an earlier run of the client may have seen it begin
            reason = ", and whether it had this prompt is unknown" if unknown else ""
            return self._end(state, now, f"the session no longer exists on the server{reason}")
        self._seen = self._seen or bool(seen.stored)
        if not self._seen:
            return self._not_there(seen, now)
        if seen.polled:
            self._polls.failed_at = None
        if isinstance(seen.status, Idle):
            return self._idle(seen, now)
        if seen.has_later_prompt and seen.answer is not None and self._is_settled(seen.answer):
            # what the session does now, it does for a later prompt
            return self._settle(seen.answer, now, rejected=seen.rejected)
        self._polls.idle_since = None
        self.unwatched = self.unwatched and not seen.polled
        if self.state in (TurnState.SENDING, TurnState.UNKNOWN):
            self.state, self.reason = TurnState.RUNNING, ""
        self._show_work(seen, now)
        return ()

    def _is_settled(self, answer: Message) -> bool:
        """Whether the answer was interrupted, or is complete and no held POST will bring it."""
        interrupted = answer.failure is not None and answer.failure.kind == "interrupted"
        return interrupted or (answer.ended and not self.post.held)

    def _not_there(self, seen: inputs.Snapshot, now: float) -> Actions:
        """The server does not have the prompt (`stored` False), or a poll could not tell (None)."""
        if not seen.polled or seen.stored is None:
            return ()
        if self.state is TurnState.SENDING and now - self.post.sent_at >= UNACKNOWLEDGED_TIMEOUT:
            failed = inputs.PostFailed("the server never responded to it", cut=False)
            return (Action.CLOSE_POST, *self._post_failed(failed, now))
        if self.state is not TurnState.UNKNOWN or not self._certainly_missing(now):
            return ()
        if seen.has_later_prompt or self.prompt is None:
            return self._end(TurnState.NOT_SENT, now, "the server does not have it, but has a later prompt")
        if seen.id_too_low:
            return self._end(TurnState.NOT_SENT, now, "the server never received it; the session has newer messages")
        if self.post.attempts >= MAX_ATTEMPTS:
            why = self.failure.message if self.failure is not None else self.reason
            return self._end(TurnState.NOT_SENT, now, why or "the server does not accept it")
        self.state, self._polls.failed_at = TurnState.SENDING, None
        self.post.send(now)
        self._polls.posted(now)
        return (Action.POST,)

    def _certainly_missing(self, now: float) -> bool:
        """Whether at least two polls, long enough after the POST failed, did not find the prompt."""
        self._polls.missing += 1
        may_arrive = self.post.accepted and self.failure is None
        certain_after = POLL_DELAYS[1] if self.post.error and not may_arrive else POLL_DELAYS[-1]
        failed_at = self._polls.failed_at
        return self._polls.missing >= 2 and failed_at is not None and now - failed_at >= certain_after

    def _show_work(self, seen: inputs.Snapshot, now: float) -> None:
        if seen.waiting:
            since = now - seen.waited
            self.waiting_since = since if self.waiting_since is None else min(self.waiting_since, since)
            self.state = TurnState.WAITING
            return
        self.waiting_since = None
        match seen.status:
            case Retrying():
                self.state, self.retry = TurnState.RETRYING, seen.status
            case Busy():
                self.state, self.retry = TurnState.RUNNING, None
            case Idle():
                pass

    def _idle(self, seen: inputs.Snapshot, now: float) -> Actions:
        if self.state is TurnState.WAITING and not seen.waiting:
            self.state, self.waiting_since = TurnState.RUNNING, None
        idle_for, own = self._polls.idle(now), self.prompt is not None
        certain = self._aborts_are_certain
        ending = IdleSnapshot(seen, idle_for, self.post, self.stops, own, self.failure, certain).ending()
        return () if ending is None else self._end_as(ending, now)

    def _settle(self, answer: Message, now: float, *, rejected: bool) -> Actions:
        """End the turn by an answer that the server no longer works on."""
        return self._end_as(self.stops.by_answer(answer, rejected=rejected, certain=self._aborts_are_certain), now)

    @property
    def _aborts_are_certain(self) -> bool:
        return self.post.complete or self.cancels_on_disconnect is False

    def _end(self, state: TurnState, now: float, reason: str = "") -> Actions:
        return self._end_as(Ending(state, reason), now)

    def _end_as(self, ending: Ending, now: float) -> Actions:
        if not (ending.requested or self.stops.abort_requested) and self._disconnect_may_have_ended(ending.state):
            ending = self._by_disconnect(ending)
        self.state, self.reason, self.ended = ending.state, ending.reason, None if self.unwatched else now
        self.failure = ending.failure or self.failure
        self.waiting_since = self.retry = None
        if self.post.held:
            self.post.held = False
            return (Action.CLOSE_POST,)
        return ()

    def _disconnect_may_have_ended(self, state: TurnState) -> bool:
        if self.cancels_on_disconnect is None:  # a server that was killed records an interruption, not an abort
            return state is TurnState.ABORTED and (self.post.cut_reason is not None or self.post.maybe_dead)
        return self.cancels_on_disconnect and state in (TurnState.INTERRUPTED, TurnState.ABORTED)

    def _by_disconnect(self, ending: Ending) -> Ending:
        if self.post.alive:  # an open POST would have returned the end of an aborted turn
            return Ending(TurnState.INTERRUPTED, "the server ended it without returning the answer")
        if self.post.held or self.post.cut_reason is not None:
            return Ending(TurnState.CANCELLED, self.post.cut_reason or "the connection was lost during the turn")
        return ending
