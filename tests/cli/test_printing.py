"""The lines of events: one per change, and no escape byte whatever the server sends."""

import pytest
from rich.cells import cell_len

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
from tui.cli.printing import Printer

QUESTION = PendingRequest(
    id="que_1",
    kind="question",
    session="ses_1",
    title="a job",
    questions=(
        PendingQuestion("DB", "Which database?", (Choice(1, "Postgres", "relational"), Choice(2, "SQLite"))),
        PendingQuestion("Feat", "Which features?", (Choice(1, "auth"),), multiple=True, custom=False),
    ),
)
PERMISSION = PendingRequest(
    id="per_1",
    kind="permission",
    session="ses_1",
    action="bash",
    patterns=("make test",),
    choices=(Choice(1, "once"), Choice(2, "always", "make *")),
)

REJECTION = Reply(permission="reject")


def printed(*events: Event, how_to_answer: bool = True) -> list[str]:
    written: list[str] = []
    printer = Printer(written.append, how_to_answer=how_to_answer)
    for event in events:
        printer.event(event)
    return "".join(written).splitlines()


def turn(state: str, reason: str = "") -> TurnEvent:
    return TurnEvent(time=0, session="ses_1", prompt="msg_1", state=state, reason=reason)


def test_question_is_a_numbered_list_with_its_command() -> None:
    assert printed(RequestEvent(time=0, request=QUESTION)) == [
        "question que_1 in a job",
        "  1. Which database?",
        "    1  Postgres  relational",
        "    2  SQLite",
        "    or custom text",
        "  2. Which features?",
        "    1  auth",
        "    several choices are possible",
        "  answer with: holdfast answer que_1 CHOICE CHOICE",
    ]


def test_permission_is_a_numbered_list() -> None:
    assert printed(RequestEvent(time=0, request=PERMISSION), how_to_answer=False) == [
        "permission per_1 in ses_1",
        "  Allow bash make test?",
        "    1  once",
        "    2  always  make *",
    ]


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (RequestRecord(request=QUESTION, state="gone"), "question que_1 is no longer open"),
        (
            RequestRecord(request=QUESTION, state="answered", reply=Reply(answers=(("SQLite",), ("auth", "x")))),
            "question que_1 answered: SQLite; auth, x",
        ),
        (
            RequestRecord(
                request=PERMISSION, state="denied", reply=Reply(permission="reject"), by="rule", rule="no rm"
            ),
            "permission per_1 denied by rule no rm",
        ),
        (
            RequestRecord(request=PERMISSION, state="answered", reply=Reply(permission="always"), by="elsewhere"),
            "permission per_1 answered elsewhere: always allow",
        ),
    ],
)
def test_reply_names_its_author(record: RequestRecord, line: str) -> None:
    assert printed(ReplyEvent(time=0, record=record)) == [line]


def test_connection_is_reported_when_it_is_lost_and_restored() -> None:
    def connection(state: str, reason: str = "", retry_in: float | None = None) -> ConnectionEvent:
        return ConnectionEvent(time=0, state=state, reason=reason, retry_in=retry_in)  # type: ignore[arg-type]

    events = [connection("connecting"), connection("live"), connection("quiet"), connection("live")]
    assert printed(*events) == []
    assert printed(connection("lost", "refused", 3.2), connection("live")) == [
        "connection lost: refused; next attempt in 3 s",
        "connection restored",
    ]


def test_turn_and_its_end() -> None:
    result = Result(session="ses_1", prompt="msg_1", outcome="failed", reason="401", started=10.0, ended=195.0)
    turns = [turn("running"), turn("waiting"), turn("failed", "401")]
    assert printed(*turns, EndEvent(time=0, result=result)) == [
        "session ses_1",
        "turn running",
        "turn needs your answer",
        "turn failed in 3 min 5 s: 401",
    ]


def test_no_escape_and_no_second_line_of_the_server_s() -> None:
    evil = "a\x1b[2Jb\nturn finished\x07\x9b31m"
    tool = ToolEvent(time=0, session="s", message="m", call="c", tool=evil, state="error", error=evil)
    request = PendingRequest(
        id="que_1",
        kind="question",
        session="s",
        title=evil,
        questions=(PendingQuestion(evil, evil, (Choice(1, evil, evil),)),),
    )
    record = RequestRecord(request=request, state="answered", reply=Reply(answers=((evil,),)))
    events: list[Event] = [
        tool,
        turn("running", evil),
        RequestEvent(time=0, request=request),
        ReplyEvent(time=0, record=record),
        NoticeEvent(time=0, text=evil),
        EndEvent(time=0, result=Result(session="s", prompt="p", outcome="failed", reason=evil)),
    ]
    lines = printed(*events)
    assert all(line.isprintable() for line in lines)
    assert "turn finished" not in lines


def test_answer_text_is_not_printed_here() -> None:
    assert printed(TextEvent(time=0, session="s", message="m", part="p", text="hello\n")) == []


def test_status_line_is_rewritten_without_escapes() -> None:
    written: list[str] = []
    printer = Printer(written.append, status_width=20)
    printer.status("running 12 s")
    printer.status("idle")
    printer.line("one line")
    printer.status("")
    shown = "".join(written)
    assert shown == "\rrunning 12 s\ridle        \r    \rone line\n\ridle\r    \r"
    assert "\x1b" not in shown


def test_a_status_line_with_wide_characters_fits_the_terminal_and_is_erased() -> None:
    written: list[str] = []
    printer = Printer(written.append, status_width=20)
    printer.status(f"live · bash {'中' * 30}")
    printer.line("x")
    printer.status("")
    first, *_ = written
    assert first == "\rlive · bash 中中中…"
    assert cell_len(first) <= 19
    erased = " " * cell_len(first)
    assert written == [first, f"\r{erased}\rx\n", first, f"\r{erased}\r"]


def test_without_a_terminal_there_is_no_status_line() -> None:
    written: list[str] = []
    Printer(written.append).status("running")
    assert written == []


def test_id_with_a_line_end_and_invisible_characters_stays_on_its_line() -> None:
    request = PendingRequest(
        id="per_x \n\nturn finished\u200b\ufeff",
        kind="permission",
        session="ses_1\nError: no",
        detail="make\u200b \U000e0041test",
    )
    record = RequestRecord(request=request, state="gone")
    assert printed(RequestEvent(time=0, request=request), ReplyEvent(time=0, record=record)) == [
        "permission per_x turn finished in ses_1 Error: no",
        "  Allow ?",
        "    make test",
        "  answer with: holdfast answer per_x --once | --always | --deny",
        "permission per_x turn finished is no longer open",
    ]


def test_line_is_one_line_without_invisible_characters() -> None:
    written: list[str] = []
    Printer(written.append).line("  one\r\ntwo\u200b\n")
    assert written == ["  one two\n"]
