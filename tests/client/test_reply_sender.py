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
from tui.client.reply_sender import CLOSED_KEPT, ReplySender
from tui.client.resync import Resync
from tui.core import events as e
from tui.core.changes import Change, ReplyStatusChanged, RequestClosed
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


class Desk:
    """A reply sender, its server, and the changes it reported."""

    def __init__(self, journal: Journal) -> None:
        self.time = FakeTime()
        self.store = Store()
        self.store.apply(e.RequestOpened(QUESTION))
        self.store.apply(e.RequestOpened(PERMISSION))
        self.told: list[ReplyStatusChanged] = []
        self.closed: list[RequestClosed] = []
        self.posted: list[Posted] = []
        self.says: list[bool | NetError] = []
        self.recorded: tuple[FullMessage, ...] | NetError = ()
        self.store.apply(e.StatusChanged("ses_1", Busy()))
        self.yes_is_proof = True
        self.looked_up = 0
        self.heard_meanwhile: list[e.Event] = []
        self.journal = journal
        server = FakeServer(self, self.time)
        self.outbox = ReplySender(
            self.store,
            journal,
            cast(Resync, SimpleNamespace(messages=self._messages)),
            fake_ports(server, self.time, emit=self._tell, apply=self.deliver),
        )

    def _tell(self, change: Change) -> None:
        assert isinstance(change, ReplyStatusChanged)
        self.told.append(change)

    @property
    def traits(self) -> Traits:
        return Traits("any", yes_is_proof=self.yes_is_proof)

    async def answer(self, request_id: str, answers: Answers, *, directory: str) -> bool:
        return self._post((request_id, answers, None, ""))

    async def reject(self, request_id: str, *, directory: str) -> bool:
        return self._post((request_id, None, None, ""))

    async def reply(self, request_id: str, reply: PermissionReply, message: str, *, directory: str) -> bool:
        return self._post((request_id, None, reply, message))

    def _post(self, posted: Posted) -> bool:
        self.posted.append(posted)
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, NetError):
            raise said
        return said

    async def _messages(self, session_id: str) -> Sequence[FullMessage]:
        assert session_id == "ses_1"
        self.looked_up += 1
        for event in self.heard_meanwhile:
            self.deliver(event)
        if isinstance(self.recorded, NetError):
            raise self.recorded
        return self.recorded

    def deliver(self, event: e.Event) -> None:
        for change in self.store.apply(event):
            if isinstance(change, RequestClosed):
                self.closed.append(change)
                self.outbox.closed(change)

    async def send(self, reply: PendingReply, *says: bool | NetError) -> tuple[str, str]:
        """The final state, and its reason."""
        self.says = list(says)
        sending = asyncio.create_task(self.outbox.send(reply))
        await self.time.advance(120)
        assert sending.done(), self.told
        await sending
        return self.told[-1].state, self.told[-1].reason

    @property
    def states(self) -> list[str]:
        return [change.state for change in self.told]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    journal = Journal(None, "http://server", wall=lambda: 1.0)
    yield Desk(journal)
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
    desk: Desk, reply: PendingReply, closed: RequestClosed
) -> None:
    assert await desk.send(reply, True) == ("acknowledged", "")
    assert desk.told == [
        ReplyStatusChanged(reply.request, "sending", given=reply.given),
        ReplyStatusChanged(reply.request, "acknowledged"),
    ]
    assert desk.posted == [posted(reply)]
    assert desk.closed == [closed]
    assert desk.looked_up == 0


async def test_an_answer_is_retried_until_the_server_has_it(desk: Desk) -> None:
    errors: list[NetError] = [ConnectionLost("reset"), ConnectFailed("connection refused"), HttpStatusError(502)]
    assert await desk.send(ANSWER, *errors, True) == ("acknowledged", "")
    assert desk.states == ["sending", "retrying", "retrying", "retrying", "acknowledged"]
    assert [change.reason for change in desk.told[1:4]] == [error.message for error in errors]
    assert desk.posted == [posted(ANSWER)] * 4


async def test_retries_back_off(desk: Desk) -> None:
    desk.says = [ConnectionLost("reset")]
    sending = asyncio.create_task(desk.outbox.send(ANSWER))
    await desk.time.advance(3.4)
    assert len(desk.posted) == 3  # at once, after 0.5 s, after another 1 s
    await desk.time.advance(600)
    assert len(desk.posted) < 30
    sending.cancel()


