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
from tui.client.turns import ENDED_KEPT, TurnTracker
from tui.core import events as e
from tui.core.changes import Change, TurnChanged, TurnEnded
from tui.core.diagnosis import Kind
from tui.core.idle_ending import ANSWER_START_TIMEOUT, BODY_GRACE
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
    loses_words: bool = False
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
        worded = message.role == "user" and not self.loses_words
        words = TextPart(f"prt_of_{message.id}", message.session_id, message.id, "do it")
        return FullMessage(message, (words,) if worded else ())

    async def resync(self, directories: Sequence[str]) -> e.Resynced:
        busy = not isinstance(self.status, Idle)
        return e.Resynced({"ses_1": self.status} if busy else {}, ())


class Bench:
    """A turn tracker with its dependencies, and the changes it reported."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.server = Server()
        self.store = Store()
        self.told: list[Change] = []
        self.ended: list[Turn] = []
        self.connection = FakeServer(self.server, self.time, self.deliver)
        self.tasks: set[asyncio.Task[None]] = set()
        ports = fake_ports(self.connection, self.time, emit=self.told.append, apply=self.deliver, spawn=self.spawn)
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
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    for task in list(bench.tasks):
        task.cancel()
    await asyncio.gather(*bench.tasks, return_exceptions=True)


async def test_a_post_is_open_until_its_answer_arrives(bench: Bench) -> None:
    turn = await bench.send()
    assert [post.prompt for post in bench.server.posts] == [PROMPT]
    assert (state(turn), turn.post.held) == (TurnState.SENDING, True)
    assert bench.turns.current("ses_1") is turn
    assert bench.turns.running() == [turn]
    bench.server.posts[0].watcher.headers()
    assert state(turn) is TurnState.RUNNING
    bench.server.posts[0].watcher.pads(3)
    assert (turn.post.padding_bytes, turn.post.last_padding) == (3, bench.time.mono())
    assert bench.ended == []
    await bench.answer(WORDS)
    assert state(turn) is TurnState.FINISHED
    assert (bench.ended, bench.turns.running(), bench.tasks) == ([turn], [], set())
    transcript = bench.store.transcript("ses_1")
    assert transcript is not None
    assert transcript.messages == {"msg_2": ANSWER}
    assert transcript.parts_of("msg_2") == [WORDS]


async def test_each_step_emits_a_change(bench: Bench) -> None:
    await bench.send()
    bench.server.posts[0].watcher.headers()
    bench.server.posts[0].watcher.pads(1)
    bench.server.posts[0].watcher.pads(1)
    await bench.answer()
    sent_running_pad_over = [TurnChanged("ses_1")] * 4
    assert bench.told == [*sent_running_pad_over, TurnEnded("ses_1", "msg_1")]


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
async def test_an_error_that_proves_nondelivery_means_not_sent(bench: Bench, error: NetError) -> None:
    turn = await bench.send()
    await bench.fail(error)
    assert (state(turn), turn.reason) == (TurnState.NOT_SENT, error.message)
    assert bench.server.asked == 0
    assert bench.ended == [turn]


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
async def test_an_ambiguous_error_causes_a_lookup(bench: Bench, error: NetError) -> None:
    bench.server.messages_there, bench.server.status = [STORED], Busy()
    turn = await bench.send()
    await bench.fail(error)
    assert bench.server.asked == 1
    assert state(turn) is TurnState.RUNNING  # it was delivered, and continues without our POST
    assert not turn.post.held
    assert turn.reason == ""
    await bench.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert len(bench.server.posts) == 1


async def test_a_prompt_that_never_arrived_is_posted_again_with_the_same_ids(bench: Bench) -> None:
    turn = await bench.send()
    await bench.fail(ConnectionLost("reset"))
    assert state(turn) is TurnState.UNKNOWN
    await bench.wait(4.5)
    assert len(bench.server.posts) == 1
    await bench.wait(2)
    assert [post.prompt for post in bench.server.posts] == [PROMPT, PROMPT]
    assert (state(turn), turn.post.attempts) == (TurnState.SENDING, 2)
    await bench.answer()
    assert state(turn) is TurnState.FINISHED


async def test_a_prompt_is_not_posted_again_after_an_internal_server_error(bench: Bench) -> None:
    turn = await bench.send()
    await bench.fail(HttpStatusError(500))
    await bench.wait(7)
    assert len(bench.server.posts) == 1
    assert state(turn) is TurnState.NOT_SENT


async def test_a_prompt_is_not_posted_again_after_a_later_one(bench: Bench) -> None:
    turn = await bench.send()
    await bench.fail(ConnectionLost("reset"))
    bench.server.messages_there = [replace(LATER, created=bench.time.wall() + 1)]
    await bench.wait(7)
    assert (state(turn), len(bench.server.posts)) == (TurnState.NOT_SENT, 1)


async def test_a_previously_known_prompt_is_not_a_later_one(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    bench.server.messages_there = [LATER]
    await bench.events(e.MessageUpserted(LATER))
    turn = await bench.send()
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(7)
    assert (state(turn), len(bench.server.posts)) == (TurnState.SENDING, 2)


async def test_the_answer_to_a_later_prompt_ends_an_earlier_merged_one(bench: Bench) -> None:
    turn = await bench.send()
    later = replace(ANSWER, id="msg_8", parent_id="msg_7")
    bench.server.messages_there = [STORED, LATER, later]
    await bench.answer(message=later)
    assert (state(turn), turn.reason) == (TurnState.FINISHED, "answered together with a later prompt")


async def test_the_answer_to_an_earlier_prompt_ends_nothing(bench: Bench) -> None:
    bench.server.messages_there, bench.server.status = [STORED], Busy()
    turn = await bench.send()
    await bench.answer(message=replace(ANSWER, parent_id="msg_0"))
    assert state(turn) is TurnState.RUNNING
    assert bench.server.asked == 1


async def test_nothing_is_polled_while_disconnected(bench: Bench) -> None:
    turn = await bench.send()
    bench.connection.synced = False
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(60)
    assert (bench.server.asked, state(turn)) == (0, TurnState.UNKNOWN)
    bench.connection.synced = True
    bench.server.messages_there, bench.server.status = [STORED], Busy()
    bench.turns.poll_all()
    await settle()
    assert (bench.server.asked, state(turn)) == (1, TurnState.RUNNING)


async def test_an_unpolled_turn_is_not_interrupted(bench: Bench) -> None:
    turn = await bench.send()
    bench.connection.synced = False
    await bench.events(e.MessageUpserted(STORED), e.MessageUpserted(UNDONE))
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(60)
    assert (turn.over, bench.server.asked) == (False, 0)


async def test_one_poll_at_a_time(bench: Bench) -> None:
    await bench.send()
    bench.server.gate.clear()
    bench.turns.poll_all()
    bench.turns.poll_all()
    await settle()
    assert bench.server.asked == 1
    bench.server.gate.set()
    await settle()
    bench.turns.poll_all()
    await settle()
    assert bench.server.asked == 2


async def test_a_failed_poll_is_repeated_and_proves_nothing(bench: Bench) -> None:
    turn = await bench.send()
    bench.server.fails = HttpStatusError(502)
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(60)
    assert state(turn) is TurnState.UNKNOWN
    assert bench.server.asked == pytest.approx(17, abs=2)
    assert len(bench.server.posts) == 1


async def test_a_deleted_session_interrupts_its_turn(bench: Bench) -> None:
    turn = await bench.send()
    await bench.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    bench.server.session_gone = True
    await bench.fail(ConnectionLost("reset"))
    assert (state(turn), turn.reason) == (TurnState.INTERRUPTED, "the session no longer exists on the server")


async def test_a_call_with_a_missed_end_is_read_from_the_record(bench: Bench) -> None:
    """The POST's body is the last message of the turn; events of an earlier one may be missing."""
    step = replace(ANSWER, id="msg_step", final=False)
    turn = await bench.send()
    call = ToolPart("prt_9", "ses_1", step.id, "call_9", "bash", "running")
    await bench.events(e.MessageUpserted(STORED), e.MessageUpserted(step), e.PartUpserted(call))
    bench.server.messages_there = [STORED, step, ANSWER]
    await bench.answer()
    assert (state(turn), bench.server.asked) == (TurnState.FINISHED, 1)


