"""A real `qwen serve` on loopback, in a home and a project of its own, to be killed and started again."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.processes import clean_environment, free_port, read_line, running
from tests.real.scripted_model import ScriptedModel

STARTS_WITHIN = 60.0
"""Seconds; about 4 on an idle machine."""


class RealQwen:
    """One daemon on one port with one state on disk, over any number of processes. Made by `running_qwen`."""

    def __init__(self, program: Path, root: Path, model: ScriptedModel) -> None:
        self._program = program
        self._model = model
        self._process = ExitStack()
        self.port = free_port()
        self.home = root / "home"
        self.project = root / "project"
        self.log = root / "server.stderr"
        self.project.mkdir(parents=True)
        settings = self.home / ".qwen" / "settings.json"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(SETTINGS))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return once the daemon listens; AssertionError with its log when it does not."""
        command = [str(self._program), "serve", "--port", str(self.port), "--no-web"]
        environment = clean_environment(self.home) | {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": self._model.base_url,
            "OPENAI_MODEL": "m",
        }
        process = self._process.enter_context(running(command, env=environment, cwd=self.project, log=self.log))
        try:
            read_line(process, within=STARTS_WITHIN, beginning=b"qwen serve listening")
        except AssertionError as failure:
            failure.add_note(self.log.read_text())
            raise

    def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        self._process.close()

    def restart(self) -> None:
        """Start again after `kill`: the same port, the same state on disk."""
        self.start()


@contextmanager
def running_qwen(program: Path, root: Path) -> Iterator[RealQwen]:
    """Start `program`, with all that it keeps under `root`; end it after."""
    with ScriptedModel() as model:
        server = RealQwen(program, root, model)
        try:
            server.start()
            yield server
        finally:
            server.kill()


SETTINGS = {
    "security": {"auth": {"selectedType": "openai"}},
    "model": {"name": "m"},
    "tools": {"approvalMode": "default"},
    "telemetry": {"enabled": False},
    "privacy": {"usageStatisticsEnabled": False},
}
"""`approvalMode`: every command asks for leave; by default a model decides."""
