"""UI state of the open requests, shared by all panels that show them."""

from typing import TypeAlias

import msgspec

from tui.core.answer_draft import AnswerDraft, PermissionDraft
from tui.core.changes import ReplyStatusChanged

RequestDraft: TypeAlias = AnswerDraft | PermissionDraft


class RequestUiState(msgspec.Struct):
    """By request id: when it appeared (client's clock), the draft of its answer, the status of its answer.

    `told`: the draft as last saved. `line_up`: whether connected; if not, requests may no longer be open.
    """

    since: dict[str, float] = {}
    drafts: dict[str, RequestDraft] = {}
    told: dict[str, bytes] = {}
    fares: dict[str, ReplyStatusChanged] = {}
    line_up: bool = True

    def forget(self, request_id: str) -> None:
        """Discard the state of a closed request."""
        self.since.pop(request_id, None)
        self.drafts.pop(request_id, None)
        self.told.pop(request_id, None)
        self.fares.pop(request_id, None)