async def test_a_stored_answer_ends_a_turn_whose_post_is_silent(bench: Bench) -> None:
    turn = await bench.send()
    await bench.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    await bench.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    assert (state(turn), turn.post.held) == (TurnState.RUNNING, True)
    bench.server.messages_there = [STORED, ANSWER]
    await bench.wait(BODY_GRACE + 0.5)
    assert (state(turn), turn.post.held) == (TurnState.FINISHED, False)
    assert bench.server.posts[0].result.cancelled()


async def test_killing_the_server_interrupts_the_turn(bench: Bench) -> None:
    turn = await bench.send()
    await bench.events(e.MessageUpserted(STORED), e.MessageUpserted(UNDONE), e.StatusChanged("ses_1", Busy()))
    bench.connection.synced = False
    await bench.fail(ConnectionLost("reset"))
    bench.connection.synced = True
    bench.server.messages_there = [STORED, UNDONE]
    bench.turns.poll_all()
    await bench.wait(IDLE_CONFIRM_DELAY + 1)
    assert (state(turn), turn.reason) == (TurnState.INTERRUPTED, "the server stopped in mid-answer")


async def test_an_unacknowledged_post_is_cancelled_and_sent_again(bench: Bench) -> None:
    turn = await bench.send()
    await bench.wait(UNACKNOWLEDGED_TIMEOUT + 1)
    assert state(turn) is TurnState.UNKNOWN
    assert bench.server.posts[0].result.cancelled()
    await bench.wait(6)
    assert len(bench.server.posts) == 2
    await bench.answer()
    assert state(turn) is TurnState.FINISHED


