"""The built wheel as users install it, with pipx and uv, outside the checkout: `make package`, from a package index."""

import os
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tests.end_to_end.steps import connect
from tests.end_to_end.terminal import Terminal
from tests.processes import clean_environment
from tests.test_project import PACKAGES, TRACKED, named

pytestmark = pytest.mark.package

ROOT = Path(__file__).parents[2]
INSTALLERS = {"pipx": ["pipx", "install"], "uv": ["uv", "tool", "install"]}


def pythons() -> dict[str, str]:
    """The supported versions of Python that this machine has; the one that runs the tests first."""
    found = {"python{}.{}".format(*sys.version_info): sys.executable}
    for name in (f"python3.{minor}" for minor in range(11, 15)):
        command = shutil.which(name)
        if command is not None and name not in found:
            asked = subprocess.run([command, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
            if asked.returncode == 0:  # else a wrapper without a Python behind it
                found[name] = asked.stdout.strip()
    return found


PYTHONS = pythons()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, as for the package index."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", folder, ROOT], check=True)
    [built] = folder.glob("*.whl")
    return built


def test_it_holds_every_file_of_the_packages_and_the_licence(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    information = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
    wanted = {named(path) for path in TRACKED if named(path).split("/")[0] in PACKAGES}
    assert "tui/ui/app.tcss" in wanted
    assert {name for name in names if not name.startswith(information)} == wanted
    assert f"{information}/licenses/LICENSE" in names


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("installer", INSTALLERS)
def test_installed_it_shows_the_demo(wheel: Path, tmp_path: Path, home: Path, installer: str, python: str) -> None:
    commands = tmp_path / "bin"
    folders = {"PIPX_HOME": "pipx", "PIPX_BIN_DIR": "bin", "UV_TOOL_DIR": "uv", "UV_TOOL_BIN_DIR": "bin"}
    environment = {**os.environ, **{name: str(tmp_path / folder) for name, folder in folders.items()}}
    install = [sys.executable, "-m", *INSTALLERS[installer], "--python", PYTHONS[python], str(wheel)]
    subprocess.run(install, env=environment, cwd=tmp_path, check=True)
    assert sorted(path.name for path in commands.iterdir()) == ["holdfast", "holdfast-stub"]

    holdfast = str(commands / "holdfast")
    version = subprocess.run([holdfast, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert version == f"holdfast, version {metadata.version('holdfast-tui')}\n"
    terminal = Terminal([holdfast, "--demo"], env=clean_environment(home), cwd=home)
    try:
        connect(terminal)
        terminal.wait_for("Give me the tour.")
        assert b"failed and was" not in terminal.raw
    finally:
        terminal.close()
