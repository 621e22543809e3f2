import errno
import sqlite3
from pathlib import Path

import pytest

from tui.storage.database import FILE
from tui.storage.journal import Journal
from tui.storage.journal_errors import unusable


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "may not be written by you. Change its owner or its mode (chmod u+rwX), then start again."),
        (errno.ENOSPC, "finds no room: the disk is full. Make room, then start again."),
        (errno.EROFS, "is on a disk that cannot be written. Set XDG_STATE_HOME"),
        (errno.ELOOP, "cannot be used (Too many levels of symbolic links). Move it away"),
    ],
)
def test_what_the_system_says_is_told_in_words(code: int, words: str) -> None:
    told = unusable(OSError(code, "as the system has it"), Path("/state/journal.sqlite"))
    assert told.startswith(f"/state/journal.sqlite {words}")
    assert "Errno" not in told


def test_what_sqlite_says_is_told_in_words() -> None:
    database = sqlite3.connect(":memory:")
    database.execute("PRAGMA query_only = ON")
    with pytest.raises(sqlite3.OperationalError) as refused:
        database.execute("CREATE TABLE t (x)")
    told = unusable(refused.value, Path.home() / "state" / "journal.sqlite")
    assert told.startswith("~/state/journal.sqlite may not be written by you.")
    assert (
        unusable(sqlite3.DatabaseError("odd"), Path("/x"))
        == "/x cannot be used (odd). Move it away, then start again."
    )


def test_the_journal_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    journal = Journal(tmp_path / "state", "server", wall=lambda: 1.0)
    assert journal.lost
    assert "a file stands where its folder should be. Move that file away" in str(journal.problem)
    assert "Errno" not in str(journal.problem)


def test_a_journal_that_is_held_at_the_start_is_not_to_be_moved_away(tmp_path: Path) -> None:
    Journal(tmp_path, "server", wall=lambda: 1.0).close()
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    journal = Journal(tmp_path, "server", wall=lambda: 1.0)
    other.close()
    assert "is held by another program. Wait until that lets go of it" in str(journal.problem)
    assert "Move" not in str(journal.problem)
