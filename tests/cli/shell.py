"""Runs the non-interactive commands, as programs or in this process, with a home of their own and a stub server."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from tests.end_to_end.stub import Stub
from tests.processes import clean_environment
from tests.waiting import MAX_WAIT
from tui.cli.main import main

HOLDFAST = [sys.executable, "-m", "tui"]


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Shell:
    """Runs commands with a home of their own."""

    stub: Stub
    home: Path

    def environment(self) -> dict[str, str]:
        return clean_environment(self.home) | {"PYTHONPATH": str(Path(__file__).parents[2])}

    def run(self, *args: str, stdin: bytes | None = b"", env: Mapping[str, str] | None = None) -> Done:
        done = subprocess.run(
            [*HOLDFAST, *args],
            input=stdin,
            capture_output=True,
            env=self.environment() | dict(env or {}),
            cwd=self.home,
            timeout=MAX_WAIT * 4,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def here(self, *args: str) -> Done:
        """The same in this process, which takes a tenth of the time."""
        done = CliRunner(env=self.environment()).invoke(main, args)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    def prompt(self, text: str) -> None:
        """Start a turn in a new session, as another client, without waiting for it."""
        asked = {"title": text, "sessionScope": "thread", "approvalMode": "default"}  # the last two are qwen's
        made = self.stub.http.post("/session", json=asked).raise_for_status().json()
        parts = [{"type": "text", "text": text}]
        if "sessionId" in made:
            where, body = f"/session/{made['sessionId']}/prompt", {"prompt": parts}
        else:
            where, body = f"/session/{made['id']}/prompt_async", {"parts": parts}
        self.stub.http.post(where, json=body).raise_for_status()

    def pending(self) -> list[str]:
        """The ids of the open requests."""
        found = json.loads(self.here("pending", self.stub.address, "--json").out)
        return [one["request"]["id"] for one in found["requests"]]

    def raised(self, prompt: str) -> str:
        """The id of the request that a prompt raises."""
        before = self.pending()
        self.prompt(prompt)
        for _ in range(200):
            new = [one for one in self.pending() if one not in before]
            if new:
                return new[0]
        raise AssertionError(f"{prompt} raised no request")

    def begin(self, *args: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*HOLDFAST, *args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(),
            cwd=self.home,
            text=True,
        )


def until_line(process: "subprocess.Popen[str]", words: str) -> None:
    """Read standard error up to a line that begins with `words`."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        if line.startswith(words):
            return
        lines.append(line)
    raise AssertionError(f"no line {words!r} in {lines}")


def ended(process: "subprocess.Popen[str]") -> Done:
    out, err = process.communicate(timeout=MAX_WAIT * 2)
    return Done(process.returncode, out, err)
