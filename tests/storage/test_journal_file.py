"""The journal while its file is not writable: nothing waits for it, and nothing is lost."""

import os
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tui.core.model import Prompt, Queued
from tui.storage.database import BUSY_SECONDS, FILE
from tui.storage.journal import Journal

SERVER = "http://127.0.0.1:4096"
PROMPT = Prompt("ses_1", "do it", "msg_1", "prt_1")
KEYS = 100

Start = Callable[[], Journal]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def start(folder: Path) -> Start:
    """Open a client's journal, always in the same folder."""
    return lambda: Journal(folder, SERVER, wall=lambda: 1000.0)


@contextmanager
def held(folder: Path, how: str = "IMMEDIATE") -> Iterator[None]:
    """Another program locks the file: for writing, or (EXCLUSIVE, by its locking mode) for all access."""
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as other:
        if how == "EXCLUSIVE":
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO history (text, at) VALUES ('of the other', 1.0)")
        yield
        other.execute("ROLLBACK")


def waits_for_the_file(journal: Journal) -> list[float]:
    """Records the seconds for which each following access lets SQLite wait for another program."""
    waits: list[float] = []

    def hear(statement: str) -> None:
        if found := re.fullmatch(r"PRAGMA busy_timeout = (\d+)", statement):
            waits.append(int(found[1]) / 1000)

    journal._file.connection.set_trace_callback(hear)
    return waits


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / FILE)) as other:
        return other.execute(query).fetchall()


def test_typing_is_not_delayed_by_a_locked_file(folder: Path, start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "")
    text = ""
    with held(folder):
        waits = waits_for_the_file(journal)
        for _ in range(KEYS):
            text += "x"
            journal.save_draft("ses_1", text)
            journal.save_answer_draft("que_1", text.encode())
        assert sum(waits) < KEYS * BUSY_SECONDS / 5
        assert journal.draft("ses_1") == text
        assert journal.answer_draft("que_1") == text.encode()
        assert rows(folder, "SELECT text FROM drafts") == []
        assert journal.problems[0].startswith("another program has locked")
    journal.catch_up()
    assert rows(folder, "SELECT text FROM drafts") == [(text,)]
    assert rows(folder, "SELECT body FROM answer_drafts") == [(text.encode(),)]
    assert journal.problems[1:] == ["the journal is being saved again, with all pending changes."]
    journal.close()


def test_a_short_lock_is_not_reported(folder: Path, start: Start) -> None:
    journal = start()
    with held(folder):
        journal.save_draft("ses_1", "x")
    journal.catch_up()
    assert journal.problems == []
    assert rows(folder, "SELECT text FROM drafts") == [("x",)]
    journal.close()


def test_delayed_entries_are_written_in_order(folder: Path, start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "do it")
    with held(folder):
        journal.save_draft("ses_1", "do it now")
        journal.submit(Queued("q_1", "ses_1", "do it now"), 1)
        journal.save_draft("ses_1", "and th")
        journal.dequeue("q_1")
        journal.save_draft("ses_1", "and then")
        assert journal.draft("ses_1") == "and then"
        assert journal.history() == ["do it now"]
    journal.close()
    assert rows(folder, "SELECT text FROM drafts") == [("and then",)]
    assert rows(folder, "SELECT id FROM queue") == []


def test_a_locked_file_does_not_block_the_event_loop(folder: Path, start: Start) -> None:
    journal = start()
    with held(folder):
        assert [journal.behind] == [False]
        journal.submit(Queued("q", "ses_1", "do it"), 1)
        assert [journal.behind] == [True]
        waits = waits_for_the_file(journal)
        for number in range(20):
            journal.submit(Queued(str(number), "ses_1", "more"), number)
            assert not journal.mark_in_flight(PROMPT, "q")
        assert sum(waits) < 20 * BUSY_SECONDS / 5
        assert journal.problems == []
        assert not journal.mark_in_flight(PROMPT, "q", anyway=True)
        (problem_text,) = journal.problems
        assert "another program has locked" in problem_text
        assert journal.mark_in_flight(PROMPT, anyway=True)  # the user was warned
    journal.catch_up()
    assert not journal.behind
    assert rows(folder, "SELECT message FROM flights") == [("msg_1",)]
    journal.close()


def test_an_unreadable_locked_file_counts_as_empty_until_it_is_released(folder: Path, start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "of before")
    journal._file.connection.close()
    journal._file.connection = sqlite3.connect(folder / FILE, isolation_level=None)
    with held(folder, "EXCLUSIVE"):
        assert journal.history() == []
        journal.save_draft("ses_1", "meanwhile")
        assert journal.draft("ses_1") == "meanwhile"
        assert "another program" in str(journal.problem)
    journal.catch_up()
    assert rows(folder, "SELECT text FROM drafts") == [("meanwhile",)]
    journal.close()


