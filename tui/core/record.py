"""How a request ended and why a turn did, as the server's record of the tool calls tells it.

Events may be missed, and an answer to a POST overtakes them; what is stored with a call stays.
"""

from collections.abc import Iterable

from tui.core import events as e
from tui.core.model import Part, PermissionRequest, QuestionRequest, ReasoningPart, Request, TextPart, ToolPart


def ended(request: Request, call: ToolPart | None) -> e.Event:
    """How a request ended that is not open any more, by the call that asked (None: it is not known)."""
    if call is not None and call.answers is not None and isinstance(request, QuestionRequest):
        return e.QuestionAnswered(request.session_id, request.id, call.answers)
    if call is None or not call.rejected:
        return e.RequestGone(request.session_id, request.id)
    if isinstance(request, PermissionRequest):
        return e.PermissionReplied(request.session_id, request.id, "reject")
    return e.QuestionRejected(request.session_id, request.id)


def breaks_off_rejected(parts: Iterable[Part]) -> bool:
    """Whether a person rejected one of the calls behind the last words of an answer: nothing came after that."""
    rejected = False
    for part in parts:
        if isinstance(part, ToolPart):
            rejected = rejected or part.rejected
        elif isinstance(part, TextPart | ReasoningPart):
            rejected = False
    return rejected
