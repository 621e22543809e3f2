import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tui.storage.chosen_theme import FILE, ChosenTheme


def test_a_theme_is_stored_in_a_private_folder(tmp_path: Path) -> None:
    ChosenTheme(tmp_path / "state", "holdfast").keep("nord")
    assert ChosenTheme(tmp_path / "state", "holdfast").name == "nord"
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert [path.name for path in (tmp_path / "state").iterdir()] == [FILE]


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero"), lambda path: path.write_text("[" * 4000)],
)
def test_an_invalid_theme_file_counts_as_absent(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / FILE)
    theme = ChosenTheme(tmp_path, "holdfast")
    assert theme.name == "holdfast"
    theme.keep("nord")
