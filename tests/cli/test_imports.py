"""What the non-interactive commands import: nothing of the screen."""

import json
import subprocess
import sys

import pytest

from tui.cli.main import SubcommandGroup

LIST_MODULES = "import importlib, json, sys; importlib.import_module(sys.argv[1]); print(json.dumps(list(sys.modules)))"


@pytest.mark.parametrize(
    "module", ["tui.cli.main", "tui.api", *(module for module, _ in SubcommandGroup.others.values())]
)
def test_command_does_not_import_the_screen(module: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIST_MODULES, module], capture_output=True, text=True, check=True)
    packages = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert packages & {"textual", "markdown_it", "starlette", "uvicorn"} == set()  # rich comes with httpx
