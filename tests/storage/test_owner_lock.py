import fcntl
import os
import uuid
from pathlib import Path

import pytest

from tui.storage.owner_lock import OwnerLock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


def test_locks_of_exited_clients_are_removed(folder: Path) -> None:
    alive = OwnerLock(folder)
    alive.acquire()
    for _ in range(3):
        (folder / f"client-{uuid.uuid4().hex}.lock").touch()
    (folder / "client-notes.lock").touch()
    os.mkfifo(folder / f"client-{uuid.uuid4().hex}.lock")
    OwnerLock(folder).sweep()
    assert sorted(path.name for path in folder.iterdir()) == sorted([f"client-{alive.name}.lock", "client-notes.lock"])
    alive.release()


def test_a_lock_removed_before_it_is_acquired_is_recreated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, lock = OwnerLock(folder), fcntl.flock
    swept: list[Path] = []

    def after_a_sweep(descriptor: int, how: int) -> None:
        if not swept:
            swept.extend(folder.glob("client-*.lock"))
            swept[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", after_a_sweep)
    client.acquire()
    assert not OwnerLock(folder).is_dead(client.name)
    client.release()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", "a\0b", "../x", "x" * 64, "A" * 32])
def test_an_invalid_owner_name_counts_as_dead(folder: Path, name: str) -> None:
    assert OwnerLock(folder).is_dead(name)
