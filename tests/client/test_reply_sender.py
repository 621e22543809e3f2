"""Replies: sent until the server has them, and distinguished from those of other clients."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Literal, cast

import pytest
from msgspec.structs import replace

from tests.fake_ports import FakeServer, fake_ports
from tests.fake_time import FakeTime, settle
from tui.backends.base import Traits
from tui.client.pending_reply import PendingReply
from tui.client.reply_sender import MAX_CLOSED, ReplySender
from tui.client.resync import Resync
from tui.core import events as e
from tui.core.changes import Change, ReplyStatusChanged, RequestClosed
from tui.core.memory_size import weight
from tui.core.model import (
    Answers,
    Busy,
    FullMessage,
    Idle,
    Message,
    Option,
    PermissionReply,
    PermissionRequest,
    Question,
    QuestionRequest,
    TextPart,
    ToolPart,
)
from tui.core.store import Store
from tui.net.errors import (
    CertificateError,
    ConnectFailed,
    ConnectionLost,
    HttpStatusError,
    NetError,
    NotSent,
    UnexpectedContentType,
)
from tui.storage.journal import Journal

QUESTION = QuestionRequest(
    "que_1", "ses_1", (Question("Which?", "DB", (Option("A"), Option("B"))),), message_id="msg_2", call_id="call_1"
)
PERMISSION = PermissionRequest("per_1", "ses_1", "bash", ("make",), ("make *",), "make", "msg_2", "call_2")
OURS: Answers = (("A", "own words"),)
ANSWER = PendingReply(QUESTION, answers=OURS)
DISMISSAL = PendingReply(QUESTION)
ONCE = PendingReply(PERMISSION, permission="once")


def transcript(answers: Answers | None, call_id: str = "call_1", *, rejected: bool = False) -> tuple[FullMessage, ...]:
    """The server's stored messages of the turn."""
    message = Message("msg_2", "ses_1", "assistant")
    text = TextPart("prt_1", "ses_1", "msg_2", "Working.")
    tool = ToolPart("prt_2", "ses_1", "msg_2", call_id, "question", "completed", answers=answers)
    if rejected:
        tool = replace(tool, state="error", rejected=True)
    other = ToolPart("prt_9", "ses_1", "msg_9", "call_1", "question", "completed", answers=(("of another",),))
    return FullMessage(replace(message, id="msg_9"), (other,)), FullMessage(message, (text, tool))


Posted = tuple[str, Answers | None, PermissionReply | None, str]
"""A request's id, and what was posted to it."""


def posted(reply: PendingReply) -> Posted:
    return (reply.request.id, reply.answers, reply.permission, reply.message)


class SenderHarness:
    """A reply sender, its server, and the changes it reported."""

    def __init__(self, journal: Journal) -> None:
        self.time = FakeTime()
        self.store = Store()
        self.store.apply(e.RequestOpened(QUESTION))
        self.store.apply(e.RequestOpened(PERMISSION))
        self.changes: list[ReplyStatusChanged] = []
        self.closed: list[RequestClosed] = []
        self.posted: list[Posted] = []
        self.responses: list[bool | NetError] = []
        self.recorded: tuple[FullMessage, ...] | NetError = ()
        self.store.apply(e.StatusChanged("ses_1", Busy()))
        self.acceptance_is_proof = True
        self.looked_up = 0
        self.events_during_lookup: list[e.Event] = []
        self.journal = journal
        server = FakeServer(self, self.time)
        self.sender = ReplySender(
            self.store,
            journal,
            cast(Resync, SimpleNamespace(fetch_messages=self._messages)),
            fake_ports(server, self.time, emit=self._tell, apply=self.deliver),
        )

    def _tell(self, change: Change) -> None:
        assert isinstance(change, ReplyStatusChanged)
        self.changes.append(change)

    @property
    def traits(self) -> Traits:
        return Traits("any", acceptance_is_proof=self.acceptance_is_proof)

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        return self._post((request_id, answers, None, ""))

    async def reject(self, request_id: str, *, directory: str) -> bool:
        return self._post((request_id, None, None, ""))

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        return self._post((request_id, None, reply, message))

    def _post(self, posted: Posted) -> bool:
        self.posted.append(posted)
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if isinstance(response, NetError):
            raise response
        return response

    async def _messages(self, session_id: str) -> Sequence[FullMessage]:
        assert session_id == "ses_1"
        self.looked_up += 1
        for event in self.events_during_lookup:
            self.deliver(event)
        if isinstance(self.recorded, NetError):
            raise self.recorded
        return self.recorded

    def deliver(self, event: e.Event) -> None:
        for change in self.store.apply(event):
            if isinstance(change, RequestClosed):
                self.closed.append(change)
                self.sender.closed(change)

    async def send(self, reply: PendingReply, *responses: bool | NetError) -> tuple[str, str]:
        """The final state, and its reason."""
        self.responses = list(responses)
        sending = asyncio.create_task(self.sender.send(reply))
        await self.time.advance(120)
        assert sending.done(), self.changes
        await sending
        return self.changes[-1].state, self.changes[-1].reason

    @property
    def states(self) -> list[str]:
        return [change.state for change in self.changes]


