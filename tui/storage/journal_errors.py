"""User messages for errors of the journal's file: what is wrong and what to do about it. No I/O."""

import errno
import os
import sqlite3

from tui.storage.state_folder import Unsafe

UNSAVED_CONSEQUENCE = (
    "prompts are still sent, but drafts, queued prompts and answers in flight are lost if Holdfast exits"
)
"""The consequence of a journal that is not written."""

_NO_ACCESS = ("is not writable", "Change its owner or its mode (chmod u+rwX)")
_IN_THE_WAY = ("cannot be created: a file is in the way of its folder", "Move that file away")
_BY_ERRNO = {
    errno.EACCES: _NO_ACCESS,
    errno.EPERM: _NO_ACCESS,
    errno.EROFS: ("is on a read-only disk", "Set XDG_STATE_HOME to a folder that can be written"),
    errno.ENOSPC: ("cannot be written: the disk is full", "Free some space"),
    errno.EDQUOT: ("cannot be written: your disk quota is used up", "Free some space"),
    errno.EEXIST: _IN_THE_WAY,
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EISDIR: ("is a folder", "Move it away"),
    errno.ELOOP: ("is a symbolic link, and links are not followed here", "Move it away"),
    errno.ENXIO: ("is not a regular file", "Move it away"),
}
_BY_SQLITE = {
    sqlite3.SQLITE_READONLY: _NO_ACCESS,
    sqlite3.SQLITE_PERM: _NO_ACCESS,
    sqlite3.SQLITE_BUSY: ("is locked by another program", "Wait for that program, or stop it"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check the mode of the file and its folder"),
    sqlite3.SQLITE_FULL: _BY_ERRNO[errno.ENOSPC],
    sqlite3.SQLITE_IOERR: ("cannot be read or written: disk error", "Check the disk"),
}
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_PASSES = (*_LOCKED, *_BY_SQLITE)


def fault(error: Exception, path: str) -> tuple[str, str]:
    """The problem with the file at `path`, as a sentence, and what to do about it."""
    match error:
        case Unsafe():
            return error.what, error.hint
        case OSError():
            known = _BY_ERRNO.get(error.errno or 0)
            words = os.strerror(error.errno) if error.errno else str(error)
        case sqlite3.Error():
            known = _BY_SQLITE.get(_code(error))
            words = str(error)
        case _:
            known, words = None, str(error)
    what, hint = known or (f"cannot be used ({words})", "Move it away")
    return f"{path} {what}", hint


def is_locked(error: Exception) -> bool:
    """Whether another program has locked the file."""
    return isinstance(error, sqlite3.Error) and _code(error) in _LOCKED


def passes(error: Exception) -> bool:
    """Whether the error may be temporary, as a lock or a full disk."""
    return not isinstance(error, sqlite3.Error) or _code(error) in _PASSES


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
