"""Journal row ownership by lock file: each client has a name and holds a lock while it runs.

The operating system releases the lock when the process ends, so a free lock means that its client has ended.
"""

import fcntl
import os
import re
import uuid
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{32}")


class OwnerLock:
    """The lock of this client for the shared journal in `folder`; None: the journal is not shared."""

    def __init__(self, folder: Path | None) -> None:
        self.name = uuid.uuid4().hex
        self._folder = folder
        self._lock: int | None = None

    def acquire(self) -> None:
        """Create and lock this client's lock file, also again after its removal. Raises `OSError`."""
        if self._folder is None:
            return
        self._release()
        path = _lock_of(self._folder, self.name)
        while self._lock is None:
            lock = _open(path, os.O_CREAT)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_at(lock, path):
                self._lock = lock
            else:  # another client removed the file before it was locked
                os.close(lock)

    def release(self) -> None:
        """Remove the lock file, so that other clients can adopt this client's rows."""
        if self._folder is not None and self._lock is not None:
            _lock_of(self._folder, self.name).unlink(missing_ok=True)
            self._release()

    def sweep(self) -> None:
        """Remove the lock files of all ended clients."""
        if self._folder is not None:
            for path in self._folder.glob("client-*.lock"):
                name = path.stem.removeprefix("client-")
                if _NAME.fullmatch(name):
                    self.is_dead(name)

    def is_dead(self, name: str) -> bool:
        """Whether the client `name` has ended, and remove its lock file then; True for an invalid name.

        False if its lock file cannot be opened (another user's): it may run, so its rows are not adopted.
        """
        if name == self.name:
            return False
        if self._folder is None or not _NAME.fullmatch(name):
            return True
        path = _lock_of(self._folder, name)
        try:
            lock = _open(path)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except OSError:  # locked, or not removable
            return False
        finally:
            os.close(lock)
        return True

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _open(path: Path, more: int = 0) -> int:
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | more, 0o600)


def _is_at(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), path.lstat())
    except FileNotFoundError:
        return False


def _lock_of(folder: Path, name: str) -> Path:
    return folder / f"client-{name}.lock"
