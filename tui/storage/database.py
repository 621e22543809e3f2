"""The journal's database: its schema by version, and how it is opened.

A file of an older version is migrated; a file of a newer version is not changed.
"""

import re
import sqlite3
from pathlib import Path

from tui.core.sanitize import single_line

VERSION = 7
FILE = "journal.sqlite"
NAMED = 40
"""Maximum characters of a quoted name."""
BUSY_SECONDS = 0.5
"""Seconds that an urgent write waits for another client's lock; it blocks the user interface meanwhile."""

_SCHEMA = """
CREATE TABLE history (id INTEGER PRIMARY KEY, text TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE drafts (
    server TEXT NOT NULL, session TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (server, session)
) WITHOUT ROWID;
CREATE TABLE flights (
    message TEXT PRIMARY KEY, server TEXT NOT NULL, prompt BLOB NOT NULL, owner TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE queue (
    id TEXT PRIMARY KEY, server TEXT NOT NULL, session TEXT NOT NULL, text TEXT NOT NULL, owner TEXT NOT NULL,
    place INTEGER NOT NULL
);
CREATE TABLE answer_drafts (
    server TEXT NOT NULL, request TEXT NOT NULL, body BLOB NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (server, request)
) WITHOUT ROWID;
CREATE TABLE answers (
    request TEXT NOT NULL, server TEXT NOT NULL, body BLOB NOT NULL, owner TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (server, request)
) WITHOUT ROWID;
CREATE TABLE places (server TEXT PRIMARY KEY, session TEXT NOT NULL) WITHOUT ROWID;
"""

_NEW_IN_2 = """
CREATE TABLE identities (
    id INTEGER PRIMARY KEY, server TEXT NOT NULL, session TEXT NOT NULL, identity TEXT NOT NULL,
    owner TEXT NOT NULL
);
"""

_NEW_IN_3 = """
CREATE TABLE owned_drafts (
    server TEXT NOT NULL, session TEXT NOT NULL, owner TEXT NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (server, session, owner)
) WITHOUT ROWID;
INSERT INTO owned_drafts SELECT server, session, '', text FROM drafts;
DROP TABLE drafts;
ALTER TABLE owned_drafts RENAME TO drafts;
"""

_NEW_IN_4 = """
CREATE TABLE ends (
    server TEXT NOT NULL, session TEXT NOT NULL, prompt TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (server, session, prompt)
) WITHOUT ROWID;
"""

_NEW_IN_5 = """
CREATE TABLE aborts (
    server TEXT NOT NULL, session TEXT NOT NULL, prompt TEXT NOT NULL, tried INTEGER NOT NULL, owner TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (server, prompt)
) WITHOUT ROWID;
"""

_NEW_IN_6 = """
ALTER TABLE drafts ADD COLUMN queued TEXT NOT NULL DEFAULT '';
ALTER TABLE drafts ADD COLUMN changed TEXT NOT NULL DEFAULT '';
"""

_NEW_IN_7 = """
CREATE TABLE prompt_keys (
    server TEXT NOT NULL, name TEXT NOT NULL, message TEXT NOT NULL, prompt BLOB NOT NULL, owner TEXT NOT NULL,
    at REAL NOT NULL, PRIMARY KEY (server, name)
) WITHOUT ROWID;
"""

_STEPS = (_SCHEMA, _NEW_IN_2, _NEW_IN_3, _NEW_IN_4, _NEW_IN_5, _NEW_IN_6, _NEW_IN_7)
"""The migration from each version to the next."""


Columns = dict[str, dict[str, str]]
"""The columns of each table, in order, with their declared types."""

COLUMNS: Columns = {
    "history": {"id": "INTEGER", "text": "TEXT", "at": "REAL"},
    "flights": {"message": "TEXT", "server": "TEXT", "prompt": "BLOB", "owner": "TEXT", "at": "REAL"},
    "queue": {
        **{"id": "TEXT", "server": "TEXT", "session": "TEXT", "text": "TEXT", "owner": "TEXT", "place": "INTEGER"}
    },
    "answer_drafts": {"server": "TEXT", "request": "TEXT", "body": "BLOB", "at": "REAL"},
    "answers": {"request": "TEXT", "server": "TEXT", "body": "BLOB", "owner": "TEXT", "at": "REAL"},
    "places": {"server": "TEXT", "session": "TEXT"},
    "identities": {"id": "INTEGER", "server": "TEXT", "session": "TEXT", "identity": "TEXT", "owner": "TEXT"},
    "drafts": {
        **{"server": "TEXT", "session": "TEXT", "owner": "TEXT", "text": "TEXT"},
        **{"queued": "TEXT", "changed": "TEXT"},
    },
    "ends": {
        **{"server": "TEXT", "session": "TEXT", "prompt": "TEXT", "state": "TEXT", "reason": "TEXT", "at": "REAL"}
    },
    "aborts": {
        **{
            "server": "TEXT",
            "session": "TEXT",
            "prompt": "TEXT",
            "tried": "INTEGER",
            "owner": "TEXT",
            "at": "REAL",
        }
    },
    "prompt_keys": {
        **{"server": "TEXT", "name": "TEXT", "message": "TEXT", "prompt": "BLOB", "owner": "TEXT", "at": "REAL"}
    },
}
"""The columns of this version, the result of all migrations."""


_PLAIN = re.compile(r"CREATE (TABLE|(UNIQUE )?INDEX) [\w\s.,'\"()]*", re.IGNORECASE)
"""A table or an index without expressions: no operators or comments, ..."""
_EXPRESSION = re.compile(r"\b(CHECK|GENERATED|AS|WHERE|COLLATE|VIRTUAL|SELECT)\b", re.IGNORECASE)
"""... none of these keywords, ..."""
_LIST = re.compile(r"\b(KEY|UNIQUE) *\(|\(\d+\)", re.IGNORECASE)
"""... and, besides the column list, only these parentheses."""


class SchemaTooNew(Exception):
    """The file was written by a newer version of this program."""


def connect(path: Path) -> sqlite3.Connection:
    """Open, check and migrate the file. Raises `sqlite3.Error` or `SchemaTooNew`."""
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        refuse_code(database)  # first: the integrity check evaluates schema expressions
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # a crash loses nothing; a power cut the newest commits
        return create(database)
    except (sqlite3.Error, SchemaTooNew):
        database.close()
        raise


def refuse_code(database: sqlite3.Connection) -> None:
    """Raises `sqlite3.DatabaseError` if the schema has more than tables and indexes of plain columns.

    A trigger, a view in place of a table, a CHECK or an index expression would run during this program's reads and
    writes, without a limit of time or memory.
    """
    for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        text = sql if isinstance(sql, str) else ""
        if not _PLAIN.fullmatch(text) or _EXPRESSION.search(text) or _LIST.sub("", text).count("(") != 1:
            raise sqlite3.DatabaseError(f"it holds code that Holdfast did not write: {kind} {single_line(name, NAMED)}")


def create(database: sqlite3.Connection) -> sqlite3.Connection:
    """Migrate an empty or older database to this version. Raises `sqlite3.Error` or `SchemaTooNew`."""
    database.isolation_level = None
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")  # invalid UTF-8 raises no error
    database.execute("BEGIN IMMEDIATE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        database.execute("ROLLBACK")
        raise SchemaTooNew(f"the journal is of a newer version ({version}; this program knows {VERSION})")
    for step in _STEPS[version:]:
        for statement in step.split(";"):
            database.execute(statement)
    if version < VERSION:  # a write would cost each start a few milliseconds
        database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")
    return database