async def test_retry_after_is_respected(desk: Desk) -> None:
    desk.says = [HttpStatusError(429, retry_after=60), True]
    sending = asyncio.create_task(desk.outbox.send(ANSWER))
    await desk.time.advance(59)
    assert len(desk.posted) == 1
    await desk.time.advance(2)
    assert sending.done()
    assert desk.states[-1] == "acknowledged"


async def test_the_same_answer_twice_is_sent_once(desk: Desk) -> None:
    desk.says = [ConnectionLost("reset")]
    first = asyncio.create_task(desk.outbox.send(ANSWER))
    await settle()
    await desk.outbox.send(PendingReply(QUESTION, answers=(("B",),)))
    assert desk.posted == [posted(ANSWER)]
    assert desk.states.count("sending") == 1
    first.cancel()
    await settle()
    desk.says = [True]
    await desk.outbox.send(ANSWER)  # the first one was cancelled, so a new one may be sent
    assert desk.states[-1] == "acknowledged"


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
    desk: Desk, not_open: HttpStatusError | bool, recorded: Answers | None, outcome: tuple[str, str]
) -> None:
    desk.recorded = transcript(recorded)
    assert await desk.send(ANSWER, ConnectionLost("reset"), not_open) == outcome
    assert desk.posted == [posted(ANSWER)] * 2
    assert "que_1" not in desk.store.requests


async def test_only_the_record_of_the_requesting_call_counts(desk: Desk) -> None:
    desk.recorded = transcript(OURS, call_id="call_other")
    assert await desk.send(ANSWER, HttpStatusError(404)) == ("expired", "")


async def test_a_request_removed_without_a_result_is_looked_up(desk: Desk) -> None:
    """The connection broke with the acknowledgement; after reconnecting, the resync shows only that the request is
    closed.
    """
    desk.deliver(e.RequestGone("ses_1", "que_1"))
    desk.recorded = transcript(OURS)
    assert await desk.send(ANSWER, HttpStatusError(404)) == ("acknowledged", "")


async def test_an_answer_reported_by_an_event_is_not_looked_up(desk: Desk) -> None:
    desk.deliver(e.QuestionAnswered("ses_1", "que_1", (("B",),)))
    assert await desk.send(ANSWER, HttpStatusError(404)) == ("elsewhere", "B")
    assert desk.looked_up == 0


async def test_our_own_answer_reported_by_an_event_is_acknowledged(desk: Desk) -> None:
    desk.deliver(e.QuestionAnswered("ses_1", "que_1", OURS))
    assert await desk.send(ANSWER, ConnectionLost("reset"), HttpStatusError(404)) == ("acknowledged", "")


async def test_a_question_dismissed_elsewhere(desk: Desk) -> None:
    desk.deliver(e.QuestionRejected("ses_1", "que_1"))
    assert await desk.send(ANSWER, HttpStatusError(404)) == ("elsewhere", "dismissed")


@pytest.mark.parametrize(
    ("reply", "outcome"), [("dismissal", ("acknowledged", "")), ("answer", ("elsewhere", "rejected"))]
)
async def test_a_rejection_is_found_in_the_servers_record(desk: Desk, reply: str, outcome: tuple[str, str]) -> None:
    desk.recorded = transcript(None, rejected=True)
    assert await desk.send(ANSWER if reply == "answer" else DISMISSAL, HttpStatusError(404)) == outcome


async def test_a_dismissal_whose_acknowledgement_was_lost(desk: Desk) -> None:
    desk.deliver(e.QuestionRejected("ses_1", "que_1"))
    assert await desk.send(DISMISSAL, HttpStatusError(404)) == ("acknowledged", "")


async def test_a_dismissal_after_another_clients_answer(desk: Desk) -> None:
    desk.deliver(e.QuestionAnswered("ses_1", "que_1", (("B",),)))
    assert await desk.send(DISMISSAL, HttpStatusError(404)) == ("elsewhere", "B")


