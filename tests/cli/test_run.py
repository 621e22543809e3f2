"""`holdfast run` and `holdfast wait` on a stub server: output, exit codes, and what they refuse."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from server_stub.domain.profiles import PROFILES
from tests.cli.shell import HOLDFAST, Shell, ended, until_line
from tests.end_to_end.stub import Stub, running_stub
from tests.json_schema import problems
from tests.waiting import MAX_WAIT

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/json.schema.json").read_text())
PLAIN = "Done. Nothing to call, **all** is well.\n"


@pytest.fixture
def profile() -> str:
    return "opencode"


@pytest.fixture
def shell(tmp_path: Path, profile: str) -> Iterator[Shell]:
    home = tmp_path / "home"
    with running_stub(home, profile=profile) as stub:
        yield Shell(stub, home)


@pytest.mark.parametrize("profile", list(PROFILES))
def test_each_family_ends_with_its_answer_or_its_failure(shell: Shell) -> None:
    finished = shell.run("run", "PLAIN", shell.stub.address)
    assert (finished.code, finished.out) == (0, PLAIN)
    assert finished.err.splitlines()[0].startswith("session ")
    assert finished.err.splitlines()[-1].startswith("turn finished")
    failed = shell.run("run", "FAIL 401", shell.stub.address)
    assert (failed.code, failed.out) == (1, "")
    assert "Unauthorized" in failed.err


def test_prompt_is_read_from_standard_input(shell: Shell) -> None:
    for words in (["-", shell.stub.address], [shell.stub.address]):
        assert shell.run("run", *words, stdin=b"PLAIN\n").out == PLAIN


@pytest.mark.parametrize(
    ("args", "stdin", "message"),
    [
        ([], b"", "the prompt is empty"),
        (["-"], b" \n", "the prompt is empty"),
        (["-"], b"\xff", "not UTF-8 (byte 0)"),
        (["hello", "http://127.0.0.1:1", "--session", "../x"], b"", "'../x' is not a session id"),
        (["hello", "--session", "ses_1", "--continue"], b"", "use it without --continue"),
        (["hello", "--continue", "--title", "x"], b"", "use it without --continue"),
        (["hello", "--json", "--final"], b"", "exclude each other"),
        (["hello", "--abort-on-timeout"], b"", "needs --timeout"),
        (["hello", "--timeout", "nan"], b"", "not a number of seconds"),
        (["hello", "ftp://host"], b"", "ftp"),
    ],
)
def test_invalid_command_line_ends_with_2(tmp_path: Path, args: list[str], stdin: bytes, message: str) -> None:
    done = Shell(Stub("", 0, None), tmp_path).run("run", *args, stdin=stdin)  # type: ignore[arg-type]
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_session_and_file_that_do_not_exist_end_with_2(shell: Shell) -> None:
    unknown = shell.run("run", "PLAIN", shell.stub.address, "--session", "ses_none")
    assert (unknown.code, "session ses_none does not exist" in unknown.err) == (2, True)
    missing = shell.run("run", "PLAIN", shell.stub.address, "--file", "nope.txt")
    assert (missing.code, "nope.txt is not in the server's project" in missing.err) == (2, True)
    assert shell.stub.http.get("/session").json() == []


def test_no_server_ends_with_4(tmp_path: Path) -> None:
    shell = Shell(Stub("", 0, None), tmp_path)  # type: ignore[arg-type]
    done = shell.run("run", "PLAIN", "http://127.0.0.1:1", "--connect-timeout", "0.5", "--json")
    assert (done.code, json.loads(done.out)["outcome"]) == (4, "cannot connect")
    assert "connection refused" in done.err


def test_final_prints_the_last_text_only(shell: Shell) -> None:
    assert shell.run("run", "TOOLS", shell.stub.address, "--final").out == "Done. The tests pass.\n"


def test_open_request_ends_with_3_and_a_rejected_one_with_8(shell: Shell) -> None:
    waiting = shell.run("run", "ASK1", shell.stub.address, "--on-request", "fail")
    assert waiting.code == 3
    assert f"answer with: holdfast answer --url {shell.stub.address} que_" in waiting.err
    denied = shell.run("run", "SHELL x", shell.stub.address, "--on-request", "reject")
    assert denied.code == 8
    assert "denied by --on-request" in denied.err


def test_rules_answer_and_the_output_names_them(shell: Shell) -> None:
    rules = shell.home / "rules.toml"
    rules.write_text("""