@pytest.fixture
async def harness() -> AsyncIterator[SenderHarness]:
    journal = Journal(None, "http://server", wall=lambda: 1.0)
    yield SenderHarness(journal)
    journal.close()


@pytest.mark.parametrize(
    ("reply", "closed"),
    [
        (ANSWER, RequestClosed(QUESTION, "answered", OURS)),
        (DISMISSAL, RequestClosed(QUESTION, "rejected")),
        (ONCE, RequestClosed(PERMISSION, "replied", reply="once")),
    ],
)
async def test_an_accepted_reply_is_acknowledged_and_closes_the_request(
    harness: SenderHarness, reply: PendingReply, closed: RequestClosed
) -> None:
    assert await harness.send(reply, True) == ("acknowledged", "")
    assert harness.changes == [
        ReplyStatusChanged(reply.request, "sending", given=reply.given),
        ReplyStatusChanged(reply.request, "acknowledged"),
    ]
    assert harness.posted == [posted(reply)]
    assert harness.closed == [closed]
    assert harness.looked_up == 0


async def test_a_reply_that_the_backend_does_not_send_is_refused(harness: SenderHarness) -> None:
    assert await harness.send(ONCE, NotSent("not offered", "Allow it once.")) == ("refused", "not offered")
    assert PERMISSION.id in harness.store.requests


async def test_an_answer_is_retried_until_the_server_has_it(harness: SenderHarness) -> None:
    errors: list[NetError] = [ConnectionLost("reset"), ConnectFailed("connection refused"), HttpStatusError(502)]
    assert await harness.send(ANSWER, *errors, True) == ("acknowledged", "")
    assert harness.states == ["sending", "retrying", "retrying", "retrying", "acknowledged"]
    assert [change.reason for change in harness.changes[1:4]] == [error.message for error in errors]
    assert harness.posted == [posted(ANSWER)] * 4


async def test_retries_back_off(harness: SenderHarness) -> None:
    harness.responses = [ConnectionLost("reset")]
    sending = asyncio.create_task(harness.sender.send(ANSWER))
    await harness.time.advance(3.4)
    assert len(harness.posted) == 3  # at once, after 0.5 s, after another 1 s
    await harness.time.advance(600)
    assert len(harness.posted) < 30
    sending.cancel()


async def test_retry_after_is_respected(harness: SenderHarness) -> None:
    harness.responses = [HttpStatusError(429, retry_after=60), True]
    sending = asyncio.create_task(harness.sender.send(ANSWER))
    await harness.time.advance(59)
    assert len(harness.posted) == 1
    await harness.time.advance(2)
    assert sending.done()
    assert harness.states[-1] == "acknowledged"


async def test_the_same_answer_twice_is_sent_once(harness: SenderHarness) -> None:
    harness.responses = [ConnectionLost("reset")]
    first = asyncio.create_task(harness.sender.send(ANSWER))
    await settle()
    await harness.sender.send(PendingReply(QUESTION, answers=(("B",),)))
    assert harness.posted == [posted(ANSWER)]
    assert harness.states.count("sending") == 1
    first.cancel()
    await settle()
    harness.responses = [True]
    await harness.sender.send(ANSWER)  # the first one was cancelled, so a new one may be sent
    assert harness.states[-1] == "acknowledged"


