"""What is known of the open requests beside what the server says, whichever part of the screen shows them."""

from typing import TypeAlias

import msgspec

from tui.core.answer_draft import AnswerDraft, PermissionDraft
from tui.core.changes import ReplyStatusChanged

RequestDraft: TypeAlias = AnswerDraft | PermissionDraft


class RequestUiState(msgspec.Struct):
    """By the request's id: since when it waits (the client's clock), the half-filled answer, how an answer fares.

    `told`: the draft as it was last handed out to be kept. `line_up`: else nobody knows which of them still wait.
    """

    since: dict[str, float] = {}
    drafts: dict[str, RequestDraft] = {}
    told: dict[str, bytes] = {}
    fares: dict[str, ReplyStatusChanged] = {}
    line_up: bool = True

    def forget(self, request_id: str) -> None:
        """The request is closed: nothing of it is of more use."""
        self.since.pop(request_id, None)
        self.drafts.pop(request_id, None)
        self.told.pop(request_id, None)
        self.fares.pop(request_id, None)
