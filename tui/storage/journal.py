"""Persists what must survive a crash: drafts, queued and in-flight items, turn ends, history, last sessions.

The journal is written before a request is sent. A failure of its file never stops the program: it is reported once
(`problem`), and the journal continues in memory. A damaged file or row is moved aside, not deleted; a file of a newer
version is not changed. The journal contains no secrets.

Several clients share one file. Owned rows carry their client's name; once that client has ended (its lock is free),
exactly one of the clients that start later adopts them.
"""

import logging
import sqlite3
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from tui.core.model import Prompt, Queued
from tui.core.stored_json import decode
from tui.storage.job_prompts import JobPrompts
from tui.storage.journal_file import JournalFile, Rows, sound
from tui.storage.owner_lock import OwnerLock
from tui.storage.statements import Step, encode_prompt, storable, transaction

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_HISTORY = 10_000
HISTORY_READ = 4_000_000
"""Maximum characters of history that are read, newest prompts first."""

_KEEP_DRAFT = "INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?, ?, ?)"
_APPEND_DRAFT = (
    "INSERT INTO drafts (server, session, owner, text) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET text = excluded.text"
)
_ENQUEUE = "INSERT OR REPLACE INTO queue VALUES (?, ?, ?, ?, ?, ?)"
_MY_DRAFT = "SELECT text FROM drafts WHERE server = ? AND session = ? AND owner = ?"
_FORGET_DRAFT = "DELETE FROM drafts WHERE server = ? AND session = ? AND owner = ?"
_FORGET_ANSWER_DRAFT = "DELETE FROM answer_drafts WHERE server = ? AND request = ?"

_MAX_ANSWER_DRAFTS = 200
_MAX_ENDS = 1000

Owned = Literal["flights", "queue", "answers", "aborts", "identities"]