OTHER = replace(QUESTION, questions=(Question("Delete everything?", "All", (Option("Yes"),)),))
"""Another question under the same id."""


async def test_an_answer_to_an_older_question_under_the_id_is_not_sent(harness: SenderHarness) -> None:
    harness.responses = [ConnectionLost("reset")]
    sending = asyncio.create_task(harness.sender.send(ANSWER))
    await settle()
    harness.deliver(e.RequestOpened(OTHER))
    harness.sender.submit(ANSWER)
    assert harness.changes[-1] == ReplyStatusChanged(QUESTION, "expired", "the server asks something else now")
    await harness.time.advance(60)
    assert sending.done()
    assert harness.posted == [posted(ANSWER)]
    assert harness.store.requests["que_1"] == OTHER
    assert harness.journal.adopt_answers() == []


async def test_the_newer_question_can_be_answered_while_an_older_answer_is_retried(harness: SenderHarness) -> None:
    harness.responses = [ConnectionLost("reset"), True]
    older = asyncio.create_task(harness.sender.send(ANSWER))
    await settle()
    harness.deliver(e.RequestOpened(OTHER))
    newer = PendingReply(OTHER, answers=(("Yes",),))
    await harness.sender.send(newer)
    await harness.time.advance(60)
    assert older.done()
    assert harness.posted == [posted(ANSWER), posted(newer)]
    assert harness.store.requests.keys() == {"per_1"}


@pytest.mark.parametrize("not_open", [HttpStatusError(404), HttpStatusError(409), HttpStatusError(410), False])
@pytest.mark.parametrize(
    ("recorded", "outcome"),
    [
        (OURS, ("acknowledged", "")),
        ((("B",), ("x", "y")), ("elsewhere", "B; x, y")),
        (None, ("expired", "")),
    ],
)
async def test_a_lost_acknowledgement_is_recovered_from_the_servers_record(
    harness: SenderHarness, not_open: HttpStatusError | bool, recorded: Answers | None, outcome: tuple[str, str]
) -> None:
    harness.recorded = transcript(recorded)
    assert await harness.send(ANSWER, ConnectionLost("reset"), not_open) == outcome
    assert harness.posted == [posted(ANSWER)] * 2
    assert "que_1" not in harness.store.requests


async def test_only_the_record_of_the_requesting_call_counts(harness: SenderHarness) -> None:
    harness.recorded = transcript(OURS, call_id="call_other")
    assert await harness.send(ANSWER, HttpStatusError(404)) == ("expired", "")


async def test_a_request_removed_without_a_result_is_looked_up(harness: SenderHarness) -> None:
    """The connection broke with the acknowledgement; after reconnecting, the resync shows only that the request is
    closed.
    """
    harness.deliver(e.RequestRemoved("ses_1", "que_1"))
    harness.recorded = transcript(OURS)
    assert await harness.send(ANSWER, HttpStatusError(404)) == ("acknowledged", "")


async def test_an_answer_reported_by_an_event_is_not_looked_up(harness: SenderHarness) -> None:
    harness.deliver(e.QuestionAnswered("ses_1", "que_1", (("B",),)))
    assert await harness.send(ANSWER, HttpStatusError(404)) == ("elsewhere", "B")
    assert harness.looked_up == 0


async def test_our_own_answer_reported_by_an_event_is_acknowledged(harness: SenderHarness) -> None:
    harness.deliver(e.QuestionAnswered("ses_1", "que_1", OURS))
    assert await harness.send(ANSWER, ConnectionLost("reset"), HttpStatusError(404)) == ("acknowledged", "")


async def test_a_question_dismissed_elsewhere(harness: SenderHarness) -> None:
    harness.deliver(e.QuestionRejected("ses_1", "que_1"))
    assert await harness.send(ANSWER, HttpStatusError(404)) == ("elsewhere", "dismissed")


