"""Asks for the reply to a request in plain lines: numbered options, one line of input for each question."""

import asyncio
import os
import termios
from collections import deque
from types import TracebackType
from typing import Protocol

import click

from tui.api.choices import answer_to, reply_for
from tui.api.connection import Connection
from tui.api.errors import InvalidChoice
from tui.api.values import PendingQuestion, PendingRequest, Reply, ReplyEvent, RequestRecord
from tui.cli.printing import Printer, question_lines, request_lines
from tui.core.sanitize import single_line

REJECT = "x"
"""What rejects the request, as the key of the panel on the screen does."""


class Lines(Protocol):
    """Where lines of input come from."""

    async def read(self, prompt: str) -> str | None:
        """The next line without its newline; None at the end of the input."""


class LineInput:
    """Lines of a terminal at standard input, which edits them itself. The event loop keeps running."""

    def __init__(self, descriptor: int = 0) -> None:
        self._descriptor = descriptor
        self._lines: deque[str] = deque()
        self._rest = b""
        self._ended = False
        self._news = asyncio.Event()

    def __enter__(self) -> "LineInput":
        asyncio.get_running_loop().add_reader(self._descriptor, self._on_readable)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._descriptor)

    async def read(self, prompt: str) -> str | None:
        self._discard()
        click.echo(prompt, nl=False)
        while not self._lines and not self._ended:
            self._news.clear()
            await self._news.wait()
        return self._lines.popleft() if self._lines else None

    def _discard(self) -> None:
        """Discard what was typed before the prompt: it was not meant as an answer to it."""
        self._lines.clear()
        self._rest = b""
        if os.isatty(self._descriptor):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)

    def _on_readable(self) -> None:
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:
            data = b""  # the terminal is gone
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._lines.extend(line.decode(errors="replace") for line in lines)
        if not data:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._news.set()


async def ask_until_closed(
    connection: Connection, request: PendingRequest, printer: Printer, lines: Lines, *, takes_reason: bool
) -> Reply | RequestRecord | None:
    """Ask for the reply; or how the request ended meanwhile; None if the input ended."""
    asking = asyncio.create_task(ask(request, printer, lines, takes_reason=takes_reason))
    closing = asyncio.create_task(_closed(connection, request.id))
    try:
        await asyncio.wait({asking, closing}, return_when=asyncio.FIRST_COMPLETED)
        return asking.result() if asking.done() else closing.result()
    finally:
        asking.cancel()
        closing.cancel()


async def _closed(connection: Connection, request_id: str) -> RequestRecord:
    """How the request ended, once it has."""
    async for event in connection.events():
        if isinstance(event, ReplyEvent) and event.record.request.id == request_id:
            return event.record
    raise AssertionError("the events of a connection do not end")


async def ask(request: PendingRequest, printer: Printer, lines: Lines, *, takes_reason: bool) -> Reply | None:
    """Print the request, and ask until there is a reply; None if the input ended."""
    several = len(request.questions) > 1
    for line in request_lines(request)[: 1 if several else None]:
        printer.line(line)
    while True:
        try:
            if request.kind == "permission":
                reply = await _ask_permission(request, lines, takes_reason=takes_reason)
            else:
                reply = await _ask_questions(request, printer, lines)
        except EOFError:
            printer.line("")
            return None
        if reply is not None:
            return reply


async def _ask_permission(request: PendingRequest, lines: Lines, *, takes_reason: bool) -> Reply | None:
    word = await _read(lines, "Choice: ")
    try:
        reply = Reply(permission="reject") if word == REJECT else reply_for(request, (word,))
    except InvalidChoice as error:
        _explain(error)
        return None
    if reply.denies and takes_reason:
        reason = await _read(lines, "Reason (the agent continues; leave empty to stop the turn): ")
        return Reply(permission="reject", message=reason)
    return reply


async def _ask_questions(request: PendingRequest, printer: Printer, lines: Lines) -> Reply | None:
    """Ask all questions, and with several for a confirmation of all answers; None: begin again."""
    answers: list[tuple[str, ...]] = []
    for number, question in enumerate(request.questions, 1):
        if len(request.questions) > 1:
            for line in question_lines(question, number):
                printer.line(line)
        answer = None
        while answer is None:
            word = await _read(lines, f"Choice, or {REJECT} to reject: ")
            if word == REJECT and all(one.label != REJECT for one in question.choices):
                if await _confirm(lines, "Reject this question?"):
                    return Reply()
                continue
            answer = await _answer(question, word, lines)
        answers.append(answer)
    if len(answers) > 1:
        for question, given in zip(request.questions, answers, strict=True):
            printer.line(f"  {single_line(question.header or question.text)}: {single_line(', '.join(given))}")
        if not await _confirm(lines, "Send these answers?"):
            return None
    return Reply(answers=tuple(answers))


async def _answer(question: PendingQuestion, word: str, lines: Lines) -> tuple[str, ...] | None:
    """The answer that a line of input means; None: ask again."""
    try:
        return answer_to(question, (word,) if word else (), ())
    except InvalidChoice as error:
        if not (word and question.custom):
            _explain(error)
            return None
        what = error.message
    what = f"{what[:1].upper()}{what[1:]}."
    return (word,) if await _confirm(lines, f"{what} Send it as a custom answer?") else None


async def _confirm(lines: Lines, question: str) -> bool:
    return (await _read(lines, f"{question} [y/N] ")).casefold() in ("y", "yes")


async def _read(lines: Lines, prompt: str) -> str:
    """A line without surrounding spaces. Raises `EOFError`."""
    line = await lines.read(prompt)
    if line is None:
        raise EOFError
    return line.strip()


def _explain(error: InvalidChoice) -> None:
    click.echo(f"{error.message}. {error.hint}")