class Journal:
    """The rows of one `server` in the journal of `folder`; in memory if that is None or unusable.

    `wall` returns epoch seconds; `problem` is the latest problem.
    """

    def __init__(self, folder: Path | None, server: str, *, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._server = server
        self._owner_lock = OwnerLock(folder)
        self.problems: list[str] = []
        """All problems so far as messages, the newest last."""
        self._listeners: list[Callable[[str], None]] = []
        self._file = JournalFile(folder, self._owner_lock, wall=wall, say=self._say)
        self.jobs = JobPrompts(self._file, self._owner_lock, server, wall=wall)

    @property
    def problem(self) -> str | None:
        return self.problems[-1] if self.problems else None

    def subscribe(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the problems so far, and with each later one."""
        self._listeners.append(listener)
        for problem in self.problems:
            listener(problem)

    @property
    def behind(self) -> bool:
        """Whether recent writes are not on disk yet, because another program has locked the file."""
        return self._file.behind

    @property
    def in_memory_only(self) -> bool:
        """Whether the journal is lost when the program ends."""
        return self._file.lost

    def close(self) -> None:
        self._file.close()

    def catch_up(self) -> None:
        """Retry the pending writes; called about once a second."""
        self._file.catch_up()

    def submit(self, queued: Queued, place: int) -> None:
        """Move a sent prompt from the draft to the queue and the history, in one transaction."""
        self._write(
            (_ENQUEUE, self._queue_row(queued, place)),
            (_FORGET_DRAFT, self._draft_key(queued.session_id)),
            *self._remembering(queued.text),
        )

    def remember(self, text: str) -> None:
        """Add the new text of an edited queued prompt to the history."""
        self._write(*self._remembering(text))

    def history(self, limit: int = 1000) -> list[str]:
        """The newest prompts of all sessions, newest first, each once. Earlier versions stored blank texts."""
        rows = self._file.read("SELECT text FROM history ORDER BY id DESC", (), (str,), at_most=HISTORY_READ)
        return list(dict.fromkeys(text for (text,) in rows if text.strip()))[:limit]

    def save_draft(self, session_id: str, text: str, queued_id: str = "", changed: str = "") -> None:
        """Save the draft, and the new text of a queued prompt that is being edited; deletes the row if both are ""."""
        key = self._draft_key(session_id)
        kept: Step = (_KEEP_DRAFT, (*key, text, queued_id, changed))
        self._write(kept if text or changed else (_FORGET_DRAFT, key), replaces=("draft", session_id))

    def save_to_file(self, text: str) -> str | None:
        """Write a text to a new file beside the journal; returns its displayed path, or None on failure."""
        return self._file.save_to_file(str(storable(text)))

    def draft(self, session_id: str) -> str:
        """The draft of this client, joined with those of ended clients; running clients keep theirs.

        This adopts the drafts of ended clients: call it only to display the draft.
        """
        found: list[str] = []
        key = self._draft_key(session_id)

        def work(database: sqlite3.Connection) -> None:
            rows = database.execute(
                "SELECT owner, text, queued, changed FROM drafts WHERE server = ? AND session = ?",
                key[:2],
            ).fetchall()
            rows = sound(rows, (str, str, str, str))
            left = [owner for owner, *_ in rows if self._owner_lock.is_dead(owner)]
            rows = [row for row in rows if row[0] == self._owner_lock.name or row[0] in left]
            changes = [(queued, changed) for *_, queued, changed in rows if changed]
            found[:] = [text for _, text, *_ in rows if text]
            found.extend(changed for _, changed in changes[1:])
            for owner in left:
                database.execute(_FORGET_DRAFT, (*key[:2], owner))
            if left:
                database.execute(_KEEP_DRAFT, (*key, "\n".join(found), *(changes or [("", "")])[0]))

        if not self._file.run_on_file(work):
            found[:] = [text for (text,) in self._read(_MY_DRAFT, (str,), *key)]
        return "\n".join(found)

    def change(self, session_id: str) -> tuple[str, str]:
        """The id and the new text of the queued prompt that was being edited; call `draft` before."""
        query = "SELECT queued, changed FROM drafts WHERE server = ? AND session = ? AND owner = ?"
        rows = self._read(query, (str, str), *self._draft_key(session_id))
        return (rows[0][0], rows[0][1]) if rows else ("", "")

    def archive_draft(self, session_id: str) -> None:
        """Move the draft of a session that the user deleted to the history."""
        for text in (self.draft(session_id), self.change(session_id)[1]):
            if text:
                self._write(*self._remembering(text))
        self._write((_FORGET_DRAFT, self._draft_key(session_id)))

    def has_draft(self, session_id: str) -> bool:
        """Whether `draft` would return text; adopts nothing."""
        query = "SELECT owner FROM drafts WHERE server = ? AND session = ?"
        owners = [owner for (owner,) in self._read(query, (str,), self._server, session_id)]
        return any(owner == self._owner_lock.name or self._owner_lock.is_dead(owner) for owner in owners)

    def sessions_with_drafts(self) -> list[str]:
        """The sessions with a draft of any client."""
        query = "SELECT DISTINCT session FROM drafts WHERE server = ? AND session != ''"
        rows = self._read(query, (str,), self._server)
        return [session for (session,) in rows]

    def mark_in_flight(self, prompt: Prompt, queued_id: str = "", *, anyway: bool = False) -> bool:
        """Move a prompt from the queue or the draft to the flights, in one transaction, before its POST.

        Returns False and writes nothing if another program has locked the file. `anyway`: write it in memory and
        return True if the user was already warned of the lock.
        """
        flight = (prompt.message_id, self._server, encode_prompt(prompt), self._owner_lock.name, self._wall())
        work = transaction(
            ("INSERT OR REPLACE INTO flights VALUES (?, ?, ?, ?, ?)", flight),
            *(
                [("DELETE FROM queue WHERE id = ?", (queued_id,))]
                if queued_id
                else [(_FORGET_DRAFT, self._draft_key(prompt.session_id)), *self._remembering(prompt.text)]
            ),
        )
        if self._file.write_before_sending(work):
            return True
        if anyway and self._file.problem_reported:
            self._file.write(work)
            return True
        if anyway:
            self._file.catch_up()  # reports the lock
        return False

    def set_server_id(self, prompt: Prompt) -> None:
        """Save the server's own id of the prompt, which `prompt` contains."""
        row = (encode_prompt(prompt), prompt.message_id)
        tables = ("flights", "prompt_keys")
        self._write(*((f"UPDATE {table} SET prompt = ? WHERE message = ?", row) for table in tables))

    def return_to_draft(self, prompt: Prompt) -> None:
        """Append a prompt that the server does not have to the draft, and delete its flight, in one transaction."""
        key = self._draft_key(prompt.session_id)

        def work(database: sqlite3.Connection) -> None:
            texts = [text for (text,) in sound(database.execute(_MY_DRAFT, key).fetchall(), (str,))]
            words = "\n".join(text for text in [*texts, prompt.text] if text)
            database.execute(_APPEND_DRAFT, (*key, storable(words)))
            database.execute("DELETE FROM flights WHERE message = ?", (storable(prompt.message_id),))

        self._file.write(work)

    def clear_in_flight(self, message_id: str) -> None:
        """Delete the flight of a prompt whose turn ended."""
        self._write(("DELETE FROM flights WHERE message = ?", (message_id,)))

    def save_turn_end(self, session_id: str, prompt_id: str, state: str, reason: str) -> None:
        """Save the abnormal end of a prompt's turn, which the server may not record."""
        newest = "SELECT at FROM ends ORDER BY at DESC LIMIT 1 OFFSET ?"
        row = (self._server, session_id, prompt_id, state, reason, self._wall())
        self._write(
            ("INSERT OR REPLACE INTO ends VALUES (?, ?, ?, ?, ?, ?)", row),
            (f"DELETE FROM ends WHERE at <= ({newest})", (_MAX_ENDS,)),
        )

    def forget_end(self, session_id: str, prompt_id: str) -> None:
        """Delete the saved end of a turn that ended normally after all."""
        forget = "DELETE FROM ends WHERE server = ? AND session = ? AND prompt = ?"
        self._write((forget, (self._server, session_id, prompt_id)))

    def turn_ends(self, session_id: str) -> list[tuple[str, str, str]]:
        """The abnormal ends of the session's turns: prompt, state and reason, oldest first."""
        query = "SELECT prompt, state, reason FROM ends WHERE server = ? AND session = ? ORDER BY at"
        rows = self._read(query, (str, str, str), self._server, session_id)
        return [(prompt, state, reason) for prompt, state, reason in rows]

    def adopt_flights(self) -> list[Prompt]:
        """Adopt and return the in-flight prompts of ended clients, oldest first."""
        prompts = []
        for row in self._adopt("flights", "prompt", bytes, "at"):
            try:
                prompts.append(decode(row, Prompt))
            except msgspec.DecodeError as error:
                self._say(f"a prompt that an earlier run sent cannot be read ({error}); it stays in the journal.")
        return prompts

    def enqueue(self, waiting: Sequence[Queued], first: int) -> None:
        """Save or update queued prompts in one transaction; `first` is the place of the first one."""
        self._write(*((_ENQUEUE, self._queue_row(queued, place)) for place, queued in enumerate(waiting, first)))

    def dequeue(self, queued_id: str) -> None:
        self._write(("DELETE FROM queue WHERE id = ?", (queued_id,)))

    def adopt_queue(self) -> list[Queued]:
        """Adopt and return the queued prompts of ended clients, in queue order."""
        ids = self._adopt("queue", "id", str, "place")
        rows = self._read("SELECT id, session, text FROM queue", (str, str, str))
        waiting = {row[0]: Queued(*row) for row in rows}
        return [waiting[queued_id] for queued_id in ids if queued_id in waiting]

    def save_answer_draft(self, request_id: str, body: bytes | None) -> None:
        """Save an incomplete answer; None deletes it."""
        if body is None:
            self._write((_FORGET_ANSWER_DRAFT, (self._server, request_id)), replaces=("answer", request_id))
            return
        newest = "SELECT at FROM answer_drafts ORDER BY at DESC LIMIT 1 OFFSET ?"
        self._write(
            (
                "INSERT OR REPLACE INTO answer_drafts VALUES (?, ?, ?, ?)",
                (self._server, request_id, body, self._wall()),
            ),
            (f"DELETE FROM answer_drafts WHERE at <= ({newest})", (_MAX_ANSWER_DRAFTS,)),
            replaces=("answer", request_id),
        )

    def answer_draft(self, request_id: str) -> bytes | None:
        query = "SELECT body FROM answer_drafts WHERE server = ? AND request = ?"
        rows = self._read(query, (bytes,), self._server, request_id)
        return rows[0][0] if rows else None

    def post_answer(self, request_id: str, body: bytes) -> None:
        """Save an answer before it is sent."""
        row = (request_id, self._server, body, self._owner_lock.name, self._wall())
        self._write(("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)", row))

    def settle_answer(self, request_id: str, *, keep_draft: bool = False) -> None:
        """Delete a settled answer, and its draft unless the user has to change it (`keep_draft`)."""
        forget = ("DELETE FROM answers WHERE server = ? AND request = ?", (self._server, request_id))
        self._write(forget, *([] if keep_draft else [(_FORGET_ANSWER_DRAFT, (self._server, request_id))]))

    def adopt_answers(self) -> list[bytes]:
        """Adopt and return the unsettled answers of ended clients, oldest first."""
        return self._adopt("answers", "body", bytes, "at")

    def post_abort(self, session_id: str, prompt_ids: Iterable[str], *, tried: bool) -> None:
        """Save a pending abort of these prompts' turns; `tried`: it may have reached the server."""
        for prompt_id in prompt_ids:
            row = (self._server, session_id, prompt_id, tried, self._owner_lock.name, self._wall())
            self._write(("INSERT OR REPLACE INTO aborts VALUES (?, ?, ?, ?, ?, ?)", row))

    def settle_abort(self, prompt_ids: Iterable[str]) -> None:
        """Delete the aborts of turns that ended or that the server refuses to abort."""
        for prompt_id in prompt_ids:
            self._write(("DELETE FROM aborts WHERE server = ? AND prompt = ?", (self._server, prompt_id)))

    def adopt_aborts(self) -> list[tuple[str, str, bool]]:
        """Adopt and return the unsettled aborts of ended clients: session, prompt and `tried`, oldest first."""
        mine = self._adopt("aborts", "prompt", str, "at")
        query = "SELECT prompt, session, tried FROM aborts WHERE server = ?"
        rows = {row[0]: row for row in self._read(query, (str, str, int), self._server)}
        return [(rows[one][1], one, bool(rows[one][2])) for one in mine if one in rows]

    def save_last_session(self, session_id: str) -> None:
        self._write(("INSERT OR REPLACE INTO places VALUES (?, ?)", (self._server, session_id)))

    def last_session(self) -> str | None:
        """The session of the server that was open last, or None."""
        rows = self._read("SELECT session FROM places WHERE server = ?", (str,), self._server)
        return rows[0][0] if rows else None

    def identities(self, session_id: str) -> list[str]:
        """This client's identities in the session, newest first; adopts those of ended clients."""
        mine = self._adopt("identities", "id", int, "id DESC")
        query = "SELECT id, identity FROM identities WHERE session = ?"
        rows = {row: identity for row, identity in self._read(query, (int, str), session_id)}
        return [rows[row] for row in mine if row in rows]

    def save_identity(self, session_id: str, identity: str) -> None:
        row = (self._server, session_id, identity, self._owner_lock.name)
        self._write(("INSERT INTO identities (server, session, identity, owner) VALUES (?, ?, ?, ?)", row))

    def forget_identities(self, session_id: str) -> None:
        """Delete this client's identities in a session that it left."""
        self._write(
            (
                "DELETE FROM identities WHERE server = ? AND session = ? AND owner = ?",
                (self._server, session_id, self._owner_lock.name),
            ),
        )

    def _draft_key(self, session_id: str) -> tuple[str, str, str]:
        return self._server, str(storable(session_id)), self._owner_lock.name

    def _queue_row(self, queued: Queued, place: int) -> tuple[object, ...]:
        return (queued.id, self._server, queued.session_id, queued.text, self._owner_lock.name, place)

    def _remembering(self, text: str) -> list[Step]:
        """Steps that add a text to the history; none if it is blank."""
        if not text.strip():
            return []
        return [
            ("INSERT INTO history (text, at) VALUES (?, ?)", (text, self._wall())),
            ("DELETE FROM history WHERE id <= (SELECT max(id) FROM history) - ?", (MAX_HISTORY,)),
        ]

    def _say(self, problem: str) -> None:
        self.problems.append(problem)
        log.warning("journal: %s", problem)
        for listener in self._listeners:
            listener(problem)

    def _write(self, *steps: Step, replaces: Hashable = None) -> None:
        """Write as one transaction. `replaces`: the key of a draft, replacing its pending write; may be late."""
        self._file.write(transaction(*steps), key=replaces, wait=replaces is None)

    def _read(self, query: str, kinds: tuple[type, ...], *values: object) -> Rows:
        return self._file.read(query, tuple(map(storable, values)), kinds)

    def _adopt(self, table: Owned, column: str, kind: type[T], order: str) -> list[T]:
        """Adopt the rows of ended owners in one transaction, so that two clients never adopt the same rows."""
        found: list[T] = []

        def work(database: sqlite3.Connection) -> None:
            for (owner,) in database.execute(f"SELECT DISTINCT owner FROM {table}").fetchall():
                if isinstance(owner, str) and self._owner_lock.is_dead(owner):
                    database.execute(
                        f"UPDATE {table} SET owner = ? WHERE owner = ? AND server = ?",
                        (self._owner_lock.name, owner, self._server),
                    )
            mine = f"SELECT {column} FROM {table} WHERE owner = ? AND server = ? ORDER BY {order}"
            rows = database.execute(mine, (self._owner_lock.name, self._server)).fetchall()
            found[:] = [value for (value,) in sound(rows, (kind,))]

        self._file.run_on_file(work)
        return found
