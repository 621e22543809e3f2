"""`holdfast answer` on a stub server: every way to reply, every exit code, and the dialog in a terminal."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pexpect
import pytest
from click.testing import CliRunner

from server_stub.domain.profiles import PROFILES
from tests.cli.shell import HOLDFAST, Done, Shell, ended, until_line
from tests.end_to_end.stub import Stub, running_stub
from tests.waiting import MAX_WAIT, block_until
from tui.api.alerts import Alert
from tui.api.values import AnswerOutcome, AnswerState, PendingRequest, Reply, RequestEvent
from tui.cli.answer import EVENT_AT_MOST, command, print_outcome


@pytest.fixture
def profile() -> str:
    return "opencode"


@pytest.fixture
def shell(tmp_path: Path, profile: str) -> Iterator[Shell]:
    home = tmp_path / "home"
    with running_stub(home, profile=profile, args=("--speed", "10")) as stub:
        yield Shell(stub, home)


def answer(shell: Shell, *words: str) -> Done:
    return shell.here("answer", *words, "--url", shell.stub.address)


def waiting(shell: Shell, prompt: str) -> "tuple[subprocess.Popen[str], str]":
    """A run that waits at a request, and the request's id."""
    process = shell.begin("run", prompt, shell.stub.address, "--json")
    until_line(process, "turn needs your answer")
    return process, shell.pending()[-1]


@pytest.mark.parametrize("profile", list(PROFILES))
def test_run_ends_with_the_given_answer(shell: Shell) -> None:
    process, question = waiting(shell, "ASK")
    done = answer(shell, question[:-1], "sqlite", "1,2")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"question {question} answered: SQLite; auth, search\n"
    result = json.loads(ended(process).out)
    assert result["outcome"] == "finished"
    assert result["requests"][0]["reply"]["answers"] == [["SQLite"], ["auth", "search"]]
    process, permission = waiting(shell, "SHELL made.txt")
    done = answer(shell, permission, "--once")
    assert (done.code, done.out) == (0, f"permission {permission} answered: allow once\n")
    assert json.loads(ended(process).out)["outcome"] == "finished"
    process, permission = waiting(shell, "SHELL again.txt")
    done = answer(shell, permission, "--deny")
    assert (done.code, done.out) == (0, f"permission {permission} denied\n")
    assert ended(process).code == 8
    again = answer(shell, permission, "--once")
    assert (again.code, again.out) == (10, "")
    assert again.err == f"request {permission} is not open any more, or unknown\n"


@pytest.mark.parametrize("profile", list(PROFILES))
def test_question_takes_a_text_or_is_rejected(shell: Shell) -> None:
    process, question = waiting(shell, "ASK1")
    assert answer(shell, question, "--text", "Maria DB").out == f"question {question} answered: Maria DB\n"
    assert json.loads(ended(process).out)["requests"][0]["reply"]["answers"] == [["Maria DB"]]
    process, question = waiting(shell, "ASK1")
    assert answer(shell, question, "--deny").out == f"question {question} denied\n"
    assert ended(process).code == 8


@pytest.mark.parametrize("profile", list(PROFILES))
def test_reason_of_a_denial_is_sent_only_if_the_server_supports_it(shell: Shell, profile: str) -> None:
    permission = shell.raised("SHELL made.txt")
    done = answer(shell, permission, "--deny", "use make")
    if profile == "qwen":
        assert (done.code, "this request takes no reason" in done.err) == (2, True)
    else:
        assert (done.code, done.out) == (0, f"permission {permission} denied: use make\n")


@pytest.mark.parametrize("event", ["{}", "no JSON", '{"a":' + "[" * 100_000, "\0" * (EVENT_AT_MOST + 1)], ids=len)
def test_standard_input_that_is_no_event_is_refused(event: str) -> None:
    result = CliRunner().invoke(command, ["-", "1"], input=event)
    assert result.exit_code == 2
    assert "standard input is not an event of watch" in result.output