async def test_mimos_turn_is_cancelled_with_its_post(bench: Bench) -> None:
    bench.server.traits = Traits("mimo", cancels_on_disconnect=True)
    bench.server.messages_there = [STORED, replace(ANSWER, final=False, failure=Failure("Aborted", "aborted"))]
    turn = await bench.send()
    await bench.fail(ConnectionLost("reset"))
    assert (state(turn), turn.reason) == (TurnState.CANCELLED, ConnectionLost("reset").message)


@pytest.mark.parametrize("error", [Empty(7), HttpStatusError(502), UnexpectedContentType("text/html")])
async def test_mimos_turn_is_not_cancelled_by_an_invalid_answer(bench: Bench, error: NetError) -> None:
    bench.server.traits = Traits("mimo", cancels_on_disconnect=True)
    bench.server.messages_there = [STORED, replace(ANSWER, final=False, failure=Failure("no model", "provider"))]
    turn = await bench.send()
    await bench.fail(error)
    assert (state(turn), turn.reason) == (TurnState.FAILED, "no model")


async def test_a_failed_turn_has_the_servers_message(bench: Bench) -> None:
    turn = await bench.send()
    bench.turns.failure_seen(e.SessionFailed("ses_other", Failure("not ours")))
    bench.turns.failure_seen(e.SessionFailed("ses_1", Failure("Agent not found")))
    await bench.fail(HttpStatusError(500))
    await bench.wait(7)
    assert (state(turn), turn.reason) == (TurnState.NOT_SENT, "Agent not found")


