"""The turns of this client: it posts prompts, holds the POSTs, and asks the server when a witness falls silent.

The rules are `tui.core.turn`'s; this carries them out. It never aborts a turn and never posts twice by a guess.
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from itertools import takewhile
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from tui.backends.base import Backend, PromptAccepted, PromptRejected, Traits
from tui.client.resync import Refetch
from tui.core import events as e
from tui.core.changes import TurnChanged, TurnEnded
from tui.core.diagnosis import DEFAULT_TIMEOUTS, Diagnosis, ResponsivenessTracker, StallTimeouts, diagnose
from tui.core.model import Failure, FullMessage, Idle, Message, Prompt, Request, ToolPart
from tui.core.record import ends_rejected
from tui.core.store import ENDED, Store
from tui.core.transcript import Transcript
from tui.core.turn import Turn
from tui.core.turn_inputs import (
    AbortFailed,
    AbortNearby,
    AbortRequested,
    Accepted,
    Activity,
    BodyReceived,
    Disconnected,
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
    TraitsKnown,
)
from tui.core.turn_state import Action, TurnState
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    Empty,
    HttpStatusError,
    NetError,
    ProtocolError,
    ReadTimeout,
    Trickled,
    Unsendable,
)

log = logging.getLogger(__name__)

ENDED_KEPT = 50
"""Ended turns remembered a session, for their last line in the transcript."""

EVENTS_DUE = 5.0
"""Seconds after a prompt was posted by which the events of a server that has it must have come."""
ASK_WHILE_DEAF = 5.0
"""Seconds between two questions to a server whose events do not come: asking is all that is left."""

WENT_ON = 2.0
"""Seconds that a turn must have gone on after its connection broke, for that to show that its server does so."""

ABORT_MAY_COME = 60.0
"""Seconds for which an abort that was sent may still reach the server, and end what runs there by then."""

SEEN_LATE = 5.0
"""Seconds: servers tell their time to the second, so what is seen sooner is dated best by the one who saw it."""

Position: TypeAlias = Literal["unseen", "idle", "behind", "running", "passed"]
"""Where a server is with a turn: does not show its prompt, works on nothing, on an earlier prompt, on this turn,
on a later one."""

ABORTED_UNSENT = "you aborted it before the server got it"

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


class TurnTracker:
    """All turns that run or ended while this client watched.

    `backend` gives the server's backend once it is known; `refetch` is the link's; `spawn` starts a task that ends
    with the client; `deliver` takes events into the store; `ended` hears of each end of a turn, and
    `accepted` of each prompt that the server took under an id of its own, `arrived` of each that had gone back to
    the person;
    `clear` waits until the prompt may be posted, where it may not at once; False: it may not at all, for the
    person asked to abort it;
    `heard` counts the events that came; `ready` says whether the line is up; `server_now` is the server's clock
    (epoch seconds).
    """

    def __init__(
        self,
        store: Store,
        *,
        backend: Callable[[], Backend],
        refetch: Refetch,
        spawn: Spawn,
        deliver: Callable[[e.Event], None],
        notify: Callable[[TurnChanged | TurnEnded], None],
        ended: Callable[[Turn], None],
        accepted: Callable[[Prompt], None] = lambda prompt: None,
        arrived: Callable[[Prompt], None] = lambda prompt: None,
        clear: Callable[[Turn], Awaitable[bool]] | None = None,
        heard: Callable[[], int],
        ready: Callable[[], bool],
        clock: Callable[[], float],
        server_now: Callable[[], float],
        patience: StallTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._store = store
        self._backend = backend
        self._refetch = refetch
        self._spawn = spawn
        self._deliver = deliver
        self._notify = notify
        self._ended = ended
        self._accepted = accepted
        self._arrived = arrived
        self._clear = clear
        self._heard = heard
        self._ready = ready
        self._clock = clock
        self._server_now = server_now
        self.patience = patience
        self._turns: dict[str, list[Turn]] = defaultdict(list)
        self._before: dict[str, _Before] = {}
        self._posts: dict[str, asyncio.Task[None]] = {}
        self._unposted: set[str] = set()
        """The prompts whose POST waits for an abort to be over."""
        self._traits: Traits | None = None
        self._heard_at_post: dict[str, int] = {}
        """The events heard when a prompt was posted, while the stream has not broken since."""
        self._asking: set[str] = set()
        self._asked_at = 0.0
        self._aborted_at: dict[str, float] = {}
        self._heard_before = 0
        self.responsiveness = ResponsivenessTracker()
        self.cancels: bool | None = None
        """Whether this server ends a turn when its client leaves, as far as turns have shown."""
        self.awake = asyncio.Event()

    def of(self, session_id: str) -> Sequence[Turn]:
        """The session's turns that this client saw, oldest first."""
        return tuple(self._turns.get(session_id, ()))

    def current(self, session_id: str) -> Turn | None:
        """The turn to show: the oldest that still runs, else the newest."""
        turns = self._turns.get(session_id)
        if not turns:
            return None
        return next((turn for turn in turns if not turn.over), turns[-1])

    def diagnose(self, turn: Turn) -> Diagnosis | None:
        """What may be wrong with a running turn, while the line is live."""
        begun = self._store.answer_to(turn.session_id, turn.prompt_id) is not None
        return diagnose(turn, self.responsiveness, self._clock(), answer_begun=begun, timeouts=self.patience)

    def running(self) -> list[Turn]:
        return [turn for turns in self._turns.values() for turn in turns if not turn.over]

    def running_in(self, session_id: str) -> bool:
        return any(not turn.over for turn in self._turns.get(session_id, ()))

    def send(self, prompt: Prompt) -> Turn:
        """Post a prompt and hold the POST until the turn ends."""
        traits = self._backend().traits
        turn = Turn.begin(
            prompt,
            self._clock(),
            cancels_on_disconnect=self._cancels(traits),
            once=not traits.accepts_client_ids,
        )
        self._store.open_transcript(prompt.session_id)  # what becomes of the turn is read from there
        self._add(turn)
        self._before[prompt.message_id] = self._state_before(prompt.session_id)
        self._heard_at_post[prompt.message_id] = self._heard()
        self._post(turn)
        self._notify(TurnChanged(prompt.session_id))
        return turn

    def recover(self, prompt: Prompt) -> None:
        """Find out what became of a prompt that was in flight when its client died."""
        self._add(Turn.recover(prompt, self._clock()))
        self._notify(TurnChanged(prompt.session_id))

    def set_traits(self, traits: Traits) -> None:
        """The server's family is known: what was taken up before that hears how its turns end."""
        self._traits = traits
        for turn in self.running():
            self._feed(turn, TraitsKnown(self._cancels(traits)))

    def _cancels(self, traits: Traits) -> bool | None:
        return traits.cancels_on_disconnect if self.cancels is None else self.cancels

    def _learn(self, turn: Turn) -> None:
        """How a turn ended whose connection had broken shows what its server does then."""
        if turn.state is TurnState.CANCELLED:
            self.cancels = True
        elif turn.state is TurnState.FINISHED and turn.post.cut_at is not None:
            went_on = (turn.ended or turn.post.cut_at) - turn.post.cut_at > WENT_ON
            self.cancels = False if went_on else self.cancels

    def find(self, session_id: str, prompt_id: str) -> Turn | None:
        """The turn of a prompt, by the server's id of it or by ours."""
        turns = self._turns.get(session_id, ())
        ours = (t for t in turns if t.prompt is not None and t.prompt.message_id == prompt_id)
        return next((t for t in turns if t.prompt_id == prompt_id), None) or next(ours, None)

    def follow(self, session_id: str, prompt_id: str) -> Turn:
        """A turn of somebody else that an earlier run of this client saw: what became of it is asked."""
        self._store.open_transcript(session_id)
        turn = Turn.follow(session_id, prompt_id, self._clock(), unwatched=True)
        self._add(turn)
        return turn

    def abortable(self, session_id: str) -> list[Turn]:
        """The turns that an abort of the session ends, where it is taken now.

        One that the server is at work on before ours is followed from now on.
        """
        running = [t for t in self._turns.get(session_id, ()) if not (t.over or self.waits_for_abort(t))]
        earlier = self._earlier_at_work(running[0]) if running and self.position(running[0]) == "behind" else None
        if earlier is not None:
            running.insert(0, self.find(session_id, earlier) or self.follow(session_id, earlier))
        return running if self._traits is None or self._traits.aborts_queued else running[:1]

    def position(self, turn: Turn) -> Position:
        """Where the server is with the turn, as far as is known here."""
        transcript = self._store.transcript(turn.session_id)
        ours = transcript.messages.get(turn.prompt_id) if transcript is not None else None
        if transcript is None or (ours is None and turn.state in (TurnState.SENDING, TurnState.UNKNOWN)):
            return "unseen"
        if isinstance(self._store.status(turn.session_id), Idle):
            return "idle"
        answer = transcript.answer_to(turn.prompt_id)
        waits = ours is None and answer is None and self._traits is not None and not self._traits.aborts_queued
        if waits or self._earlier_at_work(turn) is not None:
            return "behind"
        later = self._later(turn, ours, transcript)
        whole = answer is not None and answer.completed is not None and (answer.final or answer.failure is not None)
        begun = any(transcript.answer_to(prompt.id) is not None for prompt in later)
        return "passed" if begun or (later and whole) else "running"

    def _earlier_at_work(self, turn: Turn) -> str | None:
        """The id of a prompt before the turn's that the server is at work on, so that the turn waits there."""
        transcript = self._store.transcript(turn.session_id)
        if transcript is None or transcript.answer_to(turn.prompt_id) is not None:
            return None
        ours, answer = transcript.messages.get(turn.prompt_id), transcript.newest_answer()
        at_work = None if answer is None or answer.completed is not None or answer.ended else answer.parent_id
        if self._traits is not None and not self._traits.aborts_queued and ours is None:
            newest = transcript.newest_prompt()
            at_work = newest.id if newest is not None and transcript.answer_to(newest.id) is None else at_work
        known = self.find(turn.session_id, at_work) if at_work is not None else None
        later = transcript.prompts_after(ours.created) if ours is not None else []
        if (known is not None and known.over) or at_work in {turn.prompt_id, *(prompt.id for prompt in later)}:
            return None
        return at_work

    def waits_for_abort(self, turn: Turn) -> bool:
        """Whether its prompt is not posted (again) before an abort of other turns is over."""
        return turn.prompt_id in self._unposted

    def abort_requested(self, turns: Iterable[Turn]) -> None:
        """An abort of these is about to be sent. It names no turn, and may end another of the session."""
        for turn in turns:
            self._feed(turn, AbortRequested())
            self._aborted_at[turn.session_id] = self._clock()
        for turn in self.running():
            if self._abort_may_come(turn.session_id):
                self._feed(turn, AbortNearby())

    def _abort_may_come(self, session_id: str) -> bool:
        return self._clock() - self._aborted_at.get(session_id, -math.inf) < ABORT_MAY_COME

    def abort_failed(self, turns: Iterable[Turn]) -> None:
        """These are not aborted after all: the server was not reached, or refused."""
        for turn in turns:
            self._feed(turn, AbortFailed())

    def rejected(self, request: Request, *, here: bool) -> None:
        """A request was rejected (`here`: by us): of the turn whose answer it stands in, or the only one there."""
        transcript = self._store.transcript(request.session_id)
        asked_in = transcript.messages.get(request.message_id or "") if transcript is not None else None
        running = [turn for turn in self._turns.get(request.session_id, ()) if not turn.over]
        if asked_in is not None:
            running = [turn for turn in running if turn.prompt_id == asked_in.parent_id]
        if len(running) == 1:
            self._feed(running[0], Rejected(here))

    def failure_seen(self, event: e.SessionFailed) -> None:
        for turn in self._turns.get(event.session_id, ()):
            self._feed(turn, ServerError(event.failure))

    def reevaluate(self) -> None:
        """Something changed in the store: let every running turn see it, and find those that others began."""
        for session_id in self._store.open_sessions():
            self._recognise(session_id)
        for turn in self.running():
            self._feed(turn, self._observed(turn))
        for session_id in self._store.open_sessions():
            followed = self._follow(session_id)
            if followed is not None:
                self._feed(followed, self._observed(followed))

    def touch(self, session_id: str) -> None:
        """Words came for the session: the cheap form of `look`."""
        for turn in self._turns.get(session_id, ()):
            turn.receive(Activity(), self._clock())

    def poll_all(self) -> None:
        """The line is back: what became of each turn is asked, not assumed."""
        for turn in self.running():
            self._poll(turn)

    def line_lost(self) -> None:
        """Nothing is heard of the turns any more: when one ends now only the server's record can tell."""
        for turn in self.running():
            self._feed(turn, Disconnected())

    def line_back(self) -> None:
        """The event stream is back: POSTs that were open meanwhile are doubted, and each turn is asked for."""
        self._heard_at_post.clear()
        for turn in self.running():
            self._feed(turn, Reconnected())

    def tick(self) -> None:
        """Time passed: look, ask where it is due, and see whether events come at all."""
        heard, now = self._heard(), self._clock()
        if heard != self._heard_before:
            self._heard_before = heard
            self.responsiveness.record_event()
        elif self.responsiveness.no_events_since is not None and now - self._asked_at >= ASK_WHILE_DEAF:
            self.poll_all()
        self.reevaluate()
        for turn in self.running():
            self._feed(turn, Tick())

    def _add(self, turn: Turn) -> None:
        if self._abort_may_come(turn.session_id):
            turn.receive(AbortNearby(), self._clock())
        turns = self._turns[turn.session_id]
        turns.append(turn)
        ended = [t for t in turns if t.over]
        for old in ended[:-ENDED_KEPT]:
            turns.remove(old)
        self.awake.set()

    def _feed(self, turn: Turn, what: Input) -> None:
        was_over = turn.over
        before = (turn.state, turn.reason, turn.post.padding_bytes, turn.post.held)
        for action in turn.receive(what, self._clock()):
            match action:
                case Action.POLL:
                    self._poll(turn)
                case Action.POST:
                    self._post(turn)
                case Action.CLOSE_POST:
                    held = self._posts.pop(turn.prompt_id, None)
                    if held is not None and held is not asyncio.current_task():
                        held.cancel()
        if before != (turn.state, turn.reason, turn.post.padding_bytes, turn.post.held):
            log.info("turn %s: %s (%s)", turn.prompt_id, turn.state.value, turn.reason)
            self._notify(TurnChanged(turn.session_id))
        if turn.over and not was_over:
            self._before.pop(turn.prompt_id, None)
            self._heard_at_post.pop(turn.prompt_id, None)
            self._date_end(turn)
            self._learn(turn)
            self._notify(TurnEnded(turn.session_id, turn.prompt_id))
            self._ended(turn)
            if isinstance(what, BodyReceived) and self._has_open_calls(turn):
                self._poll(turn)  # the POST brings the last message only, and the events of the others are late

    def _has_open_calls(self, turn: Turn) -> bool:
        """Whether a tool call of the turn's answers is not known to have ended."""
        transcript = self._store.transcript(turn.session_id)
        answers = [m for m in transcript.ordered() if m.parent_id == turn.prompt_id] if transcript is not None else []
        parts = (part for m in answers if transcript is not None for part in transcript.parts_of(m.id))
        return any(isinstance(part, ToolPart) and part.state not in ENDED for part in parts)

    def _date_end(self, turn: Turn) -> None:
        """A turn may have ended long before this client heard of it: the server knows when it did."""
        transcript = self._store.transcript(turn.session_id)
        prompt = transcript.messages.get(turn.prompt_id) if transcript is not None else None
        answer = self._store.answer_to(turn.session_id, turn.prompt_id)
        if prompt is None or answer is None or not answer.completed:
            return
        if answer.completed <= answer.created:
            return  # when it ended is not on record
        ago = self._server_now() - answer.completed
        seen_late = ago > SEEN_LATE or turn.ended is None
        ended = max(turn.started, self._clock() - ago) if seen_late else None
        turn.set_end(max(0.0, answer.completed - prompt.created), ended)

    def _follow(self, session_id: str) -> Turn | None:
        """The turn that the session is at work on, where it is not known as running yet."""
        transcript = self._store.transcript(session_id)
        if isinstance(self._store.status(session_id), Idle) or transcript is None or self.running_in(session_id):
            return None
        newest = transcript.newest_prompt()
        if newest is None:
            return None
        known = next((t for t in self._turns.get(session_id, ()) if t.prompt_id == newest.id), None)
        answer = transcript.answer_to(newest.id)
        if known is None:
            if answer is not None and answer.ended:
                return None  # the session is at work on a prompt that is still to be told
            known = Turn.follow(session_id, newest.id, self._clock())
            self._add(known)
        elif known.state is TurnState.INTERRUPTED and (answer is None or answer.completed is None):
            known.resume(self._clock())
            self.awake.set()
        else:
            return None  # where it ended, what keeps the session busy now is the server's own work
        self._notify(TurnChanged(session_id))
        return known

    def _post(self, turn: Turn) -> None:
        self._posts[turn.prompt_id] = self._spawn(self._hold_post(turn))

    async def _hold_post(self, turn: Turn) -> None:
        assert turn.prompt is not None
        try:
            if self._clear is not None and not await self._when_clear(turn, self._clear):
                self._feed(turn, PostNotSent(ABORTED_UNSENT))
                return
            answer = await self._backend().post_prompt(turn.prompt, _Watcher(self, turn))
        except (ConnectFailed, CertificateError, Unsendable) as error:
            self._feed(turn, PostNotSent(error.message))
        except PromptRejected as error:
            self._feed(turn, PostRefused(error.message))
        except HttpStatusError as error:
            if error.status < 500:
                self._feed(turn, PostRefused(error.message))
            else:
                self._feed(turn, PostFailed(error.message, cut=False, again=error.status != 500))
        except Empty as error:
            self._feed(turn, PostFailed(error.message, cut=False, again=not error.declared))
        except NetError as error:
            self._feed(
                turn,
                PostFailed(
                    error.message, cut=isinstance(error, ConnectionLost | ReadTimeout | Trickled | ProtocolError)
                ),
            )
        else:
            if isinstance(answer, PromptAccepted):
                self._accept(turn, answer.server_id)
            else:
                self._store_message(answer)
                self._feed(turn, BodyReceived(answer.message, rejected=ends_rejected(answer.parts)))
        finally:
            if self._posts.get(turn.prompt_id) is asyncio.current_task():
                del self._posts[turn.prompt_id]

    async def _when_clear(self, turn: Turn, clear: Callable[[Turn], Awaitable[bool]]) -> bool:
        """Wait until no abort is under way in the session, which would end this turn too; whether to post it."""
        self._unposted.add(turn.prompt_id)
        turn.posted(math.inf)
        try:
            return await clear(turn)
        finally:
            self._unposted.discard(turn.prompt_id)
            turn.posted(self._clock())

    def _recognise(self, session_id: str) -> None:
        """Find what is there of prompts whose POST is not answered, and of those that were taken for not sent."""
        transcript = self._store.transcript(session_id)
        own = [one for one in self._turns.get(session_id, ()) if one.prompt is not None and one.may_arrive]
        for turn in own:
            assert turn.prompt is not None
            known_as = turn.prompt_id
            if self._traits is not None and not self._traits.accepts_client_ids:
                same = [one for one in own if one.prompt is not None and one.prompt.text == turn.prompt.text]
                known_as = self._backend().told_as(turn.prompt) if len(same) == 1 else ""
            was_over, there = turn.over, transcript is not None and transcript.has_parts(known_as)
            if was_over and there:
                turn.resume(self._clock())
                self.awake.set()
                self._notify(TurnChanged(session_id))
                self._arrived(turn.prompt)
            if there and known_as != turn.prompt_id:
                self._accept(turn, known_as)

    def _accept(self, turn: Turn, known_as: str) -> None:
        """The server has the prompt, and calls it `known_as`: so do we, from now on."""
        assert turn.prompt is not None
        self._posts.pop(turn.prompt_id, None)
        if turn.prompt_id in self._before:
            self._before[known_as] = self._before.pop(turn.prompt_id)
        turn.prompt = replace(turn.prompt, server_id=known_as)
        self._accepted(turn.prompt)
        self._feed(turn, Accepted(known_as))

    def _store_message(self, full: FullMessage) -> None:
        self._deliver(e.MessageUpserted(full.message))
        for part in full.parts:
            self._deliver(e.PartUpserted(part))

    def _poll(self, turn: Turn) -> None:
        """Ask unless it is being asked, or the line is down: then it waits for `ask_all`."""
        if self._ready() and turn.prompt_id not in self._asking:
            self._asking.add(turn.prompt_id)
            self._asked_at = self._clock()
            self._spawn(self._ask_server(turn))

    async def _ask_server(self, turn: Turn) -> None:
        asked_for = turn.prompt_id
        try:
            await self.ask(turn)
        except NetError as error:
            log.info("turn %s: could not ask: %s", turn.prompt_id, error.message)
            if isinstance(error, ReadTimeout):
                self.responsiveness.no_answer(self._clock(), healthy=await self._is_healthy())
        finally:
            self._asking.discard(asked_for)

    async def ask(self, turn: Turn) -> None:
        """Ask the server for the turn now. Raises `NetError`."""
        stored: bool | None = None
        gone = False

        async def fetch() -> Sequence[e.Event]:
            nonlocal stored, gone
            backend = self._backend()
            found = await backend.look_up(turn.session_id, turn.prompt_id, turn.prompt)
            stored, gone = found.stored, found.session_gone
            if found.server_id and found.server_id != turn.prompt_id:
                self._accept(turn, found.server_id)
            if gone:
                return ()
            loaded = await backend.messages(turn.session_id)
            session = self._store.sessions.get(turn.session_id)
            return (loaded, await backend.resync([session.directory] if session is not None else []))

        mark, heard = self._store.session_version(turn.session_id), self._heard()
        was_followed = turn.state in (TurnState.RUNNING, TurnState.WAITING, TurnState.RETRYING)
        was_followed = was_followed or self._events_due(turn)
        await self._refetch(fetch)
        news = was_followed and self._store.session_version(turn.session_id) != mark and self._heard() == heard
        self.responsiveness.record_poll(self._clock(), missed_events=news or (bool(stored) and self._is_untold(turn)))
        self._feed(turn, self._observed(turn, asked=True, stored=stored, gone=gone))

    async def _is_healthy(self) -> bool:
        try:
            await self._backend().ping()
        except NetError as error:
            log.info("the health check: %s", error.message)
            return False
        return True

    def _is_untold(self, turn: Turn) -> bool:
        """No event at all came since the prompt was posted, though the server has it."""
        return self._events_due(turn) and self._heard_at_post[turn.prompt_id] == self._heard()

    def _events_due(self, turn: Turn) -> bool:
        """Whether events of its prompt must have come: posted a while ago, and the stream has not broken since."""
        return turn.prompt_id in self._heard_at_post and self._clock() - turn.started >= EVENTS_DUE

    def _state_before(self, session_id: str) -> "_Before":
        transcript = self._store.transcript(session_id)
        if transcript is None or not transcript.loaded:
            return _Before(self._server_now(), frozenset())
        prompts = [m for m in transcript.messages.values() if m.role == "user"]
        newest = max((m.created for m in prompts), default=float("-inf"))
        return _Before(newest, frozenset(m.id for m in prompts))

    def _observed(self, turn: Turn, *, asked: bool = False, stored: bool | None = None, gone: bool = False) -> Snapshot:
        session_id, prompt_id = turn.session_id, turn.prompt_id
        transcript = self._store.transcript(session_id)
        ours = transcript.messages.get(prompt_id) if transcript is not None else None
        if turn.start_unknown and ours is not None and ours.created:
            turn.set_started(self._clock() - max(0.0, self._server_now() - ours.created))
        later = self._later(turn, ours, transcript) if transcript is not None else []
        answers = [self._store.answer_to(session_id, prompt.id) for prompt in later]
        requests = self._store.requests_of(session_id)
        answer = self._store.answer_to(session_id, prompt_id)
        parts = transcript.parts_of(answer.id) if transcript is not None and answer is not None else ()
        complete = [m for m in answers if m is not None and m.ended]
        return Snapshot(
            status=self._store.status(session_id),
            stored=True if ours is not None else stored,
            answer=answer,
            waiting=bool(requests),
            waited=max([0.0, *(self._server_now() - one.asked for one in requests if one.asked is not None)]),
            has_later_prompt=bool(later),
            later_answer=min(complete, key=lambda m: m.created, default=None),
            gone=gone or session_id in self._store.deleted,
            polled=asked,
            version=self._store.session_version(session_id),
            has_no_parts=ours is not None and transcript is not None and not transcript.parts_of(prompt_id),
            others_failure=transcript is not None
            and turn.failure is not None
            and _is_others(turn.failure, prompt_id, transcript),
            id_too_low=asked and self._backend().traits.answers_in_id_order and _is_outrun(turn, transcript),
            rejected=ends_rejected(parts),
        )

    def _later(self, turn: Turn, ours: Message | None, transcript: Transcript) -> list[Message]:
        """The prompts that came after the turn's: while it is not there, those that were not when it was sent."""
        if ours is not None:
            return transcript.prompts_after(ours.created)
        before = self._before.get(turn.prompt_id)
        if before is None:
            return []  # of an earlier run: what was there when it was sent is not known
        earlier = takewhile(lambda one: one is not turn, self._turns.get(turn.session_id, ()))
        known = before.ids | {one.prompt_id for one in earlier}
        return [m for m in transcript.prompts_after(before.created) if m.id not in known]


def _is_others(failure: Failure, prompt_id: str, transcript: Transcript) -> bool:
    """Whether an error is how the answer to another prompt ended: it may be told long after that."""
    return any(answer.parent_id != prompt_id for answer in transcript.failed_with(failure))


def _is_outrun(turn: Turn, transcript: Transcript | None) -> bool:
    newest = transcript.newest_answer() if transcript is not None else None
    return newest is not None and newest.id > turn.prompt_id


class _Before(msgspec.Struct, frozen=True):
    """The prompts of a session when another one was sent: their ids, and when the newest came (epoch seconds)."""

    created: float
    ids: frozenset[str]


class _Watcher:
    """Tells a turn how its POST fares."""

    def __init__(self, turns: TurnTracker, turn: Turn) -> None:
        self._turns = turns
        self._turn = turn

    def headers(self) -> None:
        self._turns._feed(self._turn, HeadersReceived())

    def pads(self, total: int) -> None:
        self._turns._feed(self._turn, PaddingReceived(total))
