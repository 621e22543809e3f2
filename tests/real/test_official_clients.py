"""opencode's official clients run a turn with a question on the stub, as on the real server."""

import json
import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.stub import Stub
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment
from tests.real.server import RealServer

pytestmark = pytest.mark.real

STARTS_WITHIN = 60.0
"""Seconds until the official client draws its first screen; about 4 on an idle machine."""


@pytest.fixture(params=["stub", "real"])
def address(request: pytest.FixtureRequest) -> str:
    """The stub's address, and that of the real server: the second shows that the test itself is valid."""
    if request.param == "stub":
        start: Callable[..., Stub] = request.getfixturevalue("stub")
        return start(profile="opencode").address
    real: RealServer = request.getfixturevalue("opencode")
    return real.address


def sdk_turn(address: str, modules: Path, home: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("sdk_turn.mjs").read_text()
    done = subprocess.run(
        ["node", "--input-type=module", "-", address],  # from stdin, so that imports are resolved in cwd
        input=script,
        capture_output=True,
        text=True,
        cwd=modules.parent,
        env=clean_environment(home),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_the_sdk_runs_a_turn_with_a_question(address: str, npm_modules: Path, home: Path) -> None:
    result = sdk_turn(address, npm_modules, home)
    assert result["asked"] == ["Which database?", "Which features?"]
    assert result["ended"]["info"]["finish"] == "stop"
    texts = [part["text"] for part in result["ended"]["parts"] if part["type"] == "text"]
    assert "Postgres" in texts[-1]
    assert "my own" in texts[-1]


def test_attach_runs_a_turn_with_a_question(address: str, npm_modules: Path, home: Path) -> None:
    attach = [str(npm_modules / ".bin" / "opencode"), "attach", address]
    with closing(Terminal(attach, env=clean_environment(home), cwd=home)) as terminal:
        terminal.wait_for("Ask anything", within=STARTS_WITHIN)
        terminal.type("ASK")
        terminal.wait_for(re.compile(r"┃  ASK\b"))
        terminal.press("enter")
        terminal.wait_for("Which database?")
        terminal.press("enter")
        terminal.wait_for("Which features?")
        terminal.press("enter")
        terminal.wait_for(re.compile(r"\[[^ ]\] auth"))
        terminal.press("tab")
        terminal.wait_for("Review")
        terminal.press("enter")
        terminal.wait_for(re.compile(r"Done\. .*Postgres.*auth", re.DOTALL))