async def test_an_error_in_the_answer_to_another_prompt_is_not_this_turns(bench: Bench) -> None:
    """opencode leaves a prompt unanswered that was queued after one whose model failed."""
    before = replace(STORED, id="msg_0", created=5.0)
    failed = replace(ANSWER, id="msg_00", parent_id="msg_0", failure=Failure("400"), final=False)
    ours = await bench.send()
    bench.turns.failure_seen(e.SessionFailed("ses_1", Failure("400")))
    bench.server.messages_there = [before, STORED, failed]
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(ANSWER_START_TIMEOUT + 3)
    assert (state(ours), ours.reason) == (
        TurnState.INTERRUPTED,
        "the server has the prompt but began no answer",
    )


@pytest.mark.parametrize("stored", [True, False])
async def test_a_late_error_event_of_an_earlier_answer_is_not_this_turns(bench: Bench, stored: bool) -> None:
    """The event stream was silent, and polling found both turns before the event of the first one's error."""
    before = replace(STORED, id="msg_0", created=5.0)
    failed = replace(ANSWER, id="msg_00", created=6.0, completed=7.0, parent_id="msg_0", final=False)
    failed = replace(failed, failure=Failure("scripted 401", "provider"))
    bench.server.messages_there = [before, failed, *([STORED] if stored else [])]
    ours = await bench.send()
    await bench.events(e.MessageUpserted(before), e.MessageUpserted(failed))
    bench.turns.failure_seen(e.SessionFailed("ses_1", Failure("scripted 401", "provider")))
    await bench.fail(ConnectionLost("reset") if stored else HttpStatusError(500))
    await bench.wait(ANSWER_START_TIMEOUT + 3)
    told = (TurnState.INTERRUPTED, "the server has the prompt but began no answer")
    assert (state(ours), ours.reason) == (told if stored else (TurnState.NOT_SENT, "server error (500)"))


async def test_an_interrupted_answer_is_not_resumed_by_the_next_prompt(bench: Bench) -> None:
    """qwen's agents crashed: the session is busy again before its next prompt is reported."""
    cut = replace(ANSWER, failure=Failure("agent gone", "interrupted"), final=False)
    turn = await bench.send()
    await bench.answer(message=cut)
    await bench.events(e.MessageUpserted(STORED), e.MessageUpserted(cut), e.StatusChanged("ses_1", Busy()))
    assert (state(turn), turn.reason) == (TurnState.INTERRUPTED, "agent gone")
    await bench.events(e.MessageUpserted(LATER))
    assert [one.prompt_id for one in bench.turns.running()] == [LATER.id]


async def test_an_abort_is_recorded_for_all_turns_of_the_session(bench: Bench) -> None:
    ours = await bench.send()
    other = await bench.send(Prompt("ses_2", "x", "msg_x", "prt_x"))
    bench.turns.abort_requested(bench.turns.abortable("ses_1"))
    await bench.answer(message=replace(ANSWER, failure=Failure("Aborted", "aborted")), post=0)
    assert (state(ours), ours.reason) == (TurnState.ABORTED, "")
    assert not other.over


async def test_an_abort_of_another_turn_may_have_ended_a_later_one(bench: Bench) -> None:
    aborted = replace(ANSWER, failure=Failure("Aborted", "aborted"))
    await bench.send()
    bench.turns.abort_requested(bench.turns.abortable("ses_1"))
    await bench.answer(message=aborted, post=0)
    later = await bench.send(replace(PROMPT, message_id="msg_7"))
    await bench.answer(message=replace(aborted, id="msg_8", parent_id="msg_7"), post=1)
    assert (state(later), later.reason) == (
        TurnState.ABORTED,
        "by an abort of another prompt, or elsewhere",
    )


