"""One turn from its prompt to its recorded end: its events, its requests, its result.

The client decides when a turn is over; this reads what the server stored of it.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Literal

import msgspec

from tui.api.errors import CannotConnect
from tui.api.event_feed import EventFeed
from tui.api.request_policy import OnRequest, RequestPolicy
from tui.api.values import (
    EndEvent,
    Event,
    NoticeEvent,
    Outcome,
    Result,
    TextEvent,
    Usage,
)
from tui.client.client import Client
from tui.client.recorded_turn import RecordedTurn, recorded_turn
from tui.core import changes as c
from tui.core.connection_status import ConnectionState
from tui.core.model import FullMessage, TextPart
from tui.core.turn import Turn
from tui.core.turn_state import TurnState
from tui.net.errors import HttpStatusError, NetError, SchemaMismatch

STOPPED_FOR = 300.0
"""Seconds for which a connection that was stopped during a turn is retried, until the run gives up."""
RETRY_INTERVAL = 15.0
"""Seconds between two retries of a stopped connection, and of a fetch that failed."""
MAX_PERMANENT_FAILURES = 5
"""Fetches of an ended turn in a row that fail for a reason that a retry does not change, until the run gives up."""
LONG = 500
"""Messages from which on a session's texts are looked at once in `LONG_TEXT_INTERVAL` seconds, not at each change."""
LONG_TEXT_INTERVAL = 1.0

OUTCOMES: dict[TurnState, Outcome] = {
    TurnState.FINISHED: "finished",
    TurnState.FAILED: "failed",
    TurnState.ABORTED: "aborted",
    TurnState.INTERRUPTED: "interrupted",
    TurnState.CANCELLED: "cancelled",
    TurnState.NOT_SENT: "not sent",
}
SENT_ONCE = "A key never sends it again; to send it again on purpose, use another key"
"""How to continue after an end that is not known."""


class TurnStatus(msgspec.Struct, frozen=True):
    """A turn at one moment. `seconds` since it started; `heartbeats` on the request that holds it, if it has any."""

    connection: str
    state: str
    seconds: float
    heartbeats: int