[[rule]]
name = "database"
question = "Which data*"
answer = "SQLite"

[[rule]]
permission = "bash"
pattern = "touch *"
reply = "deny"
reason = "not here"
""")
    answered = shell.run("run", "ASK1", shell.stub.address, "--answers", str(rules), "--json")
    (record,) = json.loads(answered.out)["requests"]
    assert (answered.code, record["by"], record["rule"]) == (0, "rule", "database")
    assert record["reply"]["answers"] == [["SQLite"]]
    assert "answered by rule database: SQLite" in answered.err
    denied = shell.run("run", "SHELL x", shell.stub.address, "--answers", str(rules))
    assert (denied.code, "denied by rule #2" in denied.err) == (8, True)
    unnamed = shell.run("run", "ASK", shell.stub.address, "--answers", str(rules), "--on-request", "fail")
    assert unnamed.code == 3
    rules.write_text("[[rule]]\nheder = 1\n")
    invalid = shell.run("run", "ASK", shell.stub.address, "--answers", str(rules))
    assert (invalid.code, "line 2: heder: " in invalid.err) == (2, True)


@pytest.mark.parametrize("profile", ["opencode", "mimo", "qwen"])
def test_json_is_valid_and_events_end_with_the_result(shell: Shell) -> None:
    outcomes = []
    for words in (["TOOLS"], ["FAIL 401"], ["ASK", "--on-request", "fail"], ["SHELL x", "--on-request", "reject"]):
        events = [
            json.loads(line) for line in shell.run("run", *words, shell.stub.address, "--stream-json").out.splitlines()
        ]
        assert [problem for event in events for problem in problems(event, SCHEMA, SCHEMA)] == []
        assert [event["type"] for event in events].count("end") == 1
        assert events[-1]["type"] == "end"
        result = events[-1]["result"]
        assert "".join(event["text"] for event in events if event["type"] == "text") == result["text"]
        outcomes.append(result["outcome"])
        (line,) = shell.run(
            "wait", result["session"], shell.stub.address, "--json", "--on-request", "fail"
        ).out.splitlines()
        assert problems(json.loads(line), SCHEMA, SCHEMA) == []
        assert json.loads(line)["outcome"] == result["outcome"]
    assert outcomes == ["finished", "failed", "waiting", "denied"]


def test_time_limit_leaves_or_aborts_the_turn(shell: Shell) -> None:
    left = shell.run("run", "LONG", shell.stub.address, "--timeout", "2", "--json")
    result = json.loads(left.out)
    assert (left.code, result["outcome"]) == (124, "timeout")
    assert shell.stub.http.get("/session/status").json()[result["session"]]["type"] == "busy"
    aborted = shell.run("run", "LONG", shell.stub.address, "--timeout", "2", "--abort-on-timeout", "--json")
    result = json.loads(aborted.out)
    assert (aborted.code, result["outcome"]) == (124, "aborted")
    assert result["session"] not in shell.stub.http.get("/session/status").json()


def test_first_ctrl_c_aborts_the_turn(shell: Shell) -> None:
    process = shell.begin("run", "LONG", shell.stub.address)
    until_line(process, "turn running")
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 130
    assert "turn aborted" in done.err
    assert shell.stub.http.get("/session/status").json() == {}


def test_turn_that_another_client_aborts_ends_with_5(shell: Shell) -> None:
    process = shell.begin("run", "LONG", shell.stub.address, "--json")
    until_line(process, "turn running")
    [session] = shell.stub.http.get("/session/status").json()
    shell.stub.http.post(f"/session/{session}/abort").raise_for_status()
    done = ended(process)
    assert (done.code, json.loads(done.out)["outcome"]) == (5, "aborted")


@pytest.mark.parametrize("profile", ["qwen"])
def test_turn_that_the_server_breaks_off_ends_with_6(shell: Shell) -> None:
    process = shell.begin("run", "LONG", shell.stub.address, "--json")
    until_line(process, "turn running")
    shell.stub.arm("agent-crash")
    done = ended(process)
    assert (done.code, json.loads(done.out)["outcome"]) == (6, "interrupted")


@pytest.mark.parametrize("profile", ["qwen"])
def test_prompt_that_may_have_arrived_ends_with_12(shell: Shell) -> None:
    shell.stub.arm("502", target="prompt", times="always")
    done = shell.run("run", "PLAIN", shell.stub.address, "--json")
    assert (done.code, json.loads(done.out)["outcome"]) == (12, "unknown")
    assert "not sent" not in done.err


def test_second_ctrl_c_leaves_at_once(shell: Shell) -> None:
    number = shell.stub.arm("hang", target="/abort")
    process = shell.begin("run", "LONG", shell.stub.address)
    until_line(process, "turn running")
    process.send_signal(signal.SIGINT)
    until_line(process, "aborting the turn")
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    shell.stub.disarm(number)


def test_sigterm_detaches_and_wait_takes_the_turn_up(shell: Shell) -> None:
    process = shell.begin("run", "SLOW", shell.stub.address, "--json")
    until_line(process, "turn running")
    process.send_signal(signal.SIGTERM)
    done = ended(process)
    result = json.loads(done.out)
    assert (done.code, result["outcome"]) == (143, "detached")
    waited = shell.run("wait", result["session"], shell.stub.address, "--json")
    assert (waited.code, json.loads(waited.out)["prompt"]) == (0, result["prompt"])


def test_detached_turn_is_waited_for(shell: Shell) -> None:
    done = shell.run("run", "SLOW", shell.stub.address, "--detach")
    assert done.code == 0
    session, prompt = done.out.split()
    waited = shell.run("wait", session, shell.stub.address)
    assert (waited.code, waited.out) == (0, "".join(f"word{i} " for i in range(40)) + "\n")
    again = shell.run("wait", session, shell.stub.address, "--prompt", prompt)
    assert (again.code, again.out) == (0, waited.out)
    assert (
        len([one for one in shell.stub.http.get(f"/session/{session}/message").json() if one["info"]["role"] == "user"])
        == 1
    )


@pytest.mark.parametrize("profile", ["mimo", "mimo-cancel"])
def test_detach_is_refused_only_where_turns_may_end_with_their_client(shell: Shell, profile: str) -> None:
    done = shell.run("run", "SLOW", shell.stub.address, "--detach")
    if profile == "mimo":
        assert done.code == 0
    else:
        assert (done.code, "may end a turn when its client leaves" in done.err) == (7, True)
        assert shell.stub.http.get("/session").json() == []


def test_closed_pipe_ends_with_74_and_the_turn_goes_on(shell: Shell) -> None:
    process = shell.begin("run", "TOOLS", shell.stub.address)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    message = process.stderr.read()
    assert process.wait(MAX_WAIT) == 74
    assert "standard output cannot be written: Broken pipe" in message
    assert "to follow it: holdfast wait ses_" in message
    process.stderr.close()


def test_full_disk_ends_with_74(shell: Shell) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*HOLDFAST, "run", "PLAIN", shell.stub.address],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env=shell.environment(),
            cwd=shell.home,
            check=False,
            timeout=MAX_WAIT * 2,
        )
    assert done.returncode == 74
    assert b"No space left on device" in done.stderr
