"""`kill -9` of `holdfast run --key` at any moment, then the same command: one prompt at the server, one result."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.stub import Stub
from tests.processes import clean_environment
from tests.waiting import MAX_WAIT

ROOT = Path(__file__).parents[2]
FEW, ALL = 2, 10
"""Number of seeds in the suite, and in `make chaos`."""
LONGEST = 5.0
"""Seconds after its start within which the command is killed; the turn takes three."""
ANSWER = b"I look, change one line, and run the tests. \nDone. The tests pass.\n"

StartStub = Callable[..., Stub]


@pytest.mark.parametrize("profile", ["opencode", "qwen"])
@pytest.mark.parametrize(
    "seed", [*range(FEW), *(pytest.param(seed, marks=pytest.mark.chaos) for seed in range(FEW, ALL))]
)
def test_prompt_is_sent_once(stub: StartStub, tmp_path: Path, profile: str, seed: int) -> None:
    server = stub(profile=profile)
    command = [sys.executable, "-m", "tui", "run", "TOOLS", server.address, "--key", "job"]
    env = clean_environment(tmp_path / "run") | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:  # the seed selects this moment; there is no condition to wait for
        process.communicate(timeout=random.Random(seed).uniform(0, LONGEST))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    again = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=MAX_WAIT * 3, check=False
    )
    assert (again.returncode, again.stdout) == (0, ANSWER)
    assert prompts(server, profile) == 1


@pytest.mark.parametrize("profile", ["opencode", "qwen"])
def test_two_commands_with_one_key_at_once_send_one_prompt(stub: StartStub, tmp_path: Path, profile: str) -> None:
    server = stub(profile=profile)
    command = [sys.executable, "-m", "tui", "run", "TOOLS", server.address, "--key", "job"]
    env = clean_environment(tmp_path / "run") | {"PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=MAX_WAIT * 3)
        assert (process.returncode, out) == (0, ANSWER), err.decode()
    assert prompts(server, profile) == 1


def prompts(server: Stub, profile: str) -> int:
    """The number of prompts in all sessions of the server."""
    if profile == "qwen":
        workspace = server.http.get("/capabilities").json()["workspaceCwd"].replace("/", "%2F")
        sessions = server.http.get(f"/workspaces/{workspace}/sessions").json()["sessions"]
        events = [
            event["data"]
            for session in sessions
            for event in server.http.get(f"/session/{session['sessionId']}/transcript").json()["events"]
        ]
        return sum(event.get("sessionUpdate") == "user_message_chunk" for event in events)
    messages = [
        message["info"]
        for session in server.http.get("/session").json()
        for message in server.http.get(f"/session/{session['id']}/message").json()
    ]
    return sum(message["role"] == "user" for message in messages)
