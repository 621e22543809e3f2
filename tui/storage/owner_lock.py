"""Whose rows of a shared journal are: each client has a name, and holds a lock for as long as it runs.

The lock goes with its process, however that ends, so that a free one means a client that is gone.
"""

import fcntl
import os
import uuid
from pathlib import Path


class Owner:
    """This client, among those that share the journal in `folder`; None: it has its journal for itself."""

    def __init__(self, folder: Path | None) -> None:
        self.name = uuid.uuid4().hex
        self._folder = folder
        self._lock: int | None = None

    def begin(self) -> None:
        """From now on others see that this client runs. Raises `OSError`."""
        if self._folder is not None:
            self._lock = os.open(_lock_of(self._folder, self.name), os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def end(self) -> None:
        """This client is gone: what it left is for the next one."""
        if self._folder is not None and self._lock is not None:
            _lock_of(self._folder, self.name).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def is_gone(self, name: str) -> bool:
        """Whether the client of that name runs no more.

        One whose lock cannot be looked at (another user's) may run: what it is responsible for stays its own.
        """
        if name == self.name:
            return False
        if self._folder is None:
            return True
        try:
            lock = os.open(_lock_of(self._folder, name), os.O_RDWR)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lock)
        _lock_of(self._folder, name).unlink(missing_ok=True)
        return True


def _lock_of(folder: Path, name: str) -> Path:
    return folder / f"client-{name}.lock"
