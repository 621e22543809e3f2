import pytest
from msgspec.structs import replace

from tui.core import events as e
from tui.core.model import (
    Failure,
    Message,
    NotePart,
    Part,
    PermissionRequest,
    QuestionRequest,
    TextPart,
    ToolPart,
)
from tui.core.recorded_end import RecordedEnd, ended, ends_rejected, recorded_end
from tui.core.transcript import Transcript

QUESTION = QuestionRequest("que_1", "ses_1", ())
PERMISSION = PermissionRequest("per_1", "ses_1", "bash")
FAILED = ToolPart("prt_1", "ses_1", "msg_2", "call_1", "bash", "error")
REJECTED = replace(FAILED, rejected=True)
WORDS = TextPart("prt_2", "ses_1", "msg_2", "Done.")


@pytest.mark.parametrize(
    ("request_", "call", "event"),
    [
        (QUESTION, None, e.RequestRemoved("ses_1", "que_1")),
        (QUESTION, FAILED, e.RequestRemoved("ses_1", "que_1")),
        (QUESTION, REJECTED, e.QuestionRejected("ses_1", "que_1")),
        (QUESTION, replace(FAILED, answers=(("a",),)), e.QuestionAnswered("ses_1", "que_1", (("a",),))),
        (PERMISSION, FAILED, e.RequestRemoved("ses_1", "per_1")),
        (PERMISSION, REJECTED, e.PermissionReplied("ses_1", "per_1", "reject")),
    ],
)
def test_how_a_request_ended(
    request_: QuestionRequest | PermissionRequest, call: ToolPart | None, event: e.Event
) -> None:
    assert ended(request_, call) == event


@pytest.mark.parametrize(
    ("parts", "rejected"),
    [
        ([], False),
        ([WORDS, FAILED], False),
        ([WORDS, REJECTED], True),
        ([REJECTED, FAILED], True),  # one of several concurrent calls is enough
        ([REJECTED, NotePart("prt_3", "ses_1", "msg_2", "changed 1 file")], True),
        ([REJECTED, WORDS], False),  # the agent got the reason and continued
    ],
)
def test_an_answer_that_a_rejection_ended(parts: list[Part], rejected: bool) -> None:
    assert ends_rejected(parts) is rejected


PROMPT = Message("msg_1", "ses_1", "user", created=10.0)
ANSWER = Message("msg_2", "ses_1", "assistant", created=11.0, completed=20.0, parent_id="msg_1", final=True)
LATER = Message("msg_3", "ses_1", "user", created=15.0)
LATER_ANSWER = replace(ANSWER, id="msg_4", parent_id="msg_3", created=21.0, completed=30.0)
STEP = replace(ANSWER, final=False)
TOGETHER = RecordedEnd("together")


def stored(*messages: Message, synthetic: str = "", parts: tuple[Part, ...] = ()) -> Transcript:
    transcript = Transcript()
    for one in messages:
        transcript.put_message(one)
        if one.role == "user":
            transcript.put_part(TextPart(f"p{one.id}", "ses_1", one.id, "x", synthetic=one.id == synthetic))
    for part in parts:
        transcript.put_part(part)
    return transcript


@pytest.mark.parametrize(
    ("messages", "at_rest", "end"),
    [
        ((PROMPT, ANSWER), False, RecordedEnd("finished", 10.0)),
        ((PROMPT, replace(ANSWER, completed=None)), False, None),
        ((PROMPT, replace(ANSWER, completed=None)), True, RecordedEnd("finished")),
        ((PROMPT, replace(ANSWER, completed=9.0)), True, RecordedEnd("undated")),
        ((PROMPT, replace(ANSWER, failure=Failure("no key"))), True, None),
        ((PROMPT,), False, None),
        ((PROMPT,), True, RecordedEnd("unanswered")),
        ((PROMPT, LATER), False, None),
        ((PROMPT, LATER, LATER_ANSWER), False, TOGETHER),
        ((PROMPT, LATER, replace(LATER_ANSWER, failure=Failure("no key"))), False, RecordedEnd("unanswered")),
        ((PROMPT, replace(LATER, created=99.0), LATER_ANSWER), False, RecordedEnd("unanswered")),
        ((replace(ANSWER, created=1.0, completed=98.0, parent_id="msg_0"), PROMPT, replace(LATER, created=99.0),
          replace(LATER_ANSWER, created=99.5)), False, TOGETHER),
        ((PROMPT, STEP), False, None),
        ((PROMPT, STEP), True, RecordedEnd("between steps")),
        ((PROMPT, STEP, LATER), False, None),
        ((PROMPT, STEP, LATER, LATER_ANSWER), False, TOGETHER),
        ((PROMPT, STEP, LATER, replace(LATER_ANSWER, final=False, completed=None)), False, None),
        ((PROMPT, STEP, replace(LATER, created=20.5), LATER_ANSWER), False, RecordedEnd("between steps")),
        ((PROMPT, replace(STEP, incomplete=True)), True, RecordedEnd("early")),
        ((PROMPT, replace(STEP, completed=None)), True, RecordedEnd("stopped")),
        ((PROMPT, replace(STEP, completed=None), replace(LATER, created=25.0), LATER_ANSWER), False,
         RecordedEnd("stopped")),
    ],
)  # fmt: skip
def test_the_recorded_end_of_a_turn(messages: tuple[Message, ...], at_rest: bool, end: RecordedEnd | None) -> None:
    assert recorded_end(stored(*messages), PROMPT, at_rest=at_rest) == end


def test_a_turn_continues_after_a_prompt_of_the_server() -> None:
    """After a compaction a server prompts the agent itself to continue."""
    begun = stored(PROMPT, STEP, replace(LATER, created=20.5), synthetic=LATER.id)
    assert recorded_end(begun, PROMPT, at_rest=False) is None
    done = stored(PROMPT, STEP, replace(LATER, created=20.5), LATER_ANSWER, synthetic=LATER.id)
    assert recorded_end(done, PROMPT, at_rest=False) == RecordedEnd("finished", 20.0)
    assert recorded_end(done, LATER, at_rest=True) is None
    after = (
        replace(LATER, id="msg_5", created=40.0),
        replace(LATER_ANSWER, id="msg_6", parent_id="msg_5", created=41.0),
    )
    stopped = stored(PROMPT, STEP, replace(LATER, created=20.5), *after, synthetic=LATER.id)
    assert recorded_end(stopped, PROMPT, at_rest=False) == RecordedEnd("between steps")


def test_a_turn_ended_by_a_rejection_is_recorded_as_rejected() -> None:
    record = stored(PROMPT, STEP, parts=(REJECTED,))
    assert recorded_end(record, PROMPT, at_rest=True) == RecordedEnd("rejected")
