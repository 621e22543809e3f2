"""`docs/evidence.md` names what may be said of an end, an answer or an abort; the code says nothing else."""

import ast
import re
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from msgspec.structs import replace

from tests.chaos.evidence import ROWS, Case, unfounded
from tests.chaos.truth import Call, Piece, Stored
from tui.core.changes import AbortProgress, AbortState, ReplyStatusChanged
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.record import RecordedEnd
from tui.core.turn import Turn
from tui.core.turn_state import TERMINAL_STATES, TurnState
from tui.widgets.status.turn_status import end_text, recorded_words, turn_text

HERE = Path(__file__).parent.parent
SHOWN = re.findall(r"^\| `([^`]+)` \|", (HERE / "docs" / "evidence.md").read_text(), re.MULTILINE)
GLYPHS = {
    TurnState.FINISHED: "✓",
    TurnState.FAILED: "✗",
    TurnState.ABORTED: "■",
    TurnState.INTERRUPTED: "!",
    TurnState.CANCELLED: "!",
    TurnState.NOT_SENT: "↩",
}
ENDS = [shown for shown in SHOWN if shown[0] in GLYPHS.values()]
WHOLE = Stored("msg_2", "assistant", "msg_1", completed=True, final=True)
ABORTED = Stored("msg_2", "assistant", "msg_1", completed=True, failure="aborted")
FAILED = Stored("msg_2", "assistant", "msg_1", completed=True, failure="provider")
CUT = Stored("msg_2", "assistant", "msg_1")
STEPS = Stored("msg_2", "assistant", "msg_1", completed=True, between_steps=True)
CALL = Call("call_1", "bash", "error", error="rejected", rejected=True)
REJECTED = Stored("msg_2", "assistant", "msg_1", completed=True, pieces=(Piece("tool", call=CALL),))
TOLD = Stored("msg_2", "assistant", "msg_1", completed=True, failure="interrupted")
NOTHING = Case(Turn("ses_1", "msg_1", 0.0), True, (), (), later=False, asked=False, others_abort=False)

HOLD: dict[str, Case] = {
    "✓ finished": Case(NOTHING.turn, True, (WHOLE,), (), False, False, False),
    "✓ finished: answered together with a later prompt": Case(NOTHING.turn, True, (), (WHOLE,), True, False, False),
    "✗ failed: together with a later prompt: …": Case(NOTHING.turn, True, (), (FAILED,), True, False, False),
    "✗ failed: …": Case(NOTHING.turn, True, (FAILED,), (), False, False, False),
    "■ aborted": Case(NOTHING.turn, True, (ABORTED,), (), False, True, False),
    "■ aborted: aborted elsewhere": Case(NOTHING.turn, True, (ABORTED,), (), False, False, True),
    "■ aborted: by an abort of another prompt, or elsewhere": Case(
        NOTHING.turn, True, (ABORTED,), (), False, False, False
    ),
    "■ aborted: aborted by another client or by the server": Case(
        NOTHING.turn, True, (ABORTED,), (), False, False, False
    ),
    "■ aborted: you rejected a request": Case(NOTHING.turn, True, (REJECTED,), (), False, False, False),
    "■ aborted: a request was rejected elsewhere": Case(NOTHING.turn, True, (REJECTED,), (), False, False, False),
    "■ aborted: a request was rejected": Case(NOTHING.turn, True, (REJECTED,), (), False, False, False),
    "! interrupted: the session no longer exists on the server": Case(NOTHING.turn, False, (), (), False, False, False),
    "! interrupted: the server has the prompt but began no answer": NOTHING,
    "! interrupted: the server stopped in mid-answer": Case(NOTHING.turn, True, (CUT,), (), False, False, False),
    "! interrupted: it ended between two steps; the server gives no reason": Case(
        NOTHING.turn, True, (STEPS,), (), False, False, False
    ),
    "! interrupted: the server ended it without returning the answer": Case(
        NOTHING.turn, True, (ABORTED,), (), False, False, False
    ),
    "! interrupted: …": Case(NOTHING.turn, True, (TOLD,), (), False, False, False),
    "! cancelled: …": Case(NOTHING.turn, True, (ABORTED,), (), False, False, False, dies_with_its_post=True),
    "↩ not sent: the server does not have it, but has a later prompt": Case(
        NOTHING.turn, False, (), (), True, False, False
    ),
    "↩ not sent: …": Case(NOTHING.turn, False, (), (), False, False, False),
}
"""By row: a record that bears it out."""

