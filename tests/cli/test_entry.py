"""The entry point leaves the garbage collector on."""

import gc

import pytest

from tui.cli import main as command
from tui.cli.entry import main


def test_garbage_is_collected_while_the_command_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(command, "main", lambda: seen.append(gc.isenabled()))
    main()
    assert seen == [True]
