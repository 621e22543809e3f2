"""The stub server as a process: faults can be armed, and no process is left running."""

import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.stub import Stub, running_stub


def test_the_stub_answers_at_its_printed_address(stub: Callable[..., Stub]) -> None:
    assert stub(profile="mimo").http.get("/global/health").json()["healthy"] is True


def test_faults_are_armed_and_disarmed(stub: Callable[..., Stub]) -> None:
    server = stub()
    number = server.arm("401")
    assert server.http.get("/session").status_code == httpx.codes.UNAUTHORIZED
    server.disarm(number)
    assert server.http.get("/session").status_code == httpx.codes.OK


def test_a_stub_that_does_not_start_prints_the_reason(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError) as failure,
        running_stub(tmp_path / "stub", args=("--port", "nonsense")),
    ):
        pass
    assert "nonsense" in failure.value.__notes__[0]


def test_no_stub_process_is_left_running(tmp_path: Path) -> None:
    with running_stub(tmp_path / "stub") as server:
        os.kill(server.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)
