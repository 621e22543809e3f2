"""A real agent server on loopback, with its own home and project, that can be killed and restarted."""

import json
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.processes import clean_environment, free_port, read_line, running
from tests.real.scripted_model import ModelRequest, ScriptedModel

STARTS_WITHIN = 60.0
"""Seconds; about 4 on an idle machine."""


@dataclass(frozen=True, slots=True)
class Family:
    """How the servers of one family are started.

    `prepare` writes their settings, given home, project and the model's address, and returns their environment.
    `listening` is the prefix of the line that says they listen; `health` is a path that answers once they are up.
    """

    program: str
    arguments: tuple[str, ...]
    prepare: Callable[[Path, Path, str], Mapping[str, str]]
    listening: bytes
    health: str
    package: str = ""
    """The path of the program below `node_modules`, if npm does not link it; for Linux on x64 only."""

    def command(self, programs: Path) -> Path:
        """The installed program. AssertionError if this platform has none."""
        if not self.package:
            return programs / self.program
        found = programs.parent / self.package / "bin" / self.program
        where = f"{platform.system()} {platform.machine()}"
        assert found.is_file(), f"{self.package} is not installed; it comes for Linux on x64 alone, this is {where}"
        return found


class RealServer:
    """One server: one port and one state on disk, over any number of processes. Made by `running_server`."""

    def __init__(self, family: Family, programs: Path, root: Path, model: ScriptedModel) -> None:
        self.port = free_port()
        self.home = root / "home"
        self.project = root / "project"
        self.log = root / "server.stderr"
        self.home.mkdir(parents=True)
        self.project.mkdir()
        self._family = family
        self._model = model
        self._process = ExitStack()
        self.up = False
        self._command = [str(family.command(programs)), *family.arguments, "--port", str(self.port)]
        settings = family.prepare(self.home, self.project, model.base_url)
        self._environment = clean_environment(self.home) | dict(settings)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return once the server answers; AssertionError with its log if it does not."""
        process = self._process.enter_context(
            running(self._command, env=self._environment, cwd=self.project, log=self.log)
        )
        try:
            read_line(process, within=STARTS_WITHIN, beginning=self._family.listening)
            self._wait_for_health()
        except AssertionError as failure:
            failure.add_note(self.log.read_text())
            raise
        self.up = True

    def kill(self) -> None:
        """SIGKILL, without a clean shutdown."""
        self.up = False
        self._process.close()

    def restart(self) -> None:
        """Start again after `kill`: the same port, the same state on disk."""
        self.start()

    def model_log(self) -> list[ModelRequest]:
        """The requests to the model so far, without titles and summaries."""
        return [asked for asked in self._model.asked if asked.tools]

    def _wait_for_health(self) -> None:
        # a request in the first moments after the port opens is never answered: time out soon, and retry
        for _ in range(int(STARTS_WITHIN)):
            try:
                if httpx.get(f"{self.address}{self._family.health}", timeout=1, trust_env=False).is_success:
                    return
            except httpx.TimeoutException:
                continue
        raise AssertionError(f"{self.address} listens and does not answer")


@contextmanager
def running_server(family: Family, programs: Path, root: Path) -> Iterator[RealServer]:
    """Start a server of the family with all its files under `root`; stop it afterwards.

    `programs` is the folder of npm's links, within the one of the packages.
    """
    with ScriptedModel() as model:
        server = RealServer(family, programs, root, model)
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _opencode(home: Path, project: Path, model: str) -> Mapping[str, str]:
    _describe(model, project / "opencode.json")
    return {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}


def _mimo(home: Path, project: Path, model: str) -> Mapping[str, str]:
    """It is a fork of opencode, with settings of the same form."""
    _describe(model, project / "mimocode.json")
    off = (
        "AUTOUPDATE",
        "MODELS_FETCH",
        "LSP_DOWNLOAD",
        "DEFAULT_PLUGINS",
        "CLAUDE_CODE",
        "EXTERNAL_SKILLS",
        "PROVIDER_ENV",
    )
    disabled = {f"MIMOCODE_DISABLE_{what}": "1" for what in off}
    return disabled | {"MIMOCODE_ENABLE_ANALYSIS": "false", "MIMOCODE_PROMPT_HEARTBEAT_INTERVAL_MS": "1000"}


def _describe(model: str, file: Path) -> None:
    """Write the settings of opencode and its forks: the scripted model, and permissions that ask the user."""
    described = {
        "name": "m",
        "tool_call": True,
        "reasoning": True,
        "limit": {"context": 100_000, "output": 4_000},
    }
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "Scripted",
        "options": {"baseURL": model, "apiKey": "none"},
        "models": {"m": described},
    }
    settings = {
        "provider": {"scripted": provider},
        "model": "scripted/m",
        "small_model": "scripted/m",
        "permission": {"bash": "ask"},
        "command": {"greet": {"description": "greets", "template": "Say good morning to $ARGUMENTS"}},
        "autoupdate": False,
        "share": "disabled",
    }
    file.write_text(json.dumps(settings))


def _qwen(home: Path, project: Path, model: str) -> Mapping[str, str]:
    settings = {
        "security": {"auth": {"selectedType": "openai"}},
        "model": {"name": "m"},
        "tools": {"approvalMode": "default"},  # every command asks for permission; by default a model decides
        "telemetry": {"enabled": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    folder = home / ".qwen"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps(settings))
    return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": model, "OPENAI_MODEL": "m"}


OPENCODE = Family(
    "opencode", ("serve", "--hostname", "127.0.0.1"), _opencode, b"opencode server listening", "/global/health"
)
MIMO = Family(
    "mimo",
    ("serve", "--hostname", "127.0.0.1"),
    _mimo,
    b"mimocode server listening",
    "/global/health",
    "@mimo-ai/mimocode-linux-x64",
)
QWEN = Family("qwen", ("serve", "--no-web"), _qwen, b"qwen serve listening", "/health")
