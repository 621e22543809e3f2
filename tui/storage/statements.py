"""SQL statements with values that SQLite can store."""

import sqlite3

import msgspec

from tui.core.model import Prompt
from tui.storage.journal_file import Work

Step = tuple[str, tuple[object, ...]]
"""An SQL statement and its values."""


def transaction(*steps: Step) -> Work:
    """The work that runs all statements."""
    prepared = [(statement, tuple(map(storable, values))) for statement, values in steps]

    def work(database: sqlite3.Connection) -> None:
        for statement, values in prepared:
            database.execute(statement, values)

    return work


def encode_prompt(prompt: Prompt) -> bytes:
    """Encode a prompt for the journal."""
    fields = {name: storable(value) for name, value in msgspec.structs.asdict(prompt).items()}
    return msgspec.json.encode(msgspec.structs.replace(prompt, **fields))


def storable(value: object) -> object:
    """The value as SQLite can store it: lone surrogates, possible in a server's ids, are escaped."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
