"""Damaged rows affect only themselves, are moved to a separate file, and are reported."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tui.core.model import Prompt, Queued
from tui.storage.damaged_rows import columns_of
from tui.storage.database import COLUMNS, FILE, create
from tui.storage.job_prompts import KeyUnreadable
from tui.storage.journal import Journal

SERVER = "http://127.0.0.1:4096"
HALF = "CAST(x'c3' AS TEXT)"
"""A text that is not valid UTF-8."""
WRONG = {
    "TEXT": ["x'ff00'", HALF],
    "BLOB": ["'text'", "7"],
    "REAL": ["'soon'", "x'00'"],
    "INTEGER": ["'first'", "x'00'", "1.5"],
}
"""Values that each type of column cannot hold, as SQL."""
DAMAGE = [
    (table, column, value)
    for table, columns in COLUMNS.items()
    for column, kind in columns.items()
    for value in WRONG[kind]
    if column != "id" or kind == "TEXT"  # another is the number of the row, which SQLite keeps
]


BAD = {
    **{"drafts": "session = 'ses_bad'", "queue": "id = 'bad'", "flights": "message = 'msg_bad'"},
    **{"history": "text = 'bad'", "answer_drafts": "request = 'que_bad'", "answers": "request = 'que_bad'"},
    **{"aborts": "prompt = 'msg_bad'", "ends": "prompt = 'msg_bad'", "identities": "identity = 'bad'"},
    "places": "true",
    "prompt_keys": "name = 'bad'",
}


def begin(folder: Path) -> Journal:
    return Journal(folder, SERVER, wall=lambda: 1000.0)


def fill(folder: Path, name: str) -> None:
    """Write one row into each table, as a client that has exited."""
    journal = begin(folder)
    journal.save_draft(f"ses_{name}", name)
    journal.enqueue([Queued(name, "ses_1", name)], 1)
    journal.mark_in_flight(Prompt("ses_1", name, f"msg_{name}", "prt_1"), queued_id="none")
    journal.jobs.mark_in_flight(Prompt("ses_1", name, f"msg_{name}", "prt_1"), name)
    journal.remember(name)
    journal.save_answer_draft(f"que_{name}", name.encode())
    journal.post_answer(f"que_{name}", name.encode())
    journal.post_abort("ses_1", [f"msg_{name}"], tried=True)
    journal.save_turn_end("ses_1", f"msg_{name}", "failed", name)
    journal.save_identity("ses_1", name)
    journal.save_last_session(f"ses_{name}")
    journal.close()


def is_bound(journal: Journal, key: str) -> bool:
    try:
        return journal.jobs.claim(key) is not None
    except KeyUnreadable:
        return False


def seen(journal: Journal) -> dict[str, int]:
    """The number of rows of each table that a client reads."""
    assert [journal.change(f"ses_{name}") for name in ("good", "bad")] == [("", "")] * 2
    names = ("good", "bad")
    found = {
        "drafts": sum(bool(journal.draft(f"ses_{name}")) for name in names),
        "queue": len(journal.adopt_queue()),
        "flights": len(journal.adopt_flights()),
        "history": len(journal.history()),
        "answer_drafts": sum(journal.answer_draft(f"que_{name}") is not None for name in names),
        "answers": len(journal.adopt_answers()),
        "aborts": len(journal.adopt_aborts()),
        "ends": len(journal.turn_ends("ses_1")),
        "identities": len(journal.identities("ses_1")),
        "prompt_keys": sum(is_bound(journal, name) for name in names),
        "places": int(journal.last_session() is not None),
    }
    assert all(isinstance(session, str) for session in journal.sessions_with_drafts())
    return found


def damage(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / FILE, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def kept(folder: Path) -> dict[str, int]:
    """The number of rows that were set aside, by table."""
    found: dict[str, int] = {}
    for path in folder.glob("journal.damaged-*.sqlite"):
        assert path.stat().st_mode & 0o777 == 0o600
        with closing(sqlite3.connect(path)) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master").fetchall():
                found[table] = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return found


def test_the_column_table_matches_the_schema() -> None:
    with closing(create(sqlite3.connect(":memory:"))) as database:
        made = columns_of(database)
    assert made == COLUMNS
    assert [list(made[table]) for table in COLUMNS] == [list(columns) for columns in COLUMNS.values()]


@pytest.mark.parametrize(("table", "column", "value"), DAMAGE)
def test_a_damaged_row_affects_only_itself(tmp_path: Path, table: str, column: str, value: str) -> None:
    fill(tmp_path, "good")
    fill(tmp_path, "bad")
    held = 1 if table == "places" else 2
    journal = begin(tmp_path)
    assert (seen(journal)[table], journal.problems) == (held, [])
    journal.close()
    damage(tmp_path, f"UPDATE {table} SET {column} = {value} WHERE {BAD[table]}")
    following = begin(tmp_path)
    found = seen(following)
    if (table, value) == ("history", HALF):
        assert (found["history"], following.problems) == (2, [])  # shown with U+FFFD
    else:
        assert found.pop(table) == held - 1
        assert set(found.values()) <= {1, 2}
        assert kept(tmp_path) == {table: 1}
        (problem_text,) = following.problems
        assert f"(1 in {table})" in problem_text
    following.close()
    again = begin(tmp_path)
    assert again.problems == []
    again.close()


@pytest.mark.parametrize("owner", ["a\0b", "../../elsewhere", "", "x" * 64])
def test_a_row_without_an_owner_is_adopted(tmp_path: Path, owner: str) -> None:
    fill(tmp_path, "bad")
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as database:
        for table in ("drafts", "queue", "flights", "answers", "aborts", "identities"):
            database.execute(f"UPDATE {table} SET owner = ?", (owner,))
    journal = begin(tmp_path)
    assert set(seen(journal).values()) == {1}
    assert journal.problems == []
    journal.close()


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("flights", "UPDATE flights SET prompt = x'7b' WHERE message = 'msg_bad'"),
        ("flights", "UPDATE flights SET prompt = x'7b2274657874223a22ff227d'"),  # {"text":"\xff"}
        ("flights", "UPDATE flights SET prompt = CAST('[' || replace(hex(zeroblob(50000)), '0', '[') AS BLOB)"),
        ("ends", "UPDATE ends SET state = 'exploded'"),
        ("ends", "UPDATE ends SET state = 'finished'"),
    ],
)
def test_a_row_that_no_client_writes_is_set_aside(tmp_path: Path, table: str, change: str) -> None:
    fill(tmp_path, "bad")
    damage(tmp_path, change)
    journal = begin(tmp_path)
    assert seen(journal)[table] == 0
    assert kept(tmp_path) == {table: 1}
    journal.close()


def test_several_damaged_rows_are_reported_together_with_other_problems(tmp_path: Path) -> None:
    (tmp_path / "journal.damaged-1000.sqlite").write_bytes(b"of before")
    fill(tmp_path, "bad")
    damage(tmp_path, "UPDATE drafts SET text = x'00'", "UPDATE queue SET place = 'first'")
    journal = begin(tmp_path)
    assert "2 damaged rows" in str(journal.problem)
    assert "journal.damaged-1000-2.sqlite (1 in queue, 1 in drafts)" in str(journal.problem)
    assert (tmp_path / "journal.damaged-1000.sqlite").read_bytes() == b"of before"
    journal.close()


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE flights",
        "ALTER TABLE drafts ADD COLUMN more TEXT",
        "ALTER TABLE queue RENAME COLUMN text TO words",
    ],
)
def test_tables_with_other_columns_are_a_damaged_file(tmp_path: Path, change: str) -> None:
    fill(tmp_path, "bad")
    damage(tmp_path, change)
    journal = begin(tmp_path)
    assert "damaged" in str(journal.problem)
    journal.save_draft("ses_1", "x")
    assert (journal.draft("ses_1"), journal.in_memory_only) == ("x", False)
    journal.close()


def test_foreign_tables_in_the_file_are_not_changed(tmp_path: Path) -> None:
    fill(tmp_path, "good")
    damage(
        tmp_path,
        "CREATE TABLE notes (x)",
        "CREATE INDEX by_text ON history (text)",
        "INSERT INTO notes VALUES (1)",
    )
    journal = begin(tmp_path)
    assert (journal.problems, set(seen(journal).values())) == ([], {1})
    journal.close()


@pytest.mark.parametrize(
    "changes",
    [
        ["CREATE TRIGGER t AFTER INSERT ON drafts BEGIN INSERT INTO history (text, at) VALUES ('planted', 1.0); END"],
        ["CREATE TRIGGER t AFTER INSERT ON history BEGIN DELETE FROM flights; END"],
        ["CREATE TABLE notes (x)", "CREATE TRIGGER t BEFORE INSERT ON notes BEGIN DELETE FROM flights; END"],
        ["CREATE INDEX by_text ON history (hex(text))"],
        ["CREATE INDEX by_text ON history (text) WHERE length(hex(text)) > 0"],
        ["CREATE TABLE notes (x CHECK (length(hex(x)) > 0))"],
        ["CREATE TABLE notes (x, y AS (hex(x)))"],
        ["CREATE VIEW notes AS SELECT text FROM history"],
        [
            "ALTER TABLE places RENAME TO places_of_before",
            "CREATE VIEW places AS SELECT server, session FROM places_of_before WHERE length(hex(server)) > 0",
        ],
    ],
)
def test_a_file_with_triggers_or_views_is_set_aside_completely(tmp_path: Path, changes: list[str]) -> None:
    fill(tmp_path, "good")
    damage(tmp_path, *changes)
    journal = begin(tmp_path)
    (problem_text,) = journal.problems
    assert "it holds code that Holdfast did not write" in problem_text
    journal.save_draft("ses_1", "x")
    assert (journal.draft("ses_1"), journal.history(), journal.in_memory_only) == ("x", [], False)
    (aside,) = tmp_path.glob("journal.damaged-*.sqlite")
    with closing(sqlite3.connect(aside)) as database:
        assert database.execute("SELECT count(*) FROM drafts").fetchone() == (1,)
    journal.close()


def test_set_aside_files_get_unused_names(tmp_path: Path) -> None:
    fill(tmp_path, "good")
    taken = [tmp_path / f"journal.damaged-1000{more}.sqlite" for more in ("", *(f"-{n}" for n in range(2, 1200)))]
    for path in taken:
        path.touch()
    (tmp_path / FILE).write_bytes(b"no database at all, but long enough to be looked at")
    journal = begin(tmp_path)
    assert "kept as journal.damaged-1000-1200.sqlite" in str(journal.problem)
    journal.close()


def test_rows_damaged_at_run_time_are_skipped(tmp_path: Path) -> None:
    fill(tmp_path, "bad")
    journal = begin(tmp_path)
    damage(
        tmp_path,
        "UPDATE drafts SET text = x'00'",
        f"UPDATE history SET text = {HALF}",
        "UPDATE answers SET body = 'text'",
        "UPDATE answer_drafts SET body = 'text'",
        "UPDATE ends SET reason = 7",
        "UPDATE places SET session = x'00'",
    )
    found = seen(journal)
    assert [found[table] for table in ("drafts", "answers", "answer_drafts", "places")] == [0, 0, 0, 0]
    assert journal.history() == ["\ufffd"]
    journal.close()


def test_ids_with_lone_surrogates_are_stored(tmp_path: Path) -> None:
    journal = begin(tmp_path)
    journal.save_last_session("ses_\ud800")
    journal.save_draft("ses_\ud800", "half \udfff")
    journal.mark_in_flight(Prompt("ses_\ud800", "x", "msg_\ud800", "prt_1"))
    assert journal.has_draft("ses_\ud800") is False  # it is in flight
    journal.return_to_draft(Prompt("ses_\ud800", "x", "msg_\ud800", "prt_1"))
    assert journal.draft("ses_\ud800") == "x"
    assert journal.problems == []
    journal.close()