def test_delayed_entries_are_written_once_the_disk_has_space(folder: Path, start: Start) -> None:
    journal = start()
    (pages,) = journal._file.connection.execute("PRAGMA page_count").fetchone()
    journal._file.connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(20):
        journal.save_draft(f"of_{number}", "x" * 4000)
    journal.mark_in_flight(PROMPT)
    assert [journal.in_memory_only] == [True]
    (problem_text,) = journal.problems
    assert "the disk is full. Free some space: it is saved then" in problem_text
    assert "prompts are still sent, but drafts" in problem_text
    journal.catch_up()
    assert journal.problems == [problem_text]
    journal._file.connection.execute("PRAGMA max_page_count = 100000")
    journal.catch_up()
    assert not journal.in_memory_only
    assert rows(folder, "SELECT count(*) FROM drafts") == [(20,)]
    assert rows(folder, "SELECT message FROM flights") == [("msg_1",)]
    journal.close()


def test_a_deleted_folder_is_recreated_with_its_contents(folder: Path, start: Start) -> None:
    first, second = start(), start()
    first.mark_in_flight(PROMPT)
    first.save_draft("ses_1", "mine")
    second.save_draft("ses_1", "theirs")
    shutil.rmtree(folder)
    first.save_draft("ses_1", "mine, still")
    first.save_draft("ses_1", "mine, still here")
    (problem_text,) = first.problems
    assert "was deleted and recreated" in problem_text
    second.catch_up()
    assert len(second.problems) == 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(list(folder.glob("client-*.lock"))) == 2
    assert sorted(rows(folder, "SELECT text FROM drafts")) == [("mine, still here",), ("theirs",)]
    assert rows(folder, "SELECT text FROM history") == [("do it",)]
    assert start().adopt_flights() == []
    first.close()
    second.close()
    heir = start()
    assert heir.adopt_flights() == [PROMPT]
    assert sorted(heir.draft("ses_1").splitlines()) == ["mine, still here", "theirs"]
    heir.close()


def test_a_failed_recreation_is_reported_once_and_retried(folder: Path, start: Start) -> None:
    journal = start()
    journal.save_draft("ses_1", "x")
    shutil.rmtree(folder)
    folder.write_text("in the way")
    for text in ("xy", "xyz"):
        journal.save_draft("ses_1", text)
        journal.catch_up()
    assert journal.draft("ses_1") == "xyz"
    (problem_text,) = journal.problems
    assert "a file is in the way of its folder" in problem_text
    assert [journal.in_memory_only] == [True]
    folder.unlink()
    journal.catch_up()
    assert not journal.in_memory_only
    assert rows(folder, "SELECT text FROM drafts") == [("xyz",)]
    journal.close()


def as_link(path: Path) -> None:
    (path.parent / "elsewhere").write_bytes(b"")
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize(
    ("make", "problem_text"),
    [
        (as_link, "is a symbolic link, and links are not followed here. Move it away"),
        (os.mkfifo, "is not a regular file. Move it away"),
        (Path.mkdir, "is a folder. Move it away"),
    ],
)
@pytest.mark.parametrize("name", [FILE, f"{FILE}-wal"])
def test_links_and_special_files_are_not_used(
    folder: Path, start: Start, make: Callable[[Path], object], problem_text: str, name: str
) -> None:
    folder.mkdir()
    make(folder / name)
    journal = start()
    assert journal.in_memory_only
    (problem,) = journal.problems
    assert problem_text in problem or (name != FILE and "is not a regular file. Move it away" in problem)
    assert "lost if Holdfast exits" in problem
    journal.mark_in_flight(PROMPT)
    assert journal.history() == ["do it"]
    journal.close()


@pytest.mark.parametrize("what", ["folder", FILE])
def test_files_of_another_user_are_not_used(
    folder: Path, start: Start, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start().close()
    if what == "folder":
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    else:
        inode, fstat = (folder / FILE).stat().st_ino, os.fstat

        def owned_by_another(descriptor: int) -> os.stat_result:
            found = fstat(descriptor)
            return os.stat_result((*found[:4], 12345, *found[5:])) if found.st_ino == inode else found

        monkeypatch.setattr(os, "fstat", owned_by_another)
    journal = start()
    assert journal.in_memory_only
    assert "belongs to" in str(journal.problem)
    assert "set XDG_STATE_HOME to a folder of your own" in str(journal.problem)
    journal.close()


@pytest.mark.parametrize(("mode", "problem_text"), [(0o777, True), (0o1777, True), (0o720, True), (0o755, False)])
def test_a_folder_writable_by_others_is_repaired_and_reported(
    folder: Path, start: Start, mode: int, problem_text: bool
) -> None:
    folder.mkdir()
    folder.chmod(mode)
    journal = start()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert any("could write in" in problem for problem in journal.problems) is problem_text
    assert not journal.in_memory_only
    journal.close()


def test_a_folder_that_stays_writable_by_others_is_refused(
    folder: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    monkeypatch.setattr(Path, "chmod", lambda path, mode: None)
    journal = start()
    assert journal.in_memory_only
    assert "others may write in" in str(journal.problem)
    journal.close()


def test_a_file_readable_by_others_is_made_private(folder: Path, start: Start) -> None:
    start().close()
    (folder / FILE).chmod(0o666)
    start().close()
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