@pytest.mark.parametrize(
    ("reply", "outcome"), [("dismissal", ("acknowledged", "")), ("answer", ("elsewhere", "rejected"))]
)
async def test_a_rejection_is_found_in_the_servers_record(
    harness: SenderHarness, reply: str, outcome: tuple[str, str]
) -> None:
    harness.recorded = transcript(None, rejected=True)
    assert await harness.send(ANSWER if reply == "answer" else DISMISSAL, HttpStatusError(404)) == outcome


async def test_a_dismissal_whose_acknowledgement_was_lost(harness: SenderHarness) -> None:
    harness.deliver(e.QuestionRejected("ses_1", "que_1"))
    assert await harness.send(DISMISSAL, HttpStatusError(404)) == ("acknowledged", "")


async def test_a_dismissal_after_another_clients_answer(harness: SenderHarness) -> None:
    harness.deliver(e.QuestionAnswered("ses_1", "que_1", (("B",),)))
    assert await harness.send(DISMISSAL, HttpStatusError(404)) == ("elsewhere", "B")


@pytest.mark.parametrize(("theirs", "outcome"), [("once", ("acknowledged", "")), ("reject", ("elsewhere", "reject"))])
async def test_a_permission_answered_elsewhere(harness: SenderHarness, theirs: str, outcome: tuple[str, str]) -> None:
    harness.deliver(e.PermissionReplied("ses_1", "per_1", theirs))  # type: ignore[arg-type]
    assert await harness.send(ONCE, HttpStatusError(404)) == outcome


@pytest.mark.parametrize(
    ("reply", "state", "outcome"),
    [
        ("once", "running", ("allowed", "")),
        ("always", "completed", ("allowed", "")),
        ("once", "error", ("expired", "")),
        ("reject", "error", ("acknowledged", "")),
        ("reject", "completed", ("elsewhere", "allowed")),
    ],
)
async def test_a_permission_without_acknowledgement_or_event_is_resolved_by_its_call(
    harness: SenderHarness,
    reply: PermissionReply,
    state: Literal["running", "completed", "error"],
    outcome: tuple[str, str],
) -> None:
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    harness.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", state)
    message = Message("msg_2", "ses_1", "assistant")
    harness.recorded = (FullMessage(message, (call,)),)
    assert (
        await harness.send(PendingReply(asked, permission=reply), ConnectionLost("reset"), HttpStatusError(404))
        == outcome
    )


@pytest.mark.parametrize(
    ("reply", "state", "outcome"),
    [
        ("once", "running", ("elsewhere", "allowed")),
        ("always", "completed", ("elsewhere", "allowed")),
        ("reject", "error", ("expired", "")),
    ],
)
async def test_a_call_does_not_prove_a_reply_that_was_never_delivered(
    harness: SenderHarness,
    reply: PermissionReply,
    state: Literal["running", "completed", "error"],
    outcome: tuple[str, str],
) -> None:
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    harness.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", state)
    harness.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    sent = PendingReply(asked, permission=reply)
    assert await harness.send(sent, ConnectFailed("connection refused"), HttpStatusError(404)) == outcome


@pytest.mark.parametrize("state", ["pending", "running"])
@pytest.mark.parametrize("reply", ["once", "reject"])
@pytest.mark.parametrize("turn", ["none", "a later one"])
async def test_a_call_killed_with_its_server_does_not_count_as_allowed(
    harness: SenderHarness, reply: PermissionReply, state: Literal["pending", "running"], turn: str
) -> None:
    """opencode asks while the call is already running, and keeps it running forever if killed then."""
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_2", "bash", state)
    messages = [FullMessage(Message("msg_2", "ses_1", "assistant"), (call,))]
    if turn == "a later one":
        messages += [
            FullMessage(Message("msg_3", "ses_1", "user"), ()),
            FullMessage(Message("msg_4", "ses_1", "assistant"), ()),
        ]
    if turn == "none":
        harness.store.apply(e.StatusChanged("ses_1", Idle()))
    harness.recorded = tuple(messages)
    assert await harness.send(
        PendingReply(PERMISSION, permission=reply), ConnectionLost("reset"), HttpStatusError(404)
    ) == ("expired", "")


