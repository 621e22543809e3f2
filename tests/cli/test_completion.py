"""`holdfast completion` in a real bash: commands, options, and values that only the server knows."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.shell import HOLDFAST, Shell
from tests.end_to_end.stub import running_stub
from tests.waiting import MAX_WAIT
from tui.cli.completion import ENDS_AFTER, SCRIPTS, LineComplete
from tui.cli.main import SubcommandGroup, main

BIN = Path(HOLDFAST[0]).parent

COMPLETE = """
source /dev/stdin <<< "$SCRIPT"
COMP_LINE=$1 COMP_POINT=${2:-${#1}} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_holdfast_completion holdfast
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def profile() -> str:
    return "opencode"


@pytest.fixture
def shell(tmp_path: Path, profile: str) -> Iterator[Shell]:
    home = tmp_path / "home"
    with running_stub(home, profile=profile, args=("--speed", "10")) as stub:
        yield Shell(stub, home)


def environment(shell: Shell, **more: str) -> dict[str, str]:
    own = shell.environment()
    return own | {"PATH": f"{BIN}:{own['PATH']}", "HOLDFAST_URL": shell.stub.address} | more


def completions(shell: Shell, line: str, *point: str, **more: str) -> list[str]:
    done = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE, "bash", line, *point],
        env=environment(shell, SCRIPT=SCRIPTS["bash"], **more),
        capture_output=True,
        text=True,
        timeout=MAX_WAIT * 2,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


def ids(shell: Shell, line: str, **more: str) -> list[str]:
    """The same; again while the server has not answered in time."""
    for _ in range(20):
        if found := completions(shell, line, **more):
            return found
    raise AssertionError(f"no completions of {line!r}")


def test_commands_options_and_values_complete_in_bash(shell: Shell) -> None:
    assert completions(shell, "holdfast ") == list(SubcommandGroup.others)
    assert completions(shell, "holdfast status --j") == ["--json"]
    assert completions(shell, "holdfast pending http://127.0.0.1:1 --family=q") == ["qwen"]
    assert completions(shell, "holdfast status --json", "12") == ["status"]


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("holdfast st", ["status"]),
        ("holdfast --demo st", []),
        ("holdfast run --on-request ", ["wait", "fail", "reject"]),
        ("holdfast run 'it''s \"st' --on-request f", ["fail"]),
        ("holdfast --family m", ["mimo"]),
        ("holdfast --family=m", ["--family=mimo"]),
        ("holdfast completion ", ["bash", "zsh", "fish"]),
    ],
)
def test_words_of_a_line_are_those_of_the_shell(line: str, values: list[str]) -> None:
    rows = [row.split("\t") for row in LineComplete(main, "zsh", line).complete().splitlines()]
    assert [value for _, value, _ in rows] == values


def test_path_is_left_to_the_shell() -> None:
    assert LineComplete(main, "fish", "holdfast --log ").complete() == "file"


@pytest.mark.parametrize("profile", ["opencode", "mimo", "qwen"])
def test_ids_of_sessions_and_requests_complete(shell: Shell) -> None:
    shell.prompt("$(touch made) `touch made`")
    request = shell.raised("ASK")
    [(session, *_)] = {
        tuple(sorted(ids(shell, f"holdfast {words}"))) for words in ("wait ", "--session ", "run x --session ")
    }
    assert ids(shell, f"holdfast wait {session[:-1]}") == [session]
    assert ids(shell, f"holdfast --session={session[:-1]}") == [session]
    assert request in ids(shell, "holdfast answer ")
    line = f"holdfast answer --url {shell.stub.address} {request[:-1]}"
    assert ids(shell, line, HOLDFAST_URL="http://127.0.0.1:1") == [request]
    assert completions(shell, f"holdfast answer {request} ") == []
    assert not (shell.home / "made").exists()


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_ids_complete_in_other_shells(shell: Shell, name: str) -> None:
    """What the function of the shell's script reads: kind, value and help in columns."""
    request = shell.raised("ASK")
    done = shell.run(
        "completion", name, "--line", "holdfast answer ", env={"HOLDFAST_URL": shell.stub.address}, stdin=None
    )
    assert (done.code, done.err) == (0, "")
    kind, value, text = done.out.rstrip("\n").split("\t")
    assert (kind, value) == ("value", request)
    assert text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "holdfast",
        "holdfast nonsense ",
        "holdfast nonsense --",
        "holdfast wait '",
        "holdfast run 'x ",
        "holdfast wait \\",
        "holdfast wait ses_1 https://[ ",
        "holdfast answer --url ftp://there ",
        "holdfast answer --url http://127.0.0.1:1 ",
        "holdfast wait --prompt ",
        "holdfast answer --ca-file /nowhere ",
        "holdfast answer --family nonsense --url http://me:s3cret@there ",
        "holdfast answer \x1b[2J\udcff",
        "holdfast " + "x" * 100_000,
    ],
)
def test_any_line_prints_no_error_and_no_secret(line: str, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = LineComplete(main, "bash", line).complete()
    assert capfd.readouterr() == ("", "")
    assert "\x1b" not in found
    assert "s3cret" not in found


@pytest.mark.parametrize("line", ["holdfast wait ", "holdfast answer "])
def test_server_that_does_not_answer_completes_nothing_in_time(shell: Shell, line: str) -> None:
    shell.prompt("hello")
    assert ids(shell, "holdfast wait ")
    assert completions(shell, line, HOLDFAST_URL="http://127.0.0.1:1") == []
    shell.stub.arm("hang", times=100)
    started = time.monotonic()
    assert completions(shell, line) == []
    assert time.monotonic() - started < ENDS_AFTER + MAX_WAIT / 2


def test_invalid_settings_file_completes_nothing_from_the_server(shell: Shell) -> None:
    folder = shell.home / ".config/holdfast"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text("x = 1")
    assert completions(shell, "holdfast wait ") == []
    assert completions(shell, "holdfast wai") == ["wait"]


def test_tab_completes_in_an_interactive_bash(shell: Shell) -> None:
    request = shell.raised("ASK")
    bash = pexpect.spawn(
        "bash",
        ["--norc", "-i"],
        env=environment(shell, PS1="ready> "),
        cwd=str(shell.home),
        encoding="utf-8",
        timeout=MAX_WAIT,
    )
    try:
        bash.expect_exact("ready> ")
        bash.sendline("source <(holdfast completion bash)")
        bash.expect_exact("ready> ")
        bash.send(f"holdfast ans\t--url {shell.stub.address} {request[:3]}\t--alw\t")
        bash.expect_exact(f"{request} --always")
    finally:
        bash.close(force=True)


@pytest.mark.parametrize("args", [(), ("tcsh",), ("bash", "zsh")])
def test_unknown_shell_is_refused(shell: Shell, args: tuple[str, ...]) -> None:
    done = shell.here("completion", *args)
    assert (done.code, done.out) == (2, "")
