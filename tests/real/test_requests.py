"""`pending`, `answer` and `watch` on real servers: the requests of a waiting `run` are answered from elsewhere."""

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.shell import HOLDFAST, Shell, ended, until_line
from tests.end_to_end.stub import Stub
from tests.real.conftest import Serve
from tests.real.server import OPENCODE, QWEN

pytestmark = pytest.mark.real

FAMILIES = {"opencode": OPENCODE, "qwen": QWEN}
ANSWERS = f'if [ "$HOLDFAST_EVENT" = request ]; then exec {shlex.join(HOLDFAST)} answer - 2; fi'


@pytest.fixture(params=FAMILIES)
def shell(request: pytest.FixtureRequest, alone: Serve, tmp_path: Path) -> Shell:
    home = tmp_path / "client"
    home.mkdir()
    return Shell(Stub(alone(FAMILIES[request.param]).address, 0, None), home)  # type: ignore[arg-type]


def waiting(shell: Shell, prompt: str) -> "tuple[subprocess.Popen[str], str]":
    """A run that waits at a request, and the request's id."""
    process = shell.begin("run", prompt, shell.stub.address, "--json")
    until_line(process, "turn needs your answer")
    (request,) = shell.pending()
    return process, request


def test_requests_of_a_run_are_listed_and_answered(shell: Shell) -> None:
    process, question = waiting(shell, "ASK")
    listed = shell.here("pending", shell.stub.address)
    assert (listed.code, "    2  SQLite  embedded\n" in listed.out) == (3, True)
    done = shell.here("answer", question[:-1], "sqlite", "1,2", "--url", shell.stub.address)
    assert (done.code, done.out) == (0, f"question {question} answered: SQLite; auth, search\n"), done.err
    result = json.loads(ended(process).out)
    assert (result["outcome"], result["requests"][0]["reply"]["answers"]) == (
        "finished",
        [["SQLite"], ["auth", "search"]],
    )
    process, permission = waiting(shell, "SHELL made.txt")
    assert shell.here("answer", permission, "--once", "--url", shell.stub.address).code == 0
    assert ended(process).code == 0
    process, permission = waiting(shell, "SHELL refused.txt")
    assert shell.here("answer", permission, "--deny", "--url", shell.stub.address).code == 0
    assert ended(process).code == 8
    assert shell.here("answer", permission, "--once", "--url", shell.stub.address).code == 10
    assert shell.here("pending", shell.stub.address).code == 0


def test_program_of_watch_answers_a_run(shell: Shell) -> None:
    watching = shell.begin("watch", shell.stub.address, "--json", "--exec", shlex.join(["sh", "-c", ANSWERS]))
    done = ended(shell.begin("run", "ASK1", shell.stub.address, "--json"))
    assert (done.code, json.loads(done.out)["requests"][0]["reply"]["answers"]) == (0, [["SQLite"]])
    assert watching.stdout is not None
    events = []
    for line in watching.stdout:
        events.append(json.loads(line)["event"])
        if {one["type"] for one in events} == {"request", "reply", "end"}:
            break
    assert sorted(one["type"] for one in events) == ["end", "reply", "request"]
    assert next(one for one in events if one["type"] == "end")["result"]["outcome"] == "finished"
    watching.send_signal(signal.SIGTERM)
    left = ended(watching)
    assert (left.code, left.out) == (143, "")
