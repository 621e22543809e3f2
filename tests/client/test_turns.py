"""Turns of a client with a scripted server, on a clock controlled by the test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from tests.fake_ports import FakeServer, fake_ports, ignore
from tests.fake_time import FakeTime, settle
from tui.backends.base import PostObserver, PromptLookup, PromptRejected, Traits
from tui.client.pending_aborts import PendingAborts
from tui.client.turn_outcomes import TurnOutcomes
from tui.client.turn_poller import POLL_WITHOUT_EVENTS
from tui.client.turns import MAX_ENDED, TurnTracker
from tui.core import events as e
from tui.core.changes import Change, TurnChanged, TurnEnded
from tui.core.diagnosis import Kind
from tui.core.model import (
    Busy,
    Failure,
    FullMessage,
    Idle,
    Message,
    Prompt,
    Question,
    QuestionRequest,
    Session,
    SessionStatus,
    TextPart,
    ToolPart,
)
from tui.core.poll_schedule import IDLE_CONFIRM_DELAY
from tui.core.store import Store
from tui.core.turn import UNACKNOWLEDGED_TIMEOUT, Turn
from tui.core.turn_ending_idle import ANSWER_START_TIMEOUT, BODY_TIMEOUT
from tui.core.turn_state import TurnState
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    Empty,
    HttpStatusError,
    NetError,
    ProtocolError,
    ReadTimeout,
    UnexpectedContentType,
)

PROMPT = Prompt("ses_1", "do it", "msg_1", "prt_1")
STORED = Message("msg_1", "ses_1", "user", created=10.0)
ANSWER = Message("msg_2", "ses_1", "assistant", created=11.0, completed=12.0, parent_id="msg_1", final=True)
UNDONE = replace(ANSWER, completed=None, final=False)
WORDS = TextPart("prt_2", "ses_1", "msg_2", "Done.")
LATER = Message("msg_7", "ses_1", "user", created=20.0)


@dataclass
class Post:
    """A POST that stays open until the test ends it."""

    prompt: Prompt
    watcher: PostObserver
    result: "asyncio.Future[FullMessage]"


@dataclass
class Server:
    """The part of a backend that turns need."""

    traits: Traits = field(default_factory=lambda: Traits("test"))
    messages_there: list[Message] = field(default_factory=list)
    loses_text: bool = False
    status: SessionStatus = field(default_factory=Idle)
    session_gone: bool = False
    fails: NetError | None = None
    posts: list[Post] = field(default_factory=list)
    asked: int = 0
    ping_fails: NetError | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    async def ping(self) -> float:
        if self.ping_fails is not None:
            raise self.ping_fails
        return 0.0

    async def post_prompt(self, prompt: Prompt, watcher: PostObserver) -> FullMessage:
        post = Post(prompt, watcher, asyncio.get_running_loop().create_future())
        self.posts.append(post)
        return await post.result

    async def look_up(self, session_id: str, prompt_id: str, prompt: Prompt | None = None) -> PromptLookup:
        self.asked += 1
        await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        return PromptLookup(any(m.id == prompt_id for m in self.messages_there), self.session_gone)

    async def messages(self, session_id: str) -> e.MessagesLoaded:
        return e.MessagesLoaded(session_id, tuple(self._full(m) for m in self.messages_there), None)

    def _full(self, message: Message) -> FullMessage:
        worded = message.role == "user" and not self.loses_text
        words = TextPart(f"prt_of_{message.id}", message.session_id, message.id, "do it")
        return FullMessage(message, (words,) if worded else ())

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        busy = not isinstance(self.status, Idle)
        return e.Resynced({"ses_1": self.status} if busy else {}, ())


class TrackerHarness:
    """A turn tracker with its dependencies, and the changes it reported."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.server = Server()
        self.store = Store()
        self.changes: list[Change] = []
        self.ended: list[Turn] = []
        self.connection = FakeServer(self.server, self.time, self.deliver)
        self.tasks: set[asyncio.Task[None]] = set()
        ports = fake_ports(self.connection, self.time, emit=self.changes.append, apply=self.deliver, spawn=self.spawn)
        outcomes = cast(TurnOutcomes, SimpleNamespace(on_turn_ended=self.ended.append, on_accepted=ignore))
        self.turns = TurnTracker(self.store, outcomes, PendingAborts(), ports)

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def deliver(self, event: e.Event) -> None:
        if self.store.apply(event):
            self.turns.reevaluate()

    async def events(self, *events: e.Event) -> None:
        """Deliver events of the stream."""
        for event in events:
            self.connection.events += 1
            self.deliver(event)
        await settle()

    async def send(self, prompt: Prompt = PROMPT) -> Turn:
        turn = self.turns.send(prompt)
        await settle()
        return turn

    async def answer(self, *parts: TextPart, message: Message = ANSWER, post: int = -1) -> None:
        self.server.posts[post].result.set_result(FullMessage(message, parts))
        await settle()

    async def fail(self, error: NetError, post: int = -1) -> None:
        self.server.posts[post].result.set_exception(error)
        await settle()

    async def wait(self, seconds: float) -> None:
        """Let time pass, in steps of the client's tick."""
        for _ in range(int(seconds * 2)):
            await self.time.advance(0.5)
            self.turns.tick()
            await settle()


