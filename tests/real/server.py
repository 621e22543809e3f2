"""A real `opencode serve` on loopback, in a home and a project of its own, to be killed and started again."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from tests.processes import clean_environment, free_port, read_line, running
from tests.real.scripted_model import Asked, ScriptedModel

STARTS_WITHIN = 30.0
"""Seconds; about 3 on an idle machine."""


class RealServer:
    """One server on one port with one state on disk, over any number of processes. Made by `running_opencode`."""

    def __init__(self, program: Path, root: Path, model: ScriptedModel) -> None:
        self._program = program
        self._model = model
        self._port = free_port()
        self._process = ExitStack()
        self.home = root / "home"
        self.project = root / "project"
        self.log = root / "server.stderr"
        self.home.mkdir(parents=True)
        self.project.mkdir()
        (self.project / "opencode.json").write_text(json.dumps(_config(model.base_url)))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Return once the server answers; AssertionError with its log when it does not."""
        command = [str(self._program), "serve", "--hostname", "127.0.0.1", "--port", str(self._port)]
        environment = clean_environment(self.home) | {"OPENCODE_DISABLE_AUTOUPDATE": "1"}
        process = self._process.enter_context(running(command, env=environment, cwd=self.project, log=self.log))
        try:
            read_line(process, within=STARTS_WITHIN, beginning=b"opencode server listening")
            self._wait_for_health()
        except AssertionError as failure:
            failure.add_note(self.log.read_text())
            raise

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self._process.close()

    def restart(self) -> None:
        """Start again after `kill`: the same port, the same state on disk."""
        self.start()

    def model_log(self) -> list[Asked]:
        """What the model has been asked so far, titles and summaries apart."""
        return [asked for asked in self._model.asked if asked.tools]

    def _wait_for_health(self) -> None:
        # a request in the first moments after the port opens is never answered: give it up soon, and ask anew
        for _ in range(int(STARTS_WITHIN)):
            try:
                if httpx.get(f"{self.address}/global/health", timeout=1, trust_env=False).is_success:
                    return
            except httpx.TimeoutException:
                continue
        raise AssertionError(f"{self.address} listens and does not answer")


@contextmanager
def running_opencode(program: Path, root: Path) -> Iterator[RealServer]:
    """Start `program`, with all that it keeps under `root`; end it after."""
    with ScriptedModel() as model:
        server = RealServer(program, root, model)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _config(base_url: str) -> dict[str, object]:
    return {
        "provider": {
            "scripted": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "Scripted",
                "options": {"baseURL": base_url, "apiKey": "none"},
                "models": {
                    "m": {
                        "name": "m",
                        "tool_call": True,
                        "reasoning": True,
                        "limit": {"context": 100_000, "output": 4_000},
                    }
                },
            }
        },
        "model": "scripted/m",
        "small_model": "scripted/m",
        "permission": {"bash": "ask"},
        "autoupdate": False,
        "share": "disabled",
    }
