"""What is known of the open requests beside what the server says, whichever part of the screen shows them."""

from dataclasses import dataclass, field
from typing import TypeAlias

from tui.core.changes import AnswerChanged
from tui.core.draft import AnswerDraft
from tui.widgets.permission import PermissionDraft

RequestDraft: TypeAlias = AnswerDraft | PermissionDraft


@dataclass(slots=True)
class RequestBook:
    """By the request's id: since when it waits (the client's clock), the half-filled answer, how an answer fares.

    `told`: the draft as it was last handed out to be kept.
    """

    since: dict[str, float] = field(default_factory=dict)
    drafts: dict[str, RequestDraft] = field(default_factory=dict)
    told: dict[str, bytes] = field(default_factory=dict)
    fares: dict[str, AnswerChanged] = field(default_factory=dict)

    def forget(self, request_id: str) -> None:
        """The request is closed: nothing of it is of more use."""
        self.since.pop(request_id, None)
        self.drafts.pop(request_id, None)
        self.told.pop(request_id, None)
        self.fares.pop(request_id, None)