class RunningTurn:
    """A turn that this client sent or took up. Get one from `Connection.start` or `Connection.take_up`."""

    def __init__(
        self,
        client: Client,
        turn: Turn,
        *,
        on_request: OnRequest = "wait",
        on_event: Callable[[Event], None] = lambda event: None,
    ) -> None:
        self._client = client
        self._turn = turn
        self._on_event = on_event
        self._changed = asyncio.Event()
        self._left: tuple[Outcome, str] | None = None
        self._policy = RequestPolicy(client, on_request)
        self._told_texts: set[str] = set()
        self._next_look: asyncio.TimerHandle | None = None
        self._missed_look = False
        self._feed = EventFeed(
            client,
            self._deliver,
            session_id=turn.session_id,
            decided=self._policy.decisions.get,
            is_of_turn=self._is_of_turn,
        )
        client.subscribe(self._on_change)
        self._feed.start()
        self._on_change(c.RequestsChanged())

    @property
    def session(self) -> str:
        """The session's id."""
        return self._turn.session_id

    @property
    def prompt(self) -> str:
        """The server's id of the prompt; until it has one, this client's."""
        return self._turn.prompt_id

    @property
    def stored(self) -> bool:
        """Whether the server has the prompt."""
        return not self._turn.may_arrive and self._turn.state is not TurnState.NOT_SENT

    @property
    def over(self) -> bool:
        """Whether the turn ended, with or without a result that was read."""
        return self._turn.over

    def status(self) -> TurnStatus:
        """The turn at this moment."""
        now, turn = self._client.now(), self._turn
        return TurnStatus(
            self._client.connection_status().state.value,
            turn.known_state.value,
            max(0.0, now - turn.started),
            turn.post.padding_bytes,
        )

    def abort(self) -> None:
        """Abort the turn, retried until the server has done so; `result` then returns."""
        self._client.abort(self.session)

    def leave(self, outcome: Literal["detached", "timeout", "aborted"], reason: str = "") -> None:
        """Let `result` return at once; the turn continues on the server."""
        self._left = (outcome, reason)
        self._changed.set()

    async def until_stored(self) -> bool:
        """Wait until the server has the prompt; False if it does not accept it. Raises `CannotConnect`."""
        await self._until(lambda: self.stored or self._turn.over or self._left is not None)
        return self.stored

    async def result(self) -> Result:
        """Wait for the turn's recorded end. Raises `CannotConnect`; the turn then continues on the server."""
        try:
            result = await self._wait()
        finally:
            self._client.unsubscribe(self._on_change)
            if self._next_look is not None:
                self._next_look.cancel()
        self._deliver(EndEvent(time=self._client.server_now(), result=result))
        return result

    async def _wait(self) -> Result:
        while True:
            await self._until(
                lambda: (
                    self._left is not None
                    or self._policy.unanswered(self._feed.records.by_id) is not None
                    or self._turn.over
                )
            )
            if self._left is not None:
                return self._so_far(*self._left)
            if self._turn.over:
                record = await self._fetch()
                if self._left is not None or record is not None:
                    return self._so_far(*self._left) if record is None else self._ended(record)
            elif (request := self._policy.unanswered(self._feed.records.by_id)) is not None:
                return self._so_far("waiting", request.summary)

    def _so_far(self, outcome: Outcome, reason: str) -> Result:
        if self.stored and self._turn.prompt is not None:  # nothing is lost: no later client needs to look for it
            self._client.journal.clear_in_flight(self._turn.prompt.message_id)
        record = self._stored_here()
        self._tell_texts(record)
        return self._result(outcome, reason, record, complete=False)

    def _ended(self, record: RecordedTurn) -> Result:
        self._tell_texts(record)
        turn = self._turn
        if turn.arrival_unknown:
            return self._result("unknown", f"{turn.reason}. Check session {self.session}. {SENT_ONCE}", record)
        outcome = OUTCOMES[turn.state]
        if record.denied or self._feed.records.denied:
            by_rejection = outcome == "aborted" and not turn.stops.abort_requested
            outcome = "denied" if outcome == "finished" or by_rejection else outcome
        return self._result(outcome, turn.reason or record.cut, record)

    def _result(self, outcome: Outcome, reason: str, record: RecordedTurn, *, complete: bool = True) -> Result:
        texts = [whole_lines(one.text) for one in record.texts if complete or one.id in self._told_texts]
        usages = [one.usage for one in record.answers if one.usage is not None]
        ends = [one.completed for one in record.answers if one.completed]
        return Result(
            session=self.session,
            prompt=self.prompt,
            outcome=outcome,
            reason=reason,
            text="".join(texts),
            final=texts[-1] if texts else "",
            requests=tuple(self._feed.records.by_id.values()),
            usage=Usage(
                sum(one.input_tokens for one in usages),
                sum(one.output_tokens for one in usages),
                sum(one.cost for one in usages),
            ),
            started=record.prompt.created if record.prompt is not None else None,
            ended=ends[-1] if ends and outcome not in ("detached", "timeout", "waiting") else None,
        )

    async def _fetch(self) -> RecordedTurn | None:
        """What the server stored of the ended turn; None if it was resumed meanwhile, or this client left."""
        if self._turn.state is TurnState.NOT_SENT:
            self._client.journal.save_draft(self.session, "")  # the caller has the prompt: it is no draft
            return RecordedTurn()
        failures = permanent = 0
        while self._turn.over and self._left is None:
            await self._until(lambda: self._client.synced or self._left is not None)
            try:
                found = await self._unless_left(self._client.recorded_turn(self.session, self._turn.prompt_id))
            except NetError as error:
                if isinstance(error, HttpStatusError) and error.status in (404, 410):
                    return self._stored_here()  # the session is deleted
                failures += 1
                permanent = permanent + 1 if error.permanent or isinstance(error, SchemaMismatch) else 0
                if permanent >= MAX_PERMANENT_FAILURES:
                    return self._cut_short(error.message)
                if failures == 1:
                    self._warn(
                        f"The stored answer cannot be read: {error.message}; retried every {RETRY_INTERVAL:.0f} s"
                    )
                await self._pause()
            else:
                if found is not None and found.cut and self._turn.over:
                    return self._cut_short(found.cut)
                return found if self._turn.over else None
        return None

    def _cut_short(self, why: str) -> RecordedTurn:
        """What is stored here of a turn that cannot be read whole, and a notice that says so.

        Raises `CannotConnect` where a finished turn has no answer here.
        """
        record = self._stored_here()
        if self._turn.state is TurnState.FINISHED and not record.answers:
            raise CannotConnect(f"The stored answer cannot be read: {why}")
        text = f"The stored answer cannot be read whole: {why}; the result may be incomplete"
        self._warn(text)
        return msgspec.structs.replace(record, cut=text)

    def _warn(self, text: str) -> None:
        self._deliver(NoticeEvent(time=self._client.server_now(), text=text, severity="warning"))

    async def _unless_left(self, fetch: Coroutine[None, None, RecordedTurn]) -> RecordedTurn | None:
        """The result of `fetch`; None once this client left, without waiting for it."""
        fetching = asyncio.ensure_future(fetch)

        def wake(_: object) -> None:
            self._changed.set()

        fetching.add_done_callback(wake)
        try:
            await self._until(lambda: fetching.done() or self._left is not None)
            if self._left is not None:
                return None
            self._changed.clear()  # the end of the fetch must not end the pause before the next one
            return fetching.result()
        finally:
            fetching.remove_done_callback(wake)
            fetching.cancel()

    def _stored_here(self) -> RecordedTurn:
        """The turn, as far as the store has it."""
        transcript = self._client.store.transcript(self.session)
        if transcript is None:
            return RecordedTurn()
        messages = [FullMessage(one, tuple(transcript.parts_of(one.id))) for one in transcript.ordered()]
        return recorded_turn(messages, self._turn.prompt_id)

    async def _until(self, condition: Callable[[], object]) -> None:
        """Wait until `condition` holds after a change. Raises `CannotConnect` if the connection stays stopped."""
        stopped_at: float | None = None
        while not condition():
            self._changed.clear()
            line = self._client.connection_status()
            if line.state is not ConnectionState.STOPPED:
                stopped_at = None
                await self._changed.wait()
                continue
            now = self._client.now()
            stopped_at = now if stopped_at is None else stopped_at
            if now - stopped_at >= STOPPED_FOR:
                raise CannotConnect(line.reason, line.hint)
            await self._pause()
            self._client.retry_now()

    async def _pause(self) -> None:
        """Wait `RETRY_INTERVAL` seconds, or until something changes."""
        try:
            async with asyncio.timeout(RETRY_INTERVAL):
                await self._changed.wait()
        except TimeoutError:
            pass  # the time is over
        self._changed.clear()

    def _on_change(self, change: c.Change) -> None:
        self._feed.on_change(change)
        if isinstance(change, c.ReplyStatusChanged) and change.state in ("refused", "stopped"):
            self._warn(f"The reply to {change.request.id} was not accepted: {change.reason}")
        if self._may_complete_text(change):
            self._look_at_texts()
        if isinstance(change, c.PartRemoved):
            self._told_texts.discard(change.part_id)
        if isinstance(change, c.RequestClosed):
            self._policy.closed(change.request.id)
        if isinstance(change, c.RequestsChanged | c.SessionsChanged | c.ConnectionChanged):
            self._policy.apply(self._feed.records.by_id)
        self._changed.set()

    def _may_complete_text(self, change: c.Change) -> bool:
        """Whether a text of the session may be complete now that was not before."""
        match change:
            case c.PartChanged(self.session, message_id, part_id):
                transcript = self._client.store.transcript(self.session)
                part = transcript.part(message_id, part_id) if transcript is not None else None
                return isinstance(part, TextPart) and part.state == "done" and part.id not in self._told_texts
            case c.TranscriptReset(self.session) | c.MessageChanged(self.session) | c.PartRemoved(self.session):
                return True
        return False

    def _look_at_texts(self) -> None:
        """Report the texts that are complete; of a long session again only after a time."""
        if self._next_look is not None:
            self._missed_look = True
            return
        self._missed_look = False
        self._tell_texts(self._stored_here())
        transcript = self._client.store.transcript(self.session)
        if transcript is not None and len(transcript.messages) > LONG:
            self._next_look = asyncio.get_running_loop().call_later(LONG_TEXT_INTERVAL, self._look_again)

    def _look_again(self) -> None:
        self._next_look = None
        if self._missed_look:
            self._look_at_texts()

    def _tell_texts(self, record: RecordedTurn) -> None:
        """Report the texts that are complete, in order; later ones wait for an incomplete one before them."""
        for part in record.texts:
            if part.id in self._told_texts:
                continue
            if part.state != "done":
                return
            self._told_texts.add(part.id)
            self._deliver(
                TextEvent(
                    time=self._client.server_now(),
                    session=part.session_id,
                    message=part.message_id,
                    part=part.id,
                    text=whole_lines(part.text),
                )
            )

    def _is_of_turn(self, session_id: str, message_id: str) -> bool:
        """Whether a message came after the turn's prompt."""
        transcript = self._client.store.transcript(session_id)
        if transcript is None or session_id != self.session:
            return transcript is not None
        prompt, message = transcript.messages.get(self._turn.prompt_id), transcript.messages.get(message_id)
        return prompt is not None and message is not None and message.created >= prompt.created

    def _deliver(self, event: Event) -> None:
        self._on_event(event)


def whole_lines(text: str) -> str:
    """The text with a newline at its end."""
    return text if text.endswith("\n") else f"{text}\n"
