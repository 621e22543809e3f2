"""Whose rows of a shared journal are: each client has a name, and holds a lock for as long as it runs.

The lock goes with its process, however that ends, so that a free one means a client that is gone.
"""

import fcntl
import os
import re
import uuid
from pathlib import Path

_NAME = re.compile(r"[0-9a-f]{32}")


class OwnerLock:
    """This client, among those that share the journal in `folder`; None: it has its journal for itself."""

    def __init__(self, folder: Path | None) -> None:
        self.name = uuid.uuid4().hex
        self._folder = folder
        self._lock: int | None = None

    def acquire(self) -> None:
        """From now on others see that this client runs; again, where the lock was removed. Raises `OSError`."""
        if self._folder is None:
            return
        self._release()
        path = _lock_of(self._folder, self.name)
        while self._lock is None:
            lock = _open(path, os.O_CREAT)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_at(lock, path):
                self._lock = lock
            else:  # somebody swept it away before it was locked
                os.close(lock)

    def release(self) -> None:
        """This client is gone: what it left is for the next one."""
        if self._folder is not None and self._lock is not None:
            _lock_of(self._folder, self.name).unlink(missing_ok=True)
            self._release()

    def sweep(self) -> None:
        """Remove the locks of clients that are gone, those who left nothing else too."""
        if self._folder is not None:
            for path in self._folder.glob("client-*.lock"):
                name = path.stem.removeprefix("client-")
                if _NAME.fullmatch(name):
                    self.is_dead(name)

    def is_dead(self, name: str) -> bool:
        """Whether the client of that name runs no more. What no client can be called belongs to none.

        One whose lock cannot be looked at (another user's) may run: what it is responsible for stays its own.
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
        except OSError:  # it is held, or may not be removed
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
