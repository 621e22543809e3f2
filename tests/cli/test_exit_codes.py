"""Each outcome has an exit code."""

from typing import get_args

from tui.api.values import AnswerState, Outcome
from tui.cli.exit_codes import ANSWER_CODES, OUTCOME_CODES, ExitCode


def test_every_outcome_has_a_code() -> None:
    assert set(OUTCOME_CODES) == set(get_args(Outcome))
    assert set(ANSWER_CODES) == set(get_args(AnswerState))


def test_codes_are_those_that_scripts_rely_on() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "FINISHED": 0,
        "FAILED": 1,
        "USAGE": 2,
        "WAITING": 3,
        "CANNOT_CONNECT": 4,
        "ABORTED": 5,
        "INTERRUPTED": 6,
        "NOT_SENT": 7,
        "DENIED": 8,
        "ELSEWHERE": 9,
        "EXPIRED": 10,
        "NOT_TAKEN": 11,
        "UNKNOWN": 12,
        "OUTPUT": 74,
        "TIMEOUT": 124,
        "CTRL_C": 130,
        "TERMINATED": 143,
    }
    assert all(code.text for code in ExitCode)