def state(turn: Turn) -> TurnState:
    """The current state: a type checker assumes that an attribute once compared does not change."""
    return turn.state


@pytest.fixture
async def harness() -> AsyncIterator[TrackerHarness]:
    harness = TrackerHarness()
    yield harness
    for task in list(harness.tasks):
        task.cancel()
    await asyncio.gather(*harness.tasks, return_exceptions=True)


async def test_a_post_is_open_until_its_answer_arrives(harness: TrackerHarness) -> None:
    turn = await harness.send()
    assert [post.prompt for post in harness.server.posts] == [PROMPT]
    assert (state(turn), turn.post.held) == (TurnState.SENDING, True)
    assert harness.turns.current("ses_1") is turn
    assert harness.turns.running() == [turn]
    harness.server.posts[0].watcher.headers()
    assert state(turn) is TurnState.RUNNING
    harness.server.posts[0].watcher.padding(3)
    assert (turn.post.padding_bytes, turn.post.last_padding) == (3, harness.time.mono())
    assert harness.ended == []
    await harness.answer(WORDS)
    assert state(turn) is TurnState.FINISHED
    assert (harness.ended, harness.turns.running(), harness.tasks) == ([turn], [], set())
    transcript = harness.store.transcript("ses_1")
    assert transcript is not None
    assert transcript.messages == {"msg_2": ANSWER}
    assert transcript.parts_of("msg_2") == [WORDS]


async def test_each_step_emits_a_change(harness: TrackerHarness) -> None:
    await harness.send()
    harness.server.posts[0].watcher.headers()
    harness.server.posts[0].watcher.padding(1)
    harness.server.posts[0].watcher.padding(1)
    await harness.answer()
    sent_running_pad_over = [TurnChanged("ses_1")] * 4
    assert harness.changes == [*sent_running_pad_over, TurnEnded("ses_1", "msg_1")]


@pytest.mark.parametrize(
    "error",
    [
        ConnectFailed("connection refused"),
        CertificateError("expired"),
        HttpStatusError(409, excerpt="busy"),
        HttpStatusError(404),
        PromptRejected("five wait already", "Wait."),
    ],
)
async def test_an_error_that_proves_nondelivery_means_not_sent(harness: TrackerHarness, error: NetError) -> None:
    turn = await harness.send()
    await harness.fail(error)
    assert (state(turn), turn.reason) == (TurnState.NOT_SENT, error.message)
    assert harness.server.asked == 0
    assert harness.ended == [turn]


@pytest.mark.parametrize(
    "error",
    [
        ConnectionLost("reset"),
        ReadTimeout(30),
        ProtocolError("odd"),
        HttpStatusError(502),
        HttpStatusError(500),
        UnexpectedContentType("text/html"),
        Empty(3),
    ],
)
async def test_an_ambiguous_error_causes_a_lookup(harness: TrackerHarness, error: NetError) -> None:
    harness.server.messages_there, harness.server.status = [STORED], Busy()
    turn = await harness.send()
    await harness.fail(error)
    assert harness.server.asked == 1
    assert state(turn) is TurnState.RUNNING  # it was delivered, and continues without our POST
    assert not turn.post.held
    assert turn.reason == ""
    await harness.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert len(harness.server.posts) == 1