async def test_a_rejection_belongs_to_the_turn_whose_answer_has_the_request(bench: Bench) -> None:
    request = QuestionRequest("que_1", "ses_1", (), message_id="msg_8")
    first = await bench.send()
    bench.turns.rejected(replace(request, message_id=None), here=True)
    assert first.stops.rejected is not None
    first.stops.rejected = None
    second = await bench.send(replace(PROMPT, message_id="msg_7"))
    await bench.events(
        e.MessageUpserted(STORED),
        e.MessageUpserted(UNDONE),
        e.MessageUpserted(LATER),
        e.MessageUpserted(replace(UNDONE, id="msg_8", parent_id="msg_7", created=21.0)),
    )
    bench.turns.rejected(replace(request, message_id=None), here=True)  # of an unknown turn
    assert (first.stops.rejected, second.stops.rejected) == (None, None)
    bench.turns.rejected(request, here=True)
    assert (first.stops.rejected is None, second.stops.rejected is not None) == (True, True)
    await bench.answer(message=replace(ANSWER, id="msg_8", parent_id="msg_7", final=False))
    assert (state(second), second.reason) == (TurnState.ABORTED, "you rejected a request")
    assert not first.over


async def test_a_turn_waits_for_requests_of_a_subagent(bench: Bench) -> None:
    turn = await bench.send()
    await bench.events(
        e.SessionUpserted(Session("ses_2", "child", parent_id="ses_1")),
        e.MessageUpserted(STORED),
        e.StatusChanged("ses_1", Busy()),
        e.RequestOpened(QuestionRequest("que_1", "ses_2", (Question("?", "Q", ()),))),
    )
    assert state(turn) is TurnState.WAITING
    await bench.events(e.QuestionAnswered("ses_2", "que_1", (("A",),)))
    assert state(turn) is TurnState.RUNNING


async def test_a_turn_waits_since_the_servers_time_of_the_request(bench: Bench) -> None:
    turn = await bench.send()
    first, second = (
        QuestionRequest(f"que_{ago}", "ses_1", (Question("?", "Q", ()),), asked=bench.time.wall() - ago)
        for ago in (180.0, 20.0)
    )
    await bench.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    await bench.events(e.RequestOpened(second))
    assert turn.waiting_since == bench.time.mono() - 20.0
    await bench.events(e.RequestOpened(first))
    assert turn.waiting_since == bench.time.mono() - 180.0
    await bench.events(e.QuestionAnswered("ses_1", first.id, (("A",),)))
    assert turn.waiting_since == bench.time.mono() - 180.0, "it has waited all the time"


async def test_another_clients_turn_is_followed(bench: Bench) -> None:
    await bench.events(e.StatusChanged("ses_1", Busy()))
    assert bench.turns.of("ses_1") == ()  # its transcript is not open here
    bench.store.open_transcript("ses_1")
    await bench.events(e.MessageUpserted(replace(STORED, id="msg_0", created=1.0)), e.MessageUpserted(STORED))
    turns = bench.turns.of("ses_1")
    assert [(turn.prompt_id, turn.prompt, turn.post.held) for turn in turns] == [("msg_0", None, False)]
    assert bench.told == [TurnChanged("ses_1")]
    await bench.events(e.MessageUpserted(replace(ANSWER, parent_id="msg_0")), e.StatusChanged("ses_1", Idle()))
    assert state(turns[0]) is TurnState.FINISHED