async def test_a_permission_removed_without_a_result_is_expired(harness: SenderHarness) -> None:
    assert await harness.send(ONCE, HttpStatusError(404)) == ("expired", "")
    assert "per_1" not in harness.store.requests


async def test_no_outcome_is_reported_while_the_record_cannot_be_read(harness: SenderHarness) -> None:
    harness.recorded = ConnectionLost("reset")
    harness.responses = [HttpStatusError(404)]
    sending = asyncio.create_task(harness.sender.send(ANSWER))
    await harness.time.advance(5)
    assert harness.states[-1] == "retrying"
    assert "que_1" in harness.store.requests
    harness.recorded = transcript(OURS)
    await harness.time.advance(30)
    await sending
    assert harness.states[-1] == "acknowledged"


async def test_a_reply_in_a_deleted_session_is_expired(harness: SenderHarness) -> None:
    harness.recorded = HttpStatusError(404)
    assert await harness.send(ANSWER, HttpStatusError(404)) == ("expired", "")


@pytest.mark.parametrize("status", [400, 403])
async def test_a_refused_reply_leaves_the_request_open(harness: SenderHarness, status: int) -> None:
    state, reason = await harness.send(ANSWER, HttpStatusError(status, excerpt="Expected array"))
    assert (state, "Expected array" in reason) == ("refused", True)
    assert "que_1" in harness.store.requests
    assert len(harness.posted) == 1


@pytest.mark.parametrize(
    "error", [HttpStatusError(401), CertificateError("expired"), UnexpectedContentType("text/html")]
)
async def test_a_permanent_error_stops_the_retries(harness: SenderHarness, error: NetError) -> None:
    assert await harness.send(ANSWER, error) == ("stopped", error.message)
    assert "que_1" in harness.store.requests
    assert len(harness.posted) == 1


async def test_a_stopped_reply_is_returned_once_for_resending(harness: SenderHarness) -> None:
    await harness.send(ANSWER, HttpStatusError(401))
    assert harness.sender.pop_blocked() == [ANSWER]
    assert harness.sender.pop_blocked() == []
    await harness.send(ANSWER, HttpStatusError(401))
    await harness.send(changed := PendingReply(QUESTION, answers=(("B",),)), HttpStatusError(401))
    assert harness.sender.pop_blocked() == [changed]
    await harness.send(changed, True)
    assert harness.sender.pop_blocked() == []


async def test_the_number_of_remembered_closed_requests_is_bounded(harness: SenderHarness) -> None:
    for number in range(MAX_CLOSED + 1):
        harness.sender.closed(RequestClosed(replace(QUESTION, id=f"que_{number}"), "answered", OURS))
    harness.responses = [HttpStatusError(404)]
    await harness.sender.send(PendingReply(replace(QUESTION, id="que_0"), answers=OURS))
    assert harness.states[-1] == "expired"
    await harness.sender.send(PendingReply(replace(QUESTION, id="que_1"), answers=OURS))
    assert harness.states[-1] == "acknowledged"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.parametrize(
    "reply", [ANSWER, DISMISSAL, ONCE, PendingReply(PERMISSION, permission="reject", message="not now")]
)
async def test_an_unacknowledged_answer_survives_a_restart(folder: Path, reply: PendingReply) -> None:
    died = SenderHarness(Journal(folder, "http://server", wall=lambda: 1.0))
    died.responses = [ConnectionLost("reset")]
    sending = asyncio.create_task(died.sender.send(reply))
    await settle()
    died.journal.close()
    sending.cancel()
    after = SenderHarness(Journal(folder, "http://server", wall=lambda: 2.0))
    (unsettled,) = after.sender.load_pending()
    assert unsettled == reply
    assert await after.send(unsettled, True) == ("acknowledged", "")
    after.journal.close()
    last = SenderHarness(Journal(folder, "http://server", wall=lambda: 3.0))
    assert last.sender.load_pending() == []
    last.journal.close()