async def test_a_prompt_that_never_arrived_is_posted_again_with_the_same_ids(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.fail(ConnectionLost("reset"))
    assert state(turn) is TurnState.UNKNOWN
    await harness.wait(4.5)
    assert len(harness.server.posts) == 1
    await harness.wait(2)
    assert [post.prompt for post in harness.server.posts] == [PROMPT, PROMPT]
    assert (state(turn), turn.post.attempts) == (TurnState.SENDING, 2)
    await harness.answer()
    assert state(turn) is TurnState.FINISHED


async def test_a_prompt_is_not_posted_again_after_an_internal_server_error(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.fail(HttpStatusError(500))
    await harness.wait(7)
    assert len(harness.server.posts) == 1
    assert state(turn) is TurnState.NOT_SENT


async def test_a_prompt_is_not_posted_again_after_a_later_one(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.fail(ConnectionLost("reset"))
    harness.server.messages_there = [replace(LATER, created=harness.time.wall() + 1)]
    await harness.wait(7)
    assert (state(turn), len(harness.server.posts)) == (TurnState.NOT_SENT, 1)


async def test_a_previously_known_prompt_is_not_a_later_one(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    harness.server.messages_there = [LATER]
    await harness.events(e.MessageUpserted(LATER))
    turn = await harness.send()
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(7)
    assert (state(turn), len(harness.server.posts)) == (TurnState.SENDING, 2)


async def test_the_answer_to_a_later_prompt_ends_an_earlier_merged_one(harness: TrackerHarness) -> None:
    turn = await harness.send()
    later = replace(ANSWER, id="msg_8", parent_id="msg_7")
    harness.server.messages_there = [STORED, LATER, later]
    await harness.answer(message=later)
    assert (state(turn), turn.reason) == (TurnState.FINISHED, "answered together with a later prompt")


async def test_the_answer_to_an_earlier_prompt_ends_nothing(harness: TrackerHarness) -> None:
    harness.server.messages_there, harness.server.status = [STORED], Busy()
    turn = await harness.send()
    await harness.answer(message=replace(ANSWER, parent_id="msg_0"))
    assert state(turn) is TurnState.RUNNING
    assert harness.server.asked == 1


async def test_nothing_is_polled_while_disconnected(harness: TrackerHarness) -> None:
    turn = await harness.send()
    harness.connection.synced = False
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(60)
    assert (harness.server.asked, state(turn)) == (0, TurnState.UNKNOWN)
    harness.connection.synced = True
    harness.server.messages_there, harness.server.status = [STORED], Busy()
    harness.turns.poll_all()
    await settle()
    assert (harness.server.asked, state(turn)) == (1, TurnState.RUNNING)


async def test_an_unpolled_turn_is_not_interrupted(harness: TrackerHarness) -> None:
    turn = await harness.send()
    harness.connection.synced = False
    await harness.events(e.MessageUpserted(STORED), e.MessageUpserted(UNDONE))
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(60)
    assert (turn.over, harness.server.asked) == (False, 0)


async def test_one_poll_at_a_time(harness: TrackerHarness) -> None:
    await harness.send()
    harness.server.gate.clear()
    harness.turns.poll_all()
    harness.turns.poll_all()
    await settle()
    assert harness.server.asked == 1
    harness.server.gate.set()
    await settle()
    harness.turns.poll_all()
    await settle()
    assert harness.server.asked == 2


async def test_a_failed_poll_is_repeated_and_proves_nothing(harness: TrackerHarness) -> None:
    turn = await harness.send()
    harness.server.fails = HttpStatusError(502)
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(60)
    assert state(turn) is TurnState.UNKNOWN
    assert harness.server.asked == pytest.approx(13, abs=1)
    assert len(harness.server.posts) == 1


async def test_a_deleted_session_interrupts_its_turn(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    harness.server.session_gone = True
    await harness.fail(ConnectionLost("reset"))
    assert (state(turn), turn.reason) == (TurnState.INTERRUPTED, "the session no longer exists on the server")


async def test_a_call_with_a_missed_end_is_read_from_the_record(harness: TrackerHarness) -> None:
    """The POST's body is the last message of the turn; events of an earlier one may be missing."""
    step = replace(ANSWER, id="msg_step", final=False)
    turn = await harness.send()
    call = ToolPart("prt_9", "ses_1", step.id, "call_9", "bash", "running")
    await harness.events(e.MessageUpserted(STORED), e.MessageUpserted(step), e.PartUpserted(call))
    harness.server.messages_there = [STORED, step, ANSWER]
    await harness.answer()
    assert (state(turn), harness.server.asked) == (TurnState.FINISHED, 1)


async def test_a_stored_answer_ends_a_turn_whose_post_is_silent(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    await harness.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    assert (state(turn), turn.post.held) == (TurnState.RUNNING, True)
    harness.server.messages_there = [STORED, ANSWER]
    await harness.wait(BODY_TIMEOUT + 0.5)
    assert (state(turn), turn.post.held) == (TurnState.FINISHED, False)
    assert harness.server.posts[0].result.cancelled()


async def test_killing_the_server_interrupts_the_turn(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.events(e.MessageUpserted(STORED), e.MessageUpserted(UNDONE), e.StatusChanged("ses_1", Busy()))
    harness.connection.synced = False
    await harness.fail(ConnectionLost("reset"))
    harness.connection.synced = True
    harness.server.messages_there = [STORED, UNDONE]
    harness.turns.poll_all()
    await harness.wait(IDLE_CONFIRM_DELAY + 1)
    assert (state(turn), turn.reason) == (TurnState.INTERRUPTED, "the server stopped during the answer")


async def test_an_unacknowledged_post_is_cancelled_and_sent_again(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.wait(UNACKNOWLEDGED_TIMEOUT + 1)
    assert state(turn) is TurnState.UNKNOWN
    assert harness.server.posts[0].result.cancelled()
    await harness.wait(6)
    assert len(harness.server.posts) == 2
    await harness.answer()
    assert state(turn) is TurnState.FINISHED


async def test_mimos_turn_is_cancelled_with_its_post(harness: TrackerHarness) -> None:
    harness.server.traits = Traits("mimo", cancels_on_disconnect=True)
    harness.server.messages_there = [STORED, replace(ANSWER, final=False, failure=Failure("Aborted", "aborted"))]
    turn = await harness.send()
    await harness.fail(ConnectionLost("reset"))
    assert (state(turn), turn.reason) == (TurnState.CANCELLED, ConnectionLost("reset").message)


@pytest.mark.parametrize("error", [Empty(7), HttpStatusError(502), UnexpectedContentType("text/html")])
async def test_mimos_turn_is_not_cancelled_by_an_invalid_answer(harness: TrackerHarness, error: NetError) -> None:
    harness.server.traits = Traits("mimo", cancels_on_disconnect=True)
    harness.server.messages_there = [STORED, replace(ANSWER, final=False, failure=Failure("no model", "provider"))]
    turn = await harness.send()
    await harness.fail(error)
    assert (state(turn), turn.reason) == (TurnState.FAILED, "no model")


@pytest.mark.parametrize(("seconds", "cancels"), [(10, False), (1, None)])
async def test_a_turn_that_ends_long_after_its_connection_broke_shows_that_none_is_cancelled(
    harness: TrackerHarness, seconds: int, cancels: bool | None
) -> None:
    harness.server.traits = Traits("mimo", cancels_on_disconnect=None)
    harness.server.messages_there, harness.server.status = [STORED, UNDONE], Busy()
    turn = await harness.send()
    await harness.events(e.StatusChanged("ses_1", Busy()), e.MessageUpserted(STORED), e.MessageUpserted(UNDONE))
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(seconds)
    answer = replace(ANSWER, completed=harness.time.wall())
    harness.server.messages_there, harness.server.status = [STORED, answer], Idle()
    await harness.events(e.MessageUpserted(answer), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert harness.turns.cancels is cancels


async def test_a_failed_turn_has_the_servers_message(harness: TrackerHarness) -> None:
    turn = await harness.send()
    harness.turns.failure_seen(e.SessionFailed("ses_other", Failure("not ours")))
    harness.turns.failure_seen(e.SessionFailed("ses_1", Failure("Agent not found")))
    await harness.fail(HttpStatusError(500))
    await harness.wait(7)
    assert (state(turn), turn.reason) == (TurnState.NOT_SENT, "Agent not found")


async def test_an_error_in_the_answer_to_another_prompt_is_not_this_turns(harness: TrackerHarness) -> None:
    """opencode leaves a prompt unanswered that was queued after one whose model failed."""
    before = replace(STORED, id="msg_0", created=5.0)
    failed = replace(ANSWER, id="msg_00", parent_id="msg_0", failure=Failure("400"), final=False)
    own_turn = await harness.send()
    harness.turns.failure_seen(e.SessionFailed("ses_1", Failure("400")))
    harness.server.messages_there = [before, STORED, failed]
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(ANSWER_START_TIMEOUT + 3)
    assert (state(own_turn), own_turn.reason) == (
        TurnState.INTERRUPTED,
        "the server has the prompt but began no answer",
    )


@pytest.mark.parametrize("stored", [True, False])
async def test_a_late_error_event_of_an_earlier_answer_is_not_this_turns(harness: TrackerHarness, stored: bool) -> None:
    """The event stream was silent, and polling found both turns before the event of the first one's error."""
    before = replace(STORED, id="msg_0", created=5.0)
    failed = replace(ANSWER, id="msg_00", created=6.0, completed=7.0, parent_id="msg_0", final=False)
    failed = replace(failed, failure=Failure("scripted 401", "provider"))
    harness.server.messages_there = [before, failed, *([STORED] if stored else [])]
    own_turn = await harness.send()
    await harness.events(e.MessageUpserted(before), e.MessageUpserted(failed))
    harness.turns.failure_seen(e.SessionFailed("ses_1", Failure("scripted 401", "provider")))
    await harness.fail(ConnectionLost("reset") if stored else HttpStatusError(500))
    await harness.wait(ANSWER_START_TIMEOUT + 3)
    changes = (TurnState.INTERRUPTED, "the server has the prompt but began no answer")
    assert (state(own_turn), own_turn.reason) == (changes if stored else (TurnState.NOT_SENT, "server error (500)"))


async def test_an_interrupted_answer_is_not_resumed_by_the_next_prompt(harness: TrackerHarness) -> None:
    """qwen's agents crashed: the session is busy again before its next prompt is reported."""
    cut = replace(ANSWER, failure=Failure("agent gone", "interrupted"), final=False)
    turn = await harness.send()
    await harness.answer(message=cut)
    await harness.events(e.MessageUpserted(STORED), e.MessageUpserted(cut), e.StatusChanged("ses_1", Busy()))
    assert (state(turn), turn.reason) == (TurnState.INTERRUPTED, "agent gone")
    await harness.events(e.MessageUpserted(LATER))
    assert [one.prompt_id for one in harness.turns.running()] == [LATER.id]


async def test_an_abort_is_recorded_for_all_turns_of_the_session(harness: TrackerHarness) -> None:
    own_turn = await harness.send()
    other = await harness.send(Prompt("ses_2", "x", "msg_x", "prt_x"))
    harness.turns.abort_requested(harness.turns.abortable("ses_1"))
    await harness.answer(message=replace(ANSWER, failure=Failure("Aborted", "aborted")), post=0)
    assert (state(own_turn), own_turn.reason) == (TurnState.ABORTED, "")
    assert not other.over


@pytest.mark.parametrize("aborts_queued", [True, False])
async def test_an_abort_ends_queued_turns_too_where_the_server_does_so(
    harness: TrackerHarness, aborts_queued: bool
) -> None:
    harness.turns.set_traits(Traits("test", aborts_queued=aborts_queued))
    running = await harness.send()
    queued = await harness.send(replace(PROMPT, message_id=LATER.id))
    assert harness.turns.abortable("ses_1") == ([running, queued] if aborts_queued else [running])


@pytest.mark.parametrize(("answer", "position"), [(ANSWER, "passed"), (UNDONE, "running")])
async def test_a_server_has_passed_a_turn_whose_answer_is_complete_once_it_has_a_later_prompt(
    harness: TrackerHarness, answer: Message, position: str
) -> None:
    turn = await harness.send()
    await harness.events(e.StatusChanged("ses_1", Busy()), e.MessageUpserted(STORED), e.MessageUpserted(answer))
    assert harness.turns.position(turn) == "running"
    await harness.events(e.MessageUpserted(LATER))
    assert harness.turns.position(turn) == position


async def test_an_abort_of_another_turn_may_have_ended_a_later_one(harness: TrackerHarness) -> None:
    aborted = replace(ANSWER, failure=Failure("Aborted", "aborted"))
    await harness.send()
    harness.turns.abort_requested(harness.turns.abortable("ses_1"))
    await harness.answer(message=aborted, post=0)
    later = await harness.send(replace(PROMPT, message_id="msg_7"))
    await harness.answer(message=replace(aborted, id="msg_8", parent_id="msg_7"), post=1)
    assert (state(later), later.reason) == (
        TurnState.ABORTED,
        "aborted with another prompt, or by another client",
    )


async def test_a_rejection_belongs_to_the_turn_whose_answer_has_the_request(harness: TrackerHarness) -> None:
    request = QuestionRequest("que_1", "ses_1", (), message_id="msg_8")
    first = await harness.send()
    harness.turns.rejected(replace(request, message_id=None), here=True)
    assert first.stops.rejected is not None
    first.stops.rejected = None
    second = await harness.send(replace(PROMPT, message_id="msg_7"))
    await harness.events(
        e.MessageUpserted(STORED),
        e.MessageUpserted(UNDONE),
        e.MessageUpserted(LATER),
        e.MessageUpserted(replace(UNDONE, id="msg_8", parent_id="msg_7", created=21.0)),
    )
    harness.turns.rejected(replace(request, message_id=None), here=True)  # of an unknown turn
    assert (first.stops.rejected, second.stops.rejected) == (None, None)
    harness.turns.rejected(request, here=True)
    assert (first.stops.rejected is None, second.stops.rejected is not None) == (True, True)
    await harness.answer(message=replace(ANSWER, id="msg_8", parent_id="msg_7", final=False))
    assert (state(second), second.reason) == (TurnState.ABORTED, "you rejected a request")
    assert not first.over


async def test_a_turn_waits_for_requests_of_a_subagent(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.events(
        e.SessionUpserted(Session("ses_2", "child", parent_id="ses_1")),
        e.MessageUpserted(STORED),
        e.StatusChanged("ses_1", Busy()),
        e.RequestOpened(QuestionRequest("que_1", "ses_2", (Question("?", "Q", ()),))),
    )
    assert state(turn) is TurnState.WAITING
    await harness.events(e.QuestionAnswered("ses_2", "que_1", (("A",),)))
    assert state(turn) is TurnState.RUNNING


async def test_a_turn_waits_since_the_servers_time_of_the_request(harness: TrackerHarness) -> None:
    turn = await harness.send()
    first, second = (
        QuestionRequest(f"que_{ago}", "ses_1", (Question("?", "Q", ()),), asked=harness.time.wall() - ago)
        for ago in (180.0, 20.0)
    )
    await harness.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    await harness.events(e.RequestOpened(second))
    assert turn.waiting_since == harness.time.mono() - 20.0
    await harness.events(e.RequestOpened(first))
    assert turn.waiting_since == harness.time.mono() - 180.0
    await harness.events(e.QuestionAnswered("ses_1", first.id, (("A",),)))
    assert turn.waiting_since == harness.time.mono() - 180.0, "it has waited all the time"


async def test_another_clients_turn_is_followed(harness: TrackerHarness) -> None:
    await harness.events(e.StatusChanged("ses_1", Busy()))
    assert harness.turns.of("ses_1") == ()  # its transcript is not open here
    harness.store.open_transcript("ses_1")
    await harness.events(e.MessageUpserted(replace(STORED, id="msg_0", created=1.0)), e.MessageUpserted(STORED))
    turns = harness.turns.of("ses_1")
    assert [(turn.prompt_id, turn.prompt, turn.post.held) for turn in turns] == [("msg_0", None, False)]
    assert harness.changes == [TurnChanged("ses_1")]
    await harness.events(e.MessageUpserted(replace(ANSWER, parent_id="msg_0")), e.StatusChanged("ses_1", Idle()))
    assert state(turns[0]) is TurnState.FINISHED


async def test_a_followed_turn_has_the_servers_start_and_end(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    now = harness.time.wall()
    prompt, answer = replace(STORED, created=now - 3600), replace(ANSWER, created=now - 3500, completed=None)
    await harness.events(e.MessageUpserted(prompt), e.MessageUpserted(answer), e.StatusChanged("ses_1", Busy()))
    [turn] = harness.turns.running()
    assert (turn.start_unknown, harness.time.mono() - turn.started) == (False, 3600)
    await harness.time.advance(60)
    done = replace(answer, completed=now + 30)
    await harness.events(e.MessageUpserted(done), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert turn.ended is not None
    assert turn.ended - turn.started == 3630


async def test_a_prompt_that_arrives_late_begins_its_turn_when_the_server_has_it(harness: TrackerHarness) -> None:
    """The duration also counts from there: a slow upload is not part of the turn."""
    harness.store.open_transcript("ses_1")
    turn = await harness.send()
    sent = harness.time.mono()
    await harness.wait(15)
    assert turn.started == sent
    stored = replace(STORED, created=harness.time.wall() - 1)
    await harness.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    assert harness.time.mono() - turn.started == pytest.approx(1)
    await harness.wait(10)
    assert harness.time.mono() - turn.started == pytest.approx(11)


async def test_a_followed_turn_without_a_server_date_has_a_lower_bound_of_its_age(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    await harness.events(e.MessageUpserted(replace(STORED, created=0.0)), e.StatusChanged("ses_1", Busy()))
    [turn] = harness.turns.running()
    assert (turn.start_unknown, turn.started) == (True, harness.time.mono())


async def test_the_newest_prompt_of_a_busy_session_is_followed_once(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    await harness.events(e.MessageUpserted(STORED), e.MessageUpserted(replace(STORED, id="msg_0", created=1.0)))
    assert harness.turns.running() == []  # nothing runs there
    await harness.events(e.StatusChanged("ses_1", Busy()))
    assert [turn.prompt_id for turn in harness.turns.running()] == ["msg_1"]
    await harness.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    await harness.events(e.StatusChanged("ses_1", Busy()))  # the server cleans up after it
    assert harness.turns.running() == []
    assert len(harness.turns.of("ses_1")) == 1


async def test_no_other_prompt_is_followed_while_ours_is_being_sent(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.events(e.MessageUpserted(replace(STORED, id="msg_0")), e.StatusChanged("ses_1", Busy()))
    assert harness.turns.running() == [turn]


async def test_a_prompt_stored_without_its_text_is_not_sent(harness: TrackerHarness) -> None:
    turn = await harness.send()
    harness.server.messages_there, harness.server.loses_text = [STORED], True
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(ANSWER_START_TIMEOUT + 2)
    assert state(turn) is TurnState.NOT_SENT


async def test_an_interrupted_turn_that_the_server_resumes_is_running(harness: TrackerHarness) -> None:
    turn = await harness.send()
    harness.server.messages_there = [STORED]
    await harness.fail(ConnectionLost("reset"))
    await harness.wait(ANSWER_START_TIMEOUT + 2)
    assert state(turn) is TurnState.INTERRUPTED
    await harness.events(e.StatusChanged("ses_1", Busy()), e.MessageUpserted(UNDONE))
    assert state(turn) is TurnState.RUNNING
    await harness.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert [one for one in harness.changes if isinstance(one, TurnEnded)] == [TurnEnded("ses_1", "msg_1")] * 2


async def test_text_counts_as_activity_of_a_running_turn(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.time.advance(100)
    harness.turns.touch("ses_other")
    assert turn.idle_for(harness.time.mono()) == 100
    harness.turns.touch("ses_1")
    assert turn.idle_for(harness.time.mono()) == 0
    await harness.answer()
    ended_at = turn.last_activity
    await harness.time.advance(5)
    harness.turns.touch("ses_1")
    assert turn.last_activity == ended_at


async def test_the_current_turn_is_the_oldest_running_or_else_the_newest(harness: TrackerHarness) -> None:
    assert harness.turns.current("ses_1") is None
    first, second = await harness.send(), await harness.send(replace(PROMPT, message_id="msg_b", part_id="prt_b"))
    assert harness.turns.current("ses_1") is first
    assert harness.turns.is_running_in("ses_1")
    await harness.answer(post=0)
    assert harness.turns.current("ses_1") is second
    await harness.answer(message=replace(ANSWER, id="msg_c", parent_id="msg_b"), post=1)
    assert harness.turns.current("ses_1") is second
    assert not harness.turns.is_running_in("ses_1")
    assert not harness.turns.is_running_in("ses_other")


async def test_the_number_of_ended_turns_is_bounded(harness: TrackerHarness) -> None:
    for number in range(MAX_ENDED + 5):
        await harness.send(replace(PROMPT, message_id=f"msg_{number}"))
        await harness.fail(ConnectFailed("connection refused"))
    assert len(harness.turns.of("ses_1")) <= MAX_ENDED + 1
    assert harness.turns.of("ses_1")[-1].prompt_id == f"msg_{MAX_ENDED + 4}"


async def test_the_prompt_of_a_killed_client_is_looked_up_and_not_posted(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    harness.turns.recover(PROMPT)
    assert harness.changes == [TurnChanged("ses_1")]
    (turn,) = harness.turns.running()
    harness.turns.poll_all()
    await harness.wait(8)
    assert (state(turn), harness.server.posts) == (TurnState.NOT_SENT, [])


async def test_changes_without_events_diagnose_a_silent_stream(harness: TrackerHarness) -> None:
    turn = await harness.send()
    await harness.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    harness.turns.tick()
    harness.server.status = Busy()
    harness.server.messages_there = [STORED, UNDONE]
    harness.turns.poll_all()
    await settle()
    trouble = harness.turns.diagnose(turn)
    assert trouble is not None
    assert trouble.kind is Kind.NO_EVENTS
    asked = harness.server.asked
    await harness.wait(POLL_WITHOUT_EVENTS + 0.5)
    assert harness.server.asked == asked + 1  # polling is all that is left
    harness.connection.events += 1
    await harness.wait(0.5)
    assert harness.turns.diagnose(turn) is None


@pytest.mark.parametrize(("ping", "kind"), [(None, Kind.NO_ANSWERS), (ReadTimeout(3), Kind.SILENT)])
async def test_unanswered_polls_diagnose_what_the_server_still_answers(
    harness: TrackerHarness, ping: NetError | None, kind: Kind
) -> None:
    harness.server.ping_fails = ping
    turn = await harness.send()
    harness.server.fails = ReadTimeout(3)
    for _ in range(2):
        assert harness.turns.diagnose(turn) is None
        harness.turns.poll_all()
        await settle()
    trouble = harness.turns.diagnose(turn)
    assert trouble is not None
    assert trouble.kind is kind


async def test_an_earlier_prompt_is_not_taken_for_a_later_one(harness: TrackerHarness) -> None:
    """Older pages may be loaded meanwhile, and our own earlier prompt may be stored only now."""
    harness.store.open_transcript("ses_1")
    harness.deliver(e.MessagesLoaded("ses_1", (FullMessage(LATER, ()),), "older"))
    await harness.send(replace(PROMPT, message_id="msg_8"))
    turn = await harness.send()
    await harness.fail(ConnectionLost("reset"))
    own = replace(LATER, id="msg_8", created=21.0)
    harness.server.messages_there = [replace(LATER, id="msg_6", created=5.0), LATER, own]
    await harness.wait(7)
    assert (state(turn), len(harness.server.posts)) == (TurnState.SENDING, 3)


async def test_a_recovered_prompt_is_not_reported_as_overtaken(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    harness.server.messages_there = [LATER]
    harness.turns.recover(PROMPT)
    await harness.wait(7)
    [turn] = harness.turns.of("ses_1")
    assert (state(turn), turn.reason) == (TurnState.NOT_SENT, "the client exited while sending it")


async def test_a_busy_session_is_not_working_on_an_answered_prompt(harness: TrackerHarness) -> None:
    """qwen serve reports the session as busy before it reports the prompt."""
    harness.store.open_transcript("ses_1")
    await harness.events(e.MessageUpserted(STORED), e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Busy()))
    assert harness.turns.of("ses_1") == ()
    await harness.events(e.MessageUpserted(LATER))
    assert [one.prompt_id for one in harness.turns.running()] == [LATER.id]


async def test_a_completed_turn_ends_while_the_session_is_busy_with_a_later_prompt(
    harness: TrackerHarness,
) -> None:
    harness.store.open_transcript("ses_1")
    await harness.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()), e.MessageUpserted(UNDONE))
    await harness.events(e.MessageUpserted(ANSWER), e.MessageUpserted(LATER))
    first, second = harness.turns.of("ses_1")
    assert (state(first), second.prompt_id, second.over) == (TurnState.FINISHED, LATER.id, False)


async def test_the_duration_of_a_late_seen_turn_is_the_servers(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    turn = await harness.send()
    now = harness.time.wall()
    await harness.wait(4)
    stored, answer = replace(STORED, created=now), replace(ANSWER, created=now + 0.1, completed=now + 1.0)
    await harness.events(e.MessageUpserted(stored), e.MessageUpserted(answer))
    await harness.answer(message=answer)
    assert state(turn) is TurnState.FINISHED
    assert turn.took == pytest.approx(1.0)


async def test_the_duration_is_the_clients_if_the_server_has_no_end_time(
    harness: TrackerHarness,
) -> None:
    """qwen serve does not store the end time of every turn; its answer then has the start time."""
    harness.store.open_transcript("ses_1")
    stored = replace(STORED, created=harness.time.wall())
    await harness.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    await harness.wait(13)
    answer = replace(ANSWER, created=stored.created + 0.0005, completed=stored.created)
    await harness.events(e.MessageUpserted(answer), e.StatusChanged("ses_1", Idle()))
    [turn] = harness.turns.of("ses_1")
    assert turn.took is None
    assert turn.ended == pytest.approx(turn.started + 13, abs=1.0)


@pytest.mark.parametrize("recorded", [True, False])
async def test_the_duration_of_a_turn_ended_in_an_outage_excludes_the_outage(
    harness: TrackerHarness, recorded: bool
) -> None:
    harness.store.open_transcript("ses_1")
    stored = replace(STORED, created=harness.time.wall())
    completed = stored.created + 0.3 if recorded else stored.created
    answer = replace(ANSWER, created=stored.created + 0.0005, completed=completed)
    await harness.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    harness.turns.on_connection_lost()
    harness.server.messages_there = [stored, answer]
    await harness.wait(27)
    harness.deliver(e.MessagesLoaded("ses_1", tuple(map(harness.server._full, harness.server.messages_there)), None))
    harness.deliver(e.Resynced({}, ()))
    harness.turns.on_reconnected()
    [turn] = harness.turns.of("ses_1")
    assert state(turn) is TurnState.FINISHED
    if recorded:
        assert turn.took == pytest.approx(0.3)
        assert turn.ended == pytest.approx(turn.started + 0.3, abs=0.1)
    else:
        assert (turn.took, turn.ended) == (None, None)


async def test_a_turn_running_through_an_outage_is_timed(harness: TrackerHarness) -> None:
    harness.store.open_transcript("ses_1")
    stored = replace(STORED, created=harness.time.wall())
    await harness.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    harness.server.messages_there, harness.server.status = [stored], Busy()
    harness.turns.on_connection_lost()
    await harness.wait(5)
    harness.turns.on_reconnected()
    await harness.wait(8)
    answer = replace(ANSWER, created=stored.created + 0.0005, completed=stored.created)
    await harness.events(e.MessageUpserted(answer), e.StatusChanged("ses_1", Idle()))
    [turn] = harness.turns.of("ses_1")
    assert turn.ended == pytest.approx(turn.started + 13, abs=1.0)
