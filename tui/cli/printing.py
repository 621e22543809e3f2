"""Prints the events of `tui.api` as plain lines: no escape byte, and one line per change.

On a terminal, one more line shows what runs now; it is rewritten with a carriage return and spaces.
"""

import shlex
from collections.abc import Callable, Iterator
from itertools import takewhile

from rich.cells import cell_len, set_cell_size

from tui.api.values import (
    Choice,
    ConnectionEvent,
    EndEvent,
    Event,
    NoticeEvent,
    PendingQuestion,
    PendingRequest,
    Reply,
    ReplyEvent,
    RequestEvent,
    RequestRecord,
    Result,
    TextEvent,
    ToolEvent,
    TurnEvent,
)
from tui.core.sanitize import excerpt, sanitize, single_line, visible
from tui.core.turn_state import TERMINAL_STATES

ENDED = frozenset(state.value for state in TERMINAL_STATES)
SPACES = str.maketrans("\n\t", "  ")
LIVE_STATES = frozenset({"live", "quiet"})


class Printer:
    """Writes lines with `write`, which takes text with its newline.

    `status_width`: the columns of the terminal on which the status line is rewritten; None: no status line.
    `how_to_answer`: whether a request is followed by the command that answers it, at the server `url`.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        status_width: int | None = None,
        how_to_answer: bool = True,
        url: str = "",
    ) -> None:
        self._write = write
        self._url = url
        self._status_width = status_width
        self._how_to_answer = how_to_answer
        self._status = ""
        """The status line as it is on the terminal."""
        self._was_lost = False
        self._session = ""
        self.running_tool = ""
        """What runs now, "" if nothing does."""

    def event(self, event: Event) -> None:
        """Print what changed."""
        if isinstance(event, ToolEvent):
            self.running_tool = f"{event.tool} {event.title}".strip() if event.state == "running" else ""
        for line in self._lines(event):
            self.line(line)

    def line(self, text: str) -> None:
        """Print one line above the status line. `text` is made safe for a terminal, and stays one line."""
        shown, self._status = self._status, ""
        cleared = f"\r{' ' * cell_len(shown)}\r" if shown else ""
        self._write(f"{cleared}{visible(sanitize(text)).rstrip().translate(SPACES)}\n")
        if shown:
            self.status(shown)

    def status(self, text: str) -> None:
        """Show `text` as the status line, if there is one; "" removes it."""
        if self._status_width is None:
            return
        text = _in_columns(text, self._status_width - 1) if text else ""
        if text != self._status:
            rest = " " * (cell_len(self._status) - cell_len(text))
            self._write(f"\r{text}{rest}" + ("" if text else "\r"))
            self._status = text

    def _lines(self, event: Event) -> Iterator[str]:
        match event:
            case ConnectionEvent():
                yield from self._connection(event)
            case TurnEvent(session=session) if session != self._session:
                self._session = session
                yield f"session {single_line(session)}"
                yield from self._lines(event)
            case TurnEvent(state=state) if state in ENDED:
                pass  # the end of the run says so
            case ToolEvent(state="pending"):
                pass
            case TurnEvent():
                yield with_reason(f"turn {turn_state(event.state)}", event.reason)
            case ToolEvent():
                yield tool_line(event)
            case RequestEvent(request=request):
                yield from request_lines(request)
                if self._how_to_answer:
                    yield f"  answer with: {answer_command(request, self._url)}"
            case ReplyEvent(record=record):
                yield reply_line(record)
            case NoticeEvent(text=text):
                yield single_line(text)
            case EndEvent(result=result):
                yield end_line(result)
            case TextEvent():
                pass  # the answer is printed elsewhere, unchanged

    def _connection(self, event: ConnectionEvent) -> Iterator[str]:
        if event.state in LIVE_STATES:
            if self._was_lost:
                yield "connection restored"
            self._was_lost = False
            return
        if event.state == "connecting":
            return
        self._was_lost = True
        retry = f"; next attempt in {event.retry_in:.0f} s" if event.retry_in is not None else ""
        yield with_reason(f"connection {event.state}", event.reason) + retry
        if event.state == "stopped" and event.hint:
            yield f"  {single_line(event.hint)}"


def _in_columns(text: str, columns: int) -> str:
    """`text` on one line, cut to so many columns; a wide character takes two."""
    line = single_line(text, columns)
    return line if cell_len(line) <= columns else f"{set_cell_size(line, columns - 1).rstrip()}…"


def with_reason(text: str, reason: str) -> str:
    """`text`, and the reason after a colon if there is one."""
    return f"{text}: {single_line(reason)}" if reason else text


def turn_state(state: str) -> str:
    """A turn's state, in the words of the screen."""
    return {"waiting": "needs your answer", "unknown": "checking its status", "retrying": "provider retry"}.get(
        state, state
    )


