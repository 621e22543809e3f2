import pytest
from msgspec.structs import replace

from tui.core import events as e
from tui.core.model import NotePart, Part, PermissionRequest, QuestionRequest, TextPart, ToolPart
from tui.core.record import breaks_off_rejected, ended

QUESTION = QuestionRequest("que_1", "ses_1", ())
PERMISSION = PermissionRequest("per_1", "ses_1", "bash")
FAILED = ToolPart("prt_1", "ses_1", "msg_2", "call_1", "bash", "error")
REJECTED = replace(FAILED, rejected=True)
WORDS = TextPart("prt_2", "ses_1", "msg_2", "Done.")


@pytest.mark.parametrize(
    ("request_", "call", "event"),
    [
        (QUESTION, None, e.RequestGone("ses_1", "que_1")),
        (QUESTION, FAILED, e.RequestGone("ses_1", "que_1")),
        (QUESTION, REJECTED, e.QuestionRejected("ses_1", "que_1")),
        (QUESTION, replace(FAILED, answers=(("a",),)), e.QuestionAnswered("ses_1", "que_1", (("a",),))),
        (PERMISSION, FAILED, e.RequestGone("ses_1", "per_1")),
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
        ([REJECTED, FAILED], True),  # several at once: one of them is enough
        ([REJECTED, NotePart("prt_3", "ses_1", "msg_2", "changed 1 file")], True),
        ([REJECTED, WORDS], False),  # the agent was told, and went on
    ],
)
def test_an_answer_that_a_rejection_ended(parts: list[Part], rejected: bool) -> None:
    assert breaks_off_rejected(parts) is rejected
