"""The life of one turn, as a state machine without I/O.

`Turn.receive(what happened, now)` moves it and answers with what must be done next. Three witnesses feed it:
the POST that holds the turn open, the event stream, and asking the server. None is trusted alone; the server's
stored, finished message wins over all. A POST that breaks leads to UNKNOWN, never to a guess.

    state        on                                   becomes
    ---------    ---------------------------------    ------------------------------------------------
    SENDING      headers, pads, or the prompt seen    RUNNING
    SENDING      never left / refused                 NOT_SENT (the text goes back to the person)
    SENDING      asked, and lastingly not there       UNKNOWN: a server just starting swallows requests
    SENDING,     the POST breaks                      UNKNOWN → ask (at once, then over 5 s)
     RUNNING
    any open     the server took it under its own id  RUNNING, followed by events and polls
    UNKNOWN      the prompt is there                  RUNNING, followed by events and polls
    UNKNOWN      lastingly not there, nothing later   SENDING again, with the same ids
    UNKNOWN      lastingly not there, a later turn    NOT_SENT (so too where its id would never be answered now)
    RUNNING      a request opens / the last closes    WAITING / RUNNING
    RUNNING      the server retries / goes on         RETRYING / RUNNING
    any open     answer complete and session idle     FINISHED, FAILED or ABORTED, by the message itself
                                                        (ABORTED too where a rejected request is what ended it:
                                                        the last call of the answer says so)
    any open     session idle, answer not complete    after a second look: INTERRUPTED (ABORTED if asked for;
                                                        CANCELLED where a broken POST ends the turn, or that is
                                                        not known and the server has it as aborted; unless it
                                                        is still held and its line was never in doubt)
    any open     session idle, prompt without words   NOT_SENT: killed between the two, a server keeps only its id
    any open     the session is gone                  INTERRUPTED; NOT_SENT if the prompt was never seen there
    any open     nothing has changed for a while      the same; the server is asked

Asking is level-triggered: whatever was missed, one `Snapshot` that was asked for puts the turn right.
"""

from enum import Enum
from typing import assert_never

import msgspec

from tui.core.model import Busy, Failure, Idle, Message, Prompt, Retrying
from tui.core.turn_inputs import (
    AbortAsked,
    AbortFailed,
    Accepted,
    BodyReceived,
    HeadersReceived,
    Input,
    PaddingReceived,
    PostFailed,
    PostNotSent,
    PostRefused,
    Reconnected,
    Rejected,
    ServerError,
    Snapshot,
    Tick,
)

POLL_DELAYS = (0.0, 0.3, 1.0, 2.0, 3.5, 5.0)
"""Seconds after a break at which the server is asked for the prompt; a cold instance shows it after 1.5 s."""
UNSEEN = 5.0
"""Seconds between two asks for a prompt that was posted and that nothing was heard of."""
UNACKNOWLEDGED_TIMEOUT = 20.0
"""Seconds after which a POST whose prompt the server does not have is given up: just after its start opencode
accepts requests that it never reads."""
IDLE_CONFIRM_DELAY = 2.0
"""Seconds after which "idle, but not complete" is believed: updates follow the first idle of an abort."""
LONGEST_LOOK = 30.0
"""Seconds between two looks at a session that stays idle under a held POST, at most."""
ANSWER_START_TIMEOUT = 6.0
"""Seconds that a server may take to begin an answer; until then "idle, no answer" says nothing."""
BODY_GRACE = 3.0
"""Seconds that a held POST gets to deliver what the event stream already says is complete."""
HELD_PATIENCE = 15.0
"""Seconds for the same while the POST is still held: an open POST is a witness too."""
POSTS_AT_MOST = 4
LOOK_AFTER = 15.0
LOOK_EVERY = 30.0
"""Seconds of stillness after which a running turn is asked for, and between two such questions. An event stream
may beat and carry nothing; asking is the third witness."""


class TurnState(Enum):
    SENDING = "sending"
    UNKNOWN = "unknown"
    RUNNING = "running"
    WAITING = "waiting"
    RETRYING = "retrying"
    FINISHED = "finished"
    FAILED = "failed"
    ABORTED = "aborted"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    NOT_SENT = "not sent"


TERMINAL_STATES = frozenset(
    {
        TurnState.FINISHED,
        TurnState.FAILED,
        TurnState.ABORTED,
        TurnState.INTERRUPTED,
        TurnState.CANCELLED,
        TurnState.NOT_SENT,
    }
)


ABNORMAL_ENDS = frozenset({TurnState.FAILED, TurnState.INTERRUPTED, TurnState.CANCELLED})
"""Ends that nobody here asked for, and that the server may not tell, or not so."""