BELIES = {
    TurnState.FINISHED: Case(NOTHING.turn, True, (ABORTED,), (ABORTED,), True, False, False),
    TurnState.FAILED: Case(NOTHING.turn, True, (WHOLE,), (), False, False, False),
    TurnState.NOT_SENT: Case(NOTHING.turn, True, (), (), True, False, False),
}
FINISHED_ANYWAY = Case(NOTHING.turn, True, (WHOLE,), (), False, True, True, dies_with_its_post=True)


def turn_of(shown: str) -> Turn:
    """A turn that is shown so."""
    head, _, reason = shown.partition(": ")
    state = TurnState(head[2:])
    return Turn("ses_1", "msg_1", 0.0, state=state, reason=reason.replace("…", "words of the server"), ended=1.0)


def case_of(shown: str, record: Case) -> Case:
    fields = {name: getattr(record, name) for name in Case.__slots__}
    return Case(**fields | {"turn": turn_of(shown)})


def test_every_row_has_a_record() -> None:
    assert list(HOLD) == ENDS


@pytest.mark.parametrize("shown", ENDS)
def test_an_end_with_its_evidence_holds_and_without_it_does_not(shown: str) -> None:
    assert unfounded(case_of(shown, HOLD[shown])) is None
    belies = BELIES.get(turn_of(shown).state, FINISHED_ANYWAY)
    assert unfounded(case_of(shown, belies)) is not None


@pytest.mark.parametrize("shown", ENDS)
def test_an_end_is_shown_as_its_row_says(shown: str) -> None:
    head, _, reason = shown.partition(": ")
    words = end_text(turn_of(shown)).plain
    assert words.startswith(head)
    assert reason.replace("…", "words of the server") in words


def test_every_end_has_a_row() -> None:
    assert {turn_of(shown).state for shown in ENDS} == TERMINAL_STATES
    for state in TERMINAL_STATES:
        assert end_text(replace(NOTHING.turn, state=state, ended=1.0)).plain.startswith(GLYPHS[state])


def test_every_reason_in_the_code_has_a_row_of_its_own() -> None:
    """The sentences with which `tui.core.turn` ends a turn; those of *not sent* share a row, but for one."""
    tree = ast.parse((HERE / "tui" / "core" / "turn.py").read_text())
    reasons = set()
    for function in [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)]:
        named = function.name in ("_who_aborted", "_who_rejected")
        for call in ast.walk(function):
            ends = isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "_end"
            if ends and "NOT_SENT" in ast.unparse(call):
                continue
            if ends or (named and isinstance(call, ast.Return)):
                found = [one.value for one in ast.walk(call) if isinstance(one, ast.Constant)]
                reasons |= {one for one in found if isinstance(one, str) and one}
    assert reasons
    for reason in reasons:
        sentence = f": {reason}…" if reason.endswith(": ") else f": {reason}"
        assert any(shown.endswith(sentence) for shown in ENDS), reason


def test_the_rows_of_the_suite_are_those_of_the_table() -> None:
    for shown in ENDS:
        assert any(row.shows(turn_of(shown)) for row in ROWS), shown


def test_every_state_of_an_answer_has_a_row() -> None:
    states = set(get_args(ReplyStatusChanged.__annotations__["state"])) - {"sending", "retrying"}
    assert states <= set(SHOWN)


@pytest.mark.parametrize("state", get_args(AbortState))
def test_every_state_of_an_abort_has_a_row(state: AbortState) -> None:
    rows = {shown.replace("…", "") for shown in SHOWN if "abort" in shown and shown[0] not in GLYPHS.values()}
    for line in (ConnectionStatus(ConnectionState.LIVE), ConnectionStatus(ConnectionState.RECONNECTING)):
        words = turn_text(NOTHING.turn, line, 1.0, 1.0, abort=AbortProgress(state, "")).plain
        assert any(row.split("  ")[0].strip(" ·") in words or row.strip() in words for row in rows), words


@pytest.mark.parametrize("how", get_args(get_type_hints(RecordedEnd)["how"]))
def test_an_end_that_only_the_record_tells_is_in_the_table(how: Any) -> None:
    assert recorded_words(RecordedEnd(how)).plain in SHOWN