@pytest.mark.parametrize(
    ("responses", "kept"),
    [(HttpStatusError(401), [ANSWER]), (HttpStatusError(400), []), (HttpStatusError(404), []), (True, [])],
)
async def test_an_answer_is_stored_until_its_outcome_is_final(
    folder: Path, responses: NetError | bool, kept: list[PendingReply]
) -> None:
    harness = SenderHarness(Journal(folder, "http://server", wall=lambda: 1.0))
    harness.journal.save_answer_draft("que_1", b"half-filled")
    await harness.send(ANSWER, responses)
    draft = harness.journal.answer_draft("que_1")
    harness.journal.close()
    after = SenderHarness(Journal(folder, "http://server", wall=lambda: 2.0))
    assert after.sender.load_pending() == kept
    after.journal.close()
    assert (draft is not None) is (isinstance(responses, HttpStatusError) and responses.status in (400, 401))


@pytest.mark.parametrize(
    ("answers", "outcome"), [((("B",),), ("elsewhere", "B")), (OURS, ("acknowledged", ""))], ids=["theirs", "ours"]
)
async def test_a_stopped_reply_is_resolved_by_the_event_that_closes_its_request(
    harness: SenderHarness, answers: Answers, outcome: tuple[str, str]
) -> None:
    await harness.send(ANSWER, HttpStatusError(401))
    harness.deliver(e.QuestionAnswered("ses_1", "que_1", answers))
    await settle()
    assert (harness.changes[-1].state, harness.changes[-1].reason) == outcome
    assert harness.sender.pop_blocked() == []
    assert len(harness.posted) == 1
    assert harness.journal.adopt_answers() == []


async def test_a_reply_stopped_after_its_request_closed_is_resolved_by_that_event(harness: SenderHarness) -> None:
    harness.deliver(e.QuestionAnswered("ses_1", "que_1", (("B",),)))
    assert await harness.send(ANSWER, HttpStatusError(401)) == ("elsewhere", "B")
    assert harness.sender.pop_blocked() == []


@pytest.mark.parametrize(
    ("recorded", "outcome"),
    [(OURS, ("acknowledged", "")), ((("B",),), ("elsewhere", "B")), (None, ("expired", ""))],
)
async def test_a_stopped_reply_is_resolved_by_the_record_if_no_event_says_how_it_ended(
    harness: SenderHarness, recorded: Answers | None, outcome: tuple[str, str]
) -> None:
    await harness.send(ANSWER, HttpStatusError(401))
    harness.recorded = transcript(recorded)
    harness.deliver(e.RequestRemoved("ses_1", "que_1"))
    await settle()
    assert (harness.changes[-1].state, harness.changes[-1].reason) == outcome
    assert harness.posted == [posted(ANSWER)]  # nothing is sent until the user acts
    assert harness.sender.pop_blocked() == []
    assert harness.journal.adopt_answers() == []


async def test_a_stopped_reply_stays_stopped_while_the_record_is_refused_too(harness: SenderHarness) -> None:
    await harness.send(ANSWER, HttpStatusError(401))
    harness.recorded = HttpStatusError(403)
    harness.deliver(e.RequestRemoved("ses_1", "que_1"))
    await settle()
    assert harness.states == ["sending", "stopped", "stopped"]
    assert "403" in harness.changes[-1].reason
    assert harness.sender.pop_blocked() == [ANSWER]
    harness.recorded = transcript(OURS)
    assert await harness.send(ANSWER, HttpStatusError(404)) == ("acknowledged", "")


async def test_a_reopened_request_gets_the_stopped_answer(harness: SenderHarness) -> None:
    """Its call runs while it waits: that does not prove that the answer arrived."""
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    harness.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", "running")
    harness.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    reply = PendingReply(asked, permission="once")
    await harness.send(reply, HttpStatusError(401))
    harness.events_during_lookup = [e.RequestOpened(asked)]
    harness.responses = [True]
    harness.deliver(e.RequestRemoved("ses_1", "per_1"))
    await settle()
    assert harness.posted == [posted(reply)] * 2
    assert harness.states[-1] == "acknowledged"


