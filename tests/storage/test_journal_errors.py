import errno
import sqlite3
from pathlib import Path

import pytest

from tui.storage.database import FILE
from tui.storage.journal import Journal
from tui.storage.journal_errors import fault


@pytest.mark.parametrize(
    ("code", "what", "hint"),
    [
        (errno.EACCES, "is not writable", "Change its owner or its mode (chmod u+rwX)"),
        (errno.ENOSPC, "cannot be written: the disk is full", "Free some space"),
        (errno.EROFS, "is on a read-only disk", "Set XDG_STATE_HOME to a folder that can be written"),
        (errno.ELOOP, "is a symbolic link, and links are not followed here", "Move it away"),
        (errno.EMFILE, "cannot be used (Too many open files)", "Move it away"),
    ],
)
def test_system_errors_have_messages(code: int, what: str, hint: str) -> None:
    assert fault(OSError(code, "as the system has it"), "~/journal") == (f"~/journal {what}", hint)


def test_sqlite_errors_have_messages() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError) as refused:
        database.execute("CREATE TABLE t (x)")
    assert fault(refused.value, "~/journal")[0] == "~/journal is not writable"
    assert fault(sqlite3.DatabaseError("odd"), "~/x") == ("~/x cannot be used (odd)", "Move it away")


def test_a_problem_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    journal = Journal(tmp_path / "state", "server", wall=lambda: 1.0)
    assert journal.in_memory_only
    assert "a file is in the way of its folder. Move that file away" in str(journal.problem)
    assert "Errno" not in str(journal.problem)


def test_a_locked_journal_is_not_suggested_to_be_moved(tmp_path: Path) -> None:
    Journal(tmp_path, "server", wall=lambda: 1.0).close()
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal = Journal(tmp_path, "server", wall=lambda: 1.0)
    other.close()
    assert "is locked by another program. Wait for that program" in str(journal.problem)
    assert "Move" not in str(journal.problem)