class Action(Enum):
    """What the client must do next."""

    ASK = "ask the server for the prompt, its answer and the status"
    POST = "post the prompt (again), with the same ids"
    CLOSE_POST = "let go of the POST: its result is known"


class Turn(msgspec.Struct):
    """One turn of one session: our own prompt's, or (`prompt` None) one that is followed from outside.

    `prompt_id` is the user message that the turn answers. `since_seen`: `started` is only when this client first
    saw the turn, which may be older. `abort_nearby`: an abort sent for another turn may have ended this one.
    `cancels_on_disconnect`: this server ends a turn when the POST that holds it breaks; None: not known.
    `cut_at`: when that connection broke. All times are seconds of the caller's monotonic clock.
    """

    session_id: str
    prompt_id: str
    started: float
    start_unknown: bool = False
    prompt: Prompt | None = None
    cancels_on_disconnect: bool | None = False
    state: TurnState = TurnState.SENDING
    reason: str = ""
    held: bool = False
    headers_at: float | None = None
    pads: int = 0
    last_pad: float | None = None
    last_activity: float = 0.0
    waiting_since: float | None = None
    retry: Retrying | None = None
    ended: float | None = None
    """None where it ended while the connection was lost, and the server has not recorded when."""
    unwatched: bool = False
    """The connection was lost since the turn was last known to run."""
    took: float | None = None
    """Seconds from the prompt to the end of its answer, by the server's record."""
    posts: int = 0
    abort_asked: bool = False
    abort_nearby: bool = False
    rejected: Rejected | None = None
    failure: Failure | None = None
    cut_at: float | None = None
    _broke_at: float | None = None
    _cut: str | None = None
    _post_error: str = ""
    """The error with which the server answered the POST, though it may have stored the prompt."""
    _posted: float = 0.0
    _asks: int = 0
    _missing: int = 0
    _mark: int | None = None
    _idle_since: float | None = None
    _look_at: float = 0.0
    _looked: float = -LOOK_EVERY
    _seen: bool = False
    _post_suspect: bool = False
    _brought: bool = False

    @classmethod
    def post(
        cls, prompt: Prompt, now: float, *, cancels_on_disconnect: bool | None = False, once: bool = False
    ) -> "Turn":
        """The turn of a prompt that is about to be posted; `once`: posting it again could double it."""
        return cls(
            session_id=prompt.session_id,
            prompt_id=prompt.message_id,
            started=now,
            prompt=prompt,
            cancels_on_disconnect=cancels_on_disconnect,
            held=True,
            last_activity=now,
            posts=POSTS_AT_MOST if once else 1,
            _posted=now,
            _look_at=now + UNSEEN,
        )

    @classmethod
    def recover(cls, prompt: Prompt, now: float, *, cancels_on_disconnect: bool | None = False) -> "Turn":
        """The turn of a prompt that was in flight when its client died: asked for, never posted again.

        Its POST broke with the client. Which family the server is of may not be known yet.
        """
        reason = "the client ended while it was sent"
        return cls(
            session_id=prompt.session_id,
            prompt_id=prompt.server_id or prompt.message_id,
            started=now,
            start_unknown=True,
            prompt=prompt,
            cancels_on_disconnect=cancels_on_disconnect,
            state=TurnState.UNKNOWN,
            reason=reason,
            last_activity=now,
            posts=POSTS_AT_MOST,
            cut_at=now,
            unwatched=True,
            _broke_at=now,
            _cut=reason,
        )

    @classmethod
    def follow(cls, session_id: str, prompt_id: str, now: float) -> "Turn":
        """A turn that runs on the server and is not held by us (we attached, or it broke and goes on)."""
        return cls(
            session_id=session_id,
            prompt_id=prompt_id,
            started=now,
            start_unknown=True,
            state=TurnState.RUNNING,
            last_activity=now,
            _seen=True,
        )

    @property
    def over(self) -> bool:
        return self.state in TERMINAL_STATES

    @property
    def checking(self) -> bool:
        """Whether its session is idle, and how it ended is still being asked."""
        return self._idle_since is not None and not self.over

    @property
    def rejected_here(self) -> bool:
        """Whether this client rejected a request of it."""
        return self.rejected is not None and self.rejected.here

    def posted(self, now: float) -> None:
        """The POST leaves now; inf: later."""
        self._posted, self._look_at = now, now + UNSEEN

    def set_started(self, started: float) -> None:
        """The server knows when a turn began that this client did not begin, or began in an earlier life."""
        self.started, self.start_unknown = started, False

    @property
    def may_arrive(self) -> bool:
        """Whether the prompt may be at the server, and nothing has told so yet."""
        return not self._seen and (not self.over or self.state is TurnState.NOT_SENT)

    def resume(self, now: float) -> None:
        """The server took up an interrupted turn after all, or has a prompt that was taken for not sent."""
        self.state, self.reason, self.ended, self.last_activity = TurnState.RUNNING, "", None, now
        self._idle_since = self._broke_at = None

    def held_for(self, now: float) -> float:
        """Seconds since the POST left that is held; below 0 before."""
        return now - self._posted

    def idle_for(self, now: float) -> float:
        """Seconds since anything of the turn changed, 0 while it waits for a person or a provider."""
        if self.state in (TurnState.WAITING, TurnState.RETRYING):
            return 0.0
        return max(0.0, now - self.last_activity)

    def receive(self, what: Input, now: float) -> tuple[Action, ...]:
        """Move by `what` happened at `now`; the answer is what must be done next, in order."""
        if self.over:
            return ()
        match what:
            case HeadersReceived():
                self.headers_at = now
                return self._taken(now)
            case PaddingReceived(total):
                if total > self.pads:
                    self.pads, self.last_pad = total, now
                return self._taken(now)
            case BodyReceived(message, rejected):
                return self._body(message, now, rejected=rejected)
            case Accepted(prompt_id):
                self.prompt_id, self.held, self._seen = prompt_id, False, True
                return self._taken(now)
            case PostNotSent(reason) | PostRefused(reason):
                self.held = False
                return self._refused(reason, now)
            case PostFailed():
                return self._broke(what, now)
            case Snapshot():
                return self._observed(what, now)
            case AbortAsked():
                self.abort_asked = True
                return ()
            case AbortFailed():
                self.abort_asked = False
                return ()
            case Rejected():
                self.rejected = what
                return ()
            case ServerError(failure):
                self.failure = failure
                self.last_activity = now
                return ()
            case Reconnected():
                self._post_suspect = self.held
                return (Action.ASK,)
            case Tick():
                return self._tick(now)
            case _:
                assert_never(what)

    def _taken(self, now: float) -> tuple[Action, ...]:
        if self.state is TurnState.SENDING:
            self.state, self.last_activity = TurnState.RUNNING, now
        return ()

    def _body(self, message: Message, now: float, *, rejected: bool) -> tuple[Action, ...]:
        self.held = False
        self.last_activity = now
        if message.parent_id != self.prompt_id:
            # The session's last answer, but to another prompt: only asking tells what became of ours.
            self.state = TurnState.UNKNOWN if not self._seen else TurnState.RUNNING
            return self._start_asking(now)
        self._brought, self.unwatched = True, False
        return self._settle(message, now, rejected=rejected)

    def _refused(self, reason: str, now: float) -> tuple[Action, ...]:
        if self._seen:  # a later post of the same prompt was refused; the first one had arrived
            self.state = TurnState.RUNNING
            return self._start_asking(now)
        return self._end(TurnState.NOT_SENT, now, reason)

    def _broke(self, how: PostFailed, now: float) -> tuple[Action, ...]:
        if self._seen and not self.held:
            return ()  # the server has it, and does not hold the POST
        self.held = False
        self.reason = how.reason
        if how.cut:
            self._cut, self.cut_at = how.reason, now
        if not how.again:
            self.posts, self._post_error = POSTS_AT_MOST, how.reason
        self.state = TurnState.UNKNOWN
        return self._start_asking(now)

    def _start_asking(self, now: float) -> tuple[Action, ...]:
        self._broke_at, self._asks, self._missing = now, 1, 0
        return (Action.ASK,)

    def _observed(self, seen: Snapshot, now: float) -> tuple[Action, ...]:
        if seen.version != self._mark:
            self._mark, self.last_activity = seen.version, now
        if seen.others_failure:
            self.failure = None
        if seen.gone:
            unseen = self.prompt is not None and not seen.stored  # taken or not: it is nowhere now
            state = TurnState.NOT_SENT if unseen else TurnState.INTERRUPTED
            return self._end(state, now, "the session is gone from the server")
        if seen.stored:
            self._seen = True
        if not self._seen:
            return self._not_there(seen, now)
        if seen.polled:
            self._broke_at = None
        if isinstance(seen.status, Idle):
            return self._idle(seen, now)
        if (
            seen.has_later_prompt
            and seen.answer is not None
            and (_interrupted(seen.answer) or self._is_told(seen.answer))
        ):
            return self._settle(
                seen.answer, now, rejected=seen.rejected
            )  # what the session does now is done for a later prompt
        self._idle_since = None
        self.unwatched = self.unwatched and not seen.polled
        if self.state in (TurnState.SENDING, TurnState.UNKNOWN):
            self.state, self.reason = TurnState.RUNNING, ""
        self._show(seen, now)
        return ()

    def _is_told(self, answer: Message) -> bool:
        """Whether the answer is complete, and no POST is held that brings it."""
        return not self.held and answer.ended

    def _not_there(self, seen: Snapshot, now: float) -> tuple[Action, ...]:
        if not seen.polled or seen.stored is None:
            return ()
        if self.state is TurnState.SENDING and now - self._posted >= UNACKNOWLEDGED_TIMEOUT:
            return (Action.CLOSE_POST, *self._broke(PostFailed("the server never answered it", cut=False), now))
        if self.state is not TurnState.UNKNOWN:
            return ()
        self._missing += 1
        certain_after = POLL_DELAYS[1] if self._post_error else POLL_DELAYS[-1]
        if self._missing < 2 or self._broke_at is None or now - self._broke_at < certain_after:
            return ()
        if seen.has_later_prompt or self.prompt is None:
            return self._end(TurnState.NOT_SENT, now, "the server does not have it, and a later prompt is there")
        if seen.outrun:
            return self._end(TurnState.NOT_SENT, now, "the server never got it, and its session went on meanwhile")
        if self.posts >= POSTS_AT_MOST:
            why = self.failure.message if self.failure is not None else self.reason
            return self._end(TurnState.NOT_SENT, now, why or "the server does not take it")
        self.posts += 1
        self.state, self.held, self._broke_at, self._cut = TurnState.SENDING, True, None, None
        self.cut_at = None
        self._posted, self._look_at, self._post_suspect = now, now + UNSEEN, False
        return (Action.POST,)

    def _show(self, seen: Snapshot, now: float) -> None:
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

    def _idle(self, seen: Snapshot, now: float) -> tuple[Action, ...]:
        answer = seen.answer
        if self.state is TurnState.WAITING and not seen.waiting:
            self.state, self.waiting_since = TurnState.RUNNING, None
        if self._idle_since is None:
            self._idle_since, self._look_at = now, now + IDLE_CONFIRM_DELAY
        idle_for = now - self._idle_since
        if answer is None and seen.has_no_parts and self.prompt is not None:
            return self._wordless(seen, idle_for, now)
        if not self.held or idle_for >= BODY_GRACE:
            if answer is not None and answer.ended:
                return self._settle(answer, now, rejected=seen.rejected)
            whole = answer is None or (answer.completed is not None and not answer.incomplete)
            if seen.later_answer is not None and whole and seen.stored:
                return self._together(seen.later_answer, now)
        if not seen.polled or idle_for < IDLE_CONFIRM_DELAY:
            return ()
        if answer is None and seen.stored is False and self.prompt is not None and not self.held:
            return self._end(TurnState.NOT_SENT, now, "the server took it, and has lost it since")
        whole = answer is not None and answer.final  # opencode stores when it was completed after that, or never
        if answer is not None and (answer.completed is not None or whole) and not self.held:
            return self._settle(answer, now, rejected=seen.rejected)
        if self.abort_asked and not whole and (not self.held or idle_for >= BODY_GRACE):
            return self._end(TurnState.ABORTED, now, "")
        if answer is None and not self.held and self.failure is not None:
            return self._fail(self.failure, now)
        if answer is None:
            patience = HELD_PATIENCE if self.held else ANSWER_START_TIMEOUT
            if idle_for < patience or (self.held and not self._post_suspect):
                return ()
            if self._post_error:
                return self._end(TurnState.FAILED, now, self._post_error)
            return self._end(TurnState.INTERRUPTED, now, "the server has the prompt but began no answer")
        if self.held and idle_for < HELD_PATIENCE:
            return ()
        if whole or answer.incomplete or answer.failure is not None:
            return self._settle(answer, now, rejected=seen.rejected)
        if self._post_error:
            return self._end(TurnState.FAILED, now, self._post_error)
        return self._end(TurnState.INTERRUPTED, now, "the server stopped in the middle of it")

    def _wordless(self, seen: Snapshot, idle_for: float, now: float) -> tuple[Action, ...]:
        """opencode stores a message before its words: killed between the two it keeps a prompt that says nothing.

        Whatever became of the session since, an abort or an answer to a later prompt, nobody read those words.
        """
        if not seen.polled or idle_for < (HELD_PATIENCE if self.held else ANSWER_START_TIMEOUT):
            return ()
        if self.held and not (self._post_suspect or self.abort_asked):
            return ()
        return self._end(TurnState.NOT_SENT, now, "the server lost its words before it stored them")

    def _settle(self, answer: Message, now: float, *, rejected: bool) -> tuple[Action, ...]:
        """The server has an answer, and works on it no more: how the turn ended is what that answer says."""
        if answer.failure is not None:
            return self._fail(answer.failure, now)
        if rejected or (self.rejected is not None and not answer.final):
            return self._end(TurnState.ABORTED, now, self._who_rejected(), wanted=True)
        if answer.final:
            return self._end(TurnState.FINISHED, now, "")
        if self.abort_asked or answer.incomplete or answer.completed is None:
            return self._fail(Failure("aborted", "aborted"), now)
        return self._end(TurnState.INTERRUPTED, now, "it ended between two steps, and the server does not say why")

    def _who_aborted(self) -> str:
        """Where a server may end a turn whose connection broke, a half-open one may have done it unseen."""
        if self.abort_nearby:
            return "by an abort of another prompt, or from elsewhere"
        certain = self._brought or self.cancels_on_disconnect is False
        return "aborted from elsewhere" if certain else "not from here: another client or the server aborted it"

    def _who_rejected(self) -> str:
        if self.rejected is None:
            return "a request was rejected"
        return "you rejected a request" if self.rejected_here else "a request was rejected elsewhere"

    def _together(self, answer: Message, now: float) -> tuple[Action, ...]:
        """The server went on to a later prompt, and its answer, however it ended, is the answer to both."""
        failure = answer.failure
        if failure is not None and failure.kind in ("provider", "other"):
            return self._end(TurnState.FAILED, now, f"together with a later prompt: {failure.message}")
        if failure is not None:
            return self._fail(failure, now)
        return self._end(TurnState.FINISHED, now, "answered together with a later prompt")

    def _fail(self, failure: Failure, now: float) -> tuple[Action, ...]:
        if failure.kind == "aborted":
            return self._end(TurnState.ABORTED, now, "" if self.abort_asked else self._who_aborted())
        if failure.kind == "interrupted":
            return self._end(TurnState.INTERRUPTED, now, failure.message)
        self.failure = failure
        return self._end(TurnState.FAILED, now, failure.message)

    def _end(self, state: TurnState, now: float, reason: str, *, wanted: bool = False) -> tuple[Action, ...]:
        broke_off = state in (TurnState.INTERRUPTED, TurnState.ABORTED) and not (wanted or self.abort_asked)
        if self.cancels_on_disconnect is None:  # a server that was killed has a turn as interrupted, not as aborted
            broke_off = state is TurnState.ABORTED and broke_off and (self._cut is not None or self._post_suspect)
        if broke_off and self.cancels_on_disconnect is not False:
            # a POST that is alive brings the end of an aborted turn itself
            if self.held and not self._post_suspect:
                state, reason = TurnState.INTERRUPTED, "the server ended it, and its answer did not come"
            elif self.held or self._cut is not None:
                state, reason = TurnState.CANCELLED, self._cut or "the line was lost in the middle of it"
        self.state, self.reason, self.ended = state, reason, None if self.unwatched else now
        self.waiting_since = self.retry = None
        if self.held:
            self.held = False
            return (Action.CLOSE_POST,)
        return ()

    def _tick(self, now: float) -> tuple[Action, ...]:
        if self._broke_at is not None:
            elapsed = now - self._broke_at
            if self._asks < len(POLL_DELAYS):
                if elapsed >= POLL_DELAYS[self._asks]:
                    self._asks += 1
                    return (Action.ASK,)
            elif elapsed >= POLL_DELAYS[-1] + (self._asks - len(POLL_DELAYS) + 1) * POLL_DELAYS[-1]:
                self._asks += 1  # the server could not be asked: keep on, calmly
                return (Action.ASK,)
            return ()
        if self._idle_since is not None and now >= self._look_at:
            self._look_at = now + min(max(IDLE_CONFIRM_DELAY, (now - self._idle_since) / 2), LONGEST_LOOK)
            return (Action.ASK,)
        if self.state is TurnState.SENDING and now >= self._look_at:
            self._look_at = now + UNSEEN
            return (Action.ASK,)
        followed = self.state is not TurnState.SENDING and self._idle_since is None
        if followed and now - self.last_activity >= LOOK_AFTER and now - self._looked >= LOOK_EVERY:
            self._looked = now
            return (Action.ASK,)
        return ()


def _interrupted(answer: Message) -> bool:
    return answer.failure is not None and answer.failure.kind == "interrupted"
