"""Why the journal's file cannot be used, in words for the person, and what to do about it. No I/O."""

import errno
import os
import sqlite3
from pathlib import Path

_BY_ERRNO = {
    errno.EACCES: ("may not be written by you", "Change its owner or its mode (chmod u+rwX)"),
    errno.EPERM: ("may not be written by you", "Change its owner or its mode (chmod u+rwX)"),
    errno.EROFS: ("is on a disk that cannot be written", "Set XDG_STATE_HOME to a folder that can"),
    errno.ENOSPC: ("finds no room: the disk is full", "Make room"),
    errno.EDQUOT: ("finds no room: your quota is used up", "Make room"),
    errno.EEXIST: ("cannot be made: a file stands where its folder should be", "Move that file away"),
    errno.ENOTDIR: ("cannot be made: a file stands where its folder should be", "Move that file away"),
}
_BY_SQLITE = {
    sqlite3.SQLITE_READONLY: _BY_ERRNO[errno.EACCES],
    sqlite3.SQLITE_PERM: _BY_ERRNO[errno.EACCES],
    sqlite3.SQLITE_BUSY: ("is held by another program", "Wait until that lets go of it, or end it"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Look at the mode of the file and its folder"),
    sqlite3.SQLITE_FULL: _BY_ERRNO[errno.ENOSPC],
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk fails", "Look at the disk"),
}


def unusable(error: Exception, path: Path) -> str:
    """What is wrong with the file at `path`, and what to do, in two sentences."""
    match error:
        case OSError():
            known = _BY_ERRNO.get(error.errno or 0)
            words = os.strerror(error.errno) if error.errno else str(error)
        case sqlite3.Error():
            known = _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
            words = str(error)
        case _:
            known, words = None, str(error)
    what, then = known or (f"cannot be used ({words})", "Move it away")
    return f"{_short(path)} {what}. {then}, then start again."


def _short(path: Path) -> str:
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