@pytest.mark.parametrize(("theirs", "outcome"), [("once", ("acknowledged", "")), ("reject", ("elsewhere", "reject"))])
async def test_a_permission_answered_elsewhere(desk: Desk, theirs: str, outcome: tuple[str, str]) -> None:
    desk.deliver(e.PermissionReplied("ses_1", "per_1", theirs))  # type: ignore[arg-type]
    assert await desk.send(ONCE, HttpStatusError(404)) == outcome


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
    desk: Desk, reply: PermissionReply, state: Literal["running", "completed", "error"], outcome: tuple[str, str]
) -> None:
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    desk.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", state)
    message = Message("msg_2", "ses_1", "assistant")
    desk.recorded = (FullMessage(message, (call,)),)
    assert (
        await desk.send(PendingReply(asked, permission=reply), ConnectionLost("reset"), HttpStatusError(404)) == outcome
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
    desk: Desk, reply: PermissionReply, state: Literal["running", "completed", "error"], outcome: tuple[str, str]
) -> None:
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    desk.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", state)
    desk.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    sent = PendingReply(asked, permission=reply)
    assert await desk.send(sent, ConnectFailed("connection refused"), HttpStatusError(404)) == outcome


@pytest.mark.parametrize("state", ["pending", "running"])
@pytest.mark.parametrize("reply", ["once", "reject"])
@pytest.mark.parametrize("turn", ["none", "a later one"])
async def test_a_call_killed_with_its_server_does_not_count_as_allowed(
    desk: Desk, reply: PermissionReply, state: Literal["pending", "running"], turn: str
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
        desk.store.apply(e.StatusChanged("ses_1", Idle()))
    desk.recorded = tuple(messages)
    assert await desk.send(
        PendingReply(PERMISSION, permission=reply), ConnectionLost("reset"), HttpStatusError(404)
    ) == ("expired", "")


async def test_a_permission_removed_without_a_result_is_expired(desk: Desk) -> None:
    assert await desk.send(ONCE, HttpStatusError(404)) == ("expired", "")
    assert "per_1" not in desk.store.requests


async def test_no_outcome_is_reported_while_the_record_cannot_be_read(desk: Desk) -> None:
    desk.recorded = ConnectionLost("reset")
    desk.says = [HttpStatusError(404)]
    sending = asyncio.create_task(desk.outbox.send(ANSWER))
    await desk.time.advance(5)
    assert desk.states[-1] == "retrying"
    assert "que_1" in desk.store.requests
    desk.recorded = transcript(OURS)
    await desk.time.advance(30)
    await sending
    assert desk.states[-1] == "acknowledged"


async def test_a_reply_in_a_deleted_session_is_expired(desk: Desk) -> None:
    desk.recorded = HttpStatusError(404)
    assert await desk.send(ANSWER, HttpStatusError(404)) == ("expired", "")


@pytest.mark.parametrize("status", [400, 403])
async def test_a_refused_reply_leaves_the_request_open(desk: Desk, status: int) -> None:
    state, reason = await desk.send(ANSWER, HttpStatusError(status, excerpt="Expected array"))
    assert (state, "Expected array" in reason) == ("refused", True)
    assert "que_1" in desk.store.requests
    assert len(desk.posted) == 1


@pytest.mark.parametrize(
    "error", [HttpStatusError(401), CertificateError("expired"), UnexpectedContentType("text/html")]
)
async def test_a_permanent_error_stops_the_retries(desk: Desk, error: NetError) -> None:
    assert await desk.send(ANSWER, error) == ("stopped", error.message)
    assert "que_1" in desk.store.requests
    assert len(desk.posted) == 1


async def test_a_stopped_reply_is_returned_once_for_resending(desk: Desk) -> None:
    await desk.send(ANSWER, HttpStatusError(401))
    assert desk.outbox.pop_blocked() == [ANSWER]
    assert desk.outbox.pop_blocked() == []
    await desk.send(ANSWER, HttpStatusError(401))
    await desk.send(changed := PendingReply(QUESTION, answers=(("B",),)), HttpStatusError(401))
    assert desk.outbox.pop_blocked() == [changed]
    await desk.send(changed, True)
    assert desk.outbox.pop_blocked() == []


async def test_the_number_of_remembered_closed_requests_is_bounded(desk: Desk) -> None:
    for number in range(CLOSED_KEPT + 1):
        desk.outbox.closed(RequestClosed(replace(QUESTION, id=f"que_{number}"), "answered", OURS))
    desk.says = [HttpStatusError(404)]
    await desk.outbox.send(PendingReply(replace(QUESTION, id="que_0"), answers=OURS))
    assert desk.states[-1] == "expired"
    await desk.outbox.send(PendingReply(replace(QUESTION, id="que_1"), answers=OURS))
    assert desk.states[-1] == "acknowledged"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.mark.parametrize(
    "reply", [ANSWER, DISMISSAL, ONCE, PendingReply(PERMISSION, permission="reject", message="not now")]
)
async def test_an_unacknowledged_answer_survives_a_restart(folder: Path, reply: PendingReply) -> None:
    died = Desk(Journal(folder, "http://server", wall=lambda: 1.0))
    died.says = [ConnectionLost("reset")]
    sending = asyncio.create_task(died.outbox.send(reply))
    await settle()
    died.journal.close()
    sending.cancel()
    after = Desk(Journal(folder, "http://server", wall=lambda: 2.0))
    (unsettled,) = after.outbox.load_pending()
    assert unsettled == reply
    assert await after.send(unsettled, True) == ("acknowledged", "")
    after.journal.close()
    last = Desk(Journal(folder, "http://server", wall=lambda: 3.0))
    assert last.outbox.load_pending() == []
    last.journal.close()


@pytest.mark.parametrize(
    ("says", "kept"),
    [(HttpStatusError(401), [ANSWER]), (HttpStatusError(400), []), (HttpStatusError(404), []), (True, [])],
)
async def test_an_answer_is_stored_until_its_outcome_is_final(
    folder: Path, says: NetError | bool, kept: list[PendingReply]
) -> None:
    desk = Desk(Journal(folder, "http://server", wall=lambda: 1.0))
    desk.journal.save_answer_draft("que_1", b"half-filled")
    await desk.send(ANSWER, says)
    draft = desk.journal.answer_draft("que_1")
    desk.journal.close()
    after = Desk(Journal(folder, "http://server", wall=lambda: 2.0))
    assert after.outbox.load_pending() == kept
    after.journal.close()
    assert (draft is not None) is (isinstance(says, HttpStatusError) and says.status in (400, 401))


@pytest.mark.parametrize(
    ("answers", "outcome"), [((("B",),), ("elsewhere", "B")), (OURS, ("acknowledged", ""))], ids=["theirs", "ours"]
)
async def test_a_stopped_reply_is_resolved_by_the_event_that_closes_its_request(
    desk: Desk, answers: Answers, outcome: tuple[str, str]
) -> None:
    await desk.send(ANSWER, HttpStatusError(401))
    desk.deliver(e.QuestionAnswered("ses_1", "que_1", answers))
    await settle()
    assert (desk.told[-1].state, desk.told[-1].reason) == outcome
    assert desk.outbox.pop_blocked() == []
    assert len(desk.posted) == 1
    assert desk.journal.adopt_answers() == []


async def test_a_reply_stopped_after_its_request_closed_is_resolved_by_that_event(desk: Desk) -> None:
    desk.deliver(e.QuestionAnswered("ses_1", "que_1", (("B",),)))
    assert await desk.send(ANSWER, HttpStatusError(401)) == ("elsewhere", "B")
    assert desk.outbox.pop_blocked() == []


@pytest.mark.parametrize(
    ("recorded", "outcome"),
    [(OURS, ("acknowledged", "")), ((("B",),), ("elsewhere", "B")), (None, ("expired", ""))],
)
async def test_a_stopped_reply_is_resolved_by_the_record_if_no_event_says_how_it_ended(
    desk: Desk, recorded: Answers | None, outcome: tuple[str, str]
) -> None:
    await desk.send(ANSWER, HttpStatusError(401))
    desk.recorded = transcript(recorded)
    desk.deliver(e.RequestGone("ses_1", "que_1"))
    await settle()
    assert (desk.told[-1].state, desk.told[-1].reason) == outcome
    assert desk.posted == [posted(ANSWER)]  # nothing is sent until the user acts
    assert desk.outbox.pop_blocked() == []
    assert desk.journal.adopt_answers() == []


async def test_a_stopped_reply_stays_stopped_while_the_record_is_refused_too(desk: Desk) -> None:
    await desk.send(ANSWER, HttpStatusError(401))
    desk.recorded = HttpStatusError(403)
    desk.deliver(e.RequestGone("ses_1", "que_1"))
    await settle()
    assert desk.states == ["sending", "stopped", "stopped"]
    assert "403" in desk.told[-1].reason
    assert desk.outbox.pop_blocked() == [ANSWER]
    desk.recorded = transcript(OURS)
    assert await desk.send(ANSWER, HttpStatusError(404)) == ("acknowledged", "")


async def test_a_reopened_request_gets_the_stopped_answer(desk: Desk) -> None:
    """Its call runs while it waits: that does not prove that the answer arrived."""
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    desk.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", "running")
    desk.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    reply = PendingReply(asked, permission="once")
    await desk.send(reply, HttpStatusError(401))
    desk.heard_meanwhile = [e.RequestOpened(asked)]
    desk.says = [True]
    desk.deliver(e.RequestGone("ses_1", "per_1"))
    await settle()
    assert desk.posted == [posted(reply)] * 2
    assert desk.states[-1] == "acknowledged"


async def test_a_reply_refused_after_its_request_closed_is_not_reported_as_open(desk: Desk) -> None:
    desk.deliver(e.RequestGone("ses_1", "que_1"))
    desk.recorded = transcript((("B",),))
    assert await desk.send(ANSWER, HttpStatusError(400)) == ("elsewhere", "B")


@pytest.mark.parametrize(
    "body",
    [b"{", b"{}", b'{"question":null,"permission_request":null,"answers":null,"permission":null,"message":""}'],
)
async def test_an_unreadable_answer_of_an_earlier_run_does_not_hide_the_others(tmp_path: Path, body: bytes) -> None:
    journal = Journal(tmp_path, "server", wall=lambda: 1.0)
    before = Desk(journal)
    before.says = [ConnectFailed("connection refused")] * 3
    journal.post_answer("per_0", body)
    sending = asyncio.create_task(before.outbox.send(ANSWER))
    await settle()
    sending.cancel()
    journal.close()
    after = Desk(Journal(tmp_path, "server", wall=lambda: 1.0))
    assert after.outbox.load_pending() == [ANSWER]
    after.journal.close()


@pytest.mark.parametrize(
    ("theirs", "fate"),
    [
        (OURS, ("acknowledged", "")),
        ((("B", "another's"),), ("elsewhere", "B, another's")),
        (None, ("elsewhere", "dismissed")),
    ],
)
async def test_an_unreliable_acceptance_is_resolved_by_the_closing_event(
    desk: Desk, theirs: Answers | None, fate: tuple[str, str]
) -> None:
    """Another client's answer arrived just before ours; the event for it follows the server's acceptance."""
    desk.yes_is_proof = False
    desk.says = [True]
    sending = asyncio.create_task(desk.outbox.send(ANSWER))
    await desk.time.advance(0.1)
    assert desk.states == ["sending"]
    desk.deliver(e.QuestionAnswered("ses_1", "que_1", theirs) if theirs else e.QuestionRejected("ses_1", "que_1"))
    await desk.time.advance(2)
    await sending
    assert (desk.told[-1].state, desk.told[-1].reason) == fate
    assert desk.posted == [posted(ANSWER)]


async def test_an_unreliable_acceptance_without_an_event_is_resolved_by_the_record(desk: Desk) -> None:
    desk.yes_is_proof = False
    desk.recorded = transcript((("B", "another's"),))
    assert await desk.send(ANSWER, True) == ("elsewhere", "B, another's")


async def test_an_unreliable_acceptance_without_contrary_evidence_is_acknowledged(desk: Desk) -> None:
    desk.yes_is_proof = False
    assert await desk.send(ANSWER, True) == ("acknowledged", "")


async def test_an_unreliable_acceptance_with_a_running_call_is_only_allowed(desk: Desk) -> None:
    desk.yes_is_proof = False
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    desk.deliver(e.RequestOpened(asked))
    call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", "running")
    desk.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    assert await desk.send(PendingReply(asked, permission="once"), True) == ("allowed", "")


@pytest.mark.parametrize("shown_by", ["an event", "the call"])
@pytest.mark.parametrize(
    ("failure", "outcome"), [(ConnectFailed("refused"), "elsewhere"), (ConnectionLost("reset"), "acknowledged")]
)
async def test_an_undelivered_reason_is_not_shown_as_given(
    desk: Desk, shown_by: str, failure: NetError, outcome: str
) -> None:
    """Another client rejected the same call without a reason."""
    asked = replace(PERMISSION, message_id="msg_2", call_id="call_9")
    desk.deliver(e.RequestOpened(asked))
    if shown_by == "an event":
        desk.deliver(e.PermissionReplied("ses_1", "per_1", "reject"))
    else:
        call = ToolPart("prt_9", "ses_1", "msg_2", "call_9", "bash", "error", rejected=True)
        desk.recorded = (FullMessage(Message("msg_2", "ses_1", "assistant"), (call,)),)
    sent = PendingReply(asked, permission="reject", message="use uv")
    state, _ = await desk.send(sent, failure, HttpStatusError(404))
    assert state == outcome