def test_a_request_that_changed_since_its_event_is_not_answered(shell: Shell) -> None:
    question = shell.raised("ASK1")
    asked = PendingRequest(id=question, kind="question", session="ses_1")
    alert = Alert(server=shell.stub.address, event=RequestEvent(time=0.0, request=asked), summary="")
    done = shell.run("answer", "-", "1", stdin=msgspec.json.encode(alert))
    assert (done.code, done.err) == (10, f"request {question} has changed since the event\n")
    assert shell.pending() == [question]


def test_second_answer_ends_with_9_and_names_the_first(shell: Shell) -> None:
    question = shell.raised("ASK1")
    number = shell.stub.arm("429", target="answer", times=1, retry_after=3)
    slow = shell.begin("answer", question, "1", "--url", shell.stub.address)
    block_until(lambda: shell.stub.times_applied(number))
    assert answer(shell, question, "2").code == 0
    done = ended(slow)
    assert (done.code, done.out) == (9, "")
    assert done.err == f"question {question} was answered elsewhere: SQLite\n"


def test_answer_is_delivered_across_failures(shell: Shell) -> None:
    process, question = waiting(shell, "ASK1")
    faults = [shell.stub.arm(name, target="answer", times=1) for name in ("502", "reset")]
    assert answer(shell, question, "1").code == 0
    assert [shell.stub.times_applied(one) for one in faults] == [1, 1]
    assert json.loads(ended(process).out)["requests"][0]["reply"]["answers"] == [["Postgres"]]


