"""`docs/evidence.md` lists all texts about the end of a turn, an answer or an abort; the code has no others."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from msgspec.structs import replace
from textual.content import Content

from tests import sample_events as sample
from tests.chaos.evidence import ROWS, Case, unsupported_claim
from tests.chaos.server_record import Call, Piece, Stored
from tui.core.changes import AbortProgress, AbortState, ReplyStatusChanged, RequestClosed
from tui.core.connection_status import ConnectionState, ConnectionStatus
from tui.core.model import PermissionReply, Request, Retrying
from tui.core.recorded_end import RecordedEnd
from tui.core.turn import Turn
from tui.core.turn_state import TERMINAL_STATES, TurnState
from tui.widgets.requests.outcome_text import Outcomes
from tui.widgets.status.turn_status import end_text, recorded_text, turn_text

HERE = Path(__file__).parent.parent
SECTIONS = re.split(r"^## (.+)\n", (HERE / "docs" / "evidence.md").read_text(), flags=re.MULTILINE)
SHOWN = {
    title: re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    for title, text in zip(SECTIONS[1::2], SECTIONS[2::2], strict=True)
}
"""The texts in the tables, by section."""
GLYPHS = {
    TurnState.FINISHED: "✓",
    TurnState.FAILED: "✗",
    TurnState.ABORTED: "■",
    TurnState.INTERRUPTED: "!",
    TurnState.CANCELLED: "!",
    TurnState.NOT_SENT: "↩",
}
UNBEGUN = "■ aborted before it began"
ARRIVAL_UNKNOWN = "? unknown whether the server has it: …"
ENDS = [shown for shown in SHOWN["Ends of turns"] if shown[0] in GLYPHS.values() and shown != UNBEGUN]
OUTCOMES = [shown for shown in SHOWN["Answers to requests"] if " " in shown]
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
    "■ aborted: aborted with another prompt, or by another client": Case(
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
    "! interrupted: the server stopped during the answer": Case(NOTHING.turn, True, (CUT,), (), False, False, False),
    "! interrupted: it ended between two steps; the server gives no reason": Case(
        NOTHING.turn, True, (STEPS,), (), False, False, False
    ),
    "! interrupted: the server ended it without returning the answer": Case(
        NOTHING.turn, True, (ABORTED,), (), False, False, False
    ),
    "! interrupted: …": Case(NOTHING.turn, True, (TOLD,), (), False, False, False),
    "! cancelled: …": Case(NOTHING.turn, True, (ABORTED,), (), False, False, False, ends_on_disconnect=True),
    "↩ not sent: the server does not have it, but has a later prompt": Case(
        NOTHING.turn, False, (), (), True, False, False
    ),
    "↩ not sent: …": Case(NOTHING.turn, False, (), (), False, False, False),
}
"""By row: a record that supports it."""

CONTRADICTIONS = {
    TurnState.FINISHED: Case(NOTHING.turn, True, (ABORTED,), (ABORTED,), True, False, False),
    TurnState.FAILED: Case(NOTHING.turn, True, (WHOLE,), (), False, False, False),
    TurnState.NOT_SENT: Case(NOTHING.turn, True, (), (), True, False, False),
}
FINISHED_ANYWAY = Case(NOTHING.turn, True, (WHOLE,), (), False, True, True, ends_on_disconnect=True)


def turn_of(shown: str) -> Turn:
    """A turn that is shown with this text."""
    head, _, reason = shown.partition(": ")
    state = TurnState(head[2:])
    return Turn("ses_1", "msg_1", 0.0, state=state, reason=reason.replace("…", "words of the server"), ended=1.0)


def case_of(shown: str, record: Case) -> Case:
    fields = {name: getattr(record, name) for name in Case.__slots__}
    return Case(**fields | {"turn": turn_of(shown)})


def test_every_row_has_a_record() -> None:
    assert list(HOLD) == ENDS


@pytest.mark.parametrize("shown", ENDS)
def test_an_end_holds_only_with_its_evidence(shown: str) -> None:
    assert unsupported_claim(case_of(shown, HOLD[shown])) is None
    belies = CONTRADICTIONS.get(turn_of(shown).state, FINISHED_ANYWAY)
    assert unsupported_claim(case_of(shown, belies)) is not None


@pytest.mark.parametrize("shown", ENDS)
def test_an_end_is_shown_with_the_text_of_its_row(shown: str) -> None:
    head, _, reason = shown.partition(": ")
    words = end_text(turn_of(shown)).plain
    assert words.startswith(head)
    assert reason.replace("…", "words of the server") in words


def test_every_end_has_a_row() -> None:
    assert {turn_of(shown).state for shown in ENDS} == TERMINAL_STATES
    for state in TERMINAL_STATES:
        assert end_text(replace(NOTHING.turn, state=state, ended=1.0)).plain.startswith(GLYPHS[state])


def texts(path: str) -> set[str]:
    """The string constants of a module that are sentences, without docstrings and reasons of *not sent*."""
    tree = ast.parse((HERE / path).read_text())
    ignored: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            ignored |= set(ast.walk(node))
        if isinstance(node, ast.Call) and "NOT_SENT" in ast.unparse(node):
            ignored |= set(ast.walk(node))
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in ignored]
    return {node.value for node in constants if isinstance(node.value, str) and " " in node.value.strip()}


def reasons(path: str) -> set[str]:
    """The sentences with which a module ends turns; those of *not sent* and of *cancelled* share rows."""
    tree = ast.parse((HERE / path).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = [call for call in calls if ast.unparse(call.func) in ("Ending", "self._end")]
    ends = [
        call for call in named if not {"NOT_SENT", "CANCELLED"} & set(ast.unparse(call).replace(",", ".").split("."))
    ]
    found = [node.value for call in ends for node in ast.walk(call) if isinstance(node, ast.Constant)]
    return {one for one in found if isinstance(one, str) and one}


def test_every_reason_in_the_code_has_a_row() -> None:
    reported = texts("tui/core/turn_ending.py") | texts("tui/core/turn_ending_idle.py") | reasons("tui/core/turn.py")
    assert len(reported) > 10
    for reason in reported:
        sentence = f": {reason}…" if reason.endswith(": ") else f": {reason}"
        assert any(shown.endswith(sentence) for shown in ENDS), reason


def test_the_chaos_suite_has_the_rows_of_the_table() -> None:
    for shown in ENDS:
        assert any(row.shows(turn_of(shown)) for row in ROWS), shown


def test_every_state_of_an_answer_has_a_row() -> None:
    states = set(get_args(ReplyStatusChanged.__annotations__["state"])) - {"sending", "retrying"}
    assert states <= set(SHOWN["Answers to requests"])


@pytest.mark.parametrize("state", get_args(AbortState))
def test_every_state_of_an_abort_has_a_row(state: AbortState) -> None:
    rows = {shown.replace("…", "") for shown in SHOWN["Aborts"]}
    for line in (LIVE, LOST):
        words = turn_text(NOTHING.turn, line, 1.0, 1.0, abort=AbortProgress(state, "")).plain
        assert any(row.split("  ")[0].strip(" ·") in words or row.strip() in words for row in rows), words


@pytest.mark.parametrize("how", get_args(get_type_hints(RecordedEnd)["how"]))
def test_an_end_known_only_from_the_record_has_a_row(how: Any) -> None:
    assert recorded_text(RecordedEnd(how)).plain in SHOWN["Ends of turns"]


def test_an_abort_before_the_answer_has_a_row() -> None:
    for reason in ("", "aborted elsewhere"):
        words = end_text(replace(NOTHING.turn, state=TurnState.ABORTED, reason=reason, ended=1.0), begun=False).plain
        assert words == UNBEGUN + (f": {reason}" if reason else "")
    assert UNBEGUN in SHOWN["Ends of turns"]


def test_a_prompt_that_may_have_arrived_has_a_row() -> None:
    turn = replace(NOTHING.turn, state=TurnState.NOT_SENT, reason="words of the server", ended=1.0, once=True)
    assert end_text(turn).plain.startswith(ARRIVAL_UNKNOWN.replace("…", "words of the server"))
    assert end_text(replace(turn, certainly_not_sent=True)).plain.startswith("↩ not sent: words of the server")
    assert ARRIVAL_UNKNOWN in SHOWN["Ends of turns"]


HOW: Any = get_args(RequestClosed.__annotations__["how"])
REPLIES: Any = (None, *get_args(PermissionReply))


def row_of(words: str, rows: list[str]) -> str | None:
    """The row that matches this text; `…` matches any."""
    patterns = {row: re.escape(row).replace("…", ".*") for row in rows}
    return next((row for row, pattern in patterns.items() if re.fullmatch(pattern, words)), None)


def outcomes() -> Iterator[str]:
    """Each line that the transcript can show about a request."""
    question, permission = sample.ONE_CHOICE, sample.PERMISSION
    reported = get_args(ReplyStatusChanged.__annotations__["state"])
    cases: list[tuple[Request, list[Any]]] = [
        (question, [(("yes",),), None]),
        (permission, ["once", "always", "reject"]),
    ]
    for request, givens in cases:
        for given, state, reason in itertools.product(givens, reported, ("", "connection reset")):
            for before in (None, RequestClosed(request, "gone")):
                known = Outcomes()
                known.sent(request, given)
                if before is not None:
                    yield from lines(known.closed(before))
                yield from lines(known.changed(ReplyStatusChanged(request, state, reason)))
        yield from lines(Outcomes().changed(ReplyStatusChanged(request, "acknowledged", "")))
        for how, reply in itertools.product(HOW, REPLIES):
            closed = RequestClosed(request, how, answers=(("yes",),), reply=reply)
            yield from lines(Outcomes().closed(closed))
            known = Outcomes()
            known.sent(request, givens[0])
            yield from lines(known.closed(closed))
            yield from lines(known.changed(ReplyStatusChanged(request, "elsewhere", "")))


def lines(words: Content | None) -> list[str]:
    return [] if words is None else [words.plain]


def test_lines_about_requests_and_rows_match() -> None:
    found = {line: row_of(line, OUTCOMES) for line in outcomes()}
    assert [line for line, row in found.items() if row is None] == []
    assert [row for row in OUTCOMES if row not in found.values()] == []


LIVE = ConnectionStatus(ConnectionState.LIVE)
LOST = ConnectionStatus(ConnectionState.RECONNECTING)
UNCERTAIN_STATES = {
    "unknown: its request failed (…) · checking its status…": (TurnState.UNKNOWN, "502 Bad Gateway", LIVE),
    "unknown while disconnected; …": (TurnState.RUNNING, "", LOST),
    "model provider error… · the server retries…": (TurnState.RETRYING, "", LIVE),
}


@pytest.mark.parametrize("row", UNCERTAIN_STATES)
def test_every_text_about_an_uncertain_turn_has_a_row(row: str) -> None:
    assert row in SHOWN["A running turn"]
    state, reason, connection = UNCERTAIN_STATES[row]
    turn = replace(NOTHING.turn, state=state, reason=reason, retry=Retrying(2, "overloaded", None))
    assert row_of(turn_text(turn, connection, 1.0, 1.0).plain.removeprefix("turn 0:01 · "), [row]) == row


TESTED = {
    "needs answer": "test_waiting_for_the_user",
    "checking its status…": "test_a_failed_request_is_not_shown_as_disconnected",
    "[…]": "test_a_possible_gap_is_marked_until_the_text_is_complete",
    "… text may be missing until the server sends all of it": "test_a_possibly_incomplete_part_is_marked",
}
"""The tests of the other rows about a running turn."""


def test_every_row_about_a_running_turn_has_a_test() -> None:
    assert {*UNCERTAIN_STATES, *TESTED} == {*SHOWN["A running turn"]}
    sources = [path.read_text() for path in (HERE / "tests" / "widgets").rglob("test_*.py")]
    for name in TESTED.values():
        assert any(f"def {name}(" in source for source in sources), name
