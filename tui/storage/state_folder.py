"""Access checks for the state folder and its files: only their owner may write them.

Files written by other users would be read as the user's own drafts, prompts and answers.
"""

import os
import pwd
import stat
from pathlib import Path

GROUP_OTHER_WRITE = stat.S_IWGRP | stat.S_IWOTH
SQLITE_SIDE_FILES = ("-wal", "-shm")
"""Suffixes of the files that SQLite keeps beside a database."""


class Unsafe(Exception):
    """Other users may write the state: what is wrong, and what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def prepare(folder: Path) -> str | None:
    """Create the folder with mode 0700; returns a message if the mode was repaired. Raises `OSError` or `Unsafe`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.stat()
    _check_owner(folder, found)
    if not found.st_mode & 0o077:
        return None
    folder.chmod(0o700)
    if folder.stat().st_mode & GROUP_OTHER_WRITE:
        raise Unsafe(f"others may write in {shown(folder)}", "Set XDG_STATE_HOME to a folder of your own")
    if found.st_mode & GROUP_OTHER_WRITE:
        return f"Others on this machine could write in {shown(folder)}: its mode is 0700 now."
    return None


def own_file(path: Path) -> tuple[int, int]:
    """Create the file with mode 0600, or check that it belongs to the user; returns its device and inode.

    Raises `OSError` (ELOOP for a symbolic link) or `Unsafe`.
    """
    for ending in SQLITE_SIDE_FILES:
        beside = path.with_name(path.name + ending)
        if os.path.lexists(beside):
            _check_file(beside, beside.lstat())
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        found = os.fstat(descriptor)
        _check_file(path, found)
        if found.st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    return found.st_dev, found.st_ino


def shown(path: Path) -> str:
    """The path for display, with `~` for the home folder."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):  # not below the home folder, or there is none
        return str(path)


def _check_file(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unsafe(f"{shown(path)} is not a regular file", "Move it away")
    _check_owner(path, found)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise Unsafe(
            f"{shown(path)} belongs to {_name(found.st_uid)}",
            "Move it away, or set XDG_STATE_HOME to a folder of your own",
        )


def _name(user: int) -> str:
    try:
        return f"the user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user number {user}"