async def test_a_followed_turn_has_the_servers_start_and_end(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    now = bench.time.wall()
    prompt, answer = replace(STORED, created=now - 3600), replace(ANSWER, created=now - 3500, completed=None)
    await bench.events(e.MessageUpserted(prompt), e.MessageUpserted(answer), e.StatusChanged("ses_1", Busy()))
    [turn] = bench.turns.running()
    assert (turn.start_unknown, bench.time.mono() - turn.started) == (False, 3600)
    await bench.time.advance(60)
    done = replace(answer, completed=now + 30)
    await bench.events(e.MessageUpserted(done), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert turn.ended is not None
    assert turn.ended - turn.started == 3630


async def test_a_prompt_that_arrives_late_begins_its_turn_when_the_server_has_it(bench: Bench) -> None:
    """The duration also counts from there: a slow upload is not part of the turn."""
    bench.store.open_transcript("ses_1")
    turn = await bench.send()
    sent = bench.time.mono()
    await bench.wait(15)
    assert turn.started == sent
    stored = replace(STORED, created=bench.time.wall() - 1)
    await bench.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    assert bench.time.mono() - turn.started == pytest.approx(1)
    await bench.wait(10)
    assert bench.time.mono() - turn.started == pytest.approx(11)


async def test_a_followed_turn_without_a_server_date_has_a_lower_bound_of_its_age(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    await bench.events(e.MessageUpserted(replace(STORED, created=0.0)), e.StatusChanged("ses_1", Busy()))
    [turn] = bench.turns.running()
    assert (turn.start_unknown, turn.started) == (True, bench.time.mono())


async def test_the_newest_prompt_of_a_busy_session_is_followed_once(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    await bench.events(e.MessageUpserted(STORED), e.MessageUpserted(replace(STORED, id="msg_0", created=1.0)))
    assert bench.turns.running() == []  # nothing runs there
    await bench.events(e.StatusChanged("ses_1", Busy()))
    assert [turn.prompt_id for turn in bench.turns.running()] == ["msg_1"]
    await bench.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    await bench.events(e.StatusChanged("ses_1", Busy()))  # the server cleans up after it
    assert bench.turns.running() == []
    assert len(bench.turns.of("ses_1")) == 1


async def test_no_other_prompt_is_followed_while_ours_is_being_sent(bench: Bench) -> None:
    turn = await bench.send()
    await bench.events(e.MessageUpserted(replace(STORED, id="msg_0")), e.StatusChanged("ses_1", Busy()))
    assert bench.turns.running() == [turn]


async def test_a_prompt_stored_without_its_text_is_not_sent(bench: Bench) -> None:
    turn = await bench.send()
    bench.server.messages_there, bench.server.loses_words = [STORED], True
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(ANSWER_START_TIMEOUT + 2)
    assert state(turn) is TurnState.NOT_SENT


async def test_an_interrupted_turn_that_the_server_resumes_is_running(bench: Bench) -> None:
    turn = await bench.send()
    bench.server.messages_there = [STORED]
    await bench.fail(ConnectionLost("reset"))
    await bench.wait(ANSWER_START_TIMEOUT + 2)
    assert state(turn) is TurnState.INTERRUPTED
    await bench.events(e.StatusChanged("ses_1", Busy()), e.MessageUpserted(UNDONE))
    assert state(turn) is TurnState.RUNNING
    await bench.events(e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Idle()))
    assert state(turn) is TurnState.FINISHED
    assert [one for one in bench.told if isinstance(one, TurnEnded)] == [TurnEnded("ses_1", "msg_1")] * 2


async def test_text_counts_as_activity_of_a_running_turn(bench: Bench) -> None:
    turn = await bench.send()
    await bench.time.advance(100)
    bench.turns.touch("ses_other")
    assert turn.idle_for(bench.time.mono()) == 100
    bench.turns.touch("ses_1")
    assert turn.idle_for(bench.time.mono()) == 0
    await bench.answer()
    ended_at = turn.last_activity
    await bench.time.advance(5)
    bench.turns.touch("ses_1")
    assert turn.last_activity == ended_at


async def test_the_current_turn_is_the_oldest_running_or_else_the_newest(bench: Bench) -> None:
    assert bench.turns.current("ses_1") is None
    first, second = await bench.send(), await bench.send(replace(PROMPT, message_id="msg_b", part_id="prt_b"))
    assert bench.turns.current("ses_1") is first
    assert bench.turns.running_in("ses_1")
    await bench.answer(post=0)
    assert bench.turns.current("ses_1") is second
    await bench.answer(message=replace(ANSWER, id="msg_c", parent_id="msg_b"), post=1)
    assert bench.turns.current("ses_1") is second
    assert not bench.turns.running_in("ses_1")
    assert not bench.turns.running_in("ses_other")


async def test_the_number_of_ended_turns_is_bounded(bench: Bench) -> None:
    for number in range(ENDED_KEPT + 5):
        await bench.send(replace(PROMPT, message_id=f"msg_{number}"))
        await bench.fail(ConnectFailed("connection refused"))
    assert len(bench.turns.of("ses_1")) <= ENDED_KEPT + 1
    assert bench.turns.of("ses_1")[-1].prompt_id == f"msg_{ENDED_KEPT + 4}"


async def test_the_prompt_of_a_killed_client_is_looked_up_and_not_posted(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    bench.turns.recover(PROMPT)
    assert bench.told == [TurnChanged("ses_1")]
    (turn,) = bench.turns.running()
    bench.turns.poll_all()
    await bench.wait(8)
    assert (state(turn), bench.server.posts) == (TurnState.NOT_SENT, [])


async def test_changes_without_events_diagnose_a_silent_stream(bench: Bench) -> None:
    turn = await bench.send()
    await bench.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()))
    bench.turns.tick()
    bench.server.status = Busy()
    bench.server.messages_there = [STORED, UNDONE]
    bench.turns.poll_all()
    await settle()
    trouble = bench.turns.diagnose(turn)
    assert trouble is not None
    assert trouble.kind is Kind.NO_EVENTS
    asked = bench.server.asked
    await bench.wait(POLL_WITHOUT_EVENTS + 0.5)
    assert bench.server.asked == asked + 1  # polling is all that is left
    bench.connection.events += 1
    await bench.wait(0.5)
    assert bench.turns.diagnose(turn) is None


@pytest.mark.parametrize(("ping", "kind"), [(None, Kind.NO_ANSWERS), (ReadTimeout(3), Kind.SILENT)])
async def test_unanswered_polls_diagnose_what_the_server_still_answers(
    bench: Bench, ping: NetError | None, kind: Kind
) -> None:
    bench.server.ping_fails = ping
    turn = await bench.send()
    bench.server.fails = ReadTimeout(3)
    for _ in range(2):
        assert bench.turns.diagnose(turn) is None
        bench.turns.poll_all()
        await settle()
    trouble = bench.turns.diagnose(turn)
    assert trouble is not None
    assert trouble.kind is kind


async def test_an_earlier_prompt_is_not_taken_for_a_later_one(bench: Bench) -> None:
    """Older pages may be loaded meanwhile, and our own earlier prompt may be stored only now."""
    bench.store.open_transcript("ses_1")
    bench.deliver(e.MessagesLoaded("ses_1", (FullMessage(LATER, ()),), "older"))
    await bench.send(replace(PROMPT, message_id="msg_8"))
    turn = await bench.send()
    await bench.fail(ConnectionLost("reset"))
    own = replace(LATER, id="msg_8", created=21.0)
    bench.server.messages_there = [replace(LATER, id="msg_6", created=5.0), LATER, own]
    await bench.wait(7)
    assert (state(turn), len(bench.server.posts)) == (TurnState.SENDING, 3)


async def test_a_recovered_prompt_is_not_reported_as_overtaken(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    bench.server.messages_there = [LATER]
    bench.turns.recover(PROMPT)
    await bench.wait(7)
    [turn] = bench.turns.of("ses_1")
    assert (state(turn), turn.reason) == (TurnState.NOT_SENT, "the client exited while sending it")


async def test_a_busy_session_is_not_working_on_an_answered_prompt(bench: Bench) -> None:
    """qwen serve reports the session as busy before it reports the prompt."""
    bench.store.open_transcript("ses_1")
    await bench.events(e.MessageUpserted(STORED), e.MessageUpserted(ANSWER), e.StatusChanged("ses_1", Busy()))
    assert bench.turns.of("ses_1") == ()
    await bench.events(e.MessageUpserted(LATER))
    assert [one.prompt_id for one in bench.turns.running()] == [LATER.id]


async def test_a_completed_turn_ends_while_the_session_is_busy_with_a_later_prompt(
    bench: Bench,
) -> None:
    bench.store.open_transcript("ses_1")
    await bench.events(e.MessageUpserted(STORED), e.StatusChanged("ses_1", Busy()), e.MessageUpserted(UNDONE))
    await bench.events(e.MessageUpserted(ANSWER), e.MessageUpserted(LATER))
    first, second = bench.turns.of("ses_1")
    assert (state(first), second.prompt_id, second.over) == (TurnState.FINISHED, LATER.id, False)


async def test_the_duration_of_a_late_seen_turn_is_the_servers(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    turn = await bench.send()
    now = bench.time.wall()
    await bench.wait(4)
    stored, answer = replace(STORED, created=now), replace(ANSWER, created=now + 0.1, completed=now + 1.0)
    await bench.events(e.MessageUpserted(stored), e.MessageUpserted(answer))
    await bench.answer(message=answer)
    assert state(turn) is TurnState.FINISHED
    assert turn.took == pytest.approx(1.0)


async def test_the_duration_is_the_clients_if_the_server_has_no_end_time(
    bench: Bench,
) -> None:
    """qwen serve does not store the end time of every turn; its answer then has the start time."""
    bench.store.open_transcript("ses_1")
    stored = replace(STORED, created=bench.time.wall())
    await bench.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    await bench.wait(13)
    answer = replace(ANSWER, created=stored.created + 0.0005, completed=stored.created)
    await bench.events(e.MessageUpserted(answer), e.StatusChanged("ses_1", Idle()))
    [turn] = bench.turns.of("ses_1")
    assert turn.took is None
    assert turn.ended == pytest.approx(turn.started + 13, abs=1.0)


@pytest.mark.parametrize("recorded", [True, False])
async def test_the_duration_of_a_turn_ended_in_an_outage_excludes_the_outage(bench: Bench, recorded: bool) -> None:
    bench.store.open_transcript("ses_1")
    stored = replace(STORED, created=bench.time.wall())
    completed = stored.created + 0.3 if recorded else stored.created
    answer = replace(ANSWER, created=stored.created + 0.0005, completed=completed)
    await bench.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    bench.turns.line_lost()
    bench.server.messages_there = [stored, answer]
    await bench.wait(27)
    bench.deliver(e.MessagesLoaded("ses_1", tuple(map(bench.server._full, bench.server.messages_there)), None))
    bench.deliver(e.Resynced({}, ()))
    bench.turns.line_back()
    [turn] = bench.turns.of("ses_1")
    assert state(turn) is TurnState.FINISHED
    if recorded:
        assert turn.took == pytest.approx(0.3)
        assert turn.ended == pytest.approx(turn.started + 0.3, abs=0.1)
    else:
        assert (turn.took, turn.ended) == (None, None)


async def test_a_turn_running_through_an_outage_is_timed(bench: Bench) -> None:
    bench.store.open_transcript("ses_1")
    stored = replace(STORED, created=bench.time.wall())
    await bench.events(e.MessageUpserted(stored), e.StatusChanged("ses_1", Busy()))
    bench.server.messages_there, bench.server.status = [stored], Busy()
    bench.turns.line_lost()
    await bench.wait(5)
    bench.turns.line_back()
    await bench.wait(8)
    answer = replace(ANSWER, created=stored.created + 0.0005, completed=stored.created)
    await bench.events(e.MessageUpserted(answer), e.StatusChanged("ses_1", Idle()))
    [turn] = bench.turns.of("ses_1")
    assert turn.ended == pytest.approx(turn.started + 13, abs=1.0)
