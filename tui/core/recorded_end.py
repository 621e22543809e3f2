"""Reads from stored messages how a request or a turn ended.

Events can be missed or arrive after the response to a POST; the record of a tool call persists.
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from tui.core import events as e
from tui.core.model import (
    FilePart,
    Message,
    Part,
    PermissionRequest,
    QuestionRequest,
    ReasoningPart,
    Request,
    TextPart,
    ToolPart,
)
from tui.core.transcript import Transcript

MERGE_WINDOW = 30.0
"""Seconds in which a server that works on nothing begins an answer: a prompt sent sooner is answered with it."""


class RecordedEnd(msgspec.Struct, frozen=True):
    """How the turn of a prompt ended, by the stored messages alone.

    *finished*, *together*: answered, alone or with a later prompt. *rejected*: the user rejected the request of its
    last call. *between steps*, *early*: its answer is complete, but lacks its last step or a finish reason.
    *stopped*: its answer is not complete. *unanswered*: there is none. *undated*: the server stores no end time.
    `took`: seconds from the prompt to the end of the answer.
    """

    how: Literal["finished", "together", "rejected", "between steps", "early", "stopped", "unanswered", "undated"]
    took: float | None = None


def ended(request: Request, call: ToolPart | None) -> e.Event:
    """The event that closes a request, by the record of its tool call (None: unknown)."""
    if call is not None and call.answers is not None and isinstance(request, QuestionRequest):
        return e.QuestionAnswered(request.session_id, request.id, call.answers)
    if call is None or not call.rejected:
        return e.RequestRemoved(request.session_id, request.id)
    if isinstance(request, PermissionRequest):
        return e.PermissionReplied(request.session_id, request.id, "reject")
    return e.QuestionRejected(request.session_id, request.id)


def ends_rejected(parts: Iterable[Part]) -> bool:
    """Whether the user rejected a tool call after the last text of an answer."""
    rejected = False
    for part in parts:
        if isinstance(part, ToolPart):
            rejected = rejected or part.rejected
        elif isinstance(part, TextPart | ReasoningPart):
            rejected = False
    return rejected


def recorded_end(transcript: Transcript, prompt: Message, *, at_rest: bool) -> RecordedEnd | None:
    """How a user's prompt ended; None if it has not, is not a user's, or its answer has a failure.

    `at_rest`: the session is idle. Otherwise a turn has only ended if it is complete or followed by an answered
    prompt.
    """
    if not _is_persons(transcript, prompt):
        return None
    answer = transcript.answer_to(prompt.id)
    if answer is None or not answer.ended:
        for behind in transcript.prompts_behind(prompt):
            if not _is_persons(transcript, behind):  # the server's own, as after a compaction: the turn continues
                answer = transcript.answer_to(behind.id) or answer
                continue
            at_rest = at_rest or transcript.answer_to(behind.id) is not None
            if answer is not None and behind.created < (answer.completed or 0.0) and not answer.ended:
                return _together(transcript, behind) if at_rest else None
            if answer is None and transcript.answer_to(behind.id) and _is_merged(transcript, prompt, behind):
                return _together(transcript, behind) or RecordedEnd("unanswered")
            break
    if answer is None:
        return RecordedEnd("unanswered") if at_rest else None
    if answer.failure is not None or not (answer.ended or at_rest):
        return None
    return _end_of(answer, prompt, rejected=ends_rejected(transcript.parts_of(answer.id)))


def _end_of(answer: Message, prompt: Message, *, rejected: bool) -> RecordedEnd:
    if answer.completed is None and not answer.final:
        return RecordedEnd("stopped")
    if rejected:
        return RecordedEnd("rejected")
    if answer.incomplete:
        return RecordedEnd("early")
    if not answer.final:
        return RecordedEnd("between steps")
    if answer.completed is None:
        return RecordedEnd("finished")
    if answer.completed < answer.created:
        return RecordedEnd("undated")
    return RecordedEnd("finished", max(0.0, answer.completed - prompt.created))


def _together(transcript: Transcript, later: Message) -> RecordedEnd | None:
    """The server went on to a later prompt before the answer was complete: its answer counts for both."""
    answer = transcript.answer_to(later.id)
    finished = answer is not None and answer.ended and answer.failure is None
    return RecordedEnd("together") if finished else None


def _is_merged(transcript: Transcript, prompt: Message, later: Message) -> bool:
    """Whether the server had not begun to answer `prompt` when `later` came: it was busy, or had no time to begin."""
    before = transcript.answer_before(prompt)
    free_at = max(prompt.created, (before.completed or 0.0) if before is not None else 0.0)
    return later.created - free_at < MERGE_WINDOW


def _is_persons(transcript: Transcript, prompt: Message) -> bool:
    """Whether the user wrote the prompt, not the server."""
    parts = transcript.parts_of(prompt.id)
    return any(isinstance(one, FilePart) or (isinstance(one, TextPart) and not one.synthetic) for one in parts)
