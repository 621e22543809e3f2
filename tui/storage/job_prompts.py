"""Prompts that programs send, and the keys that bind them to their jobs.

A job that is run again with the same key never sends its prompt twice: the key is bound in the transaction that puts
the prompt in flight. The row outlives its client: once that has ended, a later client with the same key takes it
over, and finds out from the server what became of the prompt.
"""

import sqlite3
from collections.abc import Callable

import msgspec

from tui.core.model import Prompt
from tui.core.stored_json import decode
from tui.storage.damaged_rows import UNREADABLE
from tui.storage.journal_file import JournalFile, sound
from tui.storage.owner_lock import OwnerLock
from tui.storage.statements import encode_prompt, transaction

MAX_KEYS = 10_000
"""Number of the newest keys that are kept, of all servers."""


class KeyTaken(Exception):
    """The key is bound to another prompt."""


class KeyUnreadable(Exception):
    """It is not known whether the key is bound, or to which prompt; `hint` says how to continue."""

    def __init__(self, why: str, hint: str) -> None:
        super().__init__(why)
        self.hint = hint


class BoundPrompt(msgspec.Struct, frozen=True):
    """The prompt that an idempotency key is bound to. `owned_here`: its client is this one, else another that runs."""

    prompt: Prompt
    owned_here: bool


class JobPrompts:
    """The jobs of one `server`. `wall` returns epoch seconds."""

    def __init__(
        self,
        file: JournalFile,
        owner_lock: OwnerLock,
        server: str,
        *,
        wall: Callable[[], float],
    ) -> None:
        self._file = file
        self._owner_lock = owner_lock
        self._server = server
        self._wall = wall

    def claim(self, key: str) -> BoundPrompt | None:
        """The prompt of a key, taken over if its client has ended; None if the key is free, and can be bound.

        Raises `KeyUnreadable`, also for each key that is free only because the journal was damaged at this start;
        that key stays bound then.
        """
        found: list[BoundPrompt] = []

        def work(database: sqlite3.Connection) -> None:
            found.clear()
            query = "SELECT prompt, owner, message FROM prompt_keys WHERE server = ? AND name = ?"
            rows = database.execute(query, (self._server, key)).fetchall()
            for body, owner, message in sound(rows, (bytes, str, str)):
                is_mine = owner == self._owner_lock.name
                found[:] = [BoundPrompt(decode(body, Prompt), is_mine or self._owner_lock.is_dead(owner))]
                if found[0].owned_here and not is_mine:
                    for table in ("prompt_keys", "flights"):
                        claim = f"UPDATE {table} SET owner = ? WHERE server = ? AND message = ?"
                        database.execute(claim, (self._owner_lock.name, self._server, message))
            if not rows:  # written even if it is deleted at once: a full disk is found before a session is created
                row = (self._server, key, "", encode_prompt(UNREADABLE), self._owner_lock.name, self._wall())
                database.execute("INSERT INTO prompt_keys VALUES (?, ?, ?, ?, ?, ?)", row)
                if self._file.keys_lost:
                    found[:] = [BoundPrompt(UNREADABLE, True)]
                else:
                    database.execute("DELETE FROM prompt_keys WHERE server = ? AND name = ?", row[:2])

        if not self._file.run_on_file(work):
            raise KeyUnreadable("the journal cannot be read and written", "Repair that, and run it again.")
        if found and found[0].prompt == UNREADABLE:
            raise KeyUnreadable(
                "the journal was damaged, and a prompt may have been sent with this key before",
                "Check the server's sessions; to send it again on purpose, use another key.",
            )
        return found[0] if found else None

    def free(self, message_id: str) -> None:
        """Forget the key of a prompt that the server certainly never got."""
        self._file.write(
            transaction(("DELETE FROM prompt_keys WHERE server = ? AND message = ?", (self._server, message_id)))
        )

    def mark_in_flight(self, prompt: Prompt, key: str = "") -> bool:
        """Save a prompt before its POST, and bind `key` to it, in one transaction.

        Returns False and writes nothing if another program has locked the file, or, with a key, if it is not writable.
        Raises `KeyTaken` if the key belongs to another prompt.
        """
        taken = False
        encoded, now = encode_prompt(prompt), self._wall()

        def work(database: sqlite3.Connection) -> None:
            nonlocal taken
            query = "SELECT message FROM prompt_keys WHERE server = ? AND name = ?"
            rows = database.execute(query, (self._server, key)).fetchall() if key else []
            taken = bool(rows) and rows != [(prompt.message_id,)]
            if taken:
                return
            flight = (prompt.message_id, self._server, encoded, self._owner_lock.name, now)
            database.execute("INSERT OR REPLACE INTO flights VALUES (?, ?, ?, ?, ?)", flight)
            returned = (self._server, prompt.session_id, self._owner_lock.name)
            database.execute("DELETE FROM drafts WHERE server = ? AND session = ? AND owner = ?", returned)
            if key:
                row = (self._server, key, prompt.message_id, encoded, self._owner_lock.name, now)
                database.execute("INSERT OR REPLACE INTO prompt_keys VALUES (?, ?, ?, ?, ?, ?)", row)
                newest = "SELECT at FROM prompt_keys ORDER BY at DESC LIMIT 1 OFFSET ?"
                database.execute(f"DELETE FROM prompt_keys WHERE at <= ({newest})", (MAX_KEYS,))

        saved = self._file.run_on_file(work) if key else self._file.write_before_sending(work)
        if taken:
            raise KeyTaken(key)
        return saved
