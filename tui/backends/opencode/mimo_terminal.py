"""MiMo Code's terminal commands, which wait for the user to run them, as questions. Without I/O.

Neither their list nor their events name the session: it is the one with a running tool call of the same command,
which is stored before the command is listed. The environment of a command contains secrets, and is not read.
"""

import msgspec

from tui.backends.decoding import RawJSON, read
from tui.backends.numbers import Number, exit_code
from tui.core import events as e
from tui.core.model import Answers, FullMessage, Option, Part, Question, QuestionRequest, ToolPart

PREFIX = "terminal:"
"""Prefix of our ids for these requests, which have their own reply route."""
SILENT, FAILED = "it ran and printed nothing", "it failed"
NOT_RUN = "The user did not run this command."
"""The output sent for a command that the user does not run."""
NOT_RUN_CODE = 130
"""Its exit code: that of a command ended by Ctrl-C."""


LOOKS = 2
"""Polls without a matching call before a command is ignored: list and statuses are fetched concurrently."""


class Entry(msgspec.Struct):
    """A waiting command."""

    id: str
    command: str
    cwd: str = ""


def entry(value: RawJSON) -> Entry:
    """An entry of the list or of the event."""
    return read(value, Entry)


class _Replied(msgspec.Struct):
    id: str
    output: str = ""
    exitCode: Number = None


class Terminals:
    """The listed commands, and the calls that wait for them."""

    def __init__(self) -> None:
        self._running: dict[str, ToolPart] = {}
        self._asked: dict[str, QuestionRequest] = {}
        self._looked: dict[str, int] = {}
        """Id → polls without a matching call: an aborted turn leaves its command listed."""

    def clear(self) -> None:
        """Reset, as the server may have restarted."""
        self._running.clear()
        self._asked.clear()
        self._looked.clear()

    def record_part(self, part: Part) -> None:
        """Store the part if it is a terminal call."""
        if isinstance(part, ToolPart) and part.input.get("interactive") is True:
            if part.state == "running":
                self._running[part.id] = part
            else:
                self._running.pop(part.id, None)

    def record_messages(self, messages: tuple[FullMessage, ...]) -> None:
        for full in messages:
            for part in full.parts:
                self.record_part(part)

    def request(self, entry: Entry, *, complete: bool = False) -> QuestionRequest | None:
        """The question for a command; None if no call is known that waits for it.

        `complete`: the calls of all busy sessions are known. After `LOOKS` such polls, the command is ignored.
        """
        taken = {known.call_id for known in self._asked.values()}
        known = self._asked.get(entry.id)
        for call in sorted(self._running.values(), key=lambda one: not one.output):  # permitted calls first
            if known is None and call.input.get("command") == entry.command and call.call_id not in taken:
                known = self._asked[entry.id] = _question(entry, call)
        if known is None and complete:
            self._looked[entry.id] = self._looked.get(entry.id, 0) + 1
        return known

    def is_unmatched(self, entry: Entry) -> bool:
        """Whether the tool call of this command is not known yet, and polls may still show it."""
        return entry.id not in self._asked and self._looked.get(entry.id, 0) < LOOKS

    def replied(self, value: RawJSON) -> e.Event | None:
        """The end of a question, by the event of its command."""
        raw = read(value, _Replied)
        known = self._asked.pop(raw.id, None)
        if known is None:
            return None
        given = answers(raw.output, exit_code(raw.exitCode))
        if given is None:
            return e.QuestionRejected(known.session_id, known.id)
        return e.QuestionAnswered(known.session_id, known.id, given)


def _question(entry: Entry, call: ToolPart) -> QuestionRequest:
    where = f" in {entry.cwd}" if entry.cwd else ""
    question = Question(
        f"Run this at a terminal{where} and say what it printed: {entry.command}",
        "Terminal",
        (Option(SILENT, "exit code 0"), Option(FAILED, "exit code 1")),
    )
    return QuestionRequest(
        f"{PREFIX}{entry.id}",
        call.session_id,
        (question,),
        message_id=call.message_id,
        call_id=call.call_id,
        asked=call.started,
    )


def reply_body(given: Answers | None) -> dict[str, str | int]:
    """The body of a reply: a custom answer is the output. None: the command was not run."""
    if given is None:
        return {"output": NOT_RUN, "exitCode": NOT_RUN_CODE}
    [[words]] = given
    return {"output": "" if words in (SILENT, FAILED) else words, "exitCode": int(words == FAILED)}


def answers(output: str, exit_code: int) -> Answers | None:
    """The answer to a command, by its stored output; None: it was not run."""
    match output, exit_code:
        case _ if (output, exit_code) == (NOT_RUN, NOT_RUN_CODE):
            return None
        case "", 0:
            return ((SILENT,),)
        case "", 1:
            return ((FAILED,),)
        case words, 0:
            return ((words,),)
        case _:
            return ((f"{output} (exit code {exit_code})".strip(),),)
