"""Translates requests and their ends from `tui.core` to the values of `tui.api`."""

from typing import assert_never

from tui.api.values import Choice, Decision, PendingQuestion, PendingRequest, Reply, RequestRecord
from tui.core.changes import RequestClosed
from tui.core.model import PermissionRequest, Question, Request
from tui.core.store import Store


def pending_request(request: Request, store: Store) -> PendingRequest:
    """The value of an open request."""
    session = store.sessions.get(request.session_id)
    title = session.title if session is not None else ""
    if isinstance(request, PermissionRequest):
        return PendingRequest(
            id=request.id,
            kind="permission",
            session=request.session_id,
            title=title,
            asked=request.asked,
            choices=(
                Choice(1, "once", "this call only"),
                Choice(2, "always", ", ".join(request.always) or "similar calls"),
                Choice(3, "reject", "deny, and stop the turn"),
            ),
            action=request.action,
            patterns=request.patterns,
            always=request.always,
            detail=request.detail,
        )
    return PendingRequest(
        id=request.id,
        kind="question",
        session=request.session_id,
        title=title,
        asked=request.asked,
        questions=tuple(map(_question, request.questions)),
    )


def _question(question: Question) -> PendingQuestion:
    return PendingQuestion(
        header=question.header,
        text=question.text,
        choices=tuple(Choice(n, one.label, one.description) for n, one in enumerate(question.options, 1)),
        multiple=question.multiple,
        custom=question.custom,
    )


def closed_request(change: RequestClosed, store: Store, decision: Decision | None) -> RequestRecord:
    """How a request ended, as the server reports it. `decision`: what was replied from here, if anything."""
    request = pending_request(change.request, store)
    match change.how:
        case "answered":
            reply = Reply(answers=change.answers)
        case "replied":
            reply = Reply(permission=change.reply)
        case "rejected":
            reply = Reply()
        case "gone":
            return RequestRecord(request=request, state="gone")
        case _:
            assert_never(change.how)
    ours = decision is not None and _same(decision.reply, reply)
    return RequestRecord(
        request=request,
        state="denied" if reply.denies else "answered",
        reply=decision.reply if decision is not None and ours else reply,
        by=decision.by if decision is not None and ours else "elsewhere",
        rule=decision.rule if decision is not None and ours else "",
    )


def _same(given: Reply, reported: Reply) -> bool:
    if given.denies or reported.denies:
        return given.denies == reported.denies
    return given.answers == reported.answers and given.permission == reported.permission
