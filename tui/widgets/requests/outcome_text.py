"""One line about the outcome of each request, reported once.

Two events report it, in either order: the status of the client's answer (`ReplyStatusChanged`) and the server's event
(`RequestClosed`). The outcome is reported once, and an answer of another client is labelled so.
"""

from typing import assert_never

from textual.content import Content

from tui.config.key_lookup import key
from tui.core.changes import ReplyStatusChanged, RequestClosed
from tui.core.model import Answers, PermissionReply, PermissionRequest, QuestionRequest, Request
from tui.core.sanitize import excerpt, single_line
from tui.widgets.base.static_text import ERROR, MUTED, SUCCESS, WARNING

GIVEN = ("✓ ", SUCCESS)
REFUSED = ("× ", WARNING)
REPLIES: dict[PermissionReply, str] = {
    "once": "allowed once",
    "always": "allowed always",
    "reject": "rejected",
}

REMEMBERED = 500
"""Maximum reported requests remembered, to report each once."""


class Outcomes:
    """Converts request events to outcome lines, at most one per request."""

    def __init__(self) -> None:
        self._ours: dict[str, Content] = {}
        self._theirs: dict[str, RequestClosed] = {}
        self._told: dict[str, None] = {}

    def sent(self, request: Request, what: Answers | PermissionReply | None, why: str = "") -> None:
        """Record that an answer is being sent; None is a rejection. `why` is the reason of a rejection."""
        self._told.pop(request.id, None)
        self._ours[request.id] = summary(request, what, why)

    def changed(self, change: ReplyStatusChanged) -> Content | None:
        """Handle a status change of the client's answer; return a line if it is final."""
        request_id = change.request.id
        because = f": {single_line(change.reason)}" if change.reason else ""
        match change.state:
            case "sending" | "retrying":
                if change.given is not None:
                    given = summary(change.request, change.given.what, change.given.why)
                    self._ours.setdefault(request_id, given)
                return None
            case "stopped":
                if request_id not in self._theirs:
                    return None
                what = f"! the {_kind(change.request)} was withdrawn; whether your answer was accepted is not known"
                return Content.styled(f"{what}{because} · fix it, then {key('retry')} to check", WARNING)
            case "acknowledged":
                ours = self._ours.get(request_id, Content.assemble(GIVEN, "the server has your answer"))
                return self._tell(request_id, ours)
            case "allowed":
                return self._tell(request_id, Content("· allowed: unknown whether by your answer"))
            case "elsewhere":
                closed = self._theirs.get(request_id)
                words = Content(f"· answered elsewhere{because}")
                if closed is not None and closed.how != "gone":
                    words = _elsewhere(closed)
                return self._tell(request_id, Content.assemble(words, (" · your answer was not accepted", MUTED)))
            case "expired":
                late = f"! expired: the server does not have this request any more{because}"
                return self._tell(request_id, Content.styled(f"{late} · your answer was not accepted", WARNING))
            case "refused":
                self._ours.pop(request_id, None)
                return Content.styled(f"! the server refused the answer{because} · it is still open", ERROR)
            case _:
                assert_never(change.state)

    def closed(self, closed: RequestClosed) -> Content | None:
        """Handle the server's event; return a line unless the client's answer is still unreported."""
        self._theirs[closed.request.id] = closed
        if closed.request.id in self._ours:
            return None
        return self._tell(closed.request.id, _elsewhere(closed))

    def _tell(self, request_id: str, words: Content) -> Content | None:
        self._ours.pop(request_id, None)
        if request_id in self._told:
            return None
        self._told[request_id] = None
        for old in list(self._told)[:-REMEMBERED]:
            del self._told[old]
            self._theirs.pop(old, None)
        return words


def summary(request: Request, what: Answers | PermissionReply | None, why: str = "") -> Content:
    """Return a summary of the client's own answer."""
    match request:
        case QuestionRequest():
            if what is None or isinstance(what, str):
                return Content.assemble(REFUSED, "rejected the question")
            return Content.assemble(GIVEN, "answered  ", _answers(request, what))
        case PermissionRequest():
            reply = what if isinstance(what, str) else "reject"
            because = f" · {single_line(why)}" if why else ""
            glyph = REFUSED if reply == "reject" else GIVEN
            return Content.assemble(glyph, f"{REPLIES[reply]}  ", (_scope(request, reply), MUTED), because)
        case _:
            assert_never(request)


def _elsewhere(closed: RequestClosed) -> Content:
    request = closed.request
    match closed.how:
        case "answered" if isinstance(request, QuestionRequest):
            return Content.assemble("· answered elsewhere  ", _answers(request, closed.answers))
        case "replied" | "answered":
            what = REPLIES[closed.reply] if closed.reply is not None else "answered"
            scope = _scope(request, closed.reply) if isinstance(request, PermissionRequest) else ""
            return Content.assemble(f"· {what} elsewhere  ", (scope, MUTED))
        case "rejected":
            return Content("· rejected elsewhere")
        case "gone":
            return Content.styled(f"· the {_kind(request)} was withdrawn", MUTED)
        case _:
            assert_never(closed.how)


def _scope(request: PermissionRequest, reply: PermissionReply | None) -> str:
    """Return what the reply covers: with "always", the patterns that the request offered."""
    covered = " · ".join(request.always) if reply == "always" else ""
    action = single_line(request.action)
    return f"{action}: {single_line(covered)}" if covered else action


def _kind(request: Request) -> str:
    return "question" if isinstance(request, QuestionRequest) else "permission"


def _answers(request: QuestionRequest, answers: Answers) -> Content:
    parts = []
    for row, answer in enumerate(answers):
        question = request.questions[row] if row < len(request.questions) else None
        name = "" if question is None or len(answers) == 1 else f"{single_line(question.header or question.text)}: "
        parts.append(Content.assemble((name, MUTED), excerpt(", ".join(answer)) or "not answered"))
    return Content(" · ").join(parts)


def progress_text(reply_status: ReplyStatusChanged) -> Content:
    """Return one line for the place below the form: the status of sending, and what the user can do."""
    because = f" ({single_line(reply_status.reason)})" if reply_status.reason else ""
    match reply_status.state:
        case "sending":
            return Content.styled(" sending…", MUTED)
        case "retrying":
            return Content.styled(f" no response from the server{because} · trying again", WARNING)
        case "acknowledged":
            return Content.styled(" ✓ the server has your answer", SUCCESS)
        case "allowed":
            return Content.styled(" allowed · unknown whether by your answer", SUCCESS)
        case "elsewhere":
            return Content.styled(" answered elsewhere · your answer was not accepted", WARNING)
        case "expired":
            return Content.styled(f" expired: the server does not have this request any more{because}", WARNING)
        case "refused":
            return Content.styled(f" the server refused it{because} · change it and send it again", ERROR)
        case "stopped":
            return Content.styled(f" not sent{because} · fix it, then {key('retry')} to send", ERROR)
        case _:
            assert_never(reply_status.state)