def test_answer_that_could_not_be_delivered_is_sent_by_the_next_one(shell: Shell) -> None:
    """Killed during the delivery: the journal keeps it, and the same command ends it."""
    process, question = waiting(shell, "ASK1")
    number = shell.stub.arm("429", target="answer", times=1, retry_after=60)
    killed = shell.begin("answer", question, "1", "--url", shell.stub.address)
    block_until(lambda: shell.stub.times_applied(number))
    killed.kill()
    ended(killed)
    assert answer(shell, question, "1").code == 0
    assert json.loads(ended(process).out)["outcome"] == "finished"


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [
        ("taken", 0, "question que_1 answered: SQLite\n"),
        ("elsewhere", 9, "question que_1 was answered elsewhere: because\n"),
        ("expired", 10, "question que_1 is not open any more: because\n"),
        ("refused", 11, "question que_1 is still open: the server refuses the answer: because\n"),
        ("stopped", 4, "question que_1: the answer could not be delivered: because\n"),
    ],
)
def test_each_outcome_has_its_line_and_code(
    state: AnswerState, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = PendingRequest(id="que_1", kind="question", session="ses_1")
    outcome = AnswerOutcome(request="que_1", state=state, reason="because")
    assert print_outcome(request, Reply(answers=(("SQLite",),)), outcome, saved=False) == code
    out, err = capsys.readouterr()
    assert (out, err) == ((message, "") if code == 0 else ("", message))


def test_ambiguous_and_unknown_ids(shell: Shell) -> None:
    first, second = shell.raised("ASK1"), shell.raised("ASK1")
    done = answer(shell, "que_", "1")
    assert (done.code, done.out) == (2, "")
    assert "2 open requests begin with que_" in done.err
    assert f"Give more of the id: {first}, {second}" in done.err
    assert answer(shell, "que_none", "1").code == 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no choice given"),
        (["1", "--once"], "exclude each other"),
        (["--once", "--always"], "exclude each other"),
        (["--text", "x", "--deny"], "exclude each other"),
        (["--once"], "is a question"),
        (["9"], "there is no option '9'"),
        (["1", "2"], "takes one answer"),
        (["--deny", "because"], "takes no reason"),
    ],
)
def test_invalid_choice_ends_with_2_and_nothing_is_sent(shell: Shell, words: list[str], message: str) -> None:
    question = shell.raised("ASK1")
    done = answer(shell, question, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert shell.here("pending", shell.stub.address).code == 3


def test_no_server_ends_with_4(tmp_path: Path) -> None:
    shell = Shell(Stub("http://127.0.0.1:1", 0, None), tmp_path)  # type: ignore[arg-type]
    done = answer(shell, "que_1", "1")
    assert (done.code, done.out) == (4, "")
    assert "connection refused" in done.err


def test_stopped_connection_ends_with_4_and_the_answer_is_kept(shell: Shell) -> None:
    question = shell.raised("ASK1")
    shell.stub.arm("401", target="answer", times=100)
    done = answer(shell, question, "1")
    assert (done.code, done.out) == (4, "")
    assert "it is saved; holdfast sends it when it connects to this server next" in done.err


class Dialog:
    """`holdfast answer` in a terminal."""

    def __init__(self, shell: Shell, request: str) -> None:
        self.process = pexpect.spawn(
            HOLDFAST[0],
            [*HOLDFAST[1:], "answer", request, "--url", shell.stub.address],
            env=shell.environment(),
            cwd=str(shell.home),
            timeout=MAX_WAIT,
            encoding="utf-8",
            dimensions=(24, 200),
        )

    def until(self, words: str) -> None:
        self.process.expect_exact(words)

    def type(self, words: str) -> None:
        self.process.sendline(words)

    def end(self) -> int:
        self.process.expect(pexpect.EOF)
        self.process.close()
        assert isinstance(self.process.exitstatus, int)
        return self.process.exitstatus


@pytest.mark.parametrize("profile", ["opencode", "qwen"])
def test_dialog_asks_each_question_and_confirms(shell: Shell) -> None:
    process, question = waiting(shell, "ASK")
    dialog = Dialog(shell, question)
    dialog.until("1. Which database?")
    dialog.until("Choice, or x to reject: ")
    dialog.type("7")
    dialog.until("There is no option '7'. Send it as a custom answer? [y/N] ")
    dialog.type("")
    dialog.until("Choice, or x to reject: ")
    dialog.type("2")
    dialog.until("2. Which features?")
    dialog.until("Choice, or x to reject: ")
    dialog.type("1, search")
    dialog.until("Feat: auth, search")
    dialog.until("Send these answers? [y/N] ")
    dialog.type("y")
    dialog.until("answered: SQLite; auth, search")
    assert dialog.end() == 0
    assert ended(process).code == 0


def test_dialog_of_a_permission_asks_for_the_reason(shell: Shell) -> None:
    permission = shell.raised("SHELL made.txt")
    dialog = Dialog(shell, permission)
    dialog.until("3  reject")
    dialog.until("Choice: ")
    dialog.type("always,once")
    dialog.until("there is no option 'always,once'")
    dialog.until("Choice: ")
    dialog.type("3")
    dialog.until("Reason")
    dialog.type("use make")
    dialog.until(f"permission {permission} denied: use make")
    assert dialog.end() == 0


def test_dialog_ends_when_another_client_answers(shell: Shell) -> None:
    question = shell.raised("ASK1")
    dialog = Dialog(shell, question)
    dialog.until("Choice, or x to reject: ")
    assert answer(shell, question, "2").code == 0
    dialog.until(f"question {question} answered elsewhere: SQLite")
    assert dialog.end() == 9


def test_end_of_input_sends_nothing(shell: Shell) -> None:
    question = shell.raised("ASK1")
    dialog = Dialog(shell, question)
    dialog.until("Choice, or x to reject: ")
    dialog.process.sendeof()
    dialog.until("nothing was sent; the request stays open")
    assert dialog.end() == 3
    dialog = Dialog(shell, question)
    dialog.until("Choice, or x to reject: ")
    dialog.process.sendintr()
    assert dialog.end() == 130
    assert shell.here("pending", shell.stub.address).code == 3


def test_text_typed_before_the_question_is_not_an_answer(shell: Shell) -> None:
    question = shell.raised("ASK1")
    dialog = Dialog(shell, question)
    dialog.type("1")
    dialog.until("Choice, or x to reject: ")
    dialog.type("2")
    dialog.until("answered: SQLite")
    assert dialog.end() == 0
