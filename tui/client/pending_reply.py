"""A reply of the user to a request, and its row in the journal."""

import msgspec

from tui.core import events as e
from tui.core.changes import GivenReply
from tui.core.model import Answers, PermissionReply, PermissionRequest, QuestionRequest, Request
from tui.core.stored_json import decode


class PendingReply(msgspec.Struct, frozen=True):
    """The user's reply: `answers` to a question (None dismisses it), or `permission` for a permission request."""

    request: Request
    answers: Answers | None = None
    permission: PermissionReply | None = None
    message: str = ""

    @property
    def given(self) -> GivenReply:
        return GivenReply(self.answers if self.answers is not None else self.permission, self.message)

    @property
    def rejects(self) -> bool:
        return self.answers is None and self.permission in (None, "reject")

    def as_event(self) -> e.Event:
        """The event that the server sends once it accepted the reply."""
        request = self.request
        if self.permission is not None:
            return e.PermissionReplied(request.session_id, request.id, self.permission)
        if self.answers is None:
            return e.QuestionRejected(request.session_id, request.id)
        return e.QuestionAnswered(request.session_id, request.id, self.answers)


class _Row(msgspec.Struct, frozen=True):
    """The journal format of a `PendingReply`; exactly one of the two requests is set."""

    question: QuestionRequest | None
    permission_request: PermissionRequest | None
    answers: Answers | None
    permission: PermissionReply | None
    message: str


def encode(reply: PendingReply) -> bytes:
    request = reply.request
    question = request if isinstance(request, QuestionRequest) else None
    permission = request if isinstance(request, PermissionRequest) else None
    return msgspec.json.encode(_Row(question, permission, reply.answers, reply.permission, reply.message))


def decode_row(body: bytes) -> PendingReply:
    row = decode(body, _Row)
    request = row.question or row.permission_request
    if request is None:
        raise msgspec.ValidationError("the row has no request")
    return PendingReply(request, row.answers, row.permission, row.message)
