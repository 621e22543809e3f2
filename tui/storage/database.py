"""The journal's file: its tables, by version, and how it is opened. It knows nothing of what is kept in them.

A file of an older version is brought up to this one; one of a newer version is left alone.
"""

import re
import sqlite3
from pathlib import Path

from tui.core.sanitize import single_line

VERSION = 6
FILE = "journal.sqlite"
NAMED = 40
"""Characters of a name that are quoted."""
BUSY_SECONDS = 0.5
"""How long a write that must not be late waits for another client's; the screen stands still meanwhile."""

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

_STEPS = (_SCHEMA, _NEW_IN_2, _NEW_IN_3, _NEW_IN_4, _NEW_IN_5, _NEW_IN_6)
"""What brings the file from each version to the next."""


Columns = dict[str, dict[str, str]]
"""The columns of each table, in order, with the types that they are declared with."""

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
}
"""Those of this version, which the steps lead to."""


_PLAIN = re.compile(r"CREATE (TABLE|(UNIQUE )?INDEX) [\w\s.,'\"()]*", re.IGNORECASE)
"""A table or an index that evaluates nothing: no operators, no comments..."""
_EXPRESSION = re.compile(r"\b(CHECK|GENERATED|AS|WHERE|COLLATE|VIRTUAL|SELECT)\b", re.IGNORECASE)
"""...none of these words..."""
_LIST = re.compile(r"\b(KEY|UNIQUE) *\(|\(\d+\)", re.IGNORECASE)
"""...and beside the list of columns no parenthesis but these."""


class SchemaTooNew(Exception):
    """The file was written by a newer version of the program."""


def connect(path: Path) -> sqlite3.Connection:
    """Open and check the file. Raises `sqlite3.Error`, or `SchemaTooNew`."""
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        database.execute("PRAGMA trusted_schema = OFF")
        refuse_code(database)  # first: a check of the file evaluates what its schema says
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")  # a crash of ours loses nothing; a power cut the newest
        return create(database)
    except (sqlite3.Error, SchemaTooNew):
        database.close()
        raise


def refuse_code(database: sqlite3.Connection) -> None:
    """Raises `sqlite3.DatabaseError` where the schema has more than tables and indexes of plain columns.

    A trigger, a view in place of a table, a check or the expression of an index would run as part of our reads
    and writes, for as long and with as much memory as it likes.
    """
    for kind, name, sql in database.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"):
        text = sql if isinstance(sql, str) else ""
        if not _PLAIN.fullmatch(text) or _EXPRESSION.search(text) or _LIST.sub("", text).count("(") != 1:
            raise sqlite3.DatabaseError(f"it holds code that Holdfast did not write: {kind} {single_line(name, NAMED)}")


def create(database: sqlite3.Connection) -> sqlite3.Connection:
    """Bring an empty or older file to this version's shape."""
    database.isolation_level = None
    database.text_factory = lambda raw: raw.decode("utf-8", "replace")  # a damaged text is an odd text, no failure
    database.execute("BEGIN IMMEDIATE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        database.execute("ROLLBACK")
        raise SchemaTooNew(f"the journal is of a newer version ({version}; this program knows {VERSION})")
    for step in _STEPS[version:]:
        for statement in step.split(";"):
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")
    return database
