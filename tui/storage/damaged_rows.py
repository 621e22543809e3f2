"""Finds damaged rows when the journal is opened, and moves them to a separate file.

Only damaged rows are lost. The separate file is never read again.
"""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from tui.core.model import Prompt
from tui.core.stored_json import decode
from tui.core.turn_state import ABNORMAL_ENDS
from tui.storage.database import COLUMNS, Columns

MAX_ROW_BYTES = 16 << 20
"""Maximum bytes of a row outside `LARGE`; this program writes no longer one."""
LARGE = frozenset({"history"})
"""Tables whose texts are not checked at each start: invalid UTF-8 in them is displayed as U+FFFD."""

_SOUND = {
    "TEXT": "typeof({}) = 'text'",
    "BLOB": "typeof({}) = 'blob'",
    "REAL": "typeof({}) = 'real'",
    "INTEGER": "typeof({}) = 'integer'",
}
_STATES = ", ".join(f"'{state.value}'" for state in sorted(ABNORMAL_ENDS, key=lambda state: state.value))
_MORE = {"flights": "is_prompt(prompt)", "prompt_keys": "is_prompt(prompt)", "ends": f"state IN ({_STATES})"}
"""Further SQL conditions per table."""


UNREADABLE = Prompt("", "", "", "")
"""Takes the place of the damaged prompt of a key, which stays bound."""

_LEGIBLE = "typeof(server) = 'text' AND typeof(name) = 'text' AND is_text(CAST(server || name AS BLOB))"
_REBIND = f"""
INSERT OR IGNORE INTO main.prompt_keys
SELECT server, name, '', ?, '', CAST(strftime('%s', 'now') AS REAL) FROM aside.prompt_keys
WHERE {_LEGIBLE} AND length(CAST(server || name AS BLOB)) <= {MAX_ROW_BYTES // 2}
"""


class Moved(NamedTuple):
    """What was moved. `keys_lost`: keys are among it whose names cannot be read."""

    message: str
    keys_lost: bool


def set_aside(database: sqlite3.Connection, folder: Path, new_name: Callable[[], str]) -> Moved | None:
    """Move damaged rows to a new file in `folder`, or return None. Raises `sqlite3.Error` or `OSError`.

    A key whose name can be read stays bound, to `UNREADABLE`.

    Raises `sqlite3.DatabaseError` if the tables do not match this version's schema.
    """
    found = columns_of(database)
    if any(list(found.get(table, {}).items()) != list(columns.items()) for table, columns in COLUMNS.items()):
        raise sqlite3.DatabaseError("its tables are not those of its version")
    database.create_function("is_text", 1, _is_text, deterministic=True)
    database.create_function("is_prompt", 1, _is_prompt, deterministic=True)
    damaged = {table: f"NOT coalesce({_sound(table, columns)}, 0)" for table, columns in COLUMNS.items()}
    counts = {
        table: int(database.execute(f"SELECT count(*) FROM {table} WHERE {test}").fetchone()[0])
        for table, test in damaged.items()
    }
    if not any(counts.values()):
        return None
    rebound = 0
    path = folder / new_name()
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    database.execute("ATTACH DATABASE ? AS aside", (str(path),))
    try:
        database.execute("BEGIN IMMEDIATE")
        for table, test in damaged.items():
            if counts[table]:
                database.execute(f"CREATE TABLE aside.{table} AS SELECT * FROM main.{table} WHERE {test}")
                database.execute(f"DELETE FROM main.{table} WHERE {test}")
        if counts["prompt_keys"]:
            rebound = database.execute(_REBIND, (msgspec.json.encode(UNREADABLE),)).rowcount
        database.execute("COMMIT")
    except sqlite3.Error:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
    finally:
        database.execute("DETACH DATABASE aside")
    total = sum(counts.values())
    where = ", ".join(f"{count} in {table}" for table, count in counts.items() if count)
    rows = "1 damaged row" if total == 1 else f"{total} damaged rows"
    message = f"{rows} of the journal cannot be read; kept in {path.name} ({where})."
    return Moved(message, rebound < counts["prompt_keys"])


def columns_of(database: sqlite3.Connection) -> Columns:
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    return {
        table: {
            name: kind
            for name, kind in database.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
        }
        for (table,) in tables
    }


def _sound(table: str, columns: dict[str, str]) -> str:
    tests = [_SOUND[kind].format(name) for name, kind in columns.items()]
    texts = [name for name, kind in columns.items() if kind == "TEXT"]
    if table not in LARGE:
        tests.append(f"is_text(CAST({' || char(10) || '.join(texts)} AS BLOB))")
    if table in _MORE:
        tests.append(_MORE[table])
    sound = " AND ".join(tests)
    if table in LARGE:
        return sound
    sizes = [f"length(CAST({name} AS BLOB))" for name, kind in columns.items() if kind in ("TEXT", "BLOB")]
    return f"CASE WHEN {' + '.join(sizes)} <= {MAX_ROW_BYTES} THEN {sound} END"


def _is_text(raw: object) -> bool:
    try:
        return isinstance(raw, bytes) and raw.decode() is not None
    except UnicodeDecodeError:
        return False


def _is_prompt(raw: object) -> bool:
    try:
        decode(raw if isinstance(raw, bytes) else b"", Prompt)
    except msgspec.DecodeError:
        return False
    return True
