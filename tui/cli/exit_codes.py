"""The exit codes of the commands that run, take up or answer something, and what each means."""

from collections.abc import Mapping
from enum import IntEnum

from tui.api.values import AnswerState, Outcome


class ExitCode(IntEnum):
    """`text` says what a code means, for `--help` and `docs/commands.md`."""

    text: str

    def __new__(cls, value: int, text: str = "") -> "ExitCode":
        code = int.__new__(cls, value)
        code._value_ = value
        code.text = text
        return code

    FINISHED = 0, "the turn finished, and nothing was denied; or it was detached"
    FAILED = 1, "the turn failed: the model's provider or the server reported an error"
    USAGE = 2, "the command line, a file or a setting is invalid; nothing was sent"
    WAITING = 3, "a request waits for an answer"
    CANNOT_CONNECT = 4, "the server cannot be reached or refuses the connection; a turn that was sent continues"
    ABORTED = 5, "the turn was aborted"
    INTERRUPTED = 6, "the server interrupted or cancelled the turn"
    NOT_SENT = 7, "the prompt was not sent"
    DENIED = 8, "the turn ended, but a permission or question of it was denied"
    ELSEWHERE = 9, "another client answered the request first"
    EXPIRED = 10, "the request is not open any more, or unknown"
    NOT_TAKEN = 11, "the server refuses the answer; the request is still open"
    UNKNOWN = 12, "whether the server has the prompt is not known; it is not sent again"
    OUTPUT = 74, "standard output cannot be written; the turn continues"
    TIMEOUT = 124, "the timeout expired; the turn continues, unless --abort-on-timeout aborted it"
    CTRL_C = 130, "stopped by Ctrl-C: the first one aborts the turn and waits for that, the second exits immediately"
    TERMINATED = 143, "stopped by SIGTERM; a turn that was sent continues"


OUTCOME_CODES: Mapping[Outcome, ExitCode] = {
    "finished": ExitCode.FINISHED,
    "denied": ExitCode.DENIED,
    "failed": ExitCode.FAILED,
    "waiting": ExitCode.WAITING,
    "aborted": ExitCode.ABORTED,
    "interrupted": ExitCode.INTERRUPTED,
    "cancelled": ExitCode.INTERRUPTED,
    "not sent": ExitCode.NOT_SENT,
    "timeout": ExitCode.TIMEOUT,
    "detached": ExitCode.FINISHED,
    "cannot connect": ExitCode.CANNOT_CONNECT,
    "unknown": ExitCode.UNKNOWN,
}

ANSWER_CODES: Mapping[AnswerState, ExitCode] = {
    "taken": ExitCode.FINISHED,
    "elsewhere": ExitCode.ELSEWHERE,
    "expired": ExitCode.EXPIRED,
    "refused": ExitCode.NOT_TAKEN,
    "stopped": ExitCode.CANNOT_CONNECT,
}