def tool_line(event: ToolEvent) -> str:
    """A tool call's state."""
    state = "failed" if event.state == "error" else event.state
    return with_reason(f"tool {single_line(event.tool)} {state}", event.error or event.title)


def request_lines(request: PendingRequest, *, age: float | None = None) -> list[str]:
    """An open request: its id, and its questions or what is to be allowed, with numbered options.

    `age`: seconds since it was asked, if they are to be shown.
    """
    where = single_line(request.title) or single_line(request.session)
    asked = f", asked {seconds_text(age)} ago" if age is not None else ""
    lines = [f"{request.kind} {single_line(request.id)} in {where}{asked}"]
    if request.kind == "permission":
        lines.append(f"  Allow {single_line(request.summary)}?")
        lines += [f"    {line}" for line in excerpt(request.detail).splitlines()]
        lines += map(choice_line, request.choices)
    for number, question in enumerate(request.questions, 1):
        lines += question_lines(question, number if len(request.questions) > 1 else None)
    return lines


def unreadable_requests(count: int) -> str:
    """The line for open requests that could not be decoded."""
    what = "1 request that waits" if count == 1 else f"{count} requests that wait"
    return f"{what} for an answer cannot be read. Answer in another client."


def question_lines(question: PendingQuestion, number: int | None = None) -> list[str]:
    """A question and its numbered options; `number`: its place among several."""
    head = f"{number}. " if number is not None else ""
    text = excerpt(question.text).splitlines() or [single_line(question.header)]
    lines = [f"  {head}{text[0]}", *(f"  {line}" for line in text[1:]), *map(choice_line, question.choices)]
    if question.multiple:
        lines.append("    several choices are possible")
    if question.custom:
        lines.append("    or custom text")
    return lines


def choice_line(choice: Choice) -> str:
    """One option, with its number."""
    about = f"  {single_line(choice.description)}" if choice.description else ""
    return f"    {choice.number}  {single_line(choice.label)}{about}"


def answer_command(request: PendingRequest, url: str = "") -> str:
    """The command that answers a request, with placeholders; `url`: the server, "" for the default.

    An id that has white space or invisible characters is named by its beginning.
    """
    what = (
        "--once | --always | --deny" if request.kind == "permission" else " ".join(["CHOICE"] * len(request.questions))
    )
    where = f"--url {shlex.quote(url)} " if url else ""
    beginning = "".join(takewhile(lambda one: one.isprintable() and not one.isspace(), request.id))
    return f"holdfast answer {where}{shlex.quote(beginning)} {what}"


def reply_line(record: RequestRecord) -> str:
    """How a request ended, and who replied."""
    request = record.request
    name = f"{request.kind} {single_line(request.id)}"
    if record.state == "gone":
        return f"{name} is no longer open"
    by = {"rule": f"by rule {record.rule}", "on-request": "by --on-request", "elsewhere": "elsewhere"}
    who = f" {by[record.by]}" if record.by in by else ""
    return with_reason(f"{name} {record.state}{who}", reply_text(record.reply))


def reply_text(reply: Reply | None) -> str:
    """A reply as one line; "" if it has no text."""
    if reply is None:
        return ""
    if reply.answers is not None:
        return "; ".join(", ".join(row) or "no answer" for row in reply.answers)
    return {"once": "allow once", "always": "always allow"}.get(reply.permission or "", reply.message)


def end_line(result: Result) -> str:
    """How the run ended, and how long the turn took."""
    took = f" in {seconds_text(result.ended - result.started)}" if result.started and result.ended else ""
    left = {"waiting": "turn needs your answer", "timeout": "detached", "detached": "detached"}
    left["unknown"] = "it is not known whether the server has the prompt"
    return with_reason(left.get(result.outcome, f"turn {result.outcome}{took}"), result.reason)


def seconds_text(seconds: float) -> str:
    """A duration: 42 s, 3 min 5 s, 2 h 7 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
