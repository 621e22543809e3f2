"""UI state of the open requests, shared by all panels that show them."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import msgspec

from tui.core.answer_draft import AnswerDraft, PermissionDraft
from tui.core.changes import ReplyStatusChanged
from tui.core.model import PermissionRequest, QuestionRequest

RequestDraft: TypeAlias = AnswerDraft | PermissionDraft
Draft = TypeVar("Draft", AnswerDraft, PermissionDraft)


class RequestUiState(msgspec.Struct):
    """By request id: when it appeared (client's clock), the draft of its answer, the status of its answer.

    `saved` returns the draft that an earlier run saved; `last_saved`: the draft as last saved here. `is_connected`:
    if not, requests may no longer be open.
    """

    saved: Callable[[str], bytes | None]
    since: dict[str, float] = {}
    drafts: dict[str, RequestDraft] = {}
    last_saved: dict[str, bytes] = {}
    reply_statuses: dict[str, ReplyStatusChanged] = {}
    is_connected: bool = True

    def question_draft(self, request: QuestionRequest) -> AnswerDraft:
        """Return the draft of the answer: the current one, one that an earlier run saved, or a new one."""
        draft = self.drafts.get(request.id)
        if isinstance(draft, AnswerDraft) and draft.request.questions == request.questions:
            draft.request = request
            return draft
        saved = self.saved(request.id)
        return self._begin(AnswerDraft(request) if saved is None else AnswerDraft.from_bytes(request, saved))

    def permission_draft(self, request: PermissionRequest) -> PermissionDraft:
        """Return the draft of the reply, for the request as it is now."""
        draft = self.drafts.get(request.id)
        if isinstance(draft, PermissionDraft):
            draft.request = request
            return draft
        saved = self.saved(request.id)
        return self._begin(PermissionDraft(request) if saved is None else PermissionDraft.from_bytes(request, saved))

    def _begin(self, draft: Draft) -> Draft:
        self.drafts[draft.request.id] = draft
        self.last_saved[draft.request.id] = draft.to_bytes()
        return draft

    def unsaved(self, draft: RequestDraft) -> bytes | None:
        """Return the body to save if the draft of an open request changed, and count it as saved."""
        body = draft.to_bytes()
        if draft.request.id not in self.drafts or self.last_saved.get(draft.request.id) == body:
            return None
        self.last_saved[draft.request.id] = body
        return body

    def forget(self, request_id: str) -> None:
        """Discard the state of a closed request."""
        self.since.pop(request_id, None)
        self.drafts.pop(request_id, None)
        self.last_saved.pop(request_id, None)
        self.reply_statuses.pop(request_id, None)