async def test_a_reply_refused_after_its_request_closed_is_not_reported_as_open(harness: SenderHarness) -> None:
    harness.deliver(e.RequestRemoved("ses_1", "que_1"))
    harness.recorded = transcript((("B",),))
    assert await harness.send(ANSWER, HttpStatusError(400)) == ("elsewhere", "B")


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}", b'{"question":null,"permission_request":null,"answers":null,"permission":null,"message":""}'],
)
async def test_an_unreadable_answer_of_an_earlier_run_does_not_hide_the_others(tmp_path: Path, body: bytes) -> None:
    journal = Journal(tmp_path, "server", wall=lambda: 1.0)
    before = SenderHarness(journal)
    before.responses = [ConnectFailed("connection refused")] * 3
    journal.post_answer("per_0", body)
    sending = asyncio.create_task(before.sender.send(ANSWER))
    await settle()
    sending.cancel()
    journal.close()
    after = SenderHarness(Journal(tmp_path, "server", wall=lambda: 1.0))
    assert after.sender.load_pending() == [ANSWER]
    after.journal.close()


@pytest.mark.parametrize(
    ("theirs", "outcome"),
    [
        (OURS, ("acknowledged", "")),
        ((("B", "another's"),), ("elsewhere", "B, another's")),
        (None, ("elsewhere", "dismissed")),
    ],
)
async def test_an_unreliable_acceptance_is_resolved_by_the_closing_event(
    harness: SenderHarness, theirs: Answers | None, outcome: tuple[str, str]
) -> None:
    """Another client's answer arrived just before ours; the event for it follows the server's acceptance."""
    harness.acceptance_is_proof = False
    harness.responses = [True]
    sending = asyncio.create_task(harness.sender.send(ANSWER))
    await harness.time.advance(0.1)
    assert harness.states == ["sending"]
    harness.deliver(e.QuestionAnswered("ses_1", "que_1", theirs) if theirs else e.QuestionRejected("ses_1", "que_1"))
    await harness.time.advance(2)
    await sending
    assert (harness.changes[-1].state, harness.changes[-1].reason) == outcome
    assert harness.posted == [posted(ANSWER)]


async def test_an_unreliable_acceptance_without_an_event_is_resolved_by_the_record(harness: SenderHarness) -> None:
    harness.acceptance_is_proof = False
    harness.recorded = transcript((("B", "another's"),))
    assert await harness.send(ANSWER, True) == ("elsewhere", "B, another's")


async def test_an_unreliable_acceptance_without_contrary_evidence_is_acknowledged(harness: SenderHarness) -> None:
    harness.acceptance_is_proof = False
    assert await harness.send(ANSWER, True) == ("acknowledged", "")


async def test_an_unreliable_acceptance_with_a_running_call_is_only_allowed(harness: SenderHarness) -> None:
    harness.acceptance_is_proof = False
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    harness.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", "running")
    harness.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    assert await harness.send(PendingReply(asked, permission="once"), True) == ("allowed", "")


@pytest.mark.parametrize("shown_by", ["an event", "the call"])
@pytest.mark.parametrize(
    ("failure", "outcome"), [(ConnectFailed("refused"), "elsewhere"), (ConnectionLost("reset"), "acknowledged")]
)
async def test_an_undelivered_reason_is_not_shown_as_given(
    harness: SenderHarness, shown_by: str, failure: NetError, outcome: str
) -> None:
    """Another client rejected the same call without a reason."""
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    harness.deliver(e.RequestOpened(asked))
    if shown_by == "an event":
        harness.deliver(e.PermissionReplied("ses_1", "per_1", "reject"))
    else:
        call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", "error", rejected=True)
        harness.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    sent = PendingReply(asked, permission="reject", message="use uv")
    state, _ = await harness.send(sent, failure, HttpStatusError(404))
    assert state == outcome


async def test_content_of_closed_requests_is_not_kept(harness: SenderHarness) -> None:
    request = PermissionRequest("per_large", "ses_1", "bash", detail="x" * 1_000_000)
    harness.sender.closed(RequestClosed(request, "replied", reply="once"))
    assert weight(harness.sender._closed) < 10_000
